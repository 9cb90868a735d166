"""Legacy parameters: what they mean, what AWS refuses of them, and that they mean what the expressions mean."""

from __future__ import annotations

import operator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatepost.kernel.errors import ValidationException
from gatepost.services.dynamodb.legacy import modern
from gatepost.services.dynamodb.model import ConditionalCheckFailedException
from tests.support.dynamodb import DynamoDb, a_table, on_dynamodb

ORDERS = {"LE": operator.le, "LT": operator.lt, "GE": operator.ge, "GT": operator.gt}
NAMES = ["a", "a b", "#0", "size"]
scalars = st.one_of(
    st.sampled_from(["", "x", "xy", "y"]).map(lambda text: {"S": text}),
    st.sampled_from(["1", "2", "10"]).map(lambda number: {"N": number}),
)
sets = st.sampled_from([["x"], ["x", "y"]]).map(lambda members: {"SS": members})
lists = st.lists(scalars, max_size=2).map(lambda elements: {"L": elements})
values = st.one_of(scalars, sets, lists, st.just({"BOOL": True}))
attributes = st.dictionaries(st.sampled_from(NAMES), values, max_size=4)


def a_condition(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    if kind in {"NULL", "NOT_NULL"}:
        return st.just({"ComparisonOperator": kind})
    operands = st.lists(scalars, min_size=1, max_size=1)
    if kind in {"EQ", "NE"}:
        operands = st.lists(values, min_size=1, max_size=1)
    elif kind == "BEGINS_WITH":
        operands = st.sampled_from(["", "x"]).map(lambda text: [{"S": text}])
    elif kind == "BETWEEN":
        operands = st.sampled_from([[{"N": "1"}, {"N": "2"}], [{"S": "x"}, {"S": "xy"}]])
    elif kind == "IN":
        operands = st.sampled_from([[{"N": "1"}, {"N": "10"}], [{"S": "x"}]])
    return operands.map(lambda found: {"ComparisonOperator": kind, "AttributeValueList": found})


KINDS = [
    "EQ",
    "NE",
    "LE",
    "LT",
    "GE",
    "GT",
    "NULL",
    "NOT_NULL",
    "CONTAINS",
    "NOT_CONTAINS",
    "BEGINS_WITH",
    "IN",
    "BETWEEN",
]
conditions = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from(KINDS).flatmap(a_condition), min_size=2, max_size=3
)
updates = st.dictionaries(
    st.sampled_from(NAMES),
    st.one_of(
        values.map(lambda value: {"Value": value}),
        values.map(lambda value: {"Value": value, "Action": "PUT"}),
        st.just({"Action": "DELETE"}),
        st.just({"Action": "ADD", "Value": {"N": "5"}}),
        st.sampled_from(["ADD", "DELETE"]).map(lambda action: {"Action": action, "Value": {"SS": ["x", "z"]}}),
    ),
    max_size=3,
)


def plain(value: dict[str, Any]) -> Any:
    ((tag, content),) = value.items()
    return Decimal(content) if tag == "N" else content


def same_type(one: dict[str, Any], two: dict[str, Any]) -> bool:
    return next(iter(one)) == next(iter(two))


def contained(value: dict[str, Any], sought: dict[str, Any]) -> bool:
    ((tag, content),) = value.items()
    if tag == "L":
        return sought in content
    return tag in {"S", "SS"} and "S" in sought and sought["S"] in content


def holds(item: dict[str, Any], name: str, condition: dict[str, Any]) -> bool:
    """What the developer guide says of each operator."""
    kind, operands = condition["ComparisonOperator"], condition.get("AttributeValueList", [])
    value = item.get(name)
    if kind == "NULL":
        return value is None
    if kind == "NOT_NULL":
        return value is not None
    if kind == "NE":
        return value != operands[0]
    if kind == "NOT_CONTAINS":
        return value is None or not contained(value, operands[0])
    if value is None:
        return False
    if kind == "EQ":
        return value == operands[0]
    if kind == "CONTAINS":
        return contained(value, operands[0])
    if kind == "IN":
        return value in operands
    if not same_type(value, operands[0]):
        return False
    if kind == "BEGINS_WITH":
        return value["S"].startswith(operands[0]["S"])
    if kind == "BETWEEN":
        return plain(operands[0]) <= plain(value) <= plain(operands[1])
    return ORDERS[kind](plain(value), plain(operands[0]))


