import asyncio

import pytest

from tests.support.dynamodb import a_key, a_table, an_index, on_dynamodb

PROVISIONED = {"BillingMode": "PROVISIONED", "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"KeySchema": None}, "KeySchema must be specified"),
        (
            {"KeySchema": [{"AttributeName": "pk", "KeyType": "RANGE"}]},
            "The first KeySchemaElement is not a HASH key type",
        ),
        ({"KeySchema": a_key("pk", "pk")}, "have the same name"),
        ({"KeySchema": a_key("pk", "zz")}, "Some index key attributes are not defined in AttributeDefinitions"),
        ({"KeySchema": a_key("pk")}, "Number of attributes in KeySchema does not exactly match"),
        ({"BillingMode": None}, "must both be specified when BillingMode is PROVISIONED"),
        (
            {"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}},
            "can be specified when BillingMode is PAY_PER_REQUEST",
        ),
        ({"StreamSpecification": {"StreamEnabled": True}}, "StreamViewType is required when StreamEnabled is true"),
        ({"SSESpecification": {"Enabled": False, "KMSMasterKeyId": "k"}}, "can only be given when SSE is enabled"),
        ({"SSESpecification": {"Enabled": True, "SSEType": "AES256"}}, "SSEType AES256 is not supported"),
        ({"OnDemandThroughput": {"MaxReadRequestUnits": 0}}, "must be -1 or greater than 0"),
        (
            {
                "BillingMode": "PROVISIONED",
                "ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
                "OnDemandThroughput": {"MaxReadRequestUnits": 1},
            },
            "OnDemandThroughput can only be specified when BillingMode is PAY_PER_REQUEST",
        ),
        ({"ResourcePolicy": "{}"}, "Invalid policy document"),
        ({"GlobalSecondaryIndexes": []}, "List of GlobalSecondaryIndexes is empty"),
        (
            {
                "LocalSecondaryIndexes": [
                    {"IndexName": "lsi", "KeySchema": a_key("sk", "pk"), "Projection": {"ProjectionType": "ALL"}}
                ]
            },
            "Index KeySchema does not have the same leading hash key as table KeySchema for index: lsi",
        ),
        (
            {
                "LocalSecondaryIndexes": [
                    {"IndexName": "lsi", "KeySchema": a_key("pk"), "Projection": {"ProjectionType": "ALL"}}
                ]
            },
            "Index KeySchema does not have a range key for index: lsi",
        ),
        (
            {"GlobalSecondaryIndexes": [{"IndexName": "gsi", "KeySchema": a_key("sk"), "Projection": {}}]},
            "Unknown ProjectionType: null",
        ),
        (
            {
                "GlobalSecondaryIndexes": [
                    {"IndexName": "gsi", "KeySchema": a_key("sk"), "Projection": {"ProjectionType": "INCLUDE"}}
                ]
            },
            "ProjectionType is INCLUDE, but NonKeyAttributes is not specified",
        ),
        (
            {
                "GlobalSecondaryIndexes": [
                    {
                        "IndexName": "gsi",
                        "KeySchema": a_key("sk"),
                        "Projection": {"ProjectionType": "ALL", "NonKeyAttributes": ["a"]},
                    }
                ]
            },
            "ProjectionType is ALL, but NonKeyAttributes is specified",
        ),
        (
            {
                "GlobalSecondaryIndexes": [
                    {"IndexName": "gsi", "KeySchema": a_key("sk"), "Projection": {"ProjectionType": "ALL"}}
                ]
                * 2
            },
            "Duplicate index name: gsi",
        ),
        ({"TableName": "a!b"}, "Invalid table/index name"),
        ({"Tags": [{"Key": "aws:x", "Value": "y"}]}, "reserved for AWS"),
    ],
)
def test_tables_that_cannot_be_are_refused(change, message) -> None:
    async def scenario(db):
        params = {**a_table(), **change}
        error = await db.refused("CreateTable", **{name: value for name, value in params.items() if value is not None})
        assert error.code == "ValidationException"
        assert (await db("ListTables"))["TableNames"] == []
        return error.message

    assert message in on_dynamodb(scenario)


