import pytest

from gatepost.kernel.errors import ValidationException
from gatepost.languages.item_expressions import Used
from gatepost.services.dynamodb.placeholders import VALUES_BYTES_MAX, Placeholders

TAKES = ("FilterExpression", "KeyConditionExpression", "ProjectionExpression")


def test_values_are_made_canonical_once() -> None:
    values = {":n": {"N": "1.0"}, ":s": {"SS": ["b", "a"]}}
    assert Placeholders({"FilterExpression": "x", "ExpressionAttributeValues": values}, TAKES).values == {
        ":n": {"N": "1"},
        ":s": {"SS": ["a", "b"]},
    }


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"ExpressionAttributeNames": {"#a": "a"}},
            "ExpressionAttributeNames can only be specified when using expressions",
        ),
        (
            {"ExpressionAttributeValues": {":a": {"S": "a"}}, "ProjectionExpression": "a"},
            "ExpressionAttributeValues can only be specified when using expressions: FilterExpression and "
            "KeyConditionExpression are null",
        ),
        (
            {"FilterExpression": "a", "ExpressionAttributeNames": {"#a": ""}},
            "ExpressionAttributeNames contains invalid value: Empty attribute name for key #a",
        ),
        (
            {"FilterExpression": "a", "ExpressionAttributeNames": {"#a-b": "a"}},
            'ExpressionAttributeNames contains invalid key: Syntax error; key: "#a-b"',
        ),
        (
            {"FilterExpression": "a", "ExpressionAttributeValues": {":a": {}}},
            "ExpressionAttributeValues contains invalid value: Supplied AttributeValue is empty, must contain exactly "
            "one of the supported datatypes for key :a",
        ),
    ],
)
def test_wrong_placeholders_are_refused(params, message) -> None:
    with pytest.raises(ValidationException) as caught:
        Placeholders(params, TAKES)
    assert caught.value.message == message


def test_values_have_two_megabytes_together() -> None:
    def placeholders(size):
        values = {":a": {"S": "x" * (size // 2)}, ":b": {"S": "x" * (size - size // 2)}}
        return Placeholders({"FilterExpression": "a", "ExpressionAttributeValues": values}, TAKES)

    placeholders(VALUES_BYTES_MAX)
    with pytest.raises(ValidationException, match="exceeds max size"):
        placeholders(VALUES_BYTES_MAX + 1)


def test_what_no_expression_uses_is_refused() -> None:
    params = {"FilterExpression": "x", "ExpressionAttributeNames": {"#a": "a", "#b": "b"}}
    placeholders = Placeholders(params, TAKES)
    used = Used(frozenset({"#a"}), frozenset(), frozenset())
    with pytest.raises(ValidationException, match=r"unused in expressions: keys: \{#b\}"):
        placeholders.check_used((used,))
    placeholders.check_used((used, Used(frozenset({"#b"}), frozenset(), frozenset())))