def updated(item: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any] | None:
    """What the developer guide says of each action; None where AWS refuses the type that stands."""
    result = dict(item)
    for name, change in changes.items():
        action, value, now = change.get("Action", "PUT"), change.get("Value"), item.get(name)
        if action == "PUT":
            result[name] = value
        elif value is None:
            result.pop(name, None)
        elif now is None:
            if action == "ADD":
                result[name] = value
        elif not same_type(now, value):
            return None
        elif "N" in value:
            result[name] = {"N": str(int(now["N"]) + 5)}
        else:
            members = set(now["SS"]) | set(value["SS"]) if action == "ADD" else set(now["SS"]) - set(value["SS"])
            result[name] = {"SS": sorted(members)}
            if not members:
                del result[name]
    return result


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(attributes, conditions, st.sampled_from([None, "AND", "OR"]), updates)
def test_a_dictionary_would_answer_the_same(
    item: dict[str, Any], wanted: dict[str, Any], joined: str | None, changes: dict[str, Any]
) -> None:
    async def scenario(db: DynamoDb) -> None:
        await db("CreateTable", **a_table(sort=None))
        whole = {"pk": {"S": "k"}, **item}
        await db("PutItem", TableName="things", Item=whole)
        results = [holds(item, name, condition) for name, condition in wanted.items()]
        is_true = any(results) if joined == "OR" else all(results)
        more = {"ConditionalOperator": joined} if joined else {}
        scanned = await db("Scan", TableName="things", ScanFilter=wanted, **more)
        assert (scanned["Count"] == 1) == is_true
        expected = updated(whole, changes)
        params = {"TableName": "things", "Key": {"pk": {"S": "k"}}, "AttributeUpdates": changes, "Expected": wanted}
        if not is_true:
            assert isinstance(await db.refused("UpdateItem", **params, **more), ConditionalCheckFailedException)
        elif expected is None:
            assert isinstance(await db.refused("UpdateItem", **params, **more), ValidationException)
        else:
            answer = await db("UpdateItem", **params, **more, ReturnValues="ALL_NEW")
            assert answer["Attributes"] == expected

    on_dynamodb(scenario)


def test_key_conditions_filters_and_attributes_to_get_read_a_page() -> None:
    async def scenario(db: DynamoDb) -> None:
        await db("CreateTable", **a_table())
        for number in range(5):
            item = {"pk": {"S": "a"}, "sk": {"S": f"s{number}"}, "a b": {"N": str(number)}, "more": {"S": "x"}}
            await db("PutItem", TableName="things", Item=item)
        keys = {
            "pk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]},
            "sk": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"S": "s1"}, {"S": "s3"}]},
        }
        found = await db(
            "Query",
            TableName="things",
            KeyConditions=keys,
            QueryFilter={"a b": {"ComparisonOperator": "GT", "AttributeValueList": [{"N": "1"}]}},
            AttributesToGet=["a b"],
        )
        assert found["Items"] == [{"a b": {"N": "2"}}, {"a b": {"N": "3"}}]
        key = {"pk": {"S": "a"}, "sk": {"S": "s1"}}
        assert (await db("GetItem", TableName="things", Key=key, AttributesToGet=["sk"]))["Item"] == {"sk": {"S": "s1"}}
        batch = await db("BatchGetItem", RequestItems={"things": {"Keys": [key], "AttributesToGet": ["a b"]}})
        assert batch["Responses"] == {"things": [{"a b": {"N": "1"}}]}

    on_dynamodb(scenario)


