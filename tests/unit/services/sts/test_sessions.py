from __future__ import annotations

import pytest

from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import AccessDeniedException
from gatepost.security.sealing import Seal
from gatepost.security.session_tokens import SessionTokens
from gatepost.services.iam.directory import Directory
from gatepost.services.sts.sessions import Sessions

NOBODY = "arn:aws:iam::000000000000:role/nobody"


def some_sessions(**options: bool) -> tuple[Sessions, SessionTokens]:
    seal = Seal(bytes(32))
    tokens = SessionTokens(seal)
    return Sessions(Directory(seal), tokens, FixedClock(), **options), tokens


def test_a_role_that_nobody_has_cannot_be_assumed() -> None:
    sessions, _ = some_sessions()
    with pytest.raises(AccessDeniedException, match="cannot be assumed by Lambda"):
        sessions.assume(NOBODY, service="lambda.amazonaws.com", session_name="f")


def test_with_any_credentials_it_is_the_administrator_and_what_is_no_role_is_still_refused() -> None:
    sessions, tokens = some_sessions(stands_in_for_unknown_roles=True)
    given = sessions.assume(NOBODY, service="lambda.amazonaws.com", session_name="f", duration_s=900)
    session = tokens.open(given.session_token)
    assert (session.kind, session.account_id) == ("root", "000000000000")
    assert session.expires_at_ms - session.issued_at_ms == 900_000
    with pytest.raises(AccessDeniedException):
        sessions.assume("arn:aws:iam::000000000000:user/nobody", service="lambda.amazonaws.com", session_name="f")