def test_a_name_is_taken_once_even_by_two_at_the_same_time() -> None:
    async def scenario(db):
        given = await asyncio.gather(*(db("CreateTable", **a_table()) for _ in range(3)), return_exceptions=True)
        errors = [one for one in given if isinstance(one, Exception)]
        assert [error.code for error in errors] == ["ResourceInUseException"] * 2
        return (await db.refused("CreateTable", **a_table())).message

    assert on_dynamodb(scenario) == "Table already exists: things"


def test_tables_are_listed_by_name_in_pages() -> None:
    async def scenario(db):
        for name in ("ccc", "aaa", "bbb"):
            await db("CreateTable", **a_table(name))
        first = await db("ListTables", Limit=2)
        return first, await db("ListTables", ExclusiveStartTableName=first["LastEvaluatedTableName"])

    assert on_dynamodb(scenario) == (
        {"TableNames": ["aaa", "bbb"], "LastEvaluatedTableName": "bbb"},
        {"TableNames": ["ccc"]},
    )


def test_a_table_keeps_its_id_when_it_is_made_again() -> None:
    async def scenario(db):
        first = (await db("CreateTable", **a_table()))["TableDescription"]["TableId"]
        gone = await db("DeleteTable", TableName="things")
        assert gone["TableDescription"]["TableStatus"] == "DELETING"
        error = await db.refused("DescribeTable", TableName="things")
        assert error.message == "Requested resource not found: Table: things not found"
        again = await db("CreateTable", **a_table())
        return first == again["TableDescription"]["TableId"], (await db("Scan", TableName="things"))["Count"]

    assert on_dynamodb(scenario) == (True, 0)


def test_a_protected_table_stays() -> None:
    async def scenario(db):
        await db("CreateTable", **a_table(DeletionProtectionEnabled=True))
        error = await db.refused("DeleteTable", TableName="things")
        assert "protected against deletion" in error.message
        await db("UpdateTable", TableName="things", DeletionProtectionEnabled=False)
        await db("DeleteTable", TableName="things")

    on_dynamodb(scenario)


async def until_active(db, name="things"):
    for _ in range(500):
        table = (await db("DescribeTable", TableName=name))["Table"]
        if all(index["IndexStatus"] == "ACTIVE" for index in table.get("GlobalSecondaryIndexes", ())):
            return table
        await asyncio.sleep(0.002)
    raise AssertionError(table)


