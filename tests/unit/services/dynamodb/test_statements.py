"""Statements become the cheapest requests that mean the same."""

from typing import Any

from gatepost.kernel.operations import Call
from gatepost.languages.partiql import parse
from gatepost.services.dynamodb.model import open_table
from gatepost.services.dynamodb.schema import definition_of
from gatepost.services.dynamodb.statements import selection_of, write_of
from tests.support.dynamodb import ACCOUNT, REGION, ROOT, a_table

CALL = Call("dynamodb", "CreateTable", ACCOUNT, REGION, ROOT, "request", 1_000)
TABLE = open_table(1, definition_of(CALL, "things", a_table()))


def selected(where: str) -> Any:
    return selection_of(parse(f"SELECT * FROM things WHERE {where}"), TABLE)


def test_keys_go_to_the_key_condition_and_the_rest_to_the_filter() -> None:
    (request,) = selected("'x' < sk AND n = 1 AND pk = 'a'").requests
    assert request["KeyConditionExpression"] == "#2 = :key AND #0 > :0"
    assert request["FilterExpression"] == "#1 = :1"
    assert request["ExpressionAttributeValues"] == {":0": {"S": "x"}, ":1": {"N": "1"}, ":key": {"S": "a"}}


def test_alternatives_of_keys_are_queries_and_of_anything_else_a_scan() -> None:
    assert len(selected("pk = 'a' OR pk = 'b' OR pk IN ['c']").requests) == 3
    assert selected("pk = 'a' OR n = 1").is_scan
    assert selected("pk = 'a' OR (pk = 'b' AND n = 1)").is_scan
    assert len(selected("pk IN ['a', 'b', 'a']").requests) == 2


def test_a_whole_key_is_known_as_one() -> None:
    assert selected("sk = 'x' AND pk = 'a'").key == {"pk": {"S": "a"}, "sk": {"S": "x"}}
    assert selected("sk > 'x' AND pk = 'a'").key == {}
    assert selected("sk = 'x' AND pk = 'a' AND n = 1").key == {}


def test_an_update_needs_its_item() -> None:
    request = write_of(parse("UPDATE things SET n = n + 1 WHERE pk = 'a' AND sk = 'b' AND n < 9"), TABLE)
    assert request["ConditionExpression"] == "attribute_exists(#key) AND (#0 < :3)"
    assert request["UpdateExpression"] == "SET #0 = #0 + :0"
