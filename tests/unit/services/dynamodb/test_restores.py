"""Tables are restored to any moment of their recovery: against snapshots that a test keeps beside them."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatepost.services.dynamodb.model import InvalidRestoreTimeException, PointInTimeRecoveryUnavailableException
from tests.support.dynamodb import DynamoDb, a_table, an_index, on_dynamodb
from tests.unit.services.dynamodb.test_backups import DAY_MS, active, items_of, put

ON = {"PointInTimeRecoveryEnabled": True}


async def recoverable(db: DynamoDb, **more: Any) -> None:
    await db(
        "CreateTable", **a_table(sort=None, GlobalSecondaryIndexes=[an_index("by_v", "v:S"), an_index("by_w", "w:S")])
    )
    await db("UpdateContinuousBackups", TableName="things", PointInTimeRecoverySpecification={**ON, **more})


writes = st.tuples(st.sampled_from("abc"), st.sampled_from(["", "x", "y"]))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(writes, max_size=5), st.lists(writes, min_size=1, max_size=12), st.data())
def test_any_second_comes_back(first: list[tuple[str, str]], later: list[tuple[str, str]], data: Any) -> None:
    async def write(db: DynamoDb, pk: str, value: str) -> None:
        if value:
            await put(db, pk, value)
        else:
            await db("DeleteItem", TableName="things", Key={"pk": {"S": pk}})

    async def scenario(db: DynamoDb) -> None:
        await recoverable(db)
        for one in first:
            await write(db, *one)
        snapshots = [(db.clock.now_ms(), await items_of(db, "things"))]
        for one in later:
            db.clock.advance(ms=1000)
            await write(db, *one)
            snapshots.append((db.clock.now_ms(), await items_of(db, "things")))
        at_ms, expected = data.draw(st.sampled_from(snapshots))
        more = data.draw(st.sampled_from([{}, {"GlobalSecondaryIndexOverride": []}]))
        params = {"SourceTableName": "things", "TargetTableName": "past", "RestoreDateTime": at_ms, **more}
        await db("RestoreTableToPointInTime", **params)
        described = await active(db, "past")
        assert await items_of(db, "past") == expected
        assert described["ItemCount"] == len(expected)
        for index in described.get("GlobalSecondaryIndexes", []):
            assert index["ItemCount"] == (len(expected) if index["IndexName"] == "by_v" else 0)
        assert await items_of(db, "things") == snapshots[-1][1]

    on_dynamodb(scenario)


def test_recovery_is_described_and_bounded_by_its_days() -> None:
    async def scenario(db: DynamoDb) -> None:
        await recoverable(db, RecoveryPeriodInDays=2)
        since_ms = db.clock.now_ms()
        await put(db, "a", "x")
        db.clock.advance(ms=DAY_MS)
        await put(db, "a", "y")

        async def told() -> dict[str, Any]:
            answer = await db("DescribeContinuousBackups", TableName="things")
            return answer["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]

        assert await told() == {
            "PointInTimeRecoveryStatus": "ENABLED",
            "RecoveryPeriodInDays": 2,
            "EarliestRestorableDateTime": since_ms,
            "LatestRestorableDateTime": db.clock.now_ms(),
        }
        db.clock.advance(ms=2 * DAY_MS + 1)
        await put(db, "b", "y")
        await db.provider.maintain()
        (table,) = db.provider._tables.all()
        entries = "SELECT count(*) FROM " + table.items.journal.relation
        assert db.provider._tables._store._database.reader.execute(entries).get == 1
        params = {"SourceTableName": "things", "TargetTableName": "past"}
        error = await db.refused("RestoreTableToPointInTime", **params, RestoreDateTime=since_ms)
        assert isinstance(error, InvalidRestoreTimeException)
        error = await db.refused("RestoreTableToPointInTime", **params)
        assert error.message.startswith("Exactly one of RestoreDateTime")
        await db("RestoreTableToPointInTime", **params, UseLatestRestorableTime=True)
        assert (await db.refused("DeleteTable", TableName="things")).code == "ResourceInUseException"
        off = {"PointInTimeRecoveryEnabled": False}
        change = {"TableName": "things", "PointInTimeRecoverySpecification": off}
        assert (await db.refused("UpdateContinuousBackups", **change)).code == "BackupInUseException"
        await active(db, "past")
        await db("UpdateContinuousBackups", **change)
        assert await told() == {"PointInTimeRecoveryStatus": "DISABLED"}
        error = await db.refused("RestoreTableToPointInTime", **params, UseLatestRestorableTime=True)
        assert isinstance(error, PointInTimeRecoveryUnavailableException)
        days = {"PointInTimeRecoverySpecification": {**off, "RecoveryPeriodInDays": 3}}
        assert (
            "RecoveryPeriodInDays" in (await db.refused("UpdateContinuousBackups", TableName="things", **days)).message
        )

    on_dynamodb(scenario)


def test_a_restore_that_a_stop_interrupted_is_finished(tmp_path: Any) -> None:
    async def before(db: DynamoDb) -> None:
        await recoverable(db)
        for number in range(600):
            await put(db, str(number), "x")
        await db(
            "RestoreTableToPointInTime", SourceTableName="things", TargetTableName="past", UseLatestRestorableTime=True
        )

    async def after(db: DynamoDb) -> int:
        db.clock.advance(ms=1000)
        await put(db, "more", "x")
        return (await active(db, "past"))["ItemCount"]

    path = tmp_path / "items.db"
    on_dynamodb(before, path=path)
    assert on_dynamodb(after, path=path) == 600


def test_overrides_change_billing_and_what_cannot_be_is_refused() -> None:
    async def scenario(db: DynamoDb) -> None:
        await recoverable(db)
        params = {"SourceTableName": "things", "TargetTableName": "past", "UseLatestRestorableTime": True}
        units = {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4}
        for more, message in [
            ({"OnDemandThroughputOverride": {"MaxReadRequestUnits": 1}}, "OnDemandThroughputOverride"),
            ({"SSESpecificationOverride": {"Enabled": True, "SSEType": "AES256"}}, "AES256"),
            ({"BillingModeOverride": "PROVISIONED"}, "must both be specified"),
            ({"SourceTableArn": "things"}, "Exactly one of SourceTableArn"),
        ]:
            assert message in (await db.refused("RestoreTableToPointInTime", **params, **more)).message
        await db(
            "RestoreTableToPointInTime",
            **params,
            BillingModeOverride="PROVISIONED",
            ProvisionedThroughputOverride=units,
            GlobalSecondaryIndexOverride=[],
        )
        described = await active(db, "past")
        assert described["ProvisionedThroughput"]["WriteCapacityUnits"] == 4
        assert "GlobalSecondaryIndexes" not in described
        asked = [(one.action, one.resource.rpartition("/")[2]) for one in db.authorization.asked]
        assert ("dynamodb:RestoreTableToPointInTime", "things") in asked
        assert ("dynamodb:BatchWriteItem", "past") in asked

    on_dynamodb(scenario)
