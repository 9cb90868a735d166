import asyncio

import pytest

from tests.support.dynamodb import DynamoDb, a_table, an_index, on_dynamodb

NOW_S = 1_760_000_000


def enable(attribute="expires"):
    return {"TableName": "things", "TimeToLiveSpecification": {"Enabled": True, "AttributeName": attribute}}


async def until_enabled(db: DynamoDb) -> None:
    for _ in range(500):
        told = (await db("DescribeTimeToLive", TableName="things"))["TimeToLiveDescription"]
        if told["TimeToLiveStatus"] == "ENABLED":
            return
        await asyncio.sleep(0.002)
    raise AssertionError(told)


async def put(db, pk, expires) -> None:
    await db("PutItem", TableName="things", Item={"pk": {"S": pk}, "sk": {"S": "1"}, "expires": expires})


async def left(db):
    return sorted(item["pk"]["S"] for item in (await db("Scan", TableName="things"))["Items"])


def test_what_has_expired_is_deleted_from_table_and_indexes() -> None:
    async def scenario(db):
        await db("CreateTable", **a_table(GlobalSecondaryIndexes=[an_index("by_expires", "expires:N")]))
        await put(db, "before it was enabled", {"N": str(NOW_S - 5)})
        await db("UpdateTimeToLive", **enable())
        await until_enabled(db)
        await put(db, "gone", {"N": str(NOW_S - 1)})
        await put(db, "next second", {"N": str(NOW_S)})
        await put(db, "six years ago", {"N": str(NOW_S - 6 * 365 * 86_400)})
        deleted = [await db.provider.expire_items(), await db.provider.expire_items()]
        db.clock.advance(ms=1_000)
        deleted.append(await db.provider.expire_items())
        table = (await db("DescribeTable", TableName="things"))["Table"]
        assert table["ItemCount"] == table["GlobalSecondaryIndexes"][0]["ItemCount"] == 1
        return deleted, await left(db)

    assert on_dynamodb(scenario) == ([2, 0, 1], ["six years ago"])


def test_only_numbers_expire() -> None:
    async def scenario(db):
        await db("CreateTable", **a_table())
        await db("UpdateTimeToLive", **enable())
        await until_enabled(db)
        await put(db, "text", {"S": str(NOW_S - 5)})
        await put(db, "fraction", {"N": f"{NOW_S - 5}.75"})
        await put(db, "renewed", {"N": str(NOW_S - 5)})
        await put(db, "renewed", {"N": str(NOW_S + 5000)})
        return await db.provider.expire_items(), await left(db)

    assert on_dynamodb(scenario) == (1, ["renewed", "text"])


@pytest.mark.parametrize(
    ("enabled", "change", "message"),
    [
        (True, enable(), "TimeToLive is already enabled"),
        (True, enable("other"), "TimeToLive is active on a different AttributeName: current AttributeName is expires"),
        (
            False,
            {"TableName": "things", "TimeToLiveSpecification": {"Enabled": False, "AttributeName": "expires"}},
            "TimeToLive is already disabled",
        ),
    ],
)
def test_changes_that_change_nothing_are_refused(enabled, change, message) -> None:
    async def scenario(db):
        await db("CreateTable", **a_table())
        if enabled:
            await db("UpdateTimeToLive", **enable())
        return (await db.refused("UpdateTimeToLive", **change)).message

    assert on_dynamodb(scenario) == message


def test_disabled_it_deletes_nothing_and_another_attribute_may_follow(tmp_path) -> None:
    path = tmp_path / "items.db"

    async def first(db):
        await db("CreateTable", **a_table())
        await db("UpdateTimeToLive", **enable("other"))
        await put(db, "a", {"N": "1759999999"})
        off = {"TableName": "things", "TimeToLiveSpecification": {"Enabled": False, "AttributeName": "other"}}
        await db("UpdateTimeToLive", **off)
        assert await db("DescribeTimeToLive", TableName="things") == {
            "TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}
        }
        assert await db.provider.expire_items() == 0
        await db("UpdateTimeToLive", **enable())

    async def after_a_restart(db):
        await until_enabled(db)
        return await db.provider.expire_items(), await left(db)

    on_dynamodb(first, path=path)
    assert on_dynamodb(after_a_restart, path=path) == (1, [])
