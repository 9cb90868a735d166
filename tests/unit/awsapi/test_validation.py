"""What the model demands is checked, and told in AWS's sentences."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.awsapi.errors import SerializationException
from gatepost.awsapi.protocols.documents import JSON, ReaderCompiler
from gatepost.awsapi.shapes import Member, ServiceModel, ServiceModels, Shape
from gatepost.awsapi.validation import CheckerCompiler, Kind, raise_problems
from gatepost.kernel.errors import ValidationException

MODELS = ServiceModels()


def told(service: str, operation: str, params: dict[str, Any], kind: Kind = "parsed") -> str:
    """Give what is said of `params`; an empty text when nothing is."""
    model = MODELS.get(service)
    assert model is not None
    found = model.operation(operation)
    assert found is not None
    assert found.input is not None
    problems = CheckerCompiler(kind).checker(found.input)(params)
    if problems is None:
        return ""
    with pytest.raises(ValidationException) as caught:
        raise_problems(problems)
    return caught.value.message


def a_model(**shapes: dict[str, Any]) -> ServiceModel:
    return ServiceModel("toy", {"metadata": {"protocol": "json"}, "operations": {}, "shapes": shapes})


KEYS = {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}


def test_right_parameters_pass() -> None:
    assert told("dynamodb", "CreateTable", {"TableName": "abc", **KEYS}) == ""


def test_a_missing_member_is_null() -> None:
    assert told("dynamodb", "GetItem", {"Key": {}}) == (
        "1 validation error detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null"
    )


def test_everything_that_is_wrong_is_told_at_once() -> None:
    message = told("dynamodb", "CreateTable", {"TableName": "", "KeySchema": []})
    assert message.startswith("2 validation errors detected: Value '' at 'tableName' failed")
    assert "; Value '[]' at 'keySchema' failed to satisfy constraint: Member must have length greater than" in message


def test_a_place_inside_a_list_counts_from_one() -> None:
    params = {"TableName": "abc", "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}, {"KeyType": "NEITHER"}]}
    message = told("dynamodb", "CreateTable", params)
    assert "Value null at 'keySchema.2.member.attributeName' failed" in message
    assert "Value 'NEITHER' at 'keySchema.2.member.keyType' failed to satisfy constraint: " in message
    assert "Member must satisfy enum value set: [HASH, RANGE]" in message


def test_a_place_inside_a_map_is_named_by_its_key() -> None:
    message = told("dynamodb", "BatchGetItem", {"RequestItems": {"orders": {"Keys": []}}})
    assert "Value '[]' at 'requestItems.orders.member.keys' failed" in message


@pytest.mark.parametrize(("length", "passes"), [(0, False), (1, True), (64, True), (65, False)])
def test_lengths_have_both_bounds(length: int, passes: bool) -> None:
    assert (told("iam", "CreateUser", {"UserName": "u" * length}) == "") is passes


@pytest.mark.parametrize(("days", "passes"), [(0, False), (1, True), (100, True), (101, False)])
def test_numbers_have_both_bounds(days: int, passes: bool) -> None:
    assert (told("dynamodb", "ListTables", {"Limit": days}) == "") is passes


def test_a_range_is_told() -> None:
    assert told("dynamodb", "ListTables", {"Limit": 0}).endswith("Member must have value greater than or equal to 1")


@pytest.mark.parametrize(("name", "passes"), [("a+b=c,d.e@f-g_h", True), ("a b", False), ("a\n", False), ("é", False)])
def test_patterns_match_the_whole_text_in_ascii(name: str, passes: bool) -> None:
    assert (told("iam", "CreateUser", {"UserName": name}) == "") is passes


def test_a_pattern_is_told() -> None:
    message = told("sts", "AssumeRole", {"RoleArn": "r" * 20, "RoleSessionName": "a b"})
    assert message == (
        "1 validation error detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: "
        r"Member must satisfy regular expression pattern: [\w+=,.@-]*"
    )


def test_iam_has_its_own_sentence_for_names() -> None:
    assert told("iam", "CreateRole", {"RoleName": "a b", "AssumeRolePolicyDocument": "{}"}) == (
        "The specified value for roleName is invalid. "
        "It must contain only alphanumeric characters and/or the following: +=,.@_-"
    )


def test_a_list_of_texts_is_told_whole() -> None:
    message = told("cloudformation", "CreateStack", {"StackName": "s", "Capabilities": ["CAPABILITY_IAM", "ALL"]})
    assert "Value '[CAPABILITY_IAM, ALL]' at 'capabilities' failed to satisfy constraint: " in message
    assert "Member must satisfy constraint: [Member must satisfy enum value set: [CAPABILITY_IAM, " in message


def test_keys_of_maps_are_checked() -> None:
    model = a_model(
        Top={"type": "map", "key": {"shape": "Name"}, "value": {"shape": "Name"}},
        Name={"type": "string", "max": 2},
    )
    check = CheckerCompiler("parsed").checker(model.shape("Top"))
    problems = check({"abc": "x"})
    assert problems is not None
    assert problems[0].constraint == (
        "Map keys must satisfy constraint: [Member must have length less than or equal to 2]"
    )
    problems = check({"a": "xyz"})
    assert problems is not None
    assert problems[0].constraint == (
        "Map value must satisfy constraint: [Member must have length less than or equal to 2]"
    )


def test_a_sensitive_value_is_not_repeated() -> None:
    password = "p" * 129
    message = told("iam", "CreateLoginProfile", {"UserName": "u", "Password": password})
    assert password not in message
    assert "Value at 'password' failed" in message


def test_a_long_value_is_shortened() -> None:
    assert len(told("iam", "CreateUser", {"UserName": "u" * 1_000_000})) < 3_000


def test_characters_beyond_the_plane_count_twice_as_in_java() -> None:
    model = a_model(Name={"type": "string", "max": 2})
    check = CheckerCompiler("parsed").checker(model.shape("Name"))
    assert check("😀") is None
    assert check("😀a") is not None


@pytest.mark.parametrize("kind", ["wire", "parsed", "native"])
@pytest.mark.parametrize("wrong", [1, True, [], {}, b"x", 1.5])
def test_a_wrong_type_is_a_serialization_error(kind: Kind, wrong: Any) -> None:
    with pytest.raises(SerializationException):
        told("dynamodb", "GetItem", {"TableName": wrong, "Key": {}}, kind)


def test_wire_values_lose_their_nulls_at_every_depth() -> None:
    params = {"TableName": "t", "ConsistentRead": None, "Key": {"id": {"S": "x", "N": None}}, "Unknown": None}
    assert told("dynamodb", "GetItem", params, "wire") == ""
    assert params == {"TableName": "t", "Key": {"id": {"S": "x"}}}


def test_a_required_member_that_is_null_on_the_wire_is_missing() -> None:
    assert "Value null at 'tableName'" in told("dynamodb", "GetItem", {"TableName": None, "Key": {}}, "wire")


def test_unknown_members_are_ignored_on_the_wire_and_refused_from_within() -> None:
    assert told("dynamodb", "ListTables", {"Nonsense": 1}, "wire") == ""
    assert "Unknown parameter at 'Nonsense'" in told("dynamodb", "ListTables", {"Nonsense": 1}, "native")


def test_blobs_are_base64_on_the_wire_and_bytes_elsewhere() -> None:
    assert told("dynamodb", "GetItem", {"TableName": "t", "Key": {"id": {"B": "AQ=="}}}, "wire") == ""
    assert told("dynamodb", "GetItem", {"TableName": "t", "Key": {"id": {"B": b"\1"}}}, "native") == ""


@pytest.mark.parametrize(("text", "passes"), [("", False), ("AA==", True), ("AAA=", True), ("AAAA", False)])
def test_the_length_of_a_blob_on_the_wire_is_that_of_its_bytes(text: str, passes: bool) -> None:
    blob = Shape("Blob", "blob", min=1, max=2)
    assert (CheckerCompiler("wire").checker(blob)(text) is None) is passes


def test_a_shape_that_holds_itself_is_checked_to_its_depth() -> None:
    value: dict[str, Any] = {"S": 1}
    for _ in range(20):
        value = {"L": [value]}
    with pytest.raises(SerializationException):
        told("dynamodb", "PutItem", {"TableName": "t", "Item": {"a": value}}, "wire")


def test_a_whole_number_written_as_a_decimal_becomes_one() -> None:
    params = {"Limit": 3.0}
    assert told("dynamodb", "ListTables", params, "wire") == ""
    model = a_model(Top={"type": "structure", "members": {"n": {"shape": "N"}}}, N={"type": "integer"})
    value = {"n": 3.0}
    assert CheckerCompiler("wire").checker(model.shape("Top"))(value) is None
    assert value == {"n": 3}
    assert isinstance(value["n"], int)


@pytest.mark.parametrize("number", [float(1 << 63), -float(1 << 63), 1e30, 1e300])
def test_a_number_beyond_every_integer_is_none(number: float) -> None:
    model = a_model(Top={"type": "structure", "members": {"n": {"shape": "N"}}}, N={"type": "long"})
    with pytest.raises(SerializationException, match="NUMBER_VALUE can not be converted to an Integer"):
        CheckerCompiler("wire").checker(model.shape("Top"))({"n": number})
    with pytest.raises(SerializationException, match="NUMBER_VALUE can not be converted to an Integer"):
        ReaderCompiler(JSON).reader(model.shape("Top"))({"n": number})


def test_every_pattern_of_every_model_is_read_by_an_engine() -> None:
    from gatepost.awsapi.patterns import compile_pattern

    unread = []
    for service in MODELS.index:
        model = MODELS.get(service)
        assert model is not None
        for name in model.operations:
            operation = model.operation(name)
            assert operation is not None
        unread += [
            f"{service}.{shape.name}: {shape.pattern}"
            for shape in model._shapes.values()
            if shape.pattern and compile_pattern(shape.pattern) is None
        ]
    assert unread == []


def test_a_hostile_text_does_not_slow_a_pattern_down() -> None:
    from gatepost.awsapi.patterns import compile_pattern

    for pattern in (r"(a+)+b", r"(?!x)(a+)+b"):
        matches = compile_pattern(pattern)
        assert matches is not None
    linear = compile_pattern(r"(a+)+b")
    assert linear is not None
    assert not linear("a" * 100_000)


def test_members_know_their_names() -> None:
    assert Member("Name", Shape("S", "string"), location_name="wire").wire_name == "wire"
