"""Function names in all their forms."""

from __future__ import annotations

import pytest

from gatepost.kernel.operations import Call
from gatepost.services.lambda_.model import InvalidParameterValueException
from gatepost.services.lambda_.names import FunctionName, chosen_qualifier, function_arn, parse_name
from tests.support.toys import ACCOUNT, ADMINISTRATOR

CALL = Call("lambda", "GetFunction", ACCOUNT, "us-east-1", ADMINISTRATOR, "id", 0)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a-b_9", FunctionName("a-b_9", "", "", "")),
        ("orders:$LATEST", FunctionName("orders", "$LATEST", "", "")),
        ("orders:7", FunctionName("orders", "7", "", "")),
        ("123456789012:function:orders", FunctionName("orders", "", "123456789012", "")),
        (
            "arn:aws:lambda:eu-central-1:123456789012:function:orders:live",
            FunctionName("orders", "live", "123456789012", "eu-central-1"),
        ),
        ("x" * 64, FunctionName("x" * 64, "", "", "")),
    ],
)
def test_a_name_is_taken_apart(text: str, name: FunctionName) -> None:
    assert parse_name(text) == name


@pytest.mark.parametrize("text", ["", "a b", "a/b", "x" * 65, "arn:aws:s3:::bucket", "a:b:c", "ördérs", "a\n"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameterValueException):
        parse_name(text)


def test_what_a_name_does_not_say_is_the_callers() -> None:
    assert function_arn(CALL, parse_name("a")) == f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:a"
    named = parse_name("arn:aws:lambda:eu-west-1:123456789012:function:a:1")
    assert function_arn(CALL, named) == "arn:aws:lambda:eu-west-1:123456789012:function:a"


def test_a_qualifier_stands_in_the_name_or_beside_it() -> None:
    assert chosen_qualifier(parse_name("a"), None) == ""
    assert chosen_qualifier(parse_name("a:live"), None) == "live"
    assert chosen_qualifier(parse_name("a"), "7") == "7"
    assert chosen_qualifier(parse_name("a:$LATEST"), "$LATEST") == "$LATEST"
    with pytest.raises(InvalidParameterValueException, match="does not match the specified qualifier"):
        chosen_qualifier(parse_name("a:1"), "2")
