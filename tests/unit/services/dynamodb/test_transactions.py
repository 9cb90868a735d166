import pytest

from gatepost.services.dynamodb.model import (
    IdempotentParameterMismatchException,
    ResourceNotFoundException,
    TransactionCanceledException,
)
from tests.support.dynamodb import a_table, an_index, on_dynamodb


def key(sk):
    return {"pk": {"S": "a"}, "sk": {"S": sk}}


def put(sk, **more):
    return {"Put": {"TableName": "things", "Item": {**key(sk), **more}}}


def with_table(scenario, **more):
    async def run(db):
        await db("CreateTable", **a_table(**more))
        return await scenario(db)

    return on_dynamodb(run)


async def count(db):
    return (await db("Scan", TableName="things", Select="COUNT"))["Count"]


def test_a_stock_check_and_an_order_happen_together_or_not_at_all() -> None:
    async def scenario(db):
        await db("PutItem", TableName="things", Item={**key("stock"), "n": {"N": "1"}})

        def order(number):
            return [
                {
                    "Update": {
                        "TableName": "things",
                        "Key": key("stock"),
                        "UpdateExpression": "SET n = n - :one",
                        "ConditionExpression": "n >= :one",
                        "ExpressionAttributeValues": {":one": {"N": "1"}},
                        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    }
                },
                put(number),
            ]

        assert await db("TransactWriteItems", TransactItems=order("1")) == {}
        error = await db.refused("TransactWriteItems", TransactItems=order("2"))
        assert isinstance(error, TransactionCanceledException)
        assert error.message == (
            "Transaction cancelled, please refer cancellation reasons for specific reasons "
            "[ConditionalCheckFailed, None]"
        )
        assert error.members == {
            "CancellationReasons": [
                {
                    "Code": "ConditionalCheckFailed",
                    "Message": "The conditional request failed",
                    "Item": {**key("stock"), "n": {"N": "0"}},
                },
                {"Code": "None"},
            ]
        }
        return await count(db)

    assert with_table(scenario) == 2


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([put("1"), put("1")], "Transaction request cannot include multiple operations on one item"),
        ([{}], "TransactItems can only contain one of Check, Put, Update or Delete"),
        ([{**put("1"), "Delete": {"TableName": "things", "Key": key("2")}}], "TransactItems can only contain one of"),
        (
            [{"Put": {"TableName": "things", "Item": key("1"), "ConditionExpression": "a ="}}],
            'Invalid ConditionExpression: Syntax error; token: "<EOF>"',
        ),
        ([put(str(i)) for i in range(101)], "Member must have length less than or equal to 100"),
        ([], "Member must have length greater than or equal to 1"),
    ],
)
def test_what_no_transaction_may_be_is_refused_as_a_whole(items, message) -> None:
    async def scenario(db):
        error = await db.refused("TransactWriteItems", TransactItems=items)
        assert error.code == "ValidationException"
        assert await count(db) == 0
        return error.message

    assert message in with_table(scenario)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"Put": {"TableName": "things", "Item": {"pk": {"S": "a"}}}}, "Missing the key sk in the item"),
        (
            {"Delete": {"TableName": "things", "Key": {"pk": {"S": "a"}}}},
            "The number of conditions on the keys is invalid",
        ),
        (
            {"Update": {"TableName": "things", "Key": key("x"), "UpdateExpression": "SET a = b"}},
            "The provided expression refers to an attribute that does not exist in the item",
        ),
        (put("x", y={"S": "z" * 410_000}), "Item size has exceeded the maximum allowed size"),
    ],
)
def test_an_item_that_does_not_fit_is_a_reason(item, message) -> None:
    async def scenario(db):
        error = await db.refused("TransactWriteItems", TransactItems=[put("1"), item])
        assert await count(db) == 0
        return error.members["CancellationReasons"]

    fine, reason = with_table(scenario)
    assert fine == {"Code": "None"}
    assert reason["Code"] == "ValidationError"
    assert message in reason["Message"]


def test_a_table_that_is_not_there_fails_the_transaction() -> None:
    async def scenario(db):
        items = [put("1"), {"Put": {"TableName": "nothing", "Item": key("1")}}]
        error = await db.refused("TransactWriteItems", TransactItems=items)
        assert isinstance(error, ResourceNotFoundException)
        assert await count(db) == 0

    with_table(scenario)


