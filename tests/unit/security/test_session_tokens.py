"""Session tokens carry a session and open only when they are ours."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.security.sealing import Seal
from gatepost.security.session_tokens import TOKEN_CHARACTERS_MAX, Session, SessionTokens

TOKENS = SessionTokens(Seal(b"a" * 32))


def a_session(**changes: object) -> Session:
    members = {
        "kind": "assumed-role",
        "account_id": "111122223333",
        "access_key_id": "ASIAEXAMPLE",
        "secret_access_key": "secret",
        "issued_at_ms": 1,
        "expires_at_ms": 2,
        "name": "app",
        "owner_id": "AROAEXAMPLE",
        "session_name": "s",
        "role_arn": "arn:aws:iam::111122223333:role/app",
    }
    return Session(**(members | changes))


def test_a_token_gives_its_session_back() -> None:
    session = a_session(policies=("{}", "arn:x"), tags=(("a", "b"),), transitive_tag_keys=("a",), source_identity="ana")
    assert TOKENS.open(TOKENS.issue(session)) == session


@given(st.text(max_size=200), st.lists(st.tuples(st.text(max_size=20), st.text(max_size=40)), max_size=10))
def test_any_text_survives(policy: str, tags: list[tuple[str, str]]) -> None:
    session = a_session(policies=(policy,), tags=tuple(tags))
    assert TOKENS.open(TOKENS.issue(session)) == session


def test_a_large_session_policy_still_fits_into_a_header() -> None:
    policy = "".join(f'"{n:x}",' for n in range(350))
    assert len(TOKENS.issue(a_session(policies=(policy,)))) < TOKEN_CHARACTERS_MAX


def test_a_changed_token_does_not_open() -> None:
    sealed = bytearray(base64.b64decode(TOKENS.issue(a_session())))
    for place in range(len(sealed)):
        changed = bytearray(sealed)
        changed[place] ^= 1
        assert TOKENS.open(base64.b64encode(changed).decode()) is None


@pytest.mark.parametrize("token", ["", "x", "%%%%", "AAAA", "A" * (TOKEN_CHARACTERS_MAX + 4), "é"])
def test_what_is_no_token_does_not_open(token: str) -> None:
    assert TOKENS.open(token) is None


@given(st.binary(max_size=300))
def test_no_bytes_pass_for_a_token(content: bytes) -> None:
    assert TOKENS.open(base64.b64encode(content).decode()) is None


def test_another_key_or_purpose_does_not_open() -> None:
    assert SessionTokens(Seal(b"b" * 32)).open(TOKENS.issue(a_session())) is None
    other = Seal(b"a" * 32).seal(b"j[]", purpose="something-else")
    assert TOKENS.open(base64.b64encode(other).decode()) is None


def test_a_token_of_another_version_does_not_open() -> None:
    other = Seal(b"a" * 32).seal(b'j["assumed-role"]', purpose="session-token")
    assert TOKENS.open(base64.b64encode(other).decode()) is None


def test_a_session_does_not_print_its_secret() -> None:
    assert "secret'" not in repr(a_session(secret_access_key="a secret"))
    assert "a secret" not in repr(a_session(secret_access_key="a secret"))
