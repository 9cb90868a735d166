from tests.support.dynamodb import a_table, an_index, on_dynamodb

KEY = {"pk": {"S": "a"}, "sk": {"S": "1"}}


def units(read, write):
    return {"ProvisionedThroughput": {"ReadCapacityUnits": read, "WriteCapacityUnits": write}}


async def many(db, operation, count, **params):
    for _ in range(count):
        await db(operation, **params)


def test_a_provisioned_table_gives_300_seconds_at_once_and_then_its_rate() -> None:
    async def scenario(db):
        await db("CreateTable", **a_table(BillingMode="PROVISIONED", **units(1, 1)))
        put = {"TableName": "things", "Item": dict(KEY)}
        get = {"TableName": "things", "Key": dict(KEY)}
        await many(db, "PutItem", 300, **put)
        error = await db.refused("PutItem", **put)
        assert error.code == "ProvisionedThroughputExceededException"
        db.clock.advance(ms=2_000)
        await many(db, "PutItem", 2, **put)
        await db.refused("PutItem", **put)
        await many(db, "GetItem", 600, **get)  # reads have their own units; eventual ones cost half
        assert (await db.refused("GetItem", **get)).code == "ProvisionedThroughputExceededException"
        assert (
            await db.refused(
                "Query",
                TableName="things",
                KeyConditionExpression="pk = :p",
                ExpressionAttributeValues={":p": {"S": "a"}},
            )
        ).code == error.code
        db.clock.advance(ms=3_600_000)
        await many(db, "PutItem", 300, **put)
        await db.refused("PutItem", **put)

    on_dynamodb(scenario)


def test_a_global_index_without_units_holds_up_its_table() -> None:
    async def scenario(db):
        index = {**an_index("by_color", "color:S"), **units(1, 1)}
        await db("CreateTable", **a_table(BillingMode="PROVISIONED", **units(100, 100), GlobalSecondaryIndexes=[index]))
        for i in range(300):
            await db(
                "PutItem",
                TableName="things",
                Item={**KEY, "color": {"S": f"{i % 2}"}}
                if i == 0
                else {"pk": {"S": f"{i}"}, "sk": {"S": "1"}, "color": {"S": "red"}},
            )
        error = await db.refused("PutItem", TableName="things", Item=dict(KEY))
        assert "global secondary indexes" in error.message
        assert error.members["ThrottlingReasons"] == [
            {
                "reason": "IndexWriteProvisionedThroughputExceeded",
                "resource": "arn:aws:dynamodb:us-east-1:000000000000:table/things/index/by_color",
            }
        ]
        await db(
            "UpdateTable",
            TableName="things",
            GlobalSecondaryIndexUpdates=[{"Update": {"IndexName": "by_color", **units(1, 50)}}],
        )
        db.clock.advance(ms=100)
        await db("PutItem", TableName="things", Item=dict(KEY))

    on_dynamodb(scenario)


def test_batches_leave_over_what_the_throughput_does_not_take() -> None:
    async def scenario(db):
        await db("CreateTable", **a_table("slow", BillingMode="PROVISIONED", **units(1, 1)))
        await db("CreateTable", **a_table("fast"))
        await many(db, "PutItem", 300, TableName="slow", Item=dict(KEY))
        put = [{"PutRequest": {"Item": dict(KEY)}}]
        answer = await db("BatchWriteItem", RequestItems={"slow": put, "fast": put})
        alone = await db.refused("BatchWriteItem", RequestItems={"slow": put})
        assert alone.code == "ProvisionedThroughputExceededException"
        await many(db, "GetItem", 300, TableName="slow", Key=dict(KEY), ConsistentRead=True)
        read = await db("BatchGetItem", RequestItems={"slow": {"Keys": [dict(KEY)]}, "fast": {"Keys": [dict(KEY)]}})
        assert (await db.refused("BatchGetItem", RequestItems={"slow": {"Keys": [dict(KEY)]}})).code == alone.code
        return answer["UnprocessedItems"], read["UnprocessedKeys"]

    assert on_dynamodb(scenario) == (
        {"slow": [{"PutRequest": {"Item": KEY}}]},
        {"slow": {"Keys": [KEY]}},
    )


