"""Temporary credentials: made from a role and a request, sealed into their own token.

`Sessions` implements `kernel.ports.RoleSessions` for services that assume a role on its owner's behalf, and makes the
credentials of the STS operations.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.operations import Principal
from gatepost.kernel.ports import Credentials
from gatepost.languages.iam_policy import CompiledPolicies, PolicyError
from gatepost.languages.iam_policy_evaluation import Policies, Question, decide
from gatepost.languages.iam_policy_principals import Subject
from gatepost.security.access_keys import SESSION, new_access_key_id, new_secret_access_key
from gatepost.security.session_tokens import Session, SessionTokens
from gatepost.services.sts.roles import AssumableRole, Roles

_SESSION_NAME: Final = re.compile(r"[^\w+=,.@-]", re.ASCII)
SESSION_NAME_CHARACTERS_MAX: Final = 64
_ROLE_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::([0-9]{12}):role/[\w+=,.@/-]{1,512}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """What one session of a role is asked to be."""

    session_name: str
    duration_s: int
    policies: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    transitive_tag_keys: tuple[str, ...] = field(default=())
    source_identity: str = ""
    provider_keys: tuple[tuple[str, str | tuple[str, ...]], ...] = ()


class Sessions:
    """Makes temporary credentials; implements `kernel.ports.RoleSessions`."""

    def __init__(
        self, roles: Roles, tokens: SessionTokens, clock: Clock, *, stands_in_for_unknown_roles: bool = False
    ) -> None:
        """Take the roles. With `stands_in_for_unknown_roles` (`--any-credentials`) one that nobody has is the root."""
        self._roles = roles
        self._stands_in = stands_in_for_unknown_roles
        self._tokens = tokens
        self._clock = clock
        self._compiled = CompiledPolicies()

    def stands_in_for(self, principal: Principal) -> bool:
        """Say whether somebody is the administrator whom an unknown key stands for (`--any-credentials`)."""
        return self._stands_in and principal.kind == "root" and not principal.access_key_id

    def assume(self, role_arn: str, *, service: str, session_name: str, duration_s: int = 3600) -> Credentials:
        """Give credentials of `role_arn` when its trust policy lets `service` (lambda.amazonaws.com) assume it.

        The trust policy's conditions see aws:SourceAccount (the role's account) and aws:PrincipalServiceName.
        Characters that session names cannot have become `-`.

        Raises: AccessDeniedException when the trust policy does not, or the role does not exist.
        """
        role = self._roles.role_by_arn(role_arn)
        found = _ROLE_ARN.fullmatch(role_arn) if role is None and self._stands_in else None
        if found is not None:
            account_id = found.group(1)
            now_ms = self._clock.now_ms()
            return self.of_user(
                "root", account_id, "root", account_id, duration_s=min(duration_s, 43_200), now_ms=now_ms
            )
        if role is None or not self._is_trusted(role, service):
            raise AccessDeniedException(
                f"The role defined for the function cannot be assumed by {service.partition('.')[0].capitalize()}."
                if service == "lambda.amazonaws.com"
                else f"{service} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"
            )
        name = _SESSION_NAME.sub("-", session_name)[:SESSION_NAME_CHARACTERS_MAX]
        duration_s = min(duration_s, 43_200)
        return self.of_role(role, SessionRequest(name, duration_s), now_ms=self._clock.now_ms())

    def _is_trusted(self, role: AssumableRole, service: str) -> bool:
        try:
            trust = self._compiled.get(role.trust_policy, "trust")
        except PolicyError:
            return False
        subject = Subject("service", role.account_id, service, service=service)
        keys = {
            "aws:principalisawsservice": "true",
            "aws:principalservicename": service,
            "aws:sourceaccount": role.account_id,
        }
        question = Question(subject, "sts:AssumeRole", role.arn, role.account_id, keys)
        return decide(question, Policies(resource=trust, is_trust=True)).is_allowed

    def of_role(self, role: AssumableRole, request: SessionRequest, *, now_ms: int) -> Credentials:
        """Make credentials of a role. Nothing is checked: the caller has."""
        return self._issue(
            Session(
                kind="assumed-role",
                account_id=role.account_id,
                access_key_id=new_access_key_id(SESSION, role.account_id),
                secret_access_key=new_secret_access_key(),
                issued_at_ms=_whole_second(now_ms),
                expires_at_ms=_whole_second(now_ms) + request.duration_s * 1000,
                name=role.name,
                owner_id=role.id,
                session_name=request.session_name,
                role_arn=role.arn,
                policies=request.policies,
                tags=request.tags,
                transitive_tag_keys=request.transitive_tag_keys,
                source_identity=request.source_identity,
                provider_keys=request.provider_keys,
            )
        )

    def of_user(
        self,
        kind: str,
        account_id: str,
        name: str,
        user_id: str,
        *,
        duration_s: int,
        now_ms: int,
        has_mfa: bool = False,
    ) -> Credentials:
        """Make temporary credentials of a user (`kind` "user") or of the account's root user ("root")."""
        return self._issue(
            Session(
                kind=kind,
                account_id=account_id,
                access_key_id=new_access_key_id(SESSION, account_id),
                secret_access_key=new_secret_access_key(),
                issued_at_ms=_whole_second(now_ms),
                expires_at_ms=_whole_second(now_ms) + duration_s * 1000,
                name=name,
                owner_id=user_id,
                mfa_at_ms=now_ms if has_mfa else 0,
            )
        )

    def of_federated_user(
        self,
        owner_name: str,
        owner_id: str,
        account_id: str,
        request: SessionRequest,
        *,
        now_ms: int,
    ) -> Credentials:
        """Make credentials of a federated user, who may at most what a user may. Nothing is checked: the caller has."""
        return self._issue(
            Session(
                kind="federated",
                account_id=account_id,
                access_key_id=new_access_key_id(SESSION, account_id),
                secret_access_key=new_secret_access_key(),
                issued_at_ms=_whole_second(now_ms),
                expires_at_ms=_whole_second(now_ms) + request.duration_s * 1000,
                name=owner_name,
                owner_id=owner_id,
                session_name=request.session_name,
                policies=request.policies,
                tags=request.tags,
            )
        )

    def _issue(self, session: Session) -> Credentials:
        return Credentials(
            session.access_key_id, session.secret_access_key, self._tokens.issue(session), session.expires_at_ms
        )


def _whole_second(at_ms: int) -> int:
    return at_ms // 1000 * 1000  # AWS tells an expiration without a fraction
