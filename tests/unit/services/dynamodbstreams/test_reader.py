"""Streams by position: over shards, as event source mappings read them."""

from __future__ import annotations

from gatepost.services.dynamodbstreams.reader import StreamReader
from tests.support.dynamodb import DynamoDb, on_dynamodb
from tests.unit.services.dynamodbstreams.test_provider import HOUR_MS, put, read_all, stream_arn, streamed


def reader_of(db: DynamoDb) -> StreamReader:
    (provider,) = [one for one in db.dispatcher._providers.values() if one.service == "dynamodbstreams"]
    return StreamReader(provider._streams)


def test_positions_lead_over_shards_without_a_gap() -> None:
    async def scenario(db: DynamoDb) -> None:
        await db("CreateTable", **streamed())
        arn = await stream_arn(db)
        reader = reader_of(db)
        start = reader.start(arn, since_ms=0)
        for name in "ab":
            await put(db, name)
        db.clock.advance(ms=4 * HOUR_MS)
        await db.provider.maintain()  # another shard
        await put(db, "c")
        limits = {"now_ms": db.clock.now_ms(), "count_max": 2, "bytes_max": 1_000_000}
        first = reader.read(arn, start, **limits)
        second = reader.read(arn, first.position, **limits)
        third = reader.read(arn, second.position, **limits)
        assert [change.key for change in (*first.changes, *second.changes)] == ['{"S":"a"}', '{"S":"b"}', '{"S":"c"}']
        assert [change.record for change in (*first.changes, *second.changes)] == await read_all(db, arn)
        assert first.shard_id != second.shard_id
        assert (third.changes, third.position) == ((), second.position)
        assert reader.start(arn, since_ms=None) == second.position
        db.clock.advance(ms=24 * HOUR_MS + 1)
        old = reader.read(arn, start, **{**limits, "now_ms": db.clock.now_ms()})
        assert (list(old.changes), old.position) == ([], second.position)  # a day is over

    on_dynamodb(scenario)


def test_what_is_no_stream_is_none() -> None:
    async def scenario(db: DynamoDb) -> None:
        reader = reader_of(db)
        for arn in ("", "arn:aws:dynamodb:us-east-1:000000000000:table/x", "arn:aws:dynamodb:a:b:table/x/stream/y"):
            assert reader.start(arn, since_ms=None) is None
            assert reader.read(arn, 1, now_ms=0, count_max=1, bytes_max=1) is None

    on_dynamodb(scenario)