def test_an_index_added_later_is_filled_and_then_maintained(tmp_path) -> None:
    async def add(db):
        await db("CreateTable", **a_table())
        for i in range(1200):
            await db(
                "PutItem", TableName="things", Item={"pk": {"S": f"{i}"}, "sk": {"S": "s"}, "n": {"N": str(i % 2)}}
            )
        create = {"IndexName": "by_n", "KeySchema": a_key("n"), "Projection": {"ProjectionType": "KEYS_ONLY"}}
        answer = await db(
            "UpdateTable",
            TableName="things",
            AttributeDefinitions=[{"AttributeName": "n", "AttributeType": "N"}],
            GlobalSecondaryIndexUpdates=[{"Create": create}],
        )
        assert answer["TableDescription"]["GlobalSecondaryIndexes"][0]["IndexStatus"] == "CREATING"
        query = {
            "TableName": "things",
            "IndexName": "by_n",
            "KeyConditionExpression": "n = :n",
            "ExpressionAttributeValues": {":n": {"N": "1"}},
            "Select": "COUNT",
        }
        early = await db.refused("Query", **query)
        assert early.message == "Cannot read from backfilling global secondary index: by_n"
        busy = await db.refused("UpdateTable", TableName="things", DeletionProtectionEnabled=True)
        assert busy.code == "ResourceInUseException"
        await asyncio.gather(
            *(db("DeleteItem", TableName="things", Key={"pk": {"S": f"{i}"}, "sk": {"S": "s"}}) for i in range(100))
        )
        table = await until_active(db)
        assert table["GlobalSecondaryIndexes"][0]["ItemCount"] == 1100
        await db("PutItem", TableName="things", Item={"pk": {"S": "new"}, "sk": {"S": "s"}, "n": {"N": "1"}})
        return (await db("Query", **query))["Count"]

    async def remove(db):
        table = await until_active(db)
        assert table["GlobalSecondaryIndexes"][0]["ItemCount"] == 1101
        await db("UpdateTable", TableName="things", GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by_n"}}])
        table = (await db("DescribeTable", TableName="things"))["Table"]
        await db("PutItem", TableName="things", Item={"pk": {"S": "new"}, "sk": {"S": "s"}, "n": {"S": "any type"}})
        return "GlobalSecondaryIndexes" in table, [one["AttributeName"] for one in table["AttributeDefinitions"]]

    path = tmp_path / "items.db"
    assert on_dynamodb(add, path=path) == 551
    assert on_dynamodb(remove, path=path) == (False, ["pk", "sk"])


def test_a_fill_that_a_stop_interrupted_starts_again(tmp_path) -> None:
    async def stop_in_between(db):
        await db("CreateTable", **a_table())
        for i in range(5):
            await db("PutItem", TableName="things", Item={"pk": {"S": f"{i}"}, "sk": {"S": "s"}, "n": {"N": "1"}})
        create = {"IndexName": "by_n", "KeySchema": a_key("n"), "Projection": {"ProjectionType": "ALL"}}
        await db(
            "UpdateTable",
            TableName="things",
            AttributeDefinitions=[{"AttributeName": "n", "AttributeType": "N"}],
            GlobalSecondaryIndexUpdates=[{"Create": create}],
        )

    async def go_on(db):
        return (await until_active(db))["GlobalSecondaryIndexes"][0]["ItemCount"]

    path = tmp_path / "items.db"
    on_dynamodb(stop_in_between, path=path)
    assert on_dynamodb(go_on, path=path) == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "is required"),
        ({"GlobalSecondaryIndexUpdates": [{}]}, "exactly one of Create, Update and Delete"),
        ({"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "nothing"}}]}, "Requested resource not found"),
        (
            {
                "GlobalSecondaryIndexUpdates": [
                    {"Create": {"IndexName": "gsi", "KeySchema": a_key("sk"), "Projection": {"ProjectionType": "ALL"}}}
                ]
            },
            "Attempting to create an index which already exists: gsi",
        ),
        ({"StreamSpecification": {"StreamEnabled": True}}, "StreamViewType is required when StreamEnabled is true"),
        ({"ReplicaUpdates": [{"Create": {"RegionName": "eu-west-1"}}]}, "does not have global tables yet"),
    ],
)
def test_updates_of_tables_are_refused_with_the_reason(change, message) -> None:
    async def scenario(db):
        await db("CreateTable", **a_table(GlobalSecondaryIndexes=[an_index("gsi", "sk:S")]))
        return (await db.refused("UpdateTable", TableName="things", **change)).message

    assert message in on_dynamodb(scenario)


