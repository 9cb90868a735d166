"""Every operation against the simplest thing that could be right: a dictionary of items."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatepost.kernel.errors import ServiceError
from gatepost.services.dynamodb.model import ConditionalCheckFailedException, TransactionCanceledException
from tests.support.dynamodb import DynamoDb, a_table, an_index, on_dynamodb

PARTITIONS = ["a", "é"]
SORTS = ["-1.5", "-1", "0", "1", "1.05", "1E2"]
COLORS = ["red", "\x00", "r"]


def number(text: str) -> str:
    return format(Decimal(text).normalize(), "f") if Decimal(text) else "0"


class Model:
    """What DynamoDB documents, without any cleverness."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, Decimal], dict[str, Any]] = {}

    @staticmethod
    def key(item: dict[str, Any]) -> tuple[str, Decimal]:
        return item["pk"]["S"], Decimal(item["sk"]["N"])

    def condition_holds(self, condition: str | None, key: tuple[str, Decimal]) -> bool:
        item = self.items.get(key)
        if condition is None:
            return True
        if condition == "absent":
            return item is None
        if condition == "present":
            return item is not None
        has_n = item is not None and "n" in item
        is_small = has_n and Decimal(item["n"]["N"]) < 3
        return is_small if condition == "small" else not is_small

    def put(self, item: dict[str, Any]) -> None:
        copy = {name: dict(value) for name, value in item.items()}
        for value in copy.values():
            if "N" in value:
                value["N"] = number(value["N"])
        self.items[self.key(item)] = copy

    def update(self, key: dict[str, Any], delta: int) -> dict[str, Any]:
        place = self.key(key)
        item = self.items.get(place)
        if item is None:
            self.put(key)
            item = self.items[place]
        before = Decimal(item["n"]["N"]) if "n" in item else Decimal(0)
        item["n"] = {"N": number(str(before + delta))}
        item.pop("color", None)
        return item

    def partition(self, partition: str) -> list[dict[str, Any]]:
        return [item for (pk, _), item in sorted(self.items.items()) if pk == partition]

    def by_color(self, color: str) -> list[tuple[Decimal, str]]:
        found = [item for item in self.items.values() if item.get("color", {}).get("S") == color and "n" in item]
        return sorted((Decimal(item["n"]["N"]), repr(sorted(item.items()))) for item in found)


CONDITIONS = {
    None: {},
    "absent": {"ConditionExpression": "attribute_not_exists(pk)"},
    "present": {"ConditionExpression": "attribute_exists(pk)"},
    "small": {"ConditionExpression": "n < :three", "ExpressionAttributeValues": {":three": {"N": "3.0"}}},
    "not small": {"ConditionExpression": "NOT n < :three", "ExpressionAttributeValues": {":three": {"N": "3.0"}}},
}
OPERATORS = {
    "=": lambda sort, bound: sort == bound,
    "<": lambda sort, bound: sort < bound,
    "<=": lambda sort, bound: sort <= bound,
    ">": lambda sort, bound: sort > bound,
    ">=": lambda sort, bound: sort >= bound,
}

keys = st.builds(lambda pk, sk: {"pk": {"S": pk}, "sk": {"N": sk}}, st.sampled_from(PARTITIONS), st.sampled_from(SORTS))
items = st.builds(
    lambda key, more: {**key, **more},
    keys,
    st.fixed_dictionaries(
        {},
        optional={
            "n": st.integers(-5, 5).map(lambda n: {"N": f"{n}.0"}),
            "color": st.sampled_from(COLORS).map(lambda color: {"S": color}),
            "more": st.text(max_size=3).map(lambda text: {"S": text}),
        },
    ),
)
conditions = st.sampled_from([None, None, *CONDITIONS])
writes = st.one_of(
    st.tuples(st.just("put"), items, conditions),
    st.tuples(st.just("delete"), keys, conditions),
    st.tuples(st.just("update"), keys, conditions),
)
steps = st.one_of(
    writes,
    st.tuples(st.just("get"), keys),
    st.tuples(
        st.just("query"),
        st.sampled_from(PARTITIONS),
        st.sampled_from([*OPERATORS, ""]),
        st.sampled_from(SORTS),
        st.integers(1, 4),
        st.booleans(),
    ),
    st.tuples(st.just("color"), st.sampled_from(COLORS), st.integers(1, 4), st.booleans()),
    st.tuples(st.just("transact"), st.lists(writes, min_size=1, max_size=4)),
    st.tuples(st.just("batch"), st.lists(st.tuples(items, st.booleans()), min_size=1, max_size=4)),
    st.tuples(st.just("scan"), st.integers(1, 3), st.integers(1, 4)),
)


def request(write: tuple[Any, ...]) -> tuple[str, dict[str, Any]]:
    """Build an operation's name and parameters from a generated write."""
    kind, subject, condition = write
    params: dict[str, Any] = {
        "TableName": "things",
        **{k: dict(v) if isinstance(v, dict) else v for k, v in CONDITIONS[condition].items()},
    }
    if kind == "put":
        return "PutItem", {**params, "Item": copied(subject)}
    params["Key"] = copied(subject)
    if kind == "delete":
        return "DeleteItem", params
    params["UpdateExpression"] = "SET n = if_not_exists(n, :zero) + :two REMOVE color"
    params["ExpressionAttributeValues"] = {
        **copied(params.get("ExpressionAttributeValues", {})),
        ":zero": {"N": "0"},
        ":two": {"N": "2"},
    }
    return "UpdateItem", params


def copied(item: dict[str, Any]) -> dict[str, Any]:
    return {name: dict(value) for name, value in item.items()}


def apply(model: Model, write: tuple[Any, ...]) -> None:
    kind, subject, _ = write
    if kind == "put":
        model.put(subject)
    elif kind == "delete":
        model.items.pop(model.key(subject), None)
    else:
        model.update(subject, 2)


