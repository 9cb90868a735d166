"""Stream records and their numbers as clients see them.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from gatepost.kernel.errors import ValidationException
from gatepost.kernel.ids import stable_id
from gatepost.languages.item_values import Item, item_bytes
from gatepost.storage.items_changes import EXPIRE, INSERT, MODIFY
from gatepost.storage.items_streams import Shard, StreamRecord, StreamRow

_FIRST_NUMBER: Final = 10**20  # sequence numbers have 21 to 40 digits
_NAMES: Final = {INSERT: "INSERT", MODIFY: "MODIFY"}
_BY_TIME_TO_LIVE: Final = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
_HEXADECIMAL: Final = "0123456789abcdef"


def sequence_number(sequence: int) -> str:
    """Render a record's number."""
    return str(_FIRST_NUMBER + sequence)


def parse_sequence_number(text: str) -> int:
    """Read a record's number back. Raises: ValidationException."""
    if not (text.isascii() and text.isdigit()) or not 0 <= int(text) - _FIRST_NUMBER < 1 << 62:
        raise ValidationException(f"Invalid SequenceNumber: {text}")
    return int(text) - _FIRST_NUMBER


def shard_id(stream: StreamRow, shard: Shard) -> str:
    """Give a shard's id: when it was opened, and what tells it from others."""
    tail = stable_id(stream.arn, str(stream.table_id), str(shard.shard), length=8, alphabet=_HEXADECIMAL)
    return f"shardId-{shard.started_at_ms:020d}-{tail}"


def render_shard(stream: StreamRow, shard: Shard, parent: Shard | None) -> dict[str, Any]:
    """Render a shard as DescribeStream does. `parent` is the one before it, where that is still there."""
    numbers = {"StartingSequenceNumber": sequence_number(shard.first)}
    if shard.ended_at_ms:
        numbers["EndingSequenceNumber"] = sequence_number(max(shard.last, shard.first))
    rendered: dict[str, Any] = {"ShardId": shard_id(stream, shard), "SequenceNumberRange": numbers}
    if parent is not None:
        rendered["ParentShardId"] = shard_id(stream, parent)
    return rendered


def render_record(stream: StreamRow, record: StreamRecord) -> dict[str, Any]:
    """Render a record in the JSON of the wire."""
    new: Item | None = None if record.new is None else orjson.loads(record.new)
    old: Item | None = None if record.old is None else orjson.loads(record.old)
    if record.keys is not None:
        keys: Item = orjson.loads(record.keys)
    else:
        image = new if new is not None else old
        assert image is not None
        keys = {name: image[name] for name, _ in stream.keys}
    change: dict[str, Any] = {
        "ApproximateCreationDateTime": record.at_ms // 1000,
        "Keys": keys,
        "SequenceNumber": sequence_number(record.sequence),
        "SizeBytes": item_bytes(keys) + sum(item_bytes(image) for image in (new, old) if image is not None),
        "StreamViewType": stream.view,
    }
    if new is not None:
        change["NewImage"] = new
    if old is not None:
        change["OldImage"] = old
    number = str(record.sequence)
    rendered = {
        "eventID": stable_id(stream.arn, str(stream.table_id), number, length=32, alphabet=_HEXADECIMAL),
        "eventName": _NAMES.get(record.kind, "REMOVE"),
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": stream.region,
        "dynamodb": change,
    }
    if record.kind == EXPIRE:
        rendered["userIdentity"] = _BY_TIME_TO_LIVE
    return rendered
