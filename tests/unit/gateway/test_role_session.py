from __future__ import annotations

from gatepost.gateway.role_session import RENEW_BEFORE_MS, SERVICE, RoleSession
from gatepost.kernel.ports import Credentials


class Roles:
    """Gives a new session each time, good for an hour."""

    def __init__(self):
        self.asked = []

    def assume(self, role_arn, *, service, session_name, duration_s=3600):
        self.asked.append((role_arn, service, session_name))
        return Credentials(f"ASIA{len(self.asked)}", "s", "t", expires_at_ms=3_600_000 * len(self.asked))


def test_a_session_is_kept_until_shortly_before_it_ends_or_is_forgotten():
    roles = Roles()
    session = RoleSession(roles, "arn:aws:iam::1:role/r")
    assert session.credentials(0).access_key_id == "ASIA1"
    assert session.credentials(3_600_000 - RENEW_BEFORE_MS - 1).access_key_id == "ASIA1"
    assert session.credentials(3_600_000 - RENEW_BEFORE_MS).access_key_id == "ASIA2"
    session.forget()
    assert session.credentials(0).access_key_id == "ASIA3"
    assert set(roles.asked) == {("arn:aws:iam::1:role/r", SERVICE, "BackplaneAssumeRoleSession")}
