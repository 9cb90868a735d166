"""Page tokens and time ranges of the reading operations."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import orjson

from gatepost.services.logs.events import Place
from gatepost.services.logs.model import InvalidParameterException

FOREVER_MS = 1 << 61


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
        return direction, Place(*(int(part) for part in parts))
    except ValueError as error:
        raise InvalidParameterException("The specified nextToken is invalid.") from error


def encode_page(content: Mapping[str, Any]) -> str:
    """Give an opaque token for the other operations."""
    return base64.urlsafe_b64encode(orjson.dumps(dict(content))).decode()


def decode_page(token: str | None) -> dict[str, Any]:
    """Read what `encode_page` gave; empty without a token. Raises: InvalidParameterException."""
    if not token:
        return {}
    try:
        found = orjson.loads(base64.b64decode(token, altchars=b"-_", validate=True))
    except (binascii.Error, orjson.JSONDecodeError) as error:
        raise InvalidParameterException("The specified nextToken is invalid.") from error
    if not isinstance(found, dict):
        raise InvalidParameterException("The specified nextToken is invalid.")
    return found


def time_range(params: Mapping[str, Any], *, is_end_inclusive: bool) -> tuple[int, int]:
    """Give [from, to) of startTime and endTime. Raises: InvalidParameterException."""
    start_ms, end_ms = params.get("startTime") or 0, params.get("endTime")
    if end_ms is not None and end_ms < start_ms:
        raise InvalidParameterException("endTime must not be before startTime")
    if end_ms is None:
        return start_ms, FOREVER_MS
    return start_ms, end_ms + 1 if is_end_inclusive else end_ms
