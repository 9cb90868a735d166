"""Policy documents as IAM takes them: parsed, and measured against the quotas.

Quotas count characters without white space.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

from typing import Final

from gatepost.languages.iam_policy import PolicyError, PolicyKind, parse_policy
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.errors import (
    LimitExceededException,
    MalformedPolicyDocumentException,
    NoSuchEntityException,
    PolicyNotAttachableException,
)
from gatepost.services.iam.model import AWS_POLICY_PREFIX, ManagedPolicy

MANAGED_POLICY_CHARACTERS_MAX: Final = 6_144
TRUST_POLICY_CHARACTERS_MAX: Final = 2_048  # AWS raises it to 4,096 on request


def checked_document(document: str, kind: PolicyKind) -> str:
    """Give `document` back when it is a policy of that kind. Raises: MalformedPolicyDocumentException."""
    try:
        parse_policy(document, kind)
    except PolicyError as error:
        raise MalformedPolicyDocumentException(str(error)) from error
    return document


def checked_managed_document(document: str) -> str:
    """Check a managed policy's document and its size. Raises: MalformedPolicyDocumentException, LimitExceeded…."""
    if characters(document) > MANAGED_POLICY_CHARACTERS_MAX:
        raise LimitExceededException(f"Cannot exceed quota for PolicySize: {MANAGED_POLICY_CHARACTERS_MAX}")
    return checked_document(document, "identity")


def checked_trust_policy(document: str, directory: Directory, account_id: str) -> str:
    """Check a role's trust policy: its size, its grammar, and that the principals of this account exist.

    Raises: MalformedPolicyDocumentException, LimitExceededException.
    """
    if characters(document) > TRUST_POLICY_CHARACTERS_MAX:
        raise LimitExceededException(f"Cannot exceed quota for ACLSizePerRole: {TRUST_POLICY_CHARACTERS_MAX}")
    try:
        policy = parse_policy(document, "trust")
    except PolicyError as error:
        raise MalformedPolicyDocumentException(str(error)) from error
    for statement in policy.statements:
        for arn in sorted(statement.principals.aws) if statement.principals else ():
            if not _exists(arn, directory, account_id):
                raise MalformedPolicyDocumentException(f'Invalid principal in policy: "AWS":"{arn}"')
    return document


def _exists(arn: str, directory: Directory, account_id: str) -> bool:
    """Say whether a user or role of this account is there; of other accounts nothing is known."""
    own = f"arn:aws:iam::{account_id}:"
    if arn.startswith(own + "user/"):
        user = directory.user(account_id, arn.rpartition("/")[2])
        return user is not None and user.arn == arn
    if arn.startswith(own + "role/"):
        return directory.role_by_arn(arn) is not None
    return True


def characters(document: str) -> int:
    """Count a document's characters as the quotas do: without white space."""
    return sum(1 for character in document if not character.isspace())


def attachable(directory: Directory, arn: str, account_id: str) -> ManagedPolicy:
    """Find a managed policy that may be attached or be a boundary in this account.

    Raises: NoSuchEntityException (for one of AWS's that we lack it says which we have), PolicyNotAttachableException.
    """
    if arn.startswith(AWS_POLICY_PREFIX + "aws-service-role/"):
        raise PolicyNotAttachableException(f"Cannot attach a Service Role Policy to a Customer Role. {arn}")
    policy = directory.managed_policy(arn)
    if policy is None or policy.account_id not in (account_id, "aws"):
        hint = unknown_aws_policy(directory, arn)
        raise NoSuchEntityException(f"Policy {arn} does not exist or is not attachable.{hint}")
    return policy


def unknown_aws_policy(directory: Directory, arn: str) -> str:
    """Say which of AWS's managed policies we have, when `arn` is of one that we have not."""
    if not arn.startswith(AWS_POLICY_PREFIX):
        return ""
    have = ", ".join(one.removeprefix(AWS_POLICY_PREFIX) for one in directory.aws_policies.arns)
    return f" Of AWS's managed policies Gatepost has: {have}."
