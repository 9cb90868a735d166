"""The Principal and NotPrincipal elements: who a statement of a resource or trust policy is about.

How a subject was named matters as much as whether: a grant to a user or a role session is final in its account, a
grant to a role is still cut by permissions boundary and session policies, and a grant to an account only lets that
account's own policies decide. Sources:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

PRINCIPAL_TYPES: Final = ("AWS", "Service", "Federated", "CanonicalUser")
_AWS_PRINCIPAL: Final = re.compile(
    r"\*|\d{12}|arn:aws(-[a-z-]+)?:(iam::\d{12}:(root|user/.+|role/.+)|sts::\d{12}:(assumed-role|federated-user)/.+)"
    r"|A[A-Z]{3}[A-Z0-9]{12,124}",
    re.ASCII,
)
_SERVICE: Final = re.compile(r"[a-z0-9.-]+\.(amazonaws\.com(\.cn)?|aws\.internal)|[a-z0-9-]+\.[a-z0-9.-]+", re.ASCII)


class PrincipalError(ValueError):
    """A Principal element is malformed. The text is AWS's."""


class Grant(IntEnum):
    """How a principal element names a subject, the weakest first."""

    NONE = 0
    ACCOUNT = 1  # its account: the account's own policies must allow too
    ROLE = 2  # its role: permissions boundary and session policies still limit
    DIRECT = 3  # itself, or everyone


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks, as policies see it. `role_arn` for role sessions.

    `service` is an AWS service, or a web identity's provider: a name or an ARN of an OpenID Connect provider.
    """

    kind: str  # kernel.operations.PrincipalKind
    account_id: str
    arn: str
    role_arn: str = ""
    principal_id: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True)
class Principals:
    """A compiled Principal (or, with `is_not`, NotPrincipal)."""

    is_not: bool
    is_everyone: bool
    aws: frozenset[str]  # ARNs and unique ids
    accounts: frozenset[str]  # 12 digits
    services: frozenset[str]
    federated: frozenset[str]

    def grant(self, subject: Subject) -> Grant:
        """Say how an Allow names `subject`. NotPrincipal names directly everyone that is not listed in any way."""
        named = self._named(subject)
        if self.is_not:
            return Grant.NONE if named else Grant.DIRECT
        return named

    def denies(self, subject: Subject) -> bool:
        """Say whether a Deny is about `subject`.

        NotPrincipal spares only who is listed wholly: the account, and the user, or the role and its session.
        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
        """
        return not self._spares(subject) if self.is_not else self._named(subject) > Grant.NONE

    def _spares(self, subject: Subject) -> bool:
        if self.is_everyone:
            return True
        if subject.kind in ("service", "anonymous", "web-identity"):
            return self._named(subject) is Grant.DIRECT
        if subject.account_id not in self.accounts:
            return False
        is_listed = subject.kind == "root" or subject.arn in self.aws or subject.principal_id in self.aws
        return is_listed and (not subject.role_arn or subject.role_arn in self.aws)

    def _named(self, subject: Subject) -> Grant:
        if subject.kind == "web-identity":  # never by a star, which means principals of AWS
            return Grant.DIRECT if subject.service in self.federated else Grant.NONE
        if self.is_everyone:
            return Grant.DIRECT
        if subject.kind == "service":
            return Grant.DIRECT if subject.service in self.services else Grant.NONE
        if subject.kind == "anonymous":
            return Grant.NONE
        if subject.arn in self.aws or subject.principal_id in self.aws:
            return Grant.DIRECT
        if subject.role_arn:
            role_id = subject.principal_id.partition(":")[0]
            if subject.role_arn in self.aws or role_id in self.aws:
                return Grant.ROLE
        return Grant.ACCOUNT if subject.account_id in self.accounts else Grant.NONE


def parse_principals(statement: Mapping[str, Any], *, is_trust: bool) -> Principals | None:
    """Compile a statement's Principal or NotPrincipal, or give None when it has neither. Raises: PrincipalError."""
    is_not = "NotPrincipal" in statement
    if not is_not and "Principal" not in statement:
        return None
    element = statement["NotPrincipal"] if is_not else statement["Principal"]
    if element == "*":
        element = {"AWS": "*"}
    if not isinstance(element, dict) or not element:
        raise PrincipalError(f"Invalid principal in policy: {_short(element)}")
    found: dict[str, list[str]] = {kind: [] for kind in PRINCIPAL_TYPES}
    for kind, values in element.items():
        if kind not in found or (is_trust and kind == "CanonicalUser"):
            raise PrincipalError(f'Invalid principal in policy: "{_short(kind)}"')
        for value in values if isinstance(values, list) else [values]:
            found[kind].append(_checked(kind, value))
    if found["CanonicalUser"]:
        raise PrincipalError("Invalid principal in policy: CanonicalUser is Amazon S3's and is not supported")
    aws = set(found["AWS"])
    accounts = {arn.split(":")[4] for arn in aws if arn.endswith(":root")} | {one for one in aws if one.isdigit()}
    return Principals(
        is_not=is_not,
        is_everyone="*" in aws,
        aws=frozenset(one for one in aws if one != "*" and not one.isdigit()),
        accounts=frozenset(accounts),
        services=frozenset(found["Service"]),
        federated=frozenset(found["Federated"]),
    )


def _checked(kind: str, value: object) -> str:
    valid = isinstance(value, str) and bool(value)
    if valid and kind == "AWS":
        valid = _AWS_PRINCIPAL.fullmatch(str(value)) is not None
        valid = valid and (value == "*" or "*" not in str(value))
    elif valid and kind == "Service":
        valid = _SERVICE.fullmatch(str(value)) is not None
    if not valid:
        raise PrincipalError(f'Invalid principal in policy: "{kind}":"{_short(value)}"')
    return str(value)


def _short(value: object) -> str:
    return str(value)[:256]
