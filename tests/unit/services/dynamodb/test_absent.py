import pytest

from gatepost.awsapi.shapes import ServiceModels
from gatepost.services.dynamodb.absent import REFUSALS
from gatepost.services.dynamodb.provider import DynamoDbProvider
from tests.support.dynamodb import a_table, an_index, on_dynamodb


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("ListExports", "ExportSummaries"),
        ("ListImports", "ImportSummaryList"),
        ("ListGlobalTables", "GlobalTables"),
        ("ListContributorInsights", "ContributorInsightsSummaries"),
    ],
)
def test_what_there_is_none_of_is_listed_as_none(operation, member) -> None:
    async def scenario(db):
        assert await db(operation) == {member: []}

    on_dynamodb(scenario)


def test_of_a_table_that_is_not_there_nothing_is_listed() -> None:
    async def scenario(db):
        await db("CreateTable", **a_table())
        assert await db("ListContributorInsights", TableName="things") == {"ContributorInsightsSummaries": []}
        error = await db.refused("ListContributorInsights", TableName="nowhere")
        assert error.code == "ResourceNotFoundException"
        assert (await db.refused("ListExports", NextToken="x")).code == "ValidationException"

    on_dynamodb(scenario)


def test_a_table_has_neither_insights_nor_destinations() -> None:
    async def scenario(db):
        await db("CreateTable", **a_table(GlobalSecondaryIndexes=[an_index("by_color", "color:S")]))
        assert await db("DescribeContributorInsights", TableName="things", IndexName="by_color") == {
            "TableName": "things",
            "IndexName": "by_color",
            "ContributorInsightsStatus": "DISABLED",
        }
        refused = await db.refused("DescribeContributorInsights", TableName="things", IndexName="other")
        assert refused.code == "ValidationException"
        assert await db("DescribeKinesisStreamingDestination", TableName="things") == {
            "TableName": "things",
            "KinesisDataStreamDestinations": [],
        }

    on_dynamodb(scenario)


def test_there_is_no_export_and_no_import_to_describe() -> None:
    async def scenario(db):
        arn = "arn:aws:dynamodb:us-east-1:000000000000:table/things/export/01234567890123-a1b2c3d4"
        assert (await db.refused("DescribeExport", ExportArn=arn)).code == "ExportNotFoundException"
        arn = arn.replace("export", "import")
        assert (await db.refused("DescribeImport", ImportArn=arn)).code == "ImportNotFoundException"

    on_dynamodb(scenario)


def test_every_operation_of_dynamodb_is_there_or_refused_with_a_sentence() -> None:
    marks = {getattr(getattr(DynamoDbProvider, name), "__gatepost_operation__", None) for name in dir(DynamoDbProvider)}
    here = {mark.name for mark in marks if mark is not None}
    model = ServiceModels().get("dynamodb")
    assert set(model.operations) == here | set(REFUSALS)
    assert not here & set(REFUSALS)


@pytest.mark.parametrize("operation", ["DescribeGlobalTable", "DescribeGlobalTableSettings"])
def test_no_table_is_a_global_one(operation: str) -> None:
    async def scenario(db):
        await db("CreateTable", **a_table())
        return await db.refused(operation, GlobalTableName="things")

    refused = on_dynamodb(scenario)
    assert refused.code == "GlobalTableNotFoundException"
    assert "'things' does not exist" in refused.message