def test_billing_may_change_both_ways() -> None:
    async def scenario(db):
        await db("CreateTable", **a_table())
        await db("UpdateTable", TableName="things", **PROVISIONED)
        provisioned = (await db("DescribeTable", TableName="things"))["Table"]
        await db("UpdateTable", TableName="things", BillingMode="PAY_PER_REQUEST")
        on_demand = (await db("DescribeTable", TableName="things"))["Table"]
        assert provisioned["ProvisionedThroughput"]["ReadCapacityUnits"] == 5
        assert on_demand["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        once = {**on_demand["BillingModeSummary"], "BillingMode": "PROVISIONED"}
        assert provisioned["BillingModeSummary"].keys() == once.keys()
        assert provisioned["BillingModeSummary"]["BillingMode"] == "PROVISIONED"
        await db("CreateTable", **a_table(TableName="never-on-demand", **PROVISIONED))
        assert "BillingModeSummary" not in (await db("DescribeTable", TableName="never-on-demand"))["Table"]

    on_dynamodb(scenario)


def test_a_provisioned_table_needs_units_for_every_global_index() -> None:
    async def scenario(db):
        await db("CreateTable", **a_table(GlobalSecondaryIndexes=[an_index("gsi", "sk:S")]))
        error = await db.refused("UpdateTable", TableName="things", **PROVISIONED)
        assert error.message.endswith("ProvisionedThroughput must be specified for index: gsi")
        update = {"IndexName": "gsi", "ProvisionedThroughput": PROVISIONED["ProvisionedThroughput"]}
        await db("UpdateTable", TableName="things", **PROVISIONED, GlobalSecondaryIndexUpdates=[{"Update": update}])
        same = await db.refused(
            "UpdateTable", TableName="things", ProvisionedThroughput=PROVISIONED["ProvisionedThroughput"]
        )
        assert same.message.startswith("The provisioned throughput for the table will not change.")

    on_dynamodb(scenario)


def test_tags_are_put_listed_and_taken_off() -> None:
    async def scenario(db):
        await db("CreateTable", **a_table(Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]))
        arn = (await db("DescribeTable", TableName="things"))["Table"]["TableArn"]
        await db("TagResource", ResourceArn=arn, Tags=[{"Key": "c", "Value": "3"}, {"Key": "a", "Value": "9"}])
        await db("UntagResource", ResourceArn=arn, TagKeys=["b"])
        many = [{"Key": f"k{i}", "Value": ""} for i in range(49)]
        assert "Too many tags" in (await db.refused("TagResource", ResourceArn=arn, Tags=many)).message
        other = await db.refused("ListTagsOfResource", ResourceArn=arn + "x")
        assert other.code == "ResourceNotFoundException"
        return (await db("ListTagsOfResource", ResourceArn=arn))["Tags"]

    assert on_dynamodb(scenario) == [{"Key": "a", "Value": "9"}, {"Key": "c", "Value": "3"}]


def test_what_templates_and_tools_ask_is_answered() -> None:
    async def scenario(db):
        await db("CreateTable", **a_table())
        limits, endpoints = await db("DescribeLimits"), await db("DescribeEndpoints")
        backups = await db("DescribeContinuousBackups", TableName="things")
        return (
            limits["TableMaxReadCapacityUnits"],
            endpoints["Endpoints"][0]["Address"],
            backups["ContinuousBackupsDescription"],
        )

    limit, address, backups = on_dynamodb(scenario)
    assert (limit, address) == (40_000, "dynamodb.us-east-1.amazonaws.com")
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED"


def test_whoever_looks_for_the_endpoint_is_sent_to_this_one() -> None:
    async def scenario(db):
        return (await db("DescribeEndpoints"))["Endpoints"]

    found = on_dynamodb(scenario, address="127.0.0.1:4566")
    assert found == [{"Address": "127.0.0.1:4566", "CachePeriodInMinutes": 1440}]


def test_what_gatepost_does_not_have_says_so() -> None:
    async def scenario(db):
        return (await db.refused("CreateGlobalTable", GlobalTableName="things", ReplicationGroup=[])).message

    assert "does not have dynamodb:CreateGlobalTable: a table is in one region" in on_dynamodb(scenario)


def test_the_key_of_a_table_is_described_until_it_goes_back_to_aws_own() -> None:
    async def scenario(db):
        for given, arn in [
            ({}, "arn:aws:kms:us-east-1:000000000000:alias/aws/dynamodb"),
            ({"KMSMasterKeyId": "1234"}, "arn:aws:kms:us-east-1:000000000000:key/1234"),
            ({"KMSMasterKeyId": "alias/mine"}, "arn:aws:kms:us-east-1:000000000000:alias/mine"),
            (
                {"KMSMasterKeyId": "arn:aws:kms:us-east-1:000000000000:key/1"},
                "arn:aws:kms:us-east-1:000000000000:key/1",
            ),
        ]:
            name = f"table{len(arn)}"
            specification = {"Enabled": True, "SSEType": "KMS", **given}
            made = await db("CreateTable", **{**a_table(), "TableName": name, "SSESpecification": specification})
            assert made["TableDescription"]["SSEDescription"] == {
                "Status": "ENABLED",
                "SSEType": "KMS",
                "KMSMasterKeyArn": arn,
            }
            await db("UpdateTable", TableName=name, SSESpecification={"Enabled": False})
            assert "SSEDescription" not in (await db("DescribeTable", TableName=name))["Table"]
            await db("DeleteTable", TableName=name)

    on_dynamodb(scenario)
