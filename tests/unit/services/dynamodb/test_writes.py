import asyncio

import pytest

from gatepost.services.dynamodb.model import ConditionalCheckFailedException
from tests.support.dynamodb import a_table, an_index, on_dynamodb

KEY = {"pk": {"S": "a"}, "sk": {"S": "1"}}


def with_table(scenario, **more):
    async def run(db):
        await db("CreateTable", **a_table(**more))
        return await scenario(db)

    return on_dynamodb(run)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"pk": {"S": "a"}}, "One or more parameter values were invalid: Missing the key sk in the item"),
        (
            {**KEY, "pk": {"N": "1"}},
            "One or more parameter values were invalid: Type mismatch for key pk expected: S actual: N",
        ),
        (
            {**KEY, "pk": {"S": ""}},
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            "empty string value. Key: pk",
        ),
        (
            {**KEY, "pk": {"S": "x" * 2049}},
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit "
            "of2048 bytes",
        ),
        (
            {**KEY, "sk": {"S": "é" * 512 + "x"}},
            "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit "
            "of 1024 bytes",
        ),
        (
            {**KEY, "color": {"N": "1"}},
            "One or more parameter values were invalid: Type mismatch for Index Key color Expected: S Actual: N "
            "IndexName: by_color",
        ),
        (
            {**KEY, "color": {"S": ""}},
            "One or more parameter values are not valid. A value specified for a secondary index key is not supported. "
            "The AttributeValue for a key attribute cannot contain an empty string value. IndexName: by_color, "
            "IndexKey: color",
        ),
        ({**KEY, "x": {}}, "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"),
        (
            {**KEY, "x": {"N": "1e200"}},
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
        ({**KEY, "x": {"S": "y" * (400 * 1024)}}, "Item size has exceeded the maximum allowed size"),
    ],
)
def test_items_that_do_not_fit_are_refused_in_awss_words(item, message) -> None:
    async def scenario(db):
        return (await db.refused("PutItem", TableName="things", Item=item)).message

    assert with_table(scenario, GlobalSecondaryIndexes=[an_index("by_color", "color:S")]) == message


def test_an_item_may_have_400_kb_and_not_a_byte_more() -> None:
    async def scenario(db):
        room = 400 * 1024 - len("pka") - len("sk1") - len("x")
        await db("PutItem", TableName="things", Item={**KEY, "x": {"S": "y" * room}})
        assert (
            await db.refused("PutItem", TableName="things", Item={**KEY, "x": {"S": "y" * (room + 1)}})
        ).message == ("Item size has exceeded the maximum allowed size")
        grown = await db.refused(
            "UpdateItem",
            TableName="things",
            Key=dict(KEY),
            UpdateExpression="SET z = :z",
            ExpressionAttributeValues={":z": {"S": ""}},
        )
        assert grown.message == "Item size to update has exceeded the maximum allowed size"

    with_table(scenario)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ({"pk": {"S": "a"}}, "The number of conditions on the keys is invalid"),
        ({**KEY, "x": {"S": "1"}}, "The number of conditions on the keys is invalid"),
        ({"pk": {"S": "a"}, "x": {"S": "1"}}, "The provided key element does not match the schema"),
        ({**KEY, "sk": {"N": "1"}}, "The provided key element does not match the schema"),
        ({**KEY, "sk": {"N": "x"}}, "The parameter cannot be converted to a numeric value: x"),
        (
            {**KEY, "sk": {"S": ""}},
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
            "empty string value. Key: sk",
        ),
    ],
)
@pytest.mark.parametrize("operation", ["GetItem", "DeleteItem", "UpdateItem"])
def test_keys_that_do_not_fit_are_refused_in_awss_words(operation, key, message) -> None:
    async def scenario(db):
        copy = {name: dict(value) for name, value in key.items()}
        return (await db.refused(operation, TableName="things", Key=copy)).message

    assert with_table(scenario) == message


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"ExpressionAttributeNames": {"#a": "a"}},
            "ExpressionAttributeNames can only be specified when using expressions",
        ),
        (
            {"ExpressionAttributeValues": {":a": {"S": "a"}}},
            "ExpressionAttributeValues can only be specified when using expressions: UpdateExpression and "
            "ConditionExpression are null",
        ),
        (
            {"UpdateExpression": "SET a = :a", "ExpressionAttributeValues": {":a": {"S": "a"}, ":b": {"S": "b"}}},
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:b}",
        ),
        (
            {"UpdateExpression": "REMOVE a", "ExpressionAttributeNames": {"#b": "a", "#a": "b"}},
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a, #b}",
        ),
        (
            {"UpdateExpression": "REMOVE a", "ExpressionAttributeNames": {}},
            "ExpressionAttributeNames must not be empty",
        ),
        (
            {"UpdateExpression": "REMOVE a", "ExpressionAttributeValues": {}},
            "ExpressionAttributeValues must not be empty",
        ),
        (
            {"UpdateExpression": "REMOVE a", "ExpressionAttributeNames": {"a": "b"}},
            'ExpressionAttributeNames contains invalid key: Syntax error; key: "a"',
        ),
        (
            {"UpdateExpression": "REMOVE a", "ExpressionAttributeValues": {"#a": {"S": "b"}}},
            'ExpressionAttributeValues contains invalid key: Syntax error; key: "#a"',
        ),
        (
            {"UpdateExpression": "SET a = :a", "ExpressionAttributeValues": {":a": {"NS": []}}},
            "ExpressionAttributeValues contains invalid value: One or more parameter values were invalid: An number "
            "set  may not be empty for key :a",
        ),
        (
            {"UpdateExpression": "SET sk = :a", "ExpressionAttributeValues": {":a": {"S": "a"}}},
            "One or more parameter values were invalid: Cannot update attribute sk. This attribute is part of the key",
        ),
        (
            {"UpdateExpression": "SET a = b"},
            "The provided expression refers to an attribute that does not exist in the item",
        ),
        (
            {"AttributeUpdates": {"a": {"Action": "ADD"}}},
            "One or more parameter values were invalid: Only DELETE action is allowed when no attribute value is "
            "specified",
        ),
    ],
)
def test_updates_are_refused_in_awss_words(params, message) -> None:
    async def scenario(db):
        return (await db.refused("UpdateItem", TableName="things", Key=dict(KEY), **params)).message

    assert with_table(scenario) == message