def test_an_on_demand_table_is_never_throttled() -> None:
    async def scenario(db):
        await db("CreateTable", **a_table())
        await many(db, "PutItem", 400, TableName="things", Item=dict(KEY))

    on_dynamodb(scenario)


def test_with_throttling_off_a_provisioned_table_takes_more_than_its_units() -> None:
    async def scenario(db):
        index = {**an_index("by_color", "color:S"), **units(1, 1)}
        await db("CreateTable", **a_table(BillingMode="PROVISIONED", **units(1, 1), GlobalSecondaryIndexes=[index]))
        await many(db, "PutItem", 400, TableName="things", Item={**KEY, "color": {"S": "red"}})
        await many(db, "GetItem", 700, TableName="things", Key=dict(KEY))

    on_dynamodb(scenario, is_throttling=False)


def test_a_table_on_demand_takes_no_more_than_its_maximum() -> None:
    async def scenario(db):
        index = {**an_index("by_color", "color:S"), "OnDemandThroughput": {"MaxWriteRequestUnits": 2}}
        maximum = {"MaxReadRequestUnits": 1, "MaxWriteRequestUnits": 1}
        await db("CreateTable", **a_table(OnDemandThroughput=maximum, GlobalSecondaryIndexes=[index]))
        table = (await db("DescribeTable", TableName="things"))["Table"]
        assert table["OnDemandThroughput"] == maximum
        assert table["GlobalSecondaryIndexes"][0]["OnDemandThroughput"] == {
            "MaxReadRequestUnits": -1,
            "MaxWriteRequestUnits": 2,
        }
        await many(db, "PutItem", 300, TableName="things", Item=dict(KEY))
        error = await db.refused("PutItem", TableName="things", Item=dict(KEY))
        assert error.code == "ThrottlingException"
        assert error.members["throttlingReasons"] == [
            {
                "reason": "TableWriteMaxOnDemandThroughputExceeded",
                "resource": "arn:aws:dynamodb:us-east-1:000000000000:table/things",
            }
        ]
        await many(db, "GetItem", 600, TableName="things", Key=dict(KEY))
        assert (await db.refused("GetItem", TableName="things", Key=dict(KEY))).code == "ThrottlingException"
        removed = {"MaxWriteRequestUnits": -1}
        await db("UpdateTable", TableName="things", OnDemandThroughput=removed)
        table = (await db("DescribeTable", TableName="things"))["Table"]
        assert table["OnDemandThroughput"] == {"MaxReadRequestUnits": 1, "MaxWriteRequestUnits": -1}
        await many(db, "PutItem", 400, TableName="things", Item=dict(KEY))
        update = {"IndexName": "by_color", "OnDemandThroughput": {"MaxWriteRequestUnits": 1}}
        await db("UpdateTable", TableName="things", GlobalSecondaryIndexUpdates=[{"Update": update}])
        for number in range(300):
            await db("PutItem", TableName="things", Item={**KEY, "sk": {"S": f"{number}"}, "color": {"S": "red"}})
        error = await db.refused("PutItem", TableName="things", Item={**KEY, "color": {"S": "blue"}})
        assert error.members["throttlingReasons"][0]["reason"] == "IndexWriteMaxOnDemandThroughputExceeded"

    on_dynamodb(scenario)


def test_a_maximum_is_kept_with_the_table_and_reads_of_others_have_none() -> None:
    async def scenario(db):
        await db("CreateTable", **a_table(OnDemandThroughput={"MaxWriteRequestUnits": 1}))
        await many(db, "GetItem", 700, TableName="things", Key=dict(KEY))
        provisioned = {"BillingMode": "PROVISIONED", **units(5, 5)}
        await db("UpdateTable", TableName="things", **provisioned)
        table = (await db("DescribeTable", TableName="things"))["Table"]
        assert "OnDemandThroughput" not in table

    on_dynamodb(scenario)
