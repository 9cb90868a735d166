"""One-time passwords by the vectors of RFC 6238, appendix B (SHA-1; the last six of its eight digits)."""

from __future__ import annotations

import pytest

from gatepost.security.totp import code_at, matching_steps, step_of

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ],
)
def test_codes_are_those_of_the_rfc(second: int, code: str) -> None:
    assert code_at(SECRET, step_of(second * 1000)) == code[-6:]


def test_a_code_is_found_among_the_steps_that_are_asked() -> None:
    code = code_at(SECRET, 5)
    assert matching_steps(SECRET, code, range(3, 8)) == [5]
    assert matching_steps(SECRET, code, range(6, 8)) == []
    assert matching_steps(SECRET, "é", range(3, 8)) == []
