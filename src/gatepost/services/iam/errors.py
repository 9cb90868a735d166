"""What IAM says no with. Codes and statuses are those of botocore's model of the service."""

from __future__ import annotations

from gatepost.kernel.errors import ServiceError


class NoSuchEntityException(ServiceError):
    """The request names a user, role, group, policy or key that is not there."""

    code = "NoSuchEntity"
    status = 404


class EntityAlreadyExistsException(ServiceError):
    """There is one of that name already; names differ by more than case."""

    code = "EntityAlreadyExists"
    status = 409


class DeleteConflictException(ServiceError):
    """What is to be deleted still has something attached to it."""

    code = "DeleteConflict"
    status = 409


class InvalidAuthenticationCodeException(ServiceError):
    """The codes of an MFA device are not right."""

    code = "InvalidAuthenticationCode"
    status = 403


class LimitExceededException(ServiceError):
    """A quota of the account, or of the entity."""

    code = "LimitExceeded"
    status = 409


class MalformedPolicyDocumentException(ServiceError):
    """The policy document breaks the policy grammar."""

    code = "MalformedPolicyDocument"
    status = 400


class InvalidInputException(ServiceError):
    """A parameter's value cannot be."""

    code = "InvalidInput"
    status = 400


class PolicyNotAttachableException(ServiceError):
    """The policy is a service's own and goes to service-linked roles only."""

    code = "PolicyNotAttachable"
    status = 400


class UnmodifiableEntityException(ServiceError):
    """The entity is AWS's own."""

    code = "UnmodifiableEntity"
    status = 400


class ConcurrentModificationException(ServiceError):
    """Somebody changed the entity at the same time; the request may be tried again."""

    code = "ConcurrentModification"
    status = 409


class ValidationError(ServiceError):
    """A parameter breaks a rule that the model does not state."""

    code = "ValidationError"
    status = 400


class ExpiredToken(ServiceError):
    """The session token's time is over."""

    code = "ExpiredToken"
    status = 403


class PasswordPolicyViolationException(ServiceError):
    """The password breaks the account's password policy, or AWS's own where the account has none."""

    code = "PasswordPolicyViolation"
    status = 400


class InvalidUserTypeException(ServiceError):
    """Only a user has a password to change."""

    code = "InvalidUserType"
    status = 400


class AccessDenied(ServiceError):
    """The old password is another."""

    code = "AccessDenied"
    status = 403


class MalformedCertificateException(ServiceError):
    """The text is no X.509 certificate in PEM."""

    code = "MalformedCertificate"
    status = 400


class KeyPairMismatchException(ServiceError):
    """The private key is not the certificate's."""

    code = "KeyPairMismatch"
    status = 400


class DuplicateCertificateException(ServiceError):
    """The user has this certificate already."""

    code = "DuplicateCertificate"
    status = 409


class DuplicateSSHPublicKeyException(ServiceError):
    """The user has this public key already."""

    code = "DuplicateSSHPublicKey"
    status = 400


class InvalidPublicKeyException(ServiceError):
    """The text is no public key that SSH takes."""

    code = "InvalidPublicKey"
    status = 400


class CredentialReportNotPresentException(ServiceError):
    """No report was generated, or the process that had it is gone."""

    code = "ReportNotPresent"
    status = 410


class CredentialReportExpiredException(ServiceError):
    """The report is older than four hours."""

    code = "ReportExpired"
    status = 410