async def pages(db: DynamoDb, operation: str, limit: int, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    start: dict[str, Any] = {}
    for _ in range(200):
        page = await db(operation, Limit=limit, **params, **start)
        assert page["ScannedCount"] <= limit
        found += page["Items"]
        if "LastEvaluatedKey" not in page:
            return found
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    raise AssertionError("paging does not end")


async def step(db: DynamoDb, model: Model, one: tuple[Any, ...]) -> None:
    match one:
        case ("put" | "delete" | "update", subject, condition):
            name, params = request(one)
            expected = model.items.get(model.key(subject))
            if model.condition_holds(condition, model.key(subject)):
                answer = await db(name, **params, ReturnValues="ALL_OLD")
                assert answer.get("Attributes") == expected
                apply(model, one)
            else:
                error = await db.refused(name, **params, ReturnValuesOnConditionCheckFailure="ALL_OLD")
                assert isinstance(error, ConditionalCheckFailedException)
                assert error.members.get("Item") == expected
        case ("get", key):
            assert (await db("GetItem", TableName="things", Key=copied(key))).get("Item") == model.items.get(
                model.key(key)
            )
        case ("query", partition, operator, sort, limit, is_forward):
            values = {":p": {"S": partition}}
            text = "pk = :p"
            if operator:
                text += f" AND sk {operator} :s"
                values[":s"] = {"N": sort}
            found = await pages(
                db,
                "Query",
                limit,
                TableName="things",
                KeyConditionExpression=text,
                ExpressionAttributeValues=values,
                ScanIndexForward=is_forward,
            )
            expected = [
                item
                for item in model.partition(partition)
                if not operator or OPERATORS[operator](Decimal(item["sk"]["N"]), Decimal(sort))
            ]
            assert found == (expected if is_forward else expected[::-1])
        case ("color", color, limit, is_forward):
            found = await pages(
                db,
                "Query",
                limit,
                TableName="things",
                IndexName="by_color",
                KeyConditionExpression="color = :c",
                ExpressionAttributeValues={":c": {"S": color}},
                ScanIndexForward=is_forward,
            )
            order = [Decimal(item["n"]["N"]) for item in found]
            assert order == sorted(order, reverse=not is_forward)
            assert sorted((Decimal(i["n"]["N"]), repr(sorted(i.items()))) for i in found) == model.by_color(color)
        case ("transact", writes_):
            await transact(db, model, writes_)
        case ("batch", requests):
            await batch(db, model, requests)
        case ("scan", segments, limit):
            found = []
            for segment in range(segments):
                found += await pages(db, "Scan", limit, TableName="things", Segment=segment, TotalSegments=segments)
            assert {model.key(item): item for item in found} == model.items
            assert len(found) == len(model.items)


async def transact(db: DynamoDb, model: Model, writes_: list[tuple[Any, ...]]) -> None:
    transact_items = []
    for write in writes_:
        name, params = request(write)
        transact_items.append({name.removesuffix("Item"): params})
    places = [model.key(write[1]) for write in writes_]
    holds = [model.condition_holds(write[2], place) for write, place in zip(writes_, places, strict=True)]
    if len(set(places)) != len(places):
        error: ServiceError = await db.refused("TransactWriteItems", TransactItems=transact_items)
        assert error.message == "Transaction request cannot include multiple operations on one item"
    elif all(holds):
        await db("TransactWriteItems", TransactItems=transact_items)
        for write in writes_:
            apply(model, write)
    else:
        error = await db.refused("TransactWriteItems", TransactItems=transact_items)
        assert isinstance(error, TransactionCanceledException)
        reasons: Any = error.members["CancellationReasons"]
        assert [reason["Code"] == "None" for reason in reasons] == holds


async def batch(db: DynamoDb, model: Model, requests: list[tuple[dict[str, Any], bool]]) -> None:
    given = []
    for item, is_put in requests:
        key = {name: dict(item[name]) for name in ("pk", "sk")}
        given.append({"PutRequest": {"Item": copied(item)}} if is_put else {"DeleteRequest": {"Key": key}})
    if len({model.key(item) for item, _ in requests}) != len(requests):
        error = await db.refused("BatchWriteItem", RequestItems={"things": given})
        assert error.message == "Provided list of item keys contains duplicates"
        return
    assert await db("BatchWriteItem", RequestItems={"things": given}) == {"UnprocessedItems": {}}
    for item, is_put in requests:
        if is_put:
            model.put(item)
        else:
            model.items.pop(model.key(item), None)


def check(sequence: list[tuple[Any, ...]]) -> None:
    async def scenario(db: DynamoDb) -> None:
        await db("CreateTable", **a_table(sort="sk:N", GlobalSecondaryIndexes=[an_index("by_color", "color:S", "n:N")]))
        model = Model()
        for one in sequence:
            await step(db, model, one)
        await step(db, model, ("scan", 2, 3))
        for color in COLORS:
            await step(db, model, ("color", color, 3, True))
        described = (await db("DescribeTable", TableName="things"))["Table"]
        assert described["ItemCount"] == len(model.items)
        (index,) = described["GlobalSecondaryIndexes"]
        assert index["ItemCount"] == sum(len(model.by_color(color)) for color in COLORS)

    on_dynamodb(scenario)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, min_size=10, max_size=50))
def test_a_dictionary_would_answer_the_same(sequence: list[tuple[Any, ...]]) -> None:
    check(sequence)


@pytest.mark.soak
@settings(max_examples=3000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(steps, min_size=10, max_size=80))
def test_a_dictionary_would_answer_the_same_for_long(sequence: list[tuple[Any, ...]]) -> None:
    check(sequence)
