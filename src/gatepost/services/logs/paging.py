"""Page tokens and time ranges of the reading operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from gatepost.kernel.paging import place_of
from gatepost.services.logs.events import END, START, Place
from gatepost.services.logs.model import InvalidParameterException

FOREVER_MS: Final = 1 << 61
INVALID: Final = "The specified nextToken is invalid."

T = TypeVar("T", str, int)


def encode_token(direction: str, place: Place) -> str:
    """Give a token as GetLogEvents does: `f/` goes on to newer events, `b/` to older ones."""
    return f"{direction}/{place.timestamp_ms}.{place.chunk}.{place.line}"


def decode_token(token: str) -> tuple[str, Place]:
    """Read what `encode_token` gave. Raises: InvalidParameterException."""
    direction, slash, rest = token.partition("/")
    parts = rest.split(".")
    try:
        if direction not in {"f", "b"} or not slash or len(parts) != 3:
            raise ValueError(token)
        place = Place(*(int(part) for part in parts))
        if not all(START[0] <= number <= END[0] for number in place):
            raise ValueError(token)
    except ValueError as error:
        raise InvalidParameterException(INVALID) from error
    return direction, place


def start_of(token: str | None, first: T) -> T:
    """Read the token of a list, which starts at `first`. Raises: InvalidParameterException."""
    return place_of(token, InvalidParameterException(INVALID), first)[0]


def time_range(params: Mapping[str, Any], *, is_end_inclusive: bool) -> tuple[int, int]:
    """Give [from, to) of startTime and endTime. Raises: InvalidParameterException."""
    start_ms, end_ms = params.get("startTime") or 0, params.get("endTime")
    if end_ms is not None and end_ms < start_ms:
        raise InvalidParameterException("endTime must not be before startTime")
    if end_ms is None:
        end_ms = FOREVER_MS
    elif is_end_inclusive:
        end_ms += 1
    return min(start_ms, FOREVER_MS), min(end_ms, FOREVER_MS)
