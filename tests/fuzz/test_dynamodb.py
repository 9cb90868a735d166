"""Whatever comes through the model's checks, DynamoDB answers or refuses: it never breaks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatepost.kernel.errors import ServiceError
from tests.support.dynamodb import DynamoDb, a_table, an_index, on_dynamodb

long_texts = st.sampled_from([1024, 1025, 2049, 70_000]).map(lambda length: "x" * length)
texts = st.one_of(st.sampled_from(["", "a", "b", "1", "\0", "é\U0001f600", "aGk=", "*"]), long_texts)
long_numbers = st.sampled_from([39, 50_000]).map(lambda length: "1" * length)
numbers = st.one_of(st.sampled_from(["0", "1", "-1", "1.50", "1e125", "1e126", "1e-131", "x", "", "NaN"]), long_numbers)
scalars = st.one_of(
    texts.map(lambda text: {"S": text}),
    numbers.map(lambda text: {"N": text}),
    texts.map(lambda text: {"B": text}),
    st.booleans().map(lambda value: {"BOOL": value}),
    st.booleans().map(lambda value: {"NULL": value}),
    st.lists(texts, max_size=3).map(lambda values: {"SS": values}),
    st.lists(numbers, max_size=3).map(lambda values: {"NS": values}),
    st.lists(texts, max_size=3).map(lambda values: {"BS": values}),
    st.sampled_from([{}, {"S": "a", "N": "1"}, {"Z": "a"}]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda found: {"L": found}),
        st.dictionaries(st.sampled_from(["a", "b", ""]), inner, max_size=3).map(lambda found: {"M": found}),
    ),
    max_leaves=5,
)
names = st.sampled_from(["pk", "sk", "n", "color", "a", ""])
keys = st.one_of(
    st.fixed_dictionaries({"pk": st.just({"S": "a"}), "sk": st.just({"S": "b"})}),
    st.fixed_dictionaries({"pk": scalars, "sk": scalars}),
    st.dictionaries(names, scalars, max_size=4),
)
items = st.one_of(
    keys,
    st.builds(lambda key, more: {**more, **key}, keys, st.dictionaries(names, values, max_size=3)),
)
SYMBOLS = ["pk", "sk", "n", "a", "#n", "#size", ":v", ":w", "(", ")", "[0]", ".", ",", "=", "<>", "<", ">=", "+", "-"]
WORDS = [" AND ", " OR ", " NOT ", " BETWEEN ", " IN ", "SET ", " REMOVE ", " ADD ", " DELETE ", "size(", "contains("]
pieces = st.sampled_from([*SYMBOLS, *WORDS, "begins_with("])
expressions = st.one_of(
    st.sampled_from(
        ["pk = :v", "pk = :v AND sk > :w", "n = :v", "SET a = :v", "a", "n BETWEEN :v AND :w", "REMOVE #n"]
    ),
    st.lists(pieces, max_size=8).map("".join),
)
comparisons = st.sampled_from(
    ["EQ", "NE", "LT", "NULL", "IN", "BETWEEN", "BEGINS_WITH", "CONTAINS", "NOT_CONTAINS", "Z"]
)
legacy_conditions = st.dictionaries(
    names,
    st.fixed_dictionaries(
        {"ComparisonOperator": comparisons}, optional={"AttributeValueList": st.lists(values, max_size=2)}
    ),
    max_size=3,
)
expected = st.fixed_dictionaries(
    {},
    optional={
        "ComparisonOperator": comparisons,
        "AttributeValueList": st.lists(values, max_size=2),
        "Exists": st.booleans(),
        "Value": values,
    },
)
legacy_updates = st.fixed_dictionaries(
    {}, optional={"Action": st.sampled_from(["PUT", "ADD", "DELETE", "Z"]), "Value": values}
)
optional: dict[str, st.SearchStrategy[Any]] = {
    "Expected": st.dictionaries(names, expected, max_size=2),
    "ConditionalOperator": st.sampled_from(["AND", "OR", "Z"]),
    "AttributeUpdates": st.dictionaries(names, legacy_updates, max_size=3),
    "AttributesToGet": st.lists(names, max_size=2),
    "KeyConditions": legacy_conditions,
    "QueryFilter": legacy_conditions,
    "ScanFilter": legacy_conditions,
    "ConditionExpression": expressions,
    "FilterExpression": expressions,
    "KeyConditionExpression": expressions,
    "ProjectionExpression": expressions,
    "UpdateExpression": expressions,
    "ExpressionAttributeNames": st.dictionaries(st.sampled_from(["#n", "#size", "n"]), names, max_size=2),
    "ExpressionAttributeValues": st.dictionaries(st.sampled_from([":v", ":w", "v"]), values, max_size=3),
    "ExclusiveStartKey": items,
    "IndexName": st.sampled_from(["by_n", "local", "nothing"]),
    "Limit": st.integers(-1, 3),
    "Select": st.sampled_from(["COUNT", "ALL_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "Z"]),
    "Segment": st.integers(-1, 3),
    "TotalSegments": st.integers(0, 3),
    "ReturnValues": st.sampled_from(["NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"]),
    "ReturnValuesOnConditionCheckFailure": st.just("ALL_OLD"),
    "ReturnConsumedCapacity": st.sampled_from(["TOTAL", "INDEXES"]),
    "ReturnItemCollectionMetrics": st.just("SIZE"),
    "ScanIndexForward": st.booleans(),
    "ConsistentRead": st.booleans(),
}
CONDITION = ["ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues", "ReturnConsumedCapacity"]
WRITE = [*CONDITION, "ReturnValues", "ReturnValuesOnConditionCheckFailure", "ReturnItemCollectionMetrics"]
PAGE = ["FilterExpression", "ProjectionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues", "Select"]
PAGE += ["ExclusiveStartKey", "IndexName", "Limit", "ReturnConsumedCapacity", "ConsistentRead"]


LEGACY_WRITE = ["Expected", "ConditionalOperator", "ReturnValues"]
STATEMENT = [
    "SELECT * FROM things",
    "UPDATE things",
    "DELETE FROM things",
    "INSERT INTO things VALUE {'pk': 'a', 'sk': ",
]
STATEMENT += [
    " WHERE pk = 'a'",
    " AND sk = 'b'",
    " SET n = ",
    " REMOVE a",
    "n + 1",
    "?",
    "}",
    " AND n IN [1, ?]",
    " OR ",
]
STATEMENT += [" ORDER BY sk", " RETURNING ALL OLD *", ".by_n", "contains(a, ?)", "<<1>>", " = ", " WHERE "]
statements = st.fixed_dictionaries(
    {"Statement": st.lists(st.sampled_from(STATEMENT), min_size=1, max_size=6).map("".join)},
    optional={
        "Parameters": st.lists(values, min_size=1, max_size=2),
        "Limit": st.integers(0, 3),
        "NextToken": st.sampled_from(["x", "W10="]),
        "ReturnValuesOnConditionCheckFailure": st.just("ALL_OLD"),
    },
)


def parameters(required: dict[str, st.SearchStrategy[Any]], members: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    table = st.sampled_from(["things", "things", "things", "nothing", "a!", "arn:aws:dynamodb:x"])
    return st.fixed_dictionaries(
        {"TableName": table, **required}, optional={member: optional[member] for member in members}
    )


puts = parameters({"Item": items}, WRITE)
updates = parameters({"Key": keys}, [*WRITE, "UpdateExpression"])
deletes = parameters({"Key": keys}, WRITE)
gets = parameters(
    {"Key": keys}, ["ProjectionExpression", "ExpressionAttributeNames", "ReturnConsumedCapacity", "ConsistentRead"]
)
batch_writes = st.one_of(
    items.map(lambda item: {"PutRequest": {"Item": item}}), keys.map(lambda key: {"DeleteRequest": {"Key": key}})
)
calls = st.one_of(
    st.tuples(st.just("ExecuteStatement"), statements),
    st.tuples(
        st.just("BatchExecuteStatement"),
        st.lists(statements, min_size=1, max_size=3).map(lambda given: {"Statements": given}),
    ),
    st.tuples(st.just("PutItem"), parameters({"Item": items}, LEGACY_WRITE)),
    st.tuples(st.just("UpdateItem"), parameters({"Key": keys}, [*LEGACY_WRITE, "AttributeUpdates"])),
    st.tuples(
        st.just("Query"),
        parameters({"KeyConditions": legacy_conditions}, ["QueryFilter", "ConditionalOperator", "AttributesToGet"]),
    ),
    st.tuples(st.just("Scan"), parameters({}, ["ScanFilter", "ConditionalOperator", "AttributesToGet", "IndexName"])),
    st.tuples(st.just("PutItem"), puts),
    st.tuples(st.just("UpdateItem"), updates),
    st.tuples(st.just("DeleteItem"), deletes),
    st.tuples(st.just("GetItem"), gets),
    st.tuples(st.just("Query"), parameters({}, [*PAGE, "KeyConditionExpression", "ScanIndexForward"])),
    st.tuples(st.just("Scan"), parameters({}, [*PAGE, "Segment", "TotalSegments"])),
    st.tuples(
        st.just("BatchWriteItem"),
        st.lists(batch_writes, min_size=1, max_size=3).map(lambda given: {"RequestItems": {"things": given}}),
    ),
    st.tuples(
        st.just("BatchGetItem"),
        st.lists(keys, min_size=1, max_size=3).map(lambda given: {"RequestItems": {"things": {"Keys": given}}}),
    ),
    st.tuples(
        st.just("TransactWriteItems"),
        st.lists(
            st.one_of(
                puts.map(lambda one: {"Put": one}),
                updates.map(lambda one: {"Update": one}),
                deletes.map(lambda one: {"ConditionCheck": one}),
            ),
            min_size=1,
            max_size=3,
        ).map(lambda given: {"TransactItems": given, "ClientRequestToken": "token"}),
    ),
)


def check(sequence: list[tuple[str, dict[str, Any]]]) -> None:
    async def scenario(db: DynamoDb) -> None:
        table = a_table(
            GlobalSecondaryIndexes=[an_index("by_n", "n:N", "color:S", projection="KEYS_ONLY")],
            LocalSecondaryIndexes=[an_index("local", "pk:S", "n:N", projection="KEYS_ONLY")],
        )
        await db("CreateTable", **table)
        broken = None
        for operation, params in sequence:
            try:
                await db(operation, **params)
            except ServiceError as refusal:
                broken = refusal if refusal.status >= 500 else broken
            for access in db.authorization.asked:
                dict(access.context)
            db.authorization.asked.clear()
        assert broken is None
        counted = (await db("DescribeTable", TableName="things"))["Table"]
        scanned = [
            await db("Scan", TableName="things", **index)
            for index in ({}, {"IndexName": "by_n"}, {"IndexName": "local"})
        ]
        assert [page["Count"] for page in scanned] == [
            counted["ItemCount"],
            counted["GlobalSecondaryIndexes"][0]["ItemCount"],
            counted["LocalSecondaryIndexes"][0]["ItemCount"],
        ]

    on_dynamodb(scenario)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(calls, min_size=1, max_size=25))
def test_no_request_breaks_it(sequence: list[tuple[str, dict[str, Any]]]) -> None:
    check(sequence)


@pytest.mark.soak
@settings(max_examples=3000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(calls, min_size=1, max_size=60))
def test_no_request_breaks_it_for_long(sequence: list[tuple[str, dict[str, Any]]]) -> None:
    check(sequence)