def test_an_update_creates_the_item_it_does_not_find() -> None:
    async def scenario(db):
        answer = await db(
            "UpdateItem",
            TableName="things",
            Key=dict(KEY),
            UpdateExpression="ADD n :n",
            ExpressionAttributeValues={":n": {"N": "2"}},
            ReturnValues="ALL_NEW",
        )
        await db("UpdateItem", TableName="things", Key={**KEY, "sk": {"S": "2"}})
        return answer, (await db("Scan", TableName="things", Select="COUNT"))["Count"]

    assert with_table(scenario) == ({"Attributes": {**KEY, "n": {"N": "2"}}}, 2)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("NONE", None),
        ("ALL_OLD", {**KEY, "n": {"N": "1"}, "m": {"M": {"a": {"S": "x"}, "b": {"S": "y"}}}}),
        ("ALL_NEW", {**KEY, "n": {"N": "2"}, "m": {"M": {"a": {"S": "z"}, "b": {"S": "y"}}}}),
        ("UPDATED_OLD", {"n": {"N": "1"}, "m": {"M": {"a": {"S": "x"}}}}),
        ("UPDATED_NEW", {"n": {"N": "2"}, "m": {"M": {"a": {"S": "z"}}}}),
    ],
)
def test_an_update_returns_what_was_asked_for(wanted, expected) -> None:
    async def scenario(db):
        await db(
            "PutItem", TableName="things", Item={**KEY, "n": {"N": "1"}, "m": {"M": {"a": {"S": "x"}, "b": {"S": "y"}}}}
        )
        answer = await db(
            "UpdateItem",
            TableName="things",
            Key=dict(KEY),
            UpdateExpression="SET n = n + :one, m.a = :z",
            ExpressionAttributeValues={":one": {"N": "1"}, ":z": {"S": "z"}},
            ReturnValues=wanted,
        )
        return answer.get("Attributes")

    assert with_table(scenario) == expected


@pytest.mark.parametrize("wanted", ["ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"])
def test_a_put_returns_the_old_item_or_nothing(wanted) -> None:
    async def scenario(db):
        error = await db.refused("PutItem", TableName="things", Item=dict(KEY), ReturnValues=wanted)
        assert error.message == "ReturnValues can only be ALL_OLD or NONE"
        assert await db("PutItem", TableName="things", Item=dict(KEY), ReturnValues="ALL_OLD") == {}
        assert await db("DeleteItem", TableName="things", Key=dict(KEY), ReturnValues="ALL_OLD") == {"Attributes": KEY}
        assert await db("DeleteItem", TableName="things", Key=dict(KEY), ReturnValues="ALL_OLD") == {}

    with_table(scenario)


