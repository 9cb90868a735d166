"""Time-based one-time passwords: six digits, SHA-1, thirty seconds, as authenticator apps have them. Pure.

Source: RFC 6238, RFC 4226.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Final

STEP_S: Final = 30
_DIGITS: Final = 6


def step_of(now_ms: int) -> int:
    """Give the number of the time step that a time is in."""
    return now_ms // 1000 // STEP_S


def code_at(secret: bytes, step: int) -> str:
    """Give the code of a time step."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    at = digest[-1] & 0x0F
    number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**_DIGITS:0{_DIGITS}d}"


def matching_steps(secret: bytes, code: str, steps: Iterable[int]) -> list[int]:
    """Give the steps among `steps` whose code this is; each is compared, in constant time."""
    given = code.encode("utf-8", "surrogatepass")
    return [step for step in steps if hmac.compare_digest(code_at(secret, step).encode(), given)]
