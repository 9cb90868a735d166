"""Sessions of roles, as both roles of the platform make them."""

from __future__ import annotations

from gatepost.config import Settings
from gatepost.kernel.clock import Clock
from gatepost.security.sealing import Seal
from gatepost.security.session_tokens import SessionTokens
from gatepost.services.iam.directory import Directory
from gatepost.services.sts.sessions import Sessions


def role_sessions(directory: Directory, seal: Seal, clock: Clock, settings: Settings) -> Sessions:
    """Give who assumes roles. With `--any-credentials` a role that nobody has is the administrator, like such a key."""
    stands_in = settings.any_credentials
    return Sessions(directory, SessionTokens(seal), clock, stands_in_for_unknown_roles=stands_in)
