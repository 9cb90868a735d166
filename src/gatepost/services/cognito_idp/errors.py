"""Cognito's exceptions: one class for each, as botocore's model lists them."""

from __future__ import annotations

from gatepost.kernel.errors import ServiceError


class AliasExistsException(ServiceError):
    """Another user of the pool has this e-mail address, phone number or preferred user name."""

    code = "AliasExistsException"
    status = 400


class CodeDeliveryFailureException(ServiceError):
    """A code could not be sent."""

    code = "CodeDeliveryFailureException"
    status = 400


class CodeMismatchException(ServiceError):
    """A code is not the one that was sent."""

    code = "CodeMismatchException"
    status = 400


class ConcurrentModificationException(ServiceError):
    """Two calls changed the same thing at once."""

    code = "ConcurrentModificationException"
    status = 400


class DuplicateProviderException(ServiceError):
    """The pool has an identity provider of this name."""

    code = "DuplicateProviderException"
    status = 400


class EnableSoftwareTokenMFAException(ServiceError):
    """The code of an authenticator app is wrong."""

    code = "EnableSoftwareTokenMFAException"
    status = 400


class ExpiredCodeException(ServiceError):
    """A code is too old, or there is none."""

    code = "ExpiredCodeException"
    status = 400


class FeatureUnavailableInTierException(ServiceError):
    """The pool's tier does not have this."""

    code = "FeatureUnavailableInTierException"
    status = 400


class ForbiddenException(ServiceError):
    """The request is refused."""

    code = "ForbiddenException"
    status = 400


class GroupExistsException(ServiceError):
    """The pool has a group of this name."""

    code = "GroupExistsException"
    status = 400


class InvalidLambdaResponseException(ServiceError):
    """A trigger's answer cannot be used."""

    code = "InvalidLambdaResponseException"
    status = 400


class InvalidOAuthFlowException(ServiceError):
    """The OAuth flows of a client do not go together."""

    code = "InvalidOAuthFlowException"
    status = 400


class InvalidParameterException(ServiceError):
    """A parameter cannot be used."""

    code = "InvalidParameterException"
    status = 400


class InvalidPasswordException(ServiceError):
    """A password breaks the pool's policy."""

    code = "InvalidPasswordException"
    status = 400


class InvalidUserPoolConfigurationException(ServiceError):
    """The pool's settings do not allow it."""

    code = "InvalidUserPoolConfigurationException"
    status = 400


class LimitExceededException(ServiceError):
    """There would be too many, or it was tried too often."""

    code = "LimitExceededException"
    status = 400


class MFAMethodNotFoundException(ServiceError):
    """No second factor can be found."""

    code = "MFAMethodNotFoundException"
    status = 400


class NotAuthorizedException(ServiceError):
    """The caller has not proved to be the one who may do this."""

    code = "NotAuthorizedException"
    status = 400


class PasswordHistoryPolicyViolationException(ServiceError):
    """A password was used before."""

    code = "PasswordHistoryPolicyViolationException"
    status = 400


class PasswordResetRequiredException(ServiceError):
    """The user has to set a new password first."""

    code = "PasswordResetRequiredException"
    status = 400


class PreconditionNotMetException(ServiceError):
    """Something has to be done first."""

    code = "PreconditionNotMetException"
    status = 400


class RefreshTokenReuseException(ServiceError):
    """A refresh token was used after it had been replaced."""

    code = "RefreshTokenReuseException"
    status = 400


class ResourceNotFoundException(ServiceError):
    """There is no such pool, client, group or other thing."""

    code = "ResourceNotFoundException"
    status = 400


class ScopeDoesNotExistException(ServiceError):
    """There is no such scope."""

    code = "ScopeDoesNotExistException"
    status = 400


class SoftwareTokenMFANotFoundException(ServiceError):
    """The user has no authenticator app, or the pool does not use them."""

    code = "SoftwareTokenMFANotFoundException"
    status = 400


class TooManyFailedAttemptsException(ServiceError):
    """It failed too often."""

    code = "TooManyFailedAttemptsException"
    status = 400


class TooManyRequestsException(ServiceError):
    """Too much is asked at once."""

    code = "TooManyRequestsException"
    status = 400


class UnauthorizedException(ServiceError):
    """The request is not authorized."""

    code = "UnauthorizedException"
    status = 400


class UnexpectedLambdaException(ServiceError):
    """A trigger could not be invoked."""

    code = "UnexpectedLambdaException"
    status = 400


class UnsupportedIdentityProviderException(ServiceError):
    """There is no such identity provider here."""

    code = "UnsupportedIdentityProviderException"
    status = 400


class UnsupportedOperationException(ServiceError):
    """The pool or the token does not allow this operation."""

    code = "UnsupportedOperationException"
    status = 400


class UnsupportedTokenTypeException(ServiceError):
    """This is not a refresh token."""

    code = "UnsupportedTokenTypeException"
    status = 400


class UnsupportedUserStateException(ServiceError):
    """The user's state does not allow this."""

    code = "UnsupportedUserStateException"
    status = 400


class UserImportInProgressException(ServiceError):
    """Users are being imported."""

    code = "UserImportInProgressException"
    status = 400


class UserLambdaValidationException(ServiceError):
    """A trigger refused."""

    code = "UserLambdaValidationException"
    status = 400


class UserNotConfirmedException(ServiceError):
    """The user has not confirmed the sign-up."""

    code = "UserNotConfirmedException"
    status = 400


class UserNotFoundException(ServiceError):
    """There is no such user."""

    code = "UserNotFoundException"
    status = 400


class UserPoolTaggingException(ServiceError):
    """A tag cannot be used."""

    code = "UserPoolTaggingException"
    status = 400


class UsernameExistsException(ServiceError):
    """There is a user of this name."""

    code = "UsernameExistsException"
    status = 400


class WebAuthnChallengeNotFoundException(ServiceError):
    """No registration of a passkey was begun, or it is too old."""

    code = "WebAuthnChallengeNotFoundException"
    status = 400


class WebAuthnClientMismatchException(ServiceError):
    """Another app client began the registration of a passkey."""

    code = "WebAuthnClientMismatchException"
    status = 400


class WebAuthnConfigurationMissingException(ServiceError):
    """The pool has no settings for passkeys."""

    code = "WebAuthnConfigurationMissingException"
    status = 400


class WebAuthnCredentialNotSupportedException(ServiceError):
    """This kind of passkey is not supported."""

    code = "WebAuthnCredentialNotSupportedException"
    status = 400


class WebAuthnNotEnabledException(ServiceError):
    """The pool does not use passkeys."""

    code = "WebAuthnNotEnabledException"
    status = 400


class WebAuthnOriginNotAllowedException(ServiceError):
    """The passkey was made for a page of another origin."""

    code = "WebAuthnOriginNotAllowedException"
    status = 400


class WebAuthnRelyingPartyMismatchException(ServiceError):
    """The passkey was made for another relying party."""

    code = "WebAuthnRelyingPartyMismatchException"
    status = 400


class UserPoolAddOnNotEnabledException(ServiceError):
    """Threat protection is off."""

    code = "UserPoolAddOnNotEnabledException"
    status = 400