def test_a_token_makes_a_repetition_harmless_for_ten_minutes() -> None:
    async def scenario(db):
        def add():
            update = {
                "TableName": "things",
                "Key": key("n"),
                "UpdateExpression": "ADD n :one",
                "ExpressionAttributeValues": {":one": {"N": "1.0"}},
            }
            return {"TransactItems": [{"Update": update}], "ClientRequestToken": "token"}

        first = await db("TransactWriteItems", **add(), ReturnConsumedCapacity="TOTAL")
        again = await db("TransactWriteItems", **add(), ReturnConsumedCapacity="TOTAL")
        other = await db.refused("TransactWriteItems", TransactItems=[put("z")], ClientRequestToken="token")
        assert isinstance(other, IdempotentParameterMismatchException)
        db.clock.advance(ms=10 * 60 * 1000)
        await db("TransactWriteItems", **add())
        item = (await db("GetItem", TableName="things", Key=key("n")))["Item"]
        return first["ConsumedCapacity"], again["ConsumedCapacity"], item["n"]

    assert with_table(scenario) == (
        [{"TableName": "things", "CapacityUnits": 2.0, "WriteCapacityUnits": 2.0}],
        [{"TableName": "things", "CapacityUnits": 2.0, "ReadCapacityUnits": 2.0}],
        {"N": "2"},
    )


def test_a_transaction_that_was_cancelled_may_be_tried_again_with_its_token() -> None:
    async def scenario(db):
        item = put("1")
        item["Put"]["ConditionExpression"] = "attribute_exists(pk)"
        await db.refused("TransactWriteItems", TransactItems=[item], ClientRequestToken="token")
        await db("PutItem", TableName="things", Item=key("1"))
        return await db("TransactWriteItems", TransactItems=[item], ClientRequestToken="token")

    assert with_table(scenario) == {}


def test_a_condition_check_writes_nothing() -> None:
    async def scenario(db):
        check = {"TableName": "things", "Key": key("1"), "ConditionExpression": "attribute_not_exists(pk)"}
        await db("TransactWriteItems", TransactItems=[{"ConditionCheck": check}, put("2")])
        return await count(db)

    assert with_table(scenario) == 1


def test_units_count_twice_and_by_table() -> None:
    async def scenario(db):
        await db("CreateTable", **a_table("others"))
        items = [
            put("1", color={"S": "red"}),
            {"Put": {"TableName": "others", "Item": {**key("1"), "x": {"S": "y" * 1024}}}},
        ]
        written = await db("TransactWriteItems", TransactItems=items, ReturnConsumedCapacity="INDEXES")
        gets = [{"Get": {"TableName": name, "Key": key("1")}} for name in ("things", "others")]
        read = await db("TransactGetItems", TransactItems=gets, ReturnConsumedCapacity="TOTAL")
        return written["ConsumedCapacity"], read["ConsumedCapacity"]

    written, read = with_table(scenario, GlobalSecondaryIndexes=[an_index("by_color", "color:S")])
    assert [one["CapacityUnits"] for one in written] == [4.0, 4.0]
    assert written[0]["GlobalSecondaryIndexes"] == {"by_color": {"CapacityUnits": 2.0, "WriteCapacityUnits": 2.0}}
    assert read == [
        {"TableName": "things", "CapacityUnits": 2.0, "ReadCapacityUnits": 2.0},
        {"TableName": "others", "CapacityUnits": 2.0, "ReadCapacityUnits": 2.0},
    ]


def test_gets_come_in_order_with_gaps_and_projections() -> None:
    async def scenario(db):
        await db("PutItem", TableName="things", Item={**key("1"), "a": {"S": "x"}})
        gets = [
            {"Get": {"TableName": "things", "Key": key("2")}},
            {"Get": {"TableName": "things", "Key": key("1"), "ProjectionExpression": "a"}},
        ]
        found = await db("TransactGetItems", TransactItems=gets)
        twice = await db.refused("TransactGetItems", TransactItems=[gets[0], gets[0]])
        assert twice.message == "Transaction request cannot include multiple operations on one item"
        odd = await db.refused(
            "TransactGetItems", TransactItems=[{"Get": {"TableName": "things", "Key": {"pk": {"S": "a"}}}}]
        )
        assert isinstance(odd, TransactionCanceledException)
        return found

    assert with_table(scenario) == {"Responses": [{}, {"Item": {"a": {"S": "x"}}}]}


def test_a_transaction_holds_four_megabytes_at_most() -> None:
    async def scenario(db):
        items = [put(str(i), x={"S": "y" * 400_000}) for i in range(11)]
        error = await db.refused("TransactWriteItems", TransactItems=items)
        assert await count(db) == 0
        await db("TransactWriteItems", TransactItems=items[:10])
        return error.code

    assert with_table(scenario) == "ValidationException"
