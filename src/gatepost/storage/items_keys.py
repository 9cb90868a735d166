"""How DynamoDB's keys become SQLite's: bytes whose order is the order of DynamoDB.

A table's row lies under `crc32(partition) length(partition) partition sort`. The checksum in front spreads
partitions as DynamoDB's hash does, so that a segment of a parallel scan is a range of keys; the length makes
no partition a prefix of another; the sort key comes last and needs no end. An index's row lies under the same
for its own keys, the sort key escaped (00 -> 00 FF) and ended by 00 00, then the item's table key, which makes
it unique. Every key condition is then one range `[low, high)` of keys, and no query reads what it skips.

Strings count by their UTF-8 bytes, binaries by theirs, numbers by `sortable_number`.
"""

from __future__ import annotations

import binascii
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gatepost.languages.item_numbers import sortable_number

LOWEST: Final = b""
HIGHEST: Final = b"\xff" * 5  # above every key: the length after the checksum is at most 2048
PARTITION_KEY_BYTES_MAX: Final = 2048
SORT_KEY_BYTES_MAX: Final = 1024
SEGMENT_SPACE: Final = 1 << 32
_PREFIX: Final = struct.Struct(">IH").pack  # checksum and length


@dataclass(frozen=True, slots=True)
class KeyAttribute:
    """One attribute of a key. `type` is S, N or B."""

    name: str
    type: str


@dataclass(frozen=True, slots=True)
class KeySchema:
    """The attributes that make a key: AWS's HASH and, where there is one, RANGE."""

    partition: KeyAttribute
    sort: KeyAttribute | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Give the names of the key's attributes, the partition key first."""
        return (self.partition.name,) if self.sort is None else (self.partition.name, self.sort.name)


def encode(kind: str, content: str) -> bytes:
    """Encode one key attribute's content so that bytes order as DynamoDB orders values."""
    if kind == "S":
        return content.encode()
    if kind == "N":
        return sortable_number(content)
    return binascii.a2b_base64(content)


def partition_prefix(kind: str, content: str) -> bytes:
    """Give what every key of one partition starts with, and no key of another."""
    return _prefix(content.encode() if kind == "S" else encode(kind, content))


def _prefix(encoded: bytes) -> bytes:
    return _PREFIX(zlib.crc32(encoded), len(encoded)) + encoded


def table_key(schema: KeySchema, item: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Give the table key of an item (or of a key) whose key attributes are there and of the right type."""
    partition, sort = schema.partition, schema.sort
    content = item[partition.name][partition.type]
    encoded = content.encode() if partition.type == "S" else encode(partition.type, content)
    prefix = _PREFIX(zlib.crc32(encoded), len(encoded)) + encoded
    if sort is None:
        return prefix
    content = item[sort.name][sort.type]
    return prefix + (content.encode() if sort.type == "S" else encode(sort.type, content))


def index_key(schema: KeySchema, item: Mapping[str, Mapping[str, Any]], key: bytes) -> bytes | None:
    """Give the index key of the item that lies under the table key `key`; None: the index does not hold it.

    An index holds no item without its key attributes, or with ones of another type, empty or too long: such items
    can only be older than the index.
    """
    partition = schema.partition
    value = item.get(partition.name)
    if value is None or partition.type not in value:
        return None
    encoded = encode(partition.type, value[partition.type])
    if not 0 < len(encoded) <= PARTITION_KEY_BYTES_MAX:
        return None
    prefix = _prefix(encoded)
    sort = schema.sort
    if sort is None:
        return prefix + key
    value = item.get(sort.name)
    if value is None or sort.type not in value:
        return None
    encoded = encode(sort.type, value[sort.type])
    if not 0 < len(encoded) <= SORT_KEY_BYTES_MAX:
        return None
    return prefix + ended(encoded) + key


def escaped(encoded: bytes) -> bytes:
    """Escape a sort key so that 00 00 can end it."""
    return encoded.replace(b"\0", b"\0\xff") if b"\0" in encoded else encoded


def ended(encoded: bytes) -> bytes:
    """Escape a sort key and end it."""
    return escaped(encoded) + b"\0\0"


def after(prefix: bytes) -> bytes:
    """Give the least key that is greater than every key which starts with `prefix`."""
    trimmed = prefix.rstrip(b"\xff")
    if not trimmed:
        return HIGHEST
    return trimmed[:-1] + bytes([trimmed[-1] + 1])


def segment_range(segment: int, total_segments: int) -> tuple[bytes, bytes]:
    """Give the range of keys of one segment of a parallel scan."""
    low = SEGMENT_SPACE * segment // total_segments
    high = SEGMENT_SPACE * (segment + 1) // total_segments
    return (
        low.to_bytes(4, "big") if low else LOWEST,
        HIGHEST if segment + 1 == total_segments else high.to_bytes(4, "big"),
    )


@dataclass(frozen=True, slots=True)
class SortCondition:
    """A condition on a sort key: `operator` is one of = < <= > >= between begins_with."""

    operator: str
    operands: tuple[str, ...]


def key_range(
    schema: KeySchema, partition: str, condition: SortCondition | None, *, in_index: bool
) -> tuple[bytes, bytes]:
    """Give the range `[low, high)` of keys that a key condition selects."""
    prefix = partition_prefix(schema.partition.type, partition)
    if condition is None or schema.sort is None:
        return prefix, after(prefix)
    kind = schema.sort.type
    first = encode(kind, condition.operands[0])
    operator = condition.operator
    if operator == "begins_with":
        low = prefix + (escaped(first) if in_index else first)
        return low, after(low)
    from_first, past_first = _bounds(prefix, first, in_index=in_index)
    match operator:
        case "=":
            return from_first, past_first
        case "<":
            return prefix, from_first
        case "<=":
            return prefix, past_first
        case ">":
            return past_first, after(prefix)
        case ">=":
            return from_first, after(prefix)
        case _:
            return from_first, _bounds(prefix, encode(kind, condition.operands[1]), in_index=in_index)[1]


def _bounds(prefix: bytes, encoded: bytes, *, in_index: bool) -> tuple[bytes, bytes]:
    """Give the range of keys whose sort key is exactly `encoded`."""
    if in_index:
        low = prefix + ended(encoded)
        return low, after(low)
    return prefix + encoded, prefix + encoded + b"\0"