def test_a_list_grows_by_add_and_appears_with_it() -> None:
    async def scenario(db: DynamoDb) -> None:
        await db("CreateTable", **a_table(sort=None))
        add = {"l": {"Action": "ADD", "Value": {"L": [{"S": "x"}]}}}
        for expected in ([{"S": "x"}], [{"S": "x"}, {"S": "x"}]):
            params = {"TableName": "things", "Key": {"pk": {"S": "k"}}, "AttributeUpdates": add}
            answer = await db("UpdateItem", **params, ReturnValues="UPDATED_NEW")
            assert answer["Attributes"] == {"l": {"L": expected}}

    on_dynamodb(scenario)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"Expected": {"a": {"Exists": True}}}, "Value must be provided when Exists is true for Attribute: a"),
        ({"Expected": {"a": {}}}, "Value must be provided when Exists is null for Attribute: a"),
        (
            {"Expected": {"a": {"Exists": False, "Value": {"S": ""}}}},
            "Value cannot be used when Exists is set to false for Attribute: a",
        ),
        (
            {"Expected": {"a": {"Exists": True, "ComparisonOperator": "NULL"}}},
            "Exists and ComparisonOperator cannot be used together for Attribute: a",
        ),
        (
            {"Expected": {"a": {"AttributeValueList": []}}},
            "AttributeValueList can only be used with a ComparisonOperator for Attribute: a",
        ),
        (
            {"Expected": {"a": {"ComparisonOperator": "EQ"}}},
            "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: a",
        ),
        (
            {"Expected": {"a": {"ComparisonOperator": "EQ", "Value": {"S": ""}, "AttributeValueList": []}}},
            "Value and AttributeValueList cannot be used together for Attribute: a",
        ),
        (
            {"ScanFilter": {"a": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"S": "a"}]}}},
            "Invalid number of argument(s) for the BETWEEN ComparisonOperator",
        ),
        (
            {"ScanFilter": {"a": {"ComparisonOperator": "IN", "AttributeValueList": []}}},
            "Invalid number of argument(s) for the IN ComparisonOperator",
        ),
        (
            {"ScanFilter": {"a": {"ComparisonOperator": "LT", "AttributeValueList": [{"BOOL": True}]}}},
            "ComparisonOperator LT is not valid for BOOL AttributeValue type",
        ),
        (
            {"ScanFilter": {"a": {"ComparisonOperator": "IN", "AttributeValueList": [{"S": "a"}, {"N": "1"}]}}},
            "AttributeValues inside AttributeValueList must be of same type",
        ),
        (
            {"ScanFilter": {"a": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"N": "2"}, {"N": "1"}]}}},
            "lower bound is greater than the upper bound",
        ),
        ({"ScanFilter": {"a": {"ComparisonOperator": "EQ", "AttributeValueList": [{}]}}}, "Supplied AttributeValue is"),
        ({"ConditionalOperator": "OR"}, "ConditionalOperator cannot be used without Filter or Expected"),
        (
            {"ConditionalOperator": "OR", "Expected": {"a": {"Exists": False}}},
            "ConditionalOperator can only be used when Filter or Expected has two or more elements",
        ),
        ({"KeyConditions": {}}, "Conditions can be of length 1 or 2 only"),
        (
            {"KeyConditions": {"pk": {"ComparisonOperator": "NE", "AttributeValueList": [{"S": "a"}]}}},
            "Attempted conditional constraint is not an indexable operation",
        ),
        ({"AttributesToGet": ["a", "a"]}, "Duplicate value in attribute name: a"),
        (
            {"AttributeUpdates": {"a": {"Action": "PUT"}}},
            "Only DELETE action is allowed when no attribute value is specified",
        ),
        (
            {"AttributeUpdates": {"a": {"Action": "ADD", "Value": {"S": "x"}}}},
            "ADD action is not supported for the type S",
        ),
        (
            {"AttributeUpdates": {"a": {"Action": "DELETE", "Value": {"S": "x"}}}},
            "DELETE action with value is not supported for the type S",
        ),
        (
            {"Expected": {}, "ConditionExpression": "a = :a", "AttributesToGet": ["a"]},
            "Non-expression parameters: {AttributesToGet, Expected} Expression parameters: {ConditionExpression}",
        ),
        (
            {"Expected": {}, "ExpressionAttributeNames": {}},
            "ExpressionAttributeNames can only be specified when using expressions",
        ),
    ],
)
def test_what_aws_refuses_is_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationException) as refused:
        modern({"TableName": "things", **params})
    assert message in refused.value.message


def test_a_request_without_legacy_parameters_is_left_alone() -> None:
    params = {"TableName": "things", "ConditionExpression": "a = :a"}
    assert modern(params) is params
    assert "ConditionExpression" not in modern({"Expected": {}})


def test_a_key_cannot_be_updated_and_a_query_filter_cannot_name_it() -> None:
    async def scenario(db: DynamoDb) -> None:
        await db("CreateTable", **a_table(sort=None))
        error = await db.refused(
            "UpdateItem", TableName="things", Key={"pk": {"S": "k"}}, AttributeUpdates={"pk": {"Action": "DELETE"}}
        )
        assert error.message.endswith("Cannot update attribute pk. This attribute is part of the key")
        equal = {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "k"}]}
        error = await db.refused("Query", TableName="things", KeyConditions={"pk": equal}, QueryFilter={"pk": equal})
        assert error.message == "QueryFilter can only contain non-primary key attributes: Primary key attribute: pk"
        error = await db.refused("Scan", TableName="things", AttributesToGet=["pk"], Select="COUNT")
        assert error.message == "Cannot specify the AttributesToGet when choosing to get only the Count"

    on_dynamodb(scenario)
