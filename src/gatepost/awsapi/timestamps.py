"""The forms that AWS's protocols give to a time, from and to `int` milliseconds UTC.

Source: https://smithy.io/2.0/spec/protocol-traits.html#timestamp-formats
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from gatepost.awsapi.errors import SerializationException
from gatepost.kernel.clock import iso_8601

AT_MS_MAX = 253_402_300_799_999  # the last millisecond of the year 9999


def from_number(value: object) -> int:
    """Read seconds since 1970. Raises: SerializationException."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or value != value:  # noqa: PLR0124 NaN
        raise SerializationException("Timestamp must be a number of seconds since 1970")
    if not -AT_MS_MAX <= value * 1000 <= AT_MS_MAX:
        raise SerializationException(f"Timestamp {value} is out of range")
    return round(value * 1000)


def from_text(text: str) -> int:
    """Read ISO 8601, RFC 822 or a number of seconds, whichever `text` is. Raises: SerializationException."""
    try:
        if text[:1].isdigit() and "-" not in text and "_" not in text:
            return from_number(float(text))
        at = datetime.fromisoformat(text) if text[:1].isdigit() else parsedate_to_datetime(text)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return round(at.timestamp() * 1000)
    except (ValueError, TypeError, OverflowError, IndexError) as error:
        raise SerializationException(f"Invalid timestamp: {text[:64]}") from error


def to_seconds(at_ms: int) -> int | float:
    """Render seconds since 1970, a whole number where it is one."""
    seconds, ms = divmod(at_ms, 1000)
    return seconds if not ms else at_ms / 1000


def to_iso_8601(at_ms: int) -> str:
    """Render `2026-11-24T05:56:38Z`, with milliseconds only where there are any."""
    text = iso_8601(at_ms)
    return text.replace(".000Z", "Z")


def to_rfc_822(at_ms: int) -> str:
    """Render `Tue, 24 Nov 2026 05:56:38 GMT`."""
    return format_datetime(datetime.fromtimestamp(at_ms // 1000, UTC), usegmt=True)


def render(at_ms: int, form: str) -> str | int | float:
    """Render in one of the model's formats: iso8601, rfc822 or unixTimestamp."""
    if form == "iso8601":
        return to_iso_8601(at_ms)
    return to_rfc_822(at_ms) if form == "rfc822" else to_seconds(at_ms)
