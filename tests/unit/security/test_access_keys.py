"""Access key ids have AWS's form and tell their account."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.security.access_keys import LONG_TERM, SESSION, account_of, new_access_key_id, new_secret_access_key


@given(st.integers(0, 10**12 - 1), st.sampled_from([LONG_TERM, SESSION]))
def test_an_id_tells_its_account(number: int, prefix: str) -> None:
    key_id = new_access_key_id(prefix, f"{number:012d}")
    assert re.fullmatch(prefix + "[A-Z2-7]{16}", key_id)
    assert account_of(key_id) == f"{number:012d}"


def test_ids_and_secrets_differ() -> None:
    assert len({new_access_key_id(LONG_TERM, "0" * 12) for _ in range(1000)}) == 1000
    secrets = {new_secret_access_key() for _ in range(100)}
    assert len(secrets) == 100
    assert all(re.fullmatch("[A-Za-z0-9+/]{40}", secret) for secret in secrets)


@pytest.mark.parametrize(
    "text", ["", "AKIA", "AKIAIOSFODNN7EXAMPL", "AROAIOSFODNN7EXAMPLE", "akiaiosfodnn7example", "test"]
)
def test_what_is_no_id_has_no_account(text: str) -> None:
    assert account_of(text) is None
