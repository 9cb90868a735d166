"""Streams hold what changed, in order, for a day: against a list that a test keeps beside them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatepost.services.dynamodb.model import ConditionalCheckFailedException, TransactionCanceledException
from gatepost.services.dynamodbstreams.errors import ExpiredIteratorException, TrimmedDataAccessException
from tests.support.dynamodb import DynamoDb, a_table, on_dynamodb

VIEWS = ["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"]
HOUR_MS = 3_600_000
NEW_AND_OLD = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


async def put(db: DynamoDb, pk: str, **more: Any) -> None:
    item = {"pk": {"S": pk}, **{name: {"S": value} for name, value in more.items()}}
    await db("PutItem", TableName="things", Item=item)


async def stream_arn(db: DynamoDb) -> str:
    return (await db("DescribeTable", TableName="things"))["Table"]["LatestStreamArn"]


async def shards_of(db: DynamoDb, arn: str) -> list[dict[str, Any]]:
    return (await db("DescribeStream", StreamArn=arn))["StreamDescription"]["Shards"]


async def iterator(db: DynamoDb, arn: str, shard: str, kind: str = "TRIM_HORIZON", **more: Any) -> str:
    params = {"StreamArn": arn, "ShardId": shard, "ShardIteratorType": kind, **more}
    return (await db("GetShardIterator", **params))["ShardIterator"]


async def read(db: DynamoDb, at: str | None, limit: int = 1000) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while at is not None:
        page = await db("GetRecords", ShardIterator=at, Limit=limit)
        found += page["Records"]
        if not page["Records"]:
            return found
        at = page.get("NextShardIterator")
    return found


async def read_all(db: DynamoDb, arn: str, limit: int = 1000) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for shard in await shards_of(db, arn):
        found += await read(db, await iterator(db, arn, shard["ShardId"]), limit)
    return found


def streamed(view: str = "NEW_AND_OLD_IMAGES") -> dict[str, Any]:
    return a_table(sort=None, StreamSpecification={"StreamEnabled": True, "StreamViewType": view})


changes = st.one_of(
    st.tuples(st.just("put"), st.sampled_from("abc"), st.sampled_from("xyz")),
    st.tuples(st.just("delete"), st.sampled_from("abc"), st.just("")),
    st.tuples(st.just("update"), st.sampled_from("abc"), st.sampled_from("xyz")),
    st.tuples(st.just("failing put"), st.sampled_from("abc"), st.just("f")),
    st.tuples(st.just("failing transaction"), st.sampled_from("abc"), st.just("f")),
    st.tuples(st.just("transaction"), st.sampled_from("abc"), st.sampled_from("xyz")),
)


async def step(db: DynamoDb, items: dict[str, Any], log: list[Any], write: tuple[str, str, str]) -> None:
    kind, pk, value = write
    key, new = {"pk": {"S": pk}}, {"pk": {"S": pk}, "v": {"S": value}}
    old = items.get(pk)
    impossible = {"ConditionExpression": "attribute_exists(nothing)"}
    match kind:
        case "put":
            await db("PutItem", TableName="things", Item=new)
        case "update":
            values = {":v": {"S": value}}
            params = {"UpdateExpression": "SET v = :v", "ExpressionAttributeValues": values}
            await db("UpdateItem", TableName="things", Key=key, **params)
        case "transaction":
            await db("TransactWriteItems", TransactItems=[{"Put": {"TableName": "things", "Item": new}}])
        case "delete":
            await db("DeleteItem", TableName="things", Key=key)
            if items.pop(pk, None) is not None:
                log.append(("REMOVE", key, old, None))
            return
        case "failing put":
            error = await db.refused("PutItem", TableName="things", Item=new, **impossible)
            assert isinstance(error, ConditionalCheckFailedException)
            return
        case "failing transaction":
            puts = [{"Put": {"TableName": "things", "Item": new}}]
            puts += [{"Put": {"TableName": "things", "Item": {"pk": {"S": "other"}}, **impossible}}]
            assert isinstance(await db.refused("TransactWriteItems", TransactItems=puts), TransactionCanceledException)
            return
        case "rotate":
            db.clock.advance(ms=4 * HOUR_MS // 3 * 3)
            await db.provider.maintain()
            return
    items[pk] = new
    if old != new:
        log.append(("INSERT" if old is None else "MODIFY", key, old, new))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(changes, max_size=20), st.sampled_from(VIEWS), st.integers(1, 5))
def test_a_stream_tells_each_change_once_and_in_order(
    sequence: list[tuple[str, str, str]], view: str, limit: int
) -> None:
    async def scenario(db: DynamoDb) -> None:
        await db("CreateTable", **streamed(view))
        items: dict[str, Any] = {}
        log: list[Any] = []
        for position, write in enumerate(sequence):
            await step(db, items, log, write)
            if position % 7 == 3:
                await step(db, items, log, ("rotate", "", ""))
        told = await read_all(db, await stream_arn(db), limit)
        assert [(one["eventName"], one["dynamodb"]["Keys"]) for one in told] == [entry[:2] for entry in log]
        has_old, has_new = view in {"OLD_IMAGE", "NEW_AND_OLD_IMAGES"}, view in {"NEW_IMAGE", "NEW_AND_OLD_IMAGES"}
        for record, (_, _, old, new) in zip(told, log, strict=True):
            assert record["dynamodb"].get("OldImage") == (old if has_old else None)
            assert record["dynamodb"].get("NewImage") == (new if has_new else None)
        numbers = [int(one["dynamodb"]["SequenceNumber"]) for one in told]
        assert numbers == sorted(set(numbers))
        assert len({one["eventID"] for one in told}) == len(told)

    on_dynamodb(scenario)


def test_a_record_has_every_member() -> None:
    async def scenario(db: DynamoDb) -> None:
        await db("CreateTable", **streamed())
        await put(db, "a", v="xy")
        (record,) = await read_all(db, await stream_arn(db))
        change = record.pop("dynamodb")
        assert len(record.pop("eventID")) == 32
        assert record == {
            "eventName": "INSERT",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
        }
        assert 21 <= len(change.pop("SequenceNumber")) <= 40
        assert change == {
            "ApproximateCreationDateTime": db.clock.now_ms() // 1000,
            "Keys": {"pk": {"S": "a"}},
            "NewImage": {"pk": {"S": "a"}, "v": {"S": "xy"}},
            "SizeBytes": 3 + 6,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        }

    on_dynamodb(scenario)


def test_iterators_begin_where_they_say() -> None:
    async def scenario(db: DynamoDb) -> None:
        await db("CreateTable", **streamed())
        for pk in "abc":
            db.clock.advance(ms=1000)
            await put(db, pk)
        arn = await stream_arn(db)
        (shard,) = await shards_of(db, arn)
        everything = await read(db, await iterator(db, arn, shard["ShardId"]))
        second = everything[1]["dynamodb"]["SequenceNumber"]

        async def pks(kind: str, **more: Any) -> str:
            records = await read(db, await iterator(db, arn, shard["ShardId"], kind, **more))
            return "".join(record["dynamodb"]["Keys"]["pk"]["S"] for record in records)

        assert await pks("AT_SEQUENCE_NUMBER", SequenceNumber=second) == "bc"
        assert await pks("AFTER_SEQUENCE_NUMBER", SequenceNumber=second) == "c"
        assert await pks("AT_TIMESTAMP", Timestamp=db.clock.now_ms() - 1000) == "bc"
        assert await pks("AT_TIMESTAMP", Timestamp=db.clock.now_ms() + 9000) == ""
        latest = await iterator(db, arn, shard["ShardId"], "LATEST")
        assert await read(db, latest) == []
        await put(db, "d")
        assert len(await read(db, latest)) == 1
        params = {"StreamArn": arn, "ShardId": shard["ShardId"]}
        for more, message in [
            ({"ShardIteratorType": "AT_SEQUENCE_NUMBER"}, "SequenceNumber is required"),
            ({"ShardIteratorType": "LATEST", "SequenceNumber": second}, "SequenceNumber is not allowed"),
            ({"ShardIteratorType": "AT_TIMESTAMP"}, "Timestamp is required"),
            ({"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": "9" * 40}, "Invalid SequenceNumber"),
            ({"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": "x" * 21}, "Invalid SequenceNumber"),
        ]:
            assert message in (await db.refused("GetShardIterator", **params, **more)).message
        params = {"StreamArn": arn, "ShardId": "shardId-" + "0" * 20, "ShardIteratorType": "LATEST"}
        assert (await db.refused("GetShardIterator", **params)).code == "ResourceNotFoundException"

    on_dynamodb(scenario)


@pytest.mark.parametrize("text", ["x", "a|1|b", "a|1|WzFd", "a|1|WyJ4IiwyLDNd", "a|1|WzEsLTEsM10=", "a|1|" + "9" * 99])
def test_an_iterator_that_is_none_is_refused(text: str) -> None:
    async def scenario(db: DynamoDb) -> None:
        assert (await db.refused("GetRecords", ShardIterator=text)).message == "Invalid ShardIterator"
        error = await db.refused("GetRecords", ShardIterator=text, Limit=1001)
        assert "less than or equal to 1000" in error.message

    on_dynamodb(scenario)


def test_an_iterator_expires_after_fifteen_minutes() -> None:
    async def scenario(db: DynamoDb) -> None:
        await db("CreateTable", **streamed())
        arn = await stream_arn(db)
        (shard,) = await shards_of(db, arn)
        at = await iterator(db, arn, shard["ShardId"])
        db.clock.advance(ms=15 * 60_000)
        assert (await db("GetRecords", ShardIterator=at))["Records"] == []
        db.clock.advance(ms=1)
        assert isinstance(await db.refused("GetRecords", ShardIterator=at), ExpiredIteratorException)

    on_dynamodb(scenario)


def test_shards_rotate_every_four_hours_and_follow_each_other() -> None:
    async def scenario(db: DynamoDb) -> None:
        await db("CreateTable", **streamed())
        arn = await stream_arn(db)
        for pk in "ab":
            await put(db, pk)
            db.clock.advance(ms=4 * HOUR_MS)
            await db.provider.maintain()
            await db.provider.maintain()
        shards = await shards_of(db, arn)
        assert len(shards) == 3
        assert [shard.get("ParentShardId") for shard in shards] == [None, *(one["ShardId"] for one in shards[:2])]
        assert ["EndingSequenceNumber" in shard["SequenceNumberRange"] for shard in shards] == [True, True, False]
        page = await db("GetRecords", ShardIterator=await iterator(db, arn, shards[0]["ShardId"]))
        assert len(page["Records"]) == 1
        assert "NextShardIterator" not in page
        paged = await db("DescribeStream", StreamArn=arn, Limit=1, ExclusiveStartShardId=shards[0]["ShardId"])
        assert paged["StreamDescription"]["Shards"] == [shards[1]]
        assert paged["StreamDescription"]["LastEvaluatedShardId"] == shards[1]["ShardId"]
        children = {"Type": "CHILD_SHARDS", "ShardId": shards[0]["ShardId"]}
        filtered = await db("DescribeStream", StreamArn=arn, ShardFilter=children)
        assert filtered["StreamDescription"]["Shards"] == [shards[1]]

    on_dynamodb(scenario)


def test_records_go_after_a_day_and_their_numbers_never_come_again() -> None:
    async def scenario(db: DynamoDb) -> None:
        await db("CreateTable", **streamed())
        arn = await stream_arn(db)
        await put(db, "a")
        await put(db, "b")
        (shard,) = await shards_of(db, arn)
        old = await read(db, await iterator(db, arn, shard["ShardId"]))
        at = await iterator(db, arn, shard["ShardId"])
        db.clock.advance(ms=24 * HOUR_MS + 1)
        assert await read_all(db, arn) == []
        await put(db, "c")
        first = old[0]["dynamodb"]["SequenceNumber"]
        params = {"StreamArn": arn, "ShardId": shard["ShardId"], "ShardIteratorType": "AT_SEQUENCE_NUMBER"}
        error = await db.refused("GetShardIterator", **params, SequenceNumber=first)
        assert isinstance(error, TrimmedDataAccessException)
        db.clock.advance(ms=24 * HOUR_MS + 1)
        await db.provider.maintain()
        db.clock.advance(ms=24 * HOUR_MS + 1)
        await db.provider.maintain()
        await put(db, "d")
        (record,) = await read_all(db, arn)
        assert int(record["dynamodb"]["SequenceNumber"]) == int(first) + 3
        assert isinstance(await db.refused("GetRecords", ShardIterator=at), ExpiredIteratorException)

    on_dynamodb(scenario)


def test_items_that_time_to_live_deletes_say_who_did_it() -> None:
    async def scenario(db: DynamoDb) -> None:
        await db("CreateTable", **streamed())
        specification = {"Enabled": True, "AttributeName": "until"}
        await db("UpdateTimeToLive", TableName="things", TimeToLiveSpecification=specification)
        now_s = db.clock.now_ms() // 1000
        await db("PutItem", TableName="things", Item={"pk": {"S": "a"}, "until": {"N": str(now_s - 5)}})
        assert await db.provider.expire_items() == 1
        _, record = await read_all(db, await stream_arn(db))
        assert record["eventName"] == "REMOVE"
        assert record["userIdentity"] == {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}

    on_dynamodb(scenario)


def test_a_stream_outlives_its_end_by_a_day() -> None:
    async def scenario(db: DynamoDb) -> None:
        await db("CreateTable", **a_table(sort=None))
        assert (await db("ListStreams"))["Streams"] == []
        changed = await db("UpdateTable", TableName="things", StreamSpecification=NEW_AND_OLD)
        assert changed["TableDescription"]["StreamSpecification"] == NEW_AND_OLD
        first = await stream_arn(db)
        error = await db.refused("UpdateTable", TableName="things", StreamSpecification=NEW_AND_OLD)
        assert error.message == "Table already has an enabled stream: TableName: things"
        await put(db, "a")
        off = {"StreamEnabled": False}
        await db("UpdateTable", TableName="things", StreamSpecification=off)
        assert "disabled" in (await db.refused("UpdateTable", TableName="things", StreamSpecification=off)).message
        await put(db, "b")
        described = (await db("DescribeStream", StreamArn=first))["StreamDescription"]
        assert described["StreamStatus"] == "DISABLED"
        assert described["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
        assert len(await read_all(db, first)) == 1
        db.clock.advance(ms=1)
        await db("UpdateTable", TableName="things", StreamSpecification=NEW_AND_OLD)
        await put(db, "c")
        second = await stream_arn(db)
        await db("DeleteTable", TableName="things")
        assert len(await read_all(db, second)) == 1
        listed = await db("ListStreams", TableName="things", Limit=1)
        assert [one["StreamArn"] for one in listed["Streams"]] == [first]
        rest = await db("ListStreams", TableName="things", ExclusiveStartStreamArn=listed["LastEvaluatedStreamArn"])
        assert [one["StreamArn"] for one in rest["Streams"]] == [second]
        assert "Invalid" in (await db.refused("ListStreams", ExclusiveStartStreamArn="a" * 37)).message
        db.clock.advance(ms=24 * HOUR_MS + 1)
        await db.provider.maintain()
        assert (await db("ListStreams"))["Streams"] == []
        assert (await db.refused("DescribeStream", StreamArn=second)).code == "ResourceNotFoundException"

    on_dynamodb(scenario)


def test_a_stream_goes_on_after_a_restart(tmp_path: Any) -> None:
    async def before(db: DynamoDb) -> str:
        await db("CreateTable", **streamed())
        await put(db, "a")
        return await stream_arn(db)

    async def after(db: DynamoDb) -> list[str]:
        await put(db, "b")
        return [one["dynamodb"]["Keys"]["pk"]["S"] for one in await read_all(db, await stream_arn(db))]

    path = tmp_path / "items.db"
    on_dynamodb(before, path=path)
    assert on_dynamodb(after, path=path) == ["a", "b"]


def test_policies_see_the_streams_arn() -> None:
    async def scenario(db: DynamoDb) -> None:
        await db("CreateTable", **streamed())
        arn = await stream_arn(db)
        (shard,) = await shards_of(db, arn)
        db.authorization.asked.clear()
        await db("GetShardIterator", StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="LATEST")
        await db("ListStreams", TableName="things")
        asked = [(one.action, one.resource) for one in db.authorization.asked]
        table = arn.partition("/stream/")[0]
        assert asked == [("dynamodb:GetShardIterator", arn), ("dynamodb:ListStreams", f"{table}/stream/*")]

    on_dynamodb(scenario)
