"""Statements: what they find and change, against items that a test keeps beside them; what is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatepost.services.dynamodb.model import (
    ConditionalCheckFailedException,
    DuplicateItemException,
    TransactionCanceledException,
)
from tests.support.dynamodb import DynamoDb, a_table, an_index, on_dynamodb


def an_item(pk: str, sk: int, **more: Any) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"N": str(sk)}, **more}


ITEMS = [
    an_item(pk, sk, n={"N": str(sk % 3)}, color={"S": "red" if sk % 2 else "blue"}, l={"L": [{"S": pk}, {"N": "7"}]})
    for pk in "ab"
    for sk in range(6)
] + [an_item("c", 0), an_item("c", 1, color={"NULL": True})]


async def filled(db: DynamoDb) -> None:
    indexes = [an_index("by_color", "n:N", "sk:N"), an_index("slim", "n:N", projection="KEYS_ONLY")]
    await db("CreateTable", **a_table(sort="sk:N", GlobalSecondaryIndexes=indexes))
    for item in ITEMS:
        await db("PutItem", TableName="things", Item={name: dict(value) for name, value in item.items()})


def with_items(scenario: Any) -> Any:
    async def run(db: DynamoDb) -> Any:
        await filled(db)
        return await scenario(db)

    return on_dynamodb(run)


async def run(db: DynamoDb, statement: str, *parameters: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    given_ = {"Parameters": list(parameters)} if parameters else {}
    return (await db("ExecuteStatement", Statement=statement, **given_, **more))["Items"]


async def pages(db: DynamoDb, statement: str, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    token: dict[str, Any] = {}
    for _ in range(100):
        page = await db("ExecuteStatement", Statement=statement, Limit=limit, **token)
        assert len(page["Items"]) <= limit
        found += page["Items"]
        if "NextToken" not in page:
            return found
        token = {"NextToken": page["NextToken"]}
    raise AssertionError("paging does not end")


def order(item: dict[str, Any]) -> tuple[str, Decimal]:
    return item["pk"]["S"], Decimal(item["sk"]["N"])


Told = tuple[str, Any]
OPERATORS: dict[str, Any] = {
    "=": lambda one, two: one == two,
    "<": lambda one, two: one < two,
    "<=": lambda one, two: one <= two,
    ">": lambda one, two: one > two,
    ">=": lambda one, two: one >= two,
}


def compares(name: str, operator: str, bound: Any) -> Told:
    literal = f"'{bound}'" if isinstance(bound, str) else str(bound)

    def holds(item: dict[str, Any]) -> bool:
        value = item.get(name)
        if value is None:
            return operator == "<>"
        ((tag, content),) = value.items()
        if tag != ("S" if isinstance(bound, str) else "N"):
            return operator == "<>"
        found = content if tag == "S" else Decimal(content)
        return found != bound if operator == "<>" else OPERATORS[operator](found, bound)

    return f'"{name}" {operator} {literal}', holds


def among(name: str, values: list[str]) -> Told:
    return (
        f"{name} IN [{', '.join(repr(value) for value in values)}]",
        lambda item: item.get(name, {}).get("S") in values,
    )


def is_missing(name: str, negated: bool) -> Told:
    return f"{name} IS {'NOT ' * negated}MISSING", lambda item: (name in item) == negated


operators = st.sampled_from([*OPERATORS, "<>"])
leaves = st.one_of(
    st.builds(compares, st.just("pk"), operators, st.sampled_from("abx")),
    st.builds(compares, st.just("pk"), st.just("="), st.sampled_from("abc")),
    st.builds(compares, st.sampled_from(["sk", "n"]), operators, st.integers(-1, 4)),
    st.builds(compares, st.just("color"), operators, st.sampled_from(["red", "blue"])),
    st.builds(
        among, st.sampled_from(["pk", "color"]), st.lists(st.sampled_from(["a", "c", "red"]), min_size=1, max_size=3)
    ),
    st.builds(is_missing, st.sampled_from(["color", "sk"]), st.booleans()),
    st.just(("color IS NULL", lambda item: item.get("color") == {"NULL": True})),
    st.just(("sk BETWEEN 1 AND 3", lambda item: 1 <= int(item["sk"]["N"]) <= 3)),
    st.just(("begins_with(color, 're')", lambda item: item.get("color") == {"S": "red"})),
    st.just(("contains(l, 7)", lambda item: "l" in item)),
    st.just(("size(l) > 1", lambda item: "l" in item)),
    st.just(("l[0] = 'a'", lambda item: item["pk"]["S"] == "a")),
)


def both(one: Told, two: Told) -> Told:
    return f"({one[0]}) AND {two[0]}", lambda item: one[1](item) and two[1](item)


def either(one: Told, two: Told) -> Told:
    return f"({one[0]} OR {two[0]})", lambda item: one[1](item) or two[1](item)


def neither(one: Told) -> Told:
    return f"NOT ({one[0]})", lambda item: not one[1](item)


conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(st.builds(both, inner, inner), st.builds(either, inner, inner), st.builds(neither, inner)),
    max_leaves=4,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(conditions, st.integers(1, 9)), min_size=1, max_size=8))
def test_a_select_finds_what_its_condition_holds_for(chosen: list[tuple[Told, int]]) -> None:
    async def scenario(db: DynamoDb) -> None:
        for (text, holds), limit in chosen:
            found = await pages(db, f"SELECT * FROM things WHERE {text}", limit)
            expected = [item for item in ITEMS if holds(item)]
            assert sorted(found, key=order) == sorted(expected, key=order), text

    with_items(scenario)


def test_a_select_reads_no_more_than_its_keys_name() -> None:
    async def scenario(db: DynamoDb) -> None:
        async def units(where: str) -> float:
            params = {"Statement": f"SELECT * FROM things WHERE {where}", "ReturnConsumedCapacity": "TOTAL"}
            told = await db("ExecuteStatement", **params, ConsistentRead=True)
            return told["ConsumedCapacity"]["CapacityUnits"]

        assert await units("pk = 'a' AND sk = 2") == 1
        assert await units("pk IN ['a', 'b', 'c'] AND sk > 1") == 3

    with_items(scenario)


def test_selects_pick_order_and_use_indexes() -> None:
    async def scenario(db: DynamoDb) -> None:
        found = await run(db, "SELECT sk, l[1] FROM things WHERE pk = ? AND sk >= 4 ORDER BY sk DESC", {"S": "a"})
        assert found == [{"sk": {"N": "5"}, "l": {"N": "7"}}, {"sk": {"N": "4"}, "l": {"N": "7"}}]
        found = await run(db, "SELECT pk FROM things WHERE pk IN ('a', 'b') AND sk = 1 ORDER BY pk DESC")
        assert found == [{"pk": {"S": "b"}}, {"pk": {"S": "a"}}]
        found = await run(db, 'SELECT sk FROM "things"."by_color" WHERE n = 2 AND 4 < sk')
        assert found == [{"sk": {"N": "5"}}] * 2
        assert await run(db, 'SELECT * FROM "things"."slim" WHERE n = 9') == []
        assert len(await run(db, "SELECT * FROM things")) == len(ITEMS)

    with_items(scenario)


def test_a_statement_inserts_updates_and_deletes() -> None:
    async def scenario(db: DynamoDb) -> None:
        item = "{'pk': 'new', 'sk': 1, 'm': {'a': [1, 'it''s', TRUE, NULL]}, 's': <<'x', 'y'>>, 'b': ?}"
        assert await run(db, f"INSERT INTO things VALUE {item}", {"B": "AAE="}) == []
        error = await db.refused("ExecuteStatement", Statement="INSERT INTO things VALUE {'pk': 'new', 'sk': 1}")
        assert isinstance(error, DuplicateItemException)
        (found,) = await run(db, "SELECT * FROM things WHERE pk = 'new' AND sk = 1")
        assert found["m"] == {"M": {"a": {"L": [{"N": "1"}, {"S": "it's"}, {"BOOL": True}, {"NULL": True}]}}}
        assert (found["s"], found["b"]) == ({"SS": ["x", "y"]}, {"B": "AAE="})
        changed = await run(
            db,
            "UPDATE things SET m.a[0] = m.a[0] + 2 SET n = -1, s = set_add(s, <<'z'>>) REMOVE b "
            "SET l = list_append(m.a, ?) WHERE pk = 'new' AND sk = 1 AND size(m) = 1 RETURNING MODIFIED NEW *",
            {"L": []},
        )
        assert changed[0]["n"] == {"N": "-1"}
        assert changed[0]["s"] == {"SS": ["x", "y", "z"]}
        assert changed[0]["m"]["M"]["a"]["L"][0] == {"N": "3"}
        (old,) = await run(db, "DELETE FROM things WHERE sk = 1 AND pk = 'new' RETURNING ALL OLD *")
        assert "b" not in old
        assert await run(db, "DELETE FROM things WHERE sk = 1 AND pk = 'new' AND n = 5") == []
        error = await db.refused("ExecuteStatement", Statement="UPDATE things SET n = 1 WHERE pk = 'new' AND sk = 1")
        assert isinstance(error, ConditionalCheckFailedException)
        statement = "DELETE FROM things WHERE pk = 'a' AND sk = 1 AND (n = 5 OR n = 6)"
        params = {"Statement": statement, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        assert (await db.refused("ExecuteStatement", **params)).members["Item"] == ITEMS[1]
        await run(db, "UPDATE things SET s = ? WHERE pk = 'a' AND sk = 1", {"SS": ["x", "y"]})
        (told,) = await run(
            db, "UPDATE things SET s = set_delete(s, <<'x'>>) WHERE pk='a' AND sk=1 RETURNING ALL NEW *"
        )
        assert told["s"] == {"SS": ["y"]}

    with_items(scenario)


def test_a_batch_answers_each_statement_for_itself() -> None:
    async def scenario(db: DynamoDb) -> None:
        told = await db(
            "BatchExecuteStatement",
            Statements=[
                {"Statement": "INSERT INTO things VALUE {'pk': 'n', 'sk': 1}"},
                {"Statement": "INSERT INTO things VALUE {'pk': 'a', 'sk': 1}"},
                {"Statement": "INSERT INTO nothing VALUE {'pk': 'a', 'sk': 1}"},
                {"Statement": "nonsense"},
                {
                    "Statement": "UPDATE things SET n = 1 WHERE pk = 'a' AND sk = 1 AND n = 9",
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                },
            ],
            ReturnConsumedCapacity="TOTAL",
        )
        codes = [one.get("Error", {}).get("Code") for one in told["Responses"]]
        assert codes == [None, "DuplicateItem", "ResourceNotFound", "ValidationError", "ConditionalCheckFailed"]
        assert told["Responses"][4]["Error"]["Item"] == ITEMS[1]
        assert told["ConsumedCapacity"][0]["TableName"] == "things"
        told = await db(
            "BatchExecuteStatement",
            Statements=[
                {"Statement": "SELECT sk FROM things WHERE pk = 'a' AND sk = 1"},
                {"Statement": "SELECT * FROM things WHERE pk = 'a' AND sk = 99"},
                {"Statement": "SELECT * FROM things WHERE pk = 'a'"},
            ],
        )
        first, second, third = told["Responses"]
        assert first == {"TableName": "things", "Item": {"sk": {"N": "1"}}}
        assert second == {"TableName": "things"}
        assert "must specify the primary key" in third["Error"]["Message"]
        error = await db.refused(
            "BatchExecuteStatement",
            Statements=[
                {"Statement": "SELECT * FROM things WHERE pk = 'a' AND sk = 1"},
                {"Statement": "DELETE FROM things WHERE pk = 'a' AND sk = 1"},
            ],
        )
        assert "Cannot mix" in error.message

    with_items(scenario)


def test_a_transaction_does_all_or_nothing() -> None:
    async def scenario(db: DynamoDb) -> None:
        statements = [
            {"Statement": "INSERT INTO things VALUE {'pk': 't', 'sk': 1}"},
            {"Statement": "EXISTS(SELECT * FROM things WHERE pk = 'a' AND sk = 1 AND n = 1)"},
            {"Statement": "UPDATE things SET n = 8 WHERE pk = 'a' AND sk = 2"},
            {"Statement": "DELETE FROM things WHERE pk = 'a' AND sk = 3"},
        ]
        await db("ExecuteTransaction", TransactStatements=statements, ClientRequestToken="once")
        assert await run(db, "SELECT n FROM things WHERE pk = 'a' AND sk = 2") == [{"n": {"N": "8"}}]
        assert await run(db, "SELECT * FROM things WHERE pk = 'a' AND sk = 3") == []
        await db("ExecuteTransaction", TransactStatements=statements, ClientRequestToken="once")
        error = await db.refused("ExecuteTransaction", TransactStatements=statements)
        assert isinstance(error, TransactionCanceledException)
        assert [one["Code"] for one in error.members["CancellationReasons"]] == [
            "DuplicateItem",
            "None",
            "None",
            "None",
        ]
        reads = [
            {"Statement": "SELECT n FROM things WHERE pk = 'a' AND sk = 2"},
            {"Statement": "SELECT * FROM things WHERE pk = 'a' AND sk = 3"},
        ]
        told = await db("ExecuteTransaction", TransactStatements=reads)
        assert told["Responses"] == [{"Item": {"n": {"N": "8"}}}, {}]
        error = await db.refused("ExecuteTransaction", TransactStatements=[*reads, *statements])
        assert "Cannot mix" in error.message
        reads = [{"Statement": "SELECT * FROM things WHERE pk = 'a'"}]
        assert "primary key" in (await db.refused("ExecuteTransaction", TransactStatements=reads)).message
        writes = [{"Statement": "DELETE FROM things WHERE pk = 'a' AND sk = 2 RETURNING ALL OLD *"}]
        assert "RETURNING" in (await db.refused("ExecuteTransaction", TransactStatements=writes)).message

    with_items(scenario)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT * FROM things ORDER BY sk", "Must have at least one non-optional hash key condition"),
        ("SELECT * FROM things WHERE pk = 'a' ORDER BY n", "must be part of the primary key"),
        ("SELECT * FROM things WHERE pk = 1", "Condition parameter type does not match schema type"),
        ("SELECT * FROM things.nothing WHERE n = 1", "The table does not have the specified index: nothing"),
        ("SELECT color FROM things.slim WHERE n = 1", "does not project [color]"),
        ("UPDATE things SET n = 1 WHERE pk = 'a'", "mandatory equality on all key attributes"),
        ("DELETE FROM things WHERE pk = 'a' AND sk > 1", "mandatory equality on all key attributes"),
        ("DELETE FROM things.slim WHERE pk = 'a' AND sk = 1", "name a table, not an index"),
        ("UPDATE things SET pk = 'b' WHERE pk = 'a' AND sk = 1", "This attribute is part of the key"),
        ("UPDATE things SET s = set_add(n, <<1>>) WHERE pk = 'a' AND sk = 1", "takes the path that is set"),
        ("INSERT INTO things VALUE {'pk': 'a'}", "Missing the key sk in the item"),
        ("EXISTS(SELECT * FROM things WHERE pk = 'a')", "only supported in ExecuteTransaction"),
        ("SELECT * FROM things WHERE pk = ?", "Number of parameters in request and statement don't match."),
    ],
)
def test_statements_that_cannot_be_are_refused(statement: str, message: str) -> None:
    async def scenario(db: DynamoDb) -> str:
        return (await db.refused("ExecuteStatement", Statement=statement)).message

    assert message in with_items(scenario)


def test_a_token_fits_its_own_request_only() -> None:
    async def scenario(db: DynamoDb) -> None:
        page = await db("ExecuteStatement", Statement="SELECT * FROM things", Limit=1)
        for statement, token in [
            ("SELECT * FROM things WHERE n = 1", page["NextToken"]),
            ("SELECT * FROM things", "x" + page["NextToken"]),
            ("SELECT * FROM things", "bm8="),
        ]:
            error = await db.refused("ExecuteStatement", Statement=statement, NextToken=token)
            assert error.message == "NextToken does not match request"
        statement = "DELETE FROM things WHERE pk = 'a' AND sk = 1"
        assert "Limit" in (await db.refused("ExecuteStatement", Statement=statement, Limit=1)).message

    with_items(scenario)


def test_policies_see_what_a_statement_does() -> None:
    async def scenario(db: DynamoDb) -> list[tuple[Any, ...]]:
        db.authorization.asked.clear()
        await run(db, "SELECT n FROM things.by_color WHERE n = 1 AND color = 'red'")
        await run(db, "SELECT * FROM things")
        await run(db, "UPDATE things SET n = 1 WHERE pk = 'a' AND sk = 1")
        names = ("dynamodb:leadingkeys", "dynamodb:attributes", "dynamodb:fulltablescan", "dynamodb:select")
        return [
            (one.action, one.resource, *(one.context.get(name) for name in names)) for one in db.authorization.asked
        ]

    table = "arn:aws:dynamodb:us-east-1:000000000000:table/things"
    select, scan, update = with_items(scenario)
    assert select == (
        "dynamodb:PartiQLSelect",
        f"{table}/index/by_color",
        ("1",),
        ("color", "n"),
        "false",
        "SPECIFIC_ATTRIBUTES",
    )
    assert scan == ("dynamodb:PartiQLSelect", table, None, None, "true", "ALL_ATTRIBUTES")
    assert update[:4] == ("dynamodb:PartiQLUpdate", table, ("a",), ("n", "pk", "sk"))
