"""The session of a role that an integration names: assumed when it is first needed, renewed in time."""

from __future__ import annotations

from typing import Final

from gatepost.kernel.ports import Credentials, RoleSessions

SERVICE: Final = "apigateway.amazonaws.com"
SESSION_NAME: Final = "BackplaneAssumeRoleSession"  # the name that API Gateway uses
RENEW_BEFORE_MS: Final = 5 * 60 * 1000
SESSION_S: Final = 3600


class RoleSession:
    """Credentials of one role, for an hour at a time, as on AWS."""

    __slots__ = ("_current", "_sessions", "role_arn")

    def __init__(self, sessions: RoleSessions, role_arn: str) -> None:
        self._sessions = sessions
        self._current: Credentials | None = None
        self.role_arn = role_arn

    def credentials(self, now_ms: int) -> Credentials:
        """Give credentials that are good for some minutes. Raises: AccessDeniedException: the role is not to be had."""
        current = self._current
        if current is None or now_ms >= current.expires_at_ms - RENEW_BEFORE_MS:
            current = self._current = self._sessions.assume(
                self.role_arn, service=SERVICE, session_name=SESSION_NAME, duration_s=SESSION_S
            )
        return current

    def forget(self) -> None:
        """Assume the role anew next time: what we held is not worth anything."""
        self._current = None
