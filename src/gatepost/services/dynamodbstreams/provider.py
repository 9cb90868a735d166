"""The operations of DynamoDB Streams, on the logs that writes leave in the item store.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from gatepost.kernel.errors import ServiceError, ValidationException
from gatepost.kernel.operations import Access, Call, operation
from gatepost.services.dynamodbstreams.errors import (
    ExpiredIteratorException,
    ResourceNotFoundException,
    TrimmedDataAccessException,
)
from gatepost.services.dynamodbstreams.iterators import LIFE_MS, ShardIterator, parse_iterator
from gatepost.services.dynamodbstreams.records import (
    parse_sequence_number,
    render_record,
    render_shard,
    sequence_number,
    shard_id,
)
from gatepost.storage.items_streams import RETENTION_MS, Shard, StreamRow, StreamStore

LIST_MAX: Final = 100
RECORDS_MAX: Final = 1000
PAGE_BYTES_MAX: Final = 1024 * 1024

Params = Mapping[str, Any]
Answer = dict[str, Any]


class DynamoDbStreamsProvider:
    """DynamoDB Streams on the streams of the item store."""

    service = "dynamodbstreams"

    def __init__(self, streams: StreamStore) -> None:
        self._streams = streams

    def access(self, call: Call, params: Params) -> Sequence[Access]:
        """Say what a call touches: a stream, or all streams of a table. IAM's prefix is DynamoDB's."""
        action = f"dynamodb:{call.operation}"
        if "StreamArn" in params:
            return (Access(action, params["StreamArn"]),)
        if "ShardIterator" in params:
            try:
                arn = parse_iterator(params["ShardIterator"]).stream_arn
            except ServiceError:
                arn = "*"  # the operation will refuse it
            return (Access(action, arn),)
        table = params.get("TableName", "*")
        return (Access(action, f"arn:aws:dynamodb:{call.region}:{call.account_id}:table/{table}/stream/*"),)

    @operation("ListStreams")
    def list_streams(self, call: Call, params: Params) -> Answer:
        """List streams, those of one table or all; disabled ones too, for a day."""
        limit = min(params.get("Limit", LIST_MAX), LIST_MAX)
        streams = self._streams.streams(call.account_id, call.region, params.get("TableName", ""))
        start = params.get("ExclusiveStartStreamArn")
        if start is not None:
            arns = [stream.arn for stream in streams]
            if start not in arns:
                raise ValidationException(f"Invalid ExclusiveStartStreamArn: {start}")
            streams = streams[arns.index(start) + 1 :]
        answer: Answer = {
            "Streams": [
                {"StreamArn": one.arn, "TableName": one.table_name, "StreamLabel": one.label} for one in streams[:limit]
            ]
        }
        if len(streams) > limit:
            answer["LastEvaluatedStreamArn"] = streams[limit - 1].arn
        return answer

    @operation("DescribeStream")
    def describe_stream(self, call: Call, params: Params) -> Answer:
        """Describe a stream with a page of its shards."""
        stream = self._find(call, params["StreamArn"])
        limit = min(params.get("Limit", LIST_MAX), LIST_MAX)
        shards = self._streams.shards(stream)
        pairs = list(zip([None, *shards], shards, strict=False))
        ids = [shard_id(stream, shard) for shard in shards]
        start = params.get("ExclusiveStartShardId")
        if start is not None:
            if start not in ids:
                raise ValidationException(f"Invalid ExclusiveStartShardId: {start}")
            pairs = pairs[ids.index(start) + 1 :]
        chosen = params.get("ShardFilter", {})
        if chosen:
            parent = chosen.get("ShardId")
            if parent is None or "Type" not in chosen:
                raise ValidationException("ShardFilter must have both Type and ShardId")
            pairs = [(before, one) for before, one in pairs if before and shard_id(stream, before) == parent]
        description: Answer = {
            "StreamArn": stream.arn,
            "StreamLabel": stream.label,
            "StreamStatus": "DISABLED" if stream.ended_at_ms else "ENABLED",
            "StreamViewType": stream.view,
            "CreationRequestDateTime": stream.created_at_ms,
            "TableName": stream.table_name,
            "KeySchema": [
                {"AttributeName": name, "KeyType": kind}
                for (name, _), kind in zip(stream.keys, ("HASH", "RANGE"), strict=False)
            ],
            "Shards": [render_shard(stream, shard, before) for before, shard in pairs[:limit]],
        }
        if len(pairs) > limit:
            description["LastEvaluatedShardId"] = shard_id(stream, pairs[limit - 1][1])
        return {"StreamDescription": description}

    @operation("GetShardIterator")
    def get_shard_iterator(self, call: Call, params: Params) -> Answer:
        """Give an iterator that begins where the caller says. It lives for 15 minutes."""
        stream = self._find(call, params["StreamArn"])
        shard = next((one for one in self._streams.shards(stream) if shard_id(stream, one) == params["ShardId"]), None)
        if shard is None:
            raise ResourceNotFoundException(
                f"Requested resource not found: Shard does not exist: ShardId: {params['ShardId']}"
            )
        position = self._position(call, stream, shard, params)
        return {"ShardIterator": ShardIterator(stream.arn, shard.shard, position, call.now_ms).to_text()}

    def _position(self, call: Call, stream: StreamRow, shard: Shard, params: Params) -> int:
        kind = params["ShardIteratorType"]
        number = params.get("SequenceNumber")
        if kind.endswith("_SEQUENCE_NUMBER"):
            if number is None:
                raise ValidationException(f"SequenceNumber is required for ShardIteratorType {kind}")
            return self._at(call, stream, shard, parse_sequence_number(number), is_after=kind.startswith("AFTER"))
        if number is not None:
            raise ValidationException(f"SequenceNumber is not allowed for ShardIteratorType {kind}")
        if kind == "AT_TIMESTAMP":
            if "Timestamp" not in params:
                raise ValidationException(f"Timestamp is required for ShardIteratorType {kind}")
            found = self._streams.first_since(stream, params["Timestamp"])
            return max(shard.first, self._streams.last_sequence(stream) + 1 if found is None else found)
        if kind == "LATEST":
            newest = shard.last if shard.ended_at_ms else self._streams.last_sequence(stream)
            return max(shard.first, newest + 1)
        return shard.first

    def _at(self, call: Call, stream: StreamRow, shard: Shard, sequence: int, *, is_after: bool) -> int:
        last = shard.last if shard.ended_at_ms else self._streams.last_sequence(stream)
        if not shard.first <= sequence <= max(last, shard.first):
            raise ValidationException(
                f"Invalid SequenceNumber: {sequence_number(sequence)} is not in the shard {shard_id(stream, shard)}"
            )
        oldest = self._streams.first_since(stream, call.now_ms - RETENTION_MS)
        if oldest is not None and sequence < oldest:
            raise TrimmedDataAccessException(
                "The operation attempted to read past the oldest stream record in a shard. "
                f"SequenceNumber: {sequence_number(sequence)}"
            )
        return sequence + 1 if is_after else sequence

    @operation("GetRecords", wire_json=True)
    def get_records(self, call: Call, params: Params) -> bytes:
        """Give the next records of a shard, up to 1,000 and 1 MB; no next iterator at a closed shard's end."""
        limit = params.get("Limit", RECORDS_MAX)
        if limit > RECORDS_MAX:
            raise ValidationException(
                f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must "
                f"have value less than or equal to {RECORDS_MAX}"
            )
        at = parse_iterator(params["ShardIterator"])
        if not 0 <= call.now_ms - at.issued_at_ms <= LIFE_MS:
            raise ExpiredIteratorException(
                "Iterator expired. The iterator was created more than 15 minutes ago: get a new one"
            )
        stream = self._find(call, at.stream_arn)
        shards = self._streams.shards(stream)
        shard = next((one for one in shards if one.shard == at.shard), None)
        if shard is None:
            raise TrimmedDataAccessException("The shard that this iterator reads is older than 24 hours and gone")
        last = shard.last if shard.ended_at_ms else self._streams.last_sequence(stream)
        records = self._streams.records(
            stream,
            at.position,
            last,
            since_ms=call.now_ms - RETENTION_MS,
            count_max=limit,
            bytes_max=PAGE_BYTES_MAX,
        )
        answer: Answer = {"Records": [render_record(stream, record) for record in records]}
        position = records[-1].sequence + 1 if records else max(at.position, last + 1)
        if not shard.ended_at_ms or position <= last:
            answer["NextShardIterator"] = ShardIterator(stream.arn, shard.shard, position, call.now_ms).to_text()
        return orjson.dumps(answer)

    def _find(self, call: Call, arn: str) -> StreamRow:
        name = arn.partition(":table/")[2].partition("/")[0]
        for stream in self._streams.streams(call.account_id, call.region, name) if name else ():
            if stream.arn == arn:
                return stream
        raise ResourceNotFoundException(f"Requested resource not found: Stream: {arn} not found")
