import pytest

from tests.support.dynamodb import a_table, on_dynamodb


def key(sk):
    return {"pk": {"S": "a"}, "sk": {"S": sk}}


def with_table(scenario):
    async def run(db):
        await db("CreateTable", **a_table())
        return await scenario(db)

    return on_dynamodb(run)


def put(sk, **more):
    return {"PutRequest": {"Item": {**key(sk), **more}}}


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        ([put("1"), put("1")], "Provided list of item keys contains duplicates"),
        ([put("1"), {"DeleteRequest": {"Key": key("1")}}], "Provided list of item keys contains duplicates"),
        ([put("1"), {}], "exactly one of PutRequest and DeleteRequest"),
        ([put("1"), {"PutRequest": {"Item": {"pk": {"S": "a"}}}}], "Missing the key sk in the item"),
        ([put(str(i)) for i in range(26)], "less than or equal to 25"),
    ],
)
def test_a_batch_with_one_bad_request_writes_nothing(requests, message) -> None:
    async def scenario(db):
        error = await db.refused("BatchWriteItem", RequestItems={"things": requests})
        assert (await db("Scan", TableName="things"))["Count"] == 0
        return error.message

    assert message in with_table(scenario)


def test_at_most_25_writes_over_all_tables() -> None:
    async def scenario(db):
        await db("CreateTable", **a_table("others"))
        requests = {"things": [put(str(i)) for i in range(13)], "others": [put(str(i)) for i in range(13)]}
        error = await db.refused("BatchWriteItem", RequestItems=requests)
        assert error.message == "Too many items requested for the BatchWriteItem call"
        requests["others"].pop()
        assert await db("BatchWriteItem", RequestItems=requests) == {"UnprocessedItems": {}}

    with_table(scenario)


@pytest.mark.parametrize(
    ("request_items", "message"),
    [
        ({"things": {"Keys": [key("1"), key("1")]}}, "Provided list of item keys contains duplicates"),
        ({"things": {"Keys": [key("1")], "AttributesToGet": ["a", "a"]}}, "Duplicate value in attribute name: a"),
        ({"nothing": {"Keys": [key("1")]}}, "Requested resource not found"),
        ({"things": {"Keys": [key(str(i)) for i in range(101)]}}, "less than or equal to 100"),
    ],
)
def test_bad_batches_of_reads_are_refused(request_items, message) -> None:
    async def scenario(db):
        return (await db.refused("BatchGetItem", RequestItems=request_items)).message

    assert message in with_table(scenario)


def test_items_of_several_tables_come_by_table() -> None:
    async def scenario(db):
        await db("CreateTable", **a_table("others"))
        await db("BatchWriteItem", RequestItems={"things": [put("1", x={"S": "y"}), put("2")], "others": [put("3")]})
        return await db(
            "BatchGetItem",
            RequestItems={
                "things": {
                    "Keys": [key("1"), key("9")],
                    "ProjectionExpression": "#x",
                    "ExpressionAttributeNames": {"#x": "x"},
                    "ConsistentRead": True,
                },
                "others": {"Keys": [key("3")]},
            },
            ReturnConsumedCapacity="TOTAL",
        )

    assert with_table(scenario) == {
        "Responses": {"things": [{"x": {"S": "y"}}], "others": [key("3")]},
        "UnprocessedKeys": {},
        "ConsumedCapacity": [
            {"TableName": "things", "CapacityUnits": 2.0},
            {"TableName": "others", "CapacityUnits": 0.5},
        ],
    }


def test_what_does_not_fit_into_16_megabytes_is_left_over() -> None:
    async def scenario(db):
        for i in range(44):
            await db("PutItem", TableName="things", Item={**key(f"{i}"), "x": {"S": "y" * 400_000}})
        keys = [key(f"{i}") for i in range(44)]
        first = await db("BatchGetItem", RequestItems={"things": {"Keys": keys, "ProjectionExpression": "sk"}})
        left = first["UnprocessedKeys"]
        rest = await db("BatchGetItem", RequestItems=left)
        assert left["things"]["ProjectionExpression"] == "sk"
        return [item["sk"]["S"] for item in first["Responses"]["things"] + rest["Responses"]["things"]]

    assert with_table(scenario) == [f"{i}" for i in range(44)]
