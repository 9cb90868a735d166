"""Shard iterators: a stream's ARN, a shard and a position in it, in one text that clients hand back.

An iterator is no secret and no permission: what it names is authorized like a name in clear text.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final

import orjson

from gatepost.kernel.errors import ValidationException

LIFE_MS: Final = 15 * 60_000
INVALID: Final = "Invalid ShardIterator"
_NUMBER_MAX: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class ShardIterator:
    """Where the next read of a shard begins: at the first record whose number is not below `position`."""

    stream_arn: str
    shard: int
    position: int
    issued_at_ms: int

    def to_text(self) -> str:
        """Render as clients get it."""
        place = orjson.dumps([self.shard, self.position, self.issued_at_ms])
        return f"{self.stream_arn}|1|{base64.urlsafe_b64encode(place).decode()}"


def parse_iterator(text: str) -> ShardIterator:
    """Read an iterator back. Raises: ValidationException."""
    arn, _, place = text.partition("|1|")
    try:
        shard, position, issued_at_ms = orjson.loads(base64.urlsafe_b64decode(place))
    except (ValueError, TypeError, binascii.Error):
        raise ValidationException(INVALID) from None
    if not all(type(number) is int and 0 <= number < _NUMBER_MAX for number in (shard, position, issued_at_ms)):
        raise ValidationException(INVALID)
    return ShardIterator(arn, shard, position, issued_at_ms)
