"""Streams as event source mappings read them: by position, over shards, without iterators."""

from __future__ import annotations

import orjson

from gatepost.kernel.ports import StreamChange, StreamPage
from gatepost.services.dynamodbstreams.records import render_record, sequence_number, shard_id
from gatepost.storage.items_streams import RETENTION_MS, StreamRow, StreamStore


class StreamReader:
    """`kernel.ports.ChangeStreams` on the streams of the item store."""

    def __init__(self, streams: StreamStore) -> None:
        self._streams = streams

    def start(self, stream_arn: str, *, since_ms: int | None) -> int | None:
        """Give the position of the first record since a time, or after the newest; None: no such stream."""
        stream = self._find(stream_arn)
        if stream is None:
            return None
        newest = self._streams.last_sequence(stream)
        if since_ms is None:
            return newest + 1
        found = self._streams.first_since(stream, since_ms)
        return newest + 1 if found is None else found

    def read(self, stream_arn: str, position: int, *, now_ms: int, count_max: int, bytes_max: int) -> StreamPage | None:
        """Give records from a position on; what is older than a day is passed over. None: no such stream."""
        stream = self._find(stream_arn)
        if stream is None:
            return None
        newest = self._streams.last_sequence(stream)
        if newest < position:
            return StreamPage((), position)
        found = self._streams.records(
            stream, position, newest, since_ms=now_ms - RETENTION_MS, count_max=count_max, bytes_max=bytes_max
        )
        changes = []
        for row in found:
            record = render_record(stream, row)
            key = orjson.dumps(record["dynamodb"]["Keys"][stream.keys[0][0]]).decode()
            changes.append(StreamChange(row.sequence, sequence_number(row.sequence), row.at_ms, key, record))
        shards = [one for one in self._streams.shards(stream) if changes and one.first <= changes[0].sequence]
        shard = shard_id(stream, shards[-1]) if shards else ""
        return StreamPage(changes, changes[-1].sequence + 1 if changes else newest + 1, shard)

    def _find(self, arn: str) -> StreamRow | None:
        parts = arn.split(":", 5)
        if len(parts) != 6 or "/stream/" not in parts[5]:
            return None
        table = parts[5].removeprefix("table/").partition("/")[0]
        return next((one for one in self._streams.streams(parts[4], parts[3], table) if one.arn == arn), None)
