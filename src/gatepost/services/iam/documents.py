"""Policy documents as IAM takes them: parsed, and measured against the quotas.

Quotas count characters without white space.
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

from __future__ import annotations

import re
from typing import Final

import orjson

from gatepost.languages.iam_policy import Policy, PolicyError, PolicyKind, parse_policy
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.errors import (
    InvalidInputException,
    LimitExceededException,
    MalformedPolicyDocumentException,
    NoSuchEntityException,
    PolicyNotAttachableException,
)
from gatepost.services.iam.model import AWS_POLICY_PREFIX, ManagedPolicy

_POLICY_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::(aws|\d{12}):policy/[!-~]+", re.ASCII)
MANAGED_POLICY_CHARACTERS_MAX: Final = 6_144
TRUST_POLICY_CHARACTERS_MAX: Final = 2_048  # AWS raises it to 4,096 on request


def checked_document(document: str, kind: PolicyKind) -> str:
    """Give `document` back when it is a policy of that kind. Raises: MalformedPolicyDocumentException."""
    _parsed(document, kind)
    return document


def _parsed(document: str, kind: PolicyKind) -> Policy:
    try:
        return parse_policy(document, kind)
    except PolicyError as error:
        raise MalformedPolicyDocumentException(str(error)) from error


def checked_managed_document(document: str) -> str:
    """Check a managed policy's document, its version and its size.

    Raises: MalformedPolicyDocumentException, LimitExceededException.
    """
    if characters(document) > MANAGED_POLICY_CHARACTERS_MAX:
        raise LimitExceededException(f"Cannot exceed quota for PolicySize: {MANAGED_POLICY_CHARACTERS_MAX}")
    _parsed(document, "identity")
    if orjson.loads(document).get("Version") != "2012-10-17":
        raise MalformedPolicyDocumentException("Policy document must be version 2012-10-17 or greater.")
    return document


def checked_trust_policy(document: str, directory: Directory, account_id: str) -> str:
    """Check a role's trust policy: its size, its grammar, and that the principals of this account exist.

    Raises: MalformedPolicyDocumentException, LimitExceededException.
    """
    if characters(document) > TRUST_POLICY_CHARACTERS_MAX:
        raise LimitExceededException(f"Cannot exceed quota for ACLSizePerRole: {TRUST_POLICY_CHARACTERS_MAX}")
    policy = _parsed(document, "trust")
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


def attachable(directory: Directory, arn: str, account_id: str, *, scope: str = "Policy") -> ManagedPolicy:
    """Find a managed policy that may be attached or be a boundary (`scope` "Scope ARN:") in this account.

    Raises: InvalidInputException, PolicyNotAttachableException, NoSuchEntityException.
    """
    if not _POLICY_ARN.fullmatch(arn):
        raise InvalidInputException(f"ARN {arn} is not valid.")
    if arn.startswith(AWS_POLICY_PREFIX + "aws-service-role/"):
        raise PolicyNotAttachableException(f"Cannot attach a Service Role Policy to a Customer Role. {arn}")
    policy = directory.managed_policy(arn)
    if policy is None or policy.account_id not in (account_id, "aws"):
        raise NoSuchEntityException(f"{scope} {arn} does not exist or is not attachable.")
    return policy