def test_a_condition_that_fails_changes_nothing_and_shows_the_item_when_asked() -> None:
    async def scenario(db):
        item = {**KEY, "b": {"B": "aGk="}}
        await db("PutItem", TableName="things", Item=dict(item))
        params = {
            "TableName": "things",
            "Item": {**KEY, "n": {"N": "1"}},
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        plain = await db.refused("PutItem", **params)
        told = await db.refused("PutItem", **params, ReturnValuesOnConditionCheckFailure="ALL_OLD")
        assert isinstance(plain, ConditionalCheckFailedException)
        assert (plain.message, plain.members) == ("The conditional request failed", {})
        assert told.members == {"Item": {**KEY, "b": {"B": b"hi"}}}
        assert (await db("GetItem", TableName="things", Key=dict(KEY)))["Item"] == item

    with_table(scenario)


@pytest.mark.parametrize(
    ("size", "units"), [(0, 1), (1024 - 7, 1), (1025 - 7, 2), (10 * 1024 - 7, 10), (10 * 1024 - 6, 11)]
)
def test_a_write_unit_holds_a_kilobyte(size, units) -> None:
    async def scenario(db):
        item = {**KEY, "x": {"S": "y" * size}}
        answer = await db("PutItem", TableName="things", Item=item, ReturnConsumedCapacity="TOTAL")
        gone = await db("DeleteItem", TableName="things", Key=dict(KEY), ReturnConsumedCapacity="TOTAL")
        assert gone["ConsumedCapacity"] == answer["ConsumedCapacity"]
        return answer["ConsumedCapacity"]

    assert with_table(scenario) == {"TableName": "things", "CapacityUnits": units}


def test_index_writes_are_counted_by_index() -> None:
    async def scenario(db):
        put = {"TableName": "things", "ReturnConsumedCapacity": "INDEXES"}
        first = await db("PutItem", Item={**KEY, "color": {"S": "red"}, "n": {"N": "1"}}, **put)
        moved = await db("PutItem", Item={**KEY, "color": {"S": "blue"}, "n": {"N": "1"}}, **put)
        same = await db("PutItem", Item={**KEY, "color": {"S": "blue"}, "n": {"N": "1"}}, **put)
        return [answer["ConsumedCapacity"] for answer in (first, moved, same)]

    first, moved, same = with_table(
        scenario,
        GlobalSecondaryIndexes=[an_index("by_color", "color:S")],
        LocalSecondaryIndexes=[an_index("by_n", "pk:S", "n:N", projection="KEYS_ONLY")],
    )
    assert first == {
        "TableName": "things",
        "CapacityUnits": 3.0,
        "Table": {"CapacityUnits": 1.0},
        "LocalSecondaryIndexes": {"by_n": {"CapacityUnits": 1.0}},
        "GlobalSecondaryIndexes": {"by_color": {"CapacityUnits": 1.0}},
    }
    assert moved["GlobalSecondaryIndexes"] == {"by_color": {"CapacityUnits": 2.0}}
    assert same == {"TableName": "things", "CapacityUnits": 1.0, "Table": {"CapacityUnits": 1.0}}


def test_item_collections_are_measured_for_tables_with_local_indexes_only() -> None:
    async def scenario(db):
        await db("CreateTable", **a_table("plain"))
        item = {"Item": dict(KEY), "ReturnItemCollectionMetrics": "SIZE"}
        return await db("PutItem", TableName="things", **item), await db("PutItem", TableName="plain", **item)

    assert with_table(scenario, LocalSecondaryIndexes=[an_index("by_n", "pk:S", "n:N")]) == (
        {"ItemCollectionMetrics": {"ItemCollectionKey": {"pk": {"S": "a"}}, "SizeEstimateRangeGB": [0.0, 1.0]}},
        {},
    )


def test_of_many_that_race_for_one_condition_one_wins() -> None:
    async def scenario(db):
        async def claim(who):
            try:
                await db(
                    "PutItem",
                    TableName="things",
                    Item={**KEY, "who": {"N": str(who)}},
                    ConditionExpression="attribute_not_exists(pk)",
                )
            except ConditionalCheckFailedException:
                return None
            return who

        winners = [who for who in await asyncio.gather(*(claim(who) for who in range(50))) if who is not None]
        stands = (await db("GetItem", TableName="things", Key=dict(KEY)))["Item"]["who"]
        return winners, stands

    winners, stands = with_table(scenario)
    assert [str(who) for who in winners] == [stands["N"]]


def test_counters_that_race_lose_nothing() -> None:
    async def scenario(db):
        await asyncio.gather(
            *(
                db(
                    "UpdateItem",
                    TableName="things",
                    Key=dict(KEY),
                    UpdateExpression="ADD n :one",
                    ExpressionAttributeValues={":one": {"N": "1"}},
                )
                for _ in range(100)
            )
        )
        return (await db("GetItem", TableName="things", Key=dict(KEY)))["Item"]["n"]

    assert with_table(scenario) == {"N": "100"}


def test_a_table_that_does_not_exist_is_not_found() -> None:
    async def scenario(db):
        error = await db.refused("PutItem", TableName="nothing", Item=dict(KEY))
        return error.code, error.status, error.message

    assert on_dynamodb(scenario) == ("ResourceNotFoundException", 400, "Requested resource not found")


def test_what_was_acknowledged_is_there_after_a_restart(tmp_path) -> None:
    path = tmp_path / "items.db"

    async def before(db):
        await db("CreateTable", **a_table(GlobalSecondaryIndexes=[an_index("by_color", "color:S")]))
        await db("PutItem", TableName="things", Item={**KEY, "color": {"S": "red"}})

    async def after(db):
        found = await db(
            "Query",
            TableName="things",
            IndexName="by_color",
            KeyConditionExpression="color = :c",
            ExpressionAttributeValues={":c": {"S": "red"}},
        )
        return found["Items"], (await db("DescribeTable", TableName="things"))["Table"]["ItemCount"]

    on_dynamodb(before, path=path)
    assert on_dynamodb(after, path=path) == ([{**KEY, "color": {"S": "red"}}], 1)
