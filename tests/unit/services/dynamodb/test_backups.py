"""Backups hold the table as it was when they were asked for, whatever is written while they are made."""

from __future__ import annotations

import asyncio
from typing import Any

from gatepost.services.dynamodb.model import BackupInUseException, BackupNotFoundException
from tests.support.dynamodb import DynamoDb, a_table, an_index, on_dynamodb

DAY_MS = 86_400_000


async def fill(db: DynamoDb, count: int = 3, value: str = "old") -> None:
    for number in range(count):
        await put(db, str(number), value)


async def put(db: DynamoDb, pk: str, value: str) -> None:
    await db("PutItem", TableName="things", Item={"pk": {"S": pk}, "v": {"S": value}})


async def items_of(db: DynamoDb, table: str) -> dict[str, str]:
    found: dict[str, str] = {}
    start: dict[str, Any] = {}
    while True:
        page = await db("Scan", TableName=table, **start)
        found |= {item["pk"]["S"]: item["v"]["S"] for item in page["Items"]}
        if "LastEvaluatedKey" not in page:
            return found
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


async def available(db: DynamoDb, arn: str) -> dict[str, Any]:
    for _ in range(500):
        described = (await db("DescribeBackup", BackupArn=arn))["BackupDescription"]
        if described["BackupDetails"]["BackupStatus"] == "AVAILABLE":
            table = described["SourceTableDetails"]["TableName"]
            if not any(
                one.definition.is_backing_up for one in db.provider._tables.all() if one.definition.name == table
            ):
                return described
        await asyncio.sleep(0.005)
    raise AssertionError("the backup does not end")


async def active(db: DynamoDb, name: str) -> dict[str, Any]:
    for _ in range(500):
        described = (await db("DescribeTable", TableName=name))["Table"]
        if described["TableStatus"] == "ACTIVE":
            return described
        await asyncio.sleep(0.005)
    raise AssertionError("the restore does not end")


async def a_backup(db: DynamoDb, name: str = "first") -> str:
    return (await db("CreateBackup", TableName="things", BackupName=name))["BackupDetails"]["BackupArn"]


def test_a_backup_holds_the_moment_it_was_asked_for() -> None:
    async def scenario(db: DynamoDb) -> None:
        indexes = [an_index("by_v", "v:S")]
        await db("CreateTable", **a_table(sort=None, GlobalSecondaryIndexes=indexes))
        await fill(db, 1200)
        arn = await a_backup(db)
        error = await db.refused("CreateBackup", TableName="things", BackupName="second")
        assert isinstance(error, BackupInUseException)
        assert (await db.refused("DeleteTable", TableName="things")).code == "ResourceInUseException"
        for number in range(0, 1200, 100):
            await put(db, str(number), "new")
        await db("DeleteItem", TableName="things", Key={"pk": {"S": "1"}})
        await put(db, "more", "new")
        described = await available(db, arn)
        assert described["SourceTableDetails"]["ItemCount"] == 1200
        assert described["SourceTableFeatureDetails"]["GlobalSecondaryIndexes"][0]["IndexName"] == "by_v"
        await db("DeleteTable", TableName="things")
        made = await db("RestoreTableFromBackup", TargetTableName="again", BackupArn=arn)
        assert made["TableDescription"]["TableStatus"] == "CREATING"
        assert made["TableDescription"]["RestoreSummary"]["RestoreInProgress"] is True
        assert (await db.refused("GetItem", TableName="again", Key={"pk": {"S": "1"}})).code.startswith("ResourceNot")
        assert (await db.refused("UpdateTable", TableName="again", TableClass="STANDARD")).code.startswith("ResourceIn")
        assert (await db.refused("DeleteBackup", BackupArn=arn)).code == "BackupInUseException"
        described = await active(db, "again")
        assert described["ItemCount"] == 1200
        assert described["GlobalSecondaryIndexes"][0]["ItemCount"] == 1200
        assert described["RestoreSummary"]["SourceBackupArn"] == arn
        assert await items_of(db, "again") == {str(number): "old" for number in range(1200)}

    on_dynamodb(scenario)


def test_backups_are_listed_described_and_deleted() -> None:
    async def scenario(db: DynamoDb) -> None:
        await db("CreateTable", **a_table(sort=None))
        await fill(db)
        arns = []
        for name in ("one", "two"):
            arns.append(await a_backup(db, name))
            await available(db, arns[-1])
            db.clock.advance(ms=1000)
        page = await db("ListBackups", Limit=1)
        assert [one["BackupArn"] for one in page["BackupSummaries"]] == arns[:1]
        page = await db("ListBackups", ExclusiveStartBackupArn=page["LastEvaluatedBackupArn"], TableName="things")
        assert [one["BackupName"] for one in page["BackupSummaries"]] == ["two"]
        assert (await db("ListBackups", TableName="other"))["BackupSummaries"] == []
        assert (await db("ListBackups", BackupType="SYSTEM"))["BackupSummaries"] == []
        early = await db("ListBackups", TimeRangeUpperBound=db.clock.now_ms() - 1500)
        assert len(early["BackupSummaries"]) == 1
        deleted = await db("DeleteBackup", BackupArn=arns[0])
        assert deleted["BackupDescription"]["BackupDetails"]["BackupStatus"] == "DELETED"
        assert isinstance(await db.refused("DescribeBackup", BackupArn=arns[0]), BackupNotFoundException)
        error = await db.refused("CreateBackup", TableName="nothing", BackupName="first")
        assert error.code == "TableNotFoundException"
        error = await db.refused("RestoreTableFromBackup", TargetTableName="things", BackupArn=arns[1])
        assert error.code == "TableAlreadyExistsException"

    on_dynamodb(scenario)


def test_a_backup_that_a_stop_interrupted_is_finished(tmp_path: Any) -> None:
    async def before(db: DynamoDb) -> str:
        await db("CreateTable", **a_table(sort=None))
        await fill(db, 700)
        return await a_backup(db)

    async def after(db: DynamoDb, arn: str) -> int:
        await put(db, "0", "new")
        await available(db, arn)
        await db("RestoreTableFromBackup", TargetTableName="again", BackupArn=arn)
        await active(db, "again")
        found = await items_of(db, "again")
        assert found["0"] == "old"
        return len(found)

    path = tmp_path / "items.db"
    arn = on_dynamodb(before, path=path)
    assert on_dynamodb(lambda db: after(db, arn), path=path) == 700


def test_a_table_with_recovery_leaves_a_backup_for_35_days() -> None:
    async def scenario(db: DynamoDb) -> None:
        await db("CreateTable", **a_table(sort=None))
        on = {"PointInTimeRecoveryEnabled": True}
        await db("UpdateContinuousBackups", TableName="things", PointInTimeRecoverySpecification=on)
        await fill(db)
        await db("DeleteTable", TableName="things")
        (summary,) = (await db("ListBackups"))["BackupSummaries"]
        assert (summary["BackupName"], summary["BackupType"]) == ("things$DeletedTableBackup", "SYSTEM")
        assert "BackupExpiryDateTime" in summary
        await db("RestoreTableFromBackup", TargetTableName="things", BackupArn=summary["BackupArn"])
        await active(db, "things")
        assert len(await items_of(db, "things")) == 3
        db.clock.advance(ms=35 * DAY_MS + 1)
        await db.provider.maintain()
        assert (await db("ListBackups"))["BackupSummaries"] == []

    on_dynamodb(scenario)
