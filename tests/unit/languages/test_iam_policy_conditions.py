"""Every condition operator, with values on both sides of each edge, and the rules for absent and several values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.languages.iam_policy_conditions import (
    OPERATORS,
    ConditionError,
    compile_conditions,
    parse_date,
    parse_number,
)


def holds(element: dict, keys: dict) -> bool:
    return all(condition.holds(keys) for condition in compile_conditions(element, has_variables=True))


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
TABLE = [
    ("StringEquals", "a", "a", True),
    ("StringEquals", "a", "A", False),
    ("StringEquals", "a*", "ab", False),
    ("StringEquals", ["a", "b"], "b", True),
    ("StringNotEquals", "a", "b", True),
    ("StringNotEquals", "a", "a", False),
    ("StringNotEquals", ["a", "b"], "b", False),
    ("StringNotEquals", ["a", "b"], "c", True),
    ("StringEqualsIgnoreCase", "QA", "qa", True),
    ("StringEqualsIgnoreCase", "QA", "qb", False),
    ("StringNotEqualsIgnoreCase", "QA", "qa", False),
    ("StringNotEqualsIgnoreCase", "QA", "qb", True),
    ("StringLike", "a*", "abc", True),
    ("StringLike", "a?c", "abc", True),
    ("StringLike", "a?c", "ac", False),
    ("StringLike", "A*", "abc", False),
    ("StringNotLike", "a*", "abc", False),
    ("StringNotLike", "a*", "bc", True),
    ("NumericEquals", "10", "10", True),
    ("NumericEquals", 10, "10.0", True),
    ("NumericEquals", "10", "ten", False),
    ("NumericNotEquals", "10", "10", False),
    ("NumericNotEquals", "10", "11", True),
    ("NumericLessThan", "10", "9.999", True),
    ("NumericLessThan", "10", "10", False),
    ("NumericLessThanEquals", "10", "10", True),
    ("NumericLessThanEquals", "10", "10.001", False),
    ("NumericGreaterThan", "10", "10", False),
    ("NumericGreaterThan", "10", "10.001", True),
    ("NumericGreaterThan", "-1", "0", True),
    ("NumericGreaterThanEquals", "10", "10", True),
    ("NumericGreaterThanEquals", "10", "9", False),
    ("DateEquals", "2026-11-24T00:00:00Z", "2026-11-24T01:00:00+01:00", True),
    ("DateEquals", "2026-11-24", "2026-11-24T00:00:00Z", True),
    ("DateEquals", "2026-11-24", "2026-11-24T00:00:00.5Z", False),
    ("DateNotEquals", "2026-11-24", "2026-11-24T00:00:01Z", True),
    ("DateNotEquals", "2026-11-24", "2026-11-24T00:00:00Z", False),
    ("DateLessThan", "2026-11-24T00:00:00Z", "2026-11-23T23:59:59Z", True),
    ("DateLessThan", "2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z", False),
    ("DateLessThanEquals", "2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z", True),
    ("DateGreaterThan", "1760000000", "2025-10-09T08:53:20Z", False),  # epoch seconds: the same instant
    ("DateGreaterThan", "1760000000", "2025-10-09T08:53:21Z", True),
    ("DateLessThanEquals", "2026-11-24T00:00:00Z", "2026-11-24T00:00:01Z", False),
    ("DateGreaterThanEquals", "1760000000", "2025-10-09T08:53:20Z", True),
    ("DateGreaterThanEquals", "1760000000", "2025-10-09T08:53:19Z", False),
    ("DateGreaterThan", "2026", "not a date", False),
    ("Bool", "true", "true", True),
    ("Bool", True, "True", True),
    ("Bool", "true", "false", False),
    ("Bool", "false", "false", True),
    ("BinaryEquals", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", True),
    ("BinaryEquals", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", "QmluYXJ5", False),
    ("IpAddress", "203.0.113.0/24", "203.0.113.255", True),
    ("IpAddress", "203.0.113.0/24", "203.0.114.0", False),
    ("IpAddress", "203.0.113.7", "203.0.113.7", True),
    ("IpAddress", "203.0.113.7", "203.0.113.8", False),
    ("IpAddress", "2001:DB8:1234:5678::/64", "2001:db8:1234:5678::1", True),
    ("IpAddress", "2001:DB8:1234:5678::/64", "2001:db8:1234:5679::1", False),
    ("IpAddress", "0.0.0.0/0", "2001:db8::1", False),
    ("IpAddress", "203.0.113.0/24", "no address", False),
    ("NotIpAddress", "203.0.113.0/24", "203.0.113.7", False),
    ("NotIpAddress", "203.0.113.0/24", "198.51.100.1", True),
    ("NotIpAddress", "203.0.113.0/24", "2001:db8::1", True),
    ("ArnEquals", "arn:aws:sns:us-east-1:1:t", "arn:aws:sns:us-east-1:1:t", True),
    ("ArnEquals", "arn:aws:sns:*:1:t", "arn:aws:sns:us-east-1:1:t", True),  # ArnEquals and ArnLike behave alike
    ("ArnLike", "arn:aws:sns:*:1:t*", "arn:aws:sns:us-east-1:1:topic", True),
    ("ArnLike", "arn:aws:sns:*:2:t*", "arn:aws:sns:us-east-1:1:topic", False),
    ("ArnNotEquals", "arn:aws:sns:*:1:t", "arn:aws:sns:us-east-1:1:t", False),
    ("ArnEquals", "arn:aws:sns:*:1:t", "arn:aws:sns:us-east-1:1:u", False),
    ("ArnNotEquals", "arn:aws:sns:*:1:t", "arn:aws:sns:us-east-1:1:u", True),
    ("ArnNotLike", "arn:aws:sns:*:2:*", "arn:aws:sns:us-east-1:1:t", True),
    ("ArnNotLike", "arn:aws:sns:*:1:*", "arn:aws:sns:us-east-1:1:t", False),
]


@pytest.mark.parametrize(("operator", "wanted", "value", "expected"), TABLE)
def test_an_operator_decides_as_documented(operator: str, wanted: object, value: str, expected: bool) -> None:
    assert holds({operator: {"aws:Key": wanted}}, {"aws:key": value}) is expected


def test_the_table_has_every_operator_both_ways() -> None:
    for name in OPERATORS:
        assert {expected for row_name, _, _, expected in TABLE if row_name.lower() == name} == {True, False}, name


@pytest.mark.parametrize("operator", [operator.name for operator in OPERATORS.values()])
def test_an_absent_key_fails_a_plain_operator_and_passes_a_negated_one(operator: str) -> None:
    wanted = next(row[1] for row in TABLE if row[0] == operator)
    is_negated = OPERATORS[operator.lower()].is_negated
    assert holds({operator: {"k": wanted}}, {}) is is_negated
    assert holds({f"{operator}IfExists": {"k": wanted}}, {})
    assert holds({f"ForAllValues:{operator}": {"k": wanted}}, {})
    assert not holds({f"ForAnyValue:{operator}": {"k": wanted}}, {})
    assert holds({f"ForAllValues:{operator}": {"k": wanted}}, {"k": ()})
    assert not holds({f"ForAnyValue:{operator}": {"k": wanted}}, {"k": ()})


@pytest.mark.parametrize(("operator", "wanted", "value", "expected"), TABLE)
def test_if_exists_changes_nothing_for_a_key_that_is_there(
    operator: str, wanted: object, value: str, expected: bool
) -> None:
    assert holds({f"{operator}IfExists": {"k": wanted}}, {"k": value}) is expected


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
@pytest.mark.parametrize(
    ("operator", "wanted", "values", "expected"),
    [
        ("ForAllValues:StringEquals", ["a", "b"], ("a",), True),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "b"), True),
        ("ForAllValues:StringEquals", ["a", "b"], ("a", "c"), False),
        ("ForAnyValue:StringEquals", ["a", "b"], ("a", "c"), True),
        ("ForAnyValue:StringEquals", ["a", "b"], ("c", "d"), False),
        ("ForAllValues:StringNotEquals", ["a", "b"], ("c", "d"), True),
        ("ForAllValues:StringNotEquals", ["a", "b"], ("c", "a"), False),
        ("ForAnyValue:StringNotEquals", ["a", "b"], ("c", "a"), True),
        ("ForAnyValue:StringNotEquals", ["a", "b"], ("a", "b"), False),
        ("ForAllValues:StringLike", ["a*"], ("ab", "ac"), True),
        ("ForAllValues:StringLike", ["a*"], ("ab", "bc"), False),
        ("ForAnyValue:StringNotLike", ["a*"], ("ab", "bc"), True),
        ("ForAnyValue:StringNotLike", ["a*"], ("ab",), False),
        ("ForAllValues:ArnLike", ["arn:aws:sns:*:1:*"], ("arn:aws:sns:x:1:t", "arn:aws:sns:x:2:t"), False),
        ("ForAnyValue:ArnLike", ["arn:aws:sns:*:1:*"], ("arn:aws:sns:x:1:t", "arn:aws:sns:x:2:t"), True),
        ("ForAllValues:NumericLessThan", ["5"], ("1", "4"), True),
        ("ForAllValues:NumericLessThan", ["5"], ("1", "5"), False),
        ("ForAnyValue:IpAddress", ["10.0.0.0/8"], ("192.0.2.1", "10.1.1.1"), True),
        ("StringEquals", ["a"], ("a", "c"), True),  # no set operator: any (unverified)
        ("StringNotEquals", ["a"], ("a", "c"), False),
    ],
)
def test_set_operators_look_at_every_value(
    operator: str, wanted: list[str], values: tuple[str, ...], expected: bool
) -> None:
    assert holds({operator: {"k": wanted}}, {"k": values}) is expected


@given(st.lists(st.sampled_from("abc"), max_size=3), st.lists(st.sampled_from("abc"), min_size=1, max_size=3))
def test_set_operators_are_all_and_any_of_the_single_decisions(values: list[str], wanted: list[str]) -> None:
    for operator in ("StringEquals", "StringNotEquals", "StringLike", "StringNotLike"):
        single = [holds({operator: {"k": wanted}}, {"k": value}) for value in values]
        keys = {"k": tuple(values)}
        assert holds({f"ForAllValues:{operator}": {"k": wanted}}, keys) is all(single)
        assert holds({f"ForAnyValue:{operator}": {"k": wanted}}, keys) is any(single)


@pytest.mark.parametrize(
    ("wanted", "keys", "expected"),
    [
        ("true", {}, True),
        ("true", {"k": "v"}, False),
        ("false", {}, False),
        ("false", {"k": "v"}, True),
        (True, {}, True),
        (["true", "false"], {"k": "v"}, True),
        ("true", {"k": ()}, True),
    ],
)
def test_null_asks_whether_a_key_is_there(wanted: object, keys: dict, expected: bool) -> None:
    assert holds({"Null": {"k": wanted}}, keys) is expected


def test_operators_and_keys_are_all_required_and_values_are_alternatives() -> None:
    element = {"StringEquals": {"a": ["1", "2"], "b": "3"}, "NumericLessThan": {"n": "5"}}
    assert holds(element, {"a": "2", "b": "3", "n": "4"})
    assert not holds(element, {"a": "2", "b": "x", "n": "4"})
    assert not holds(element, {"a": "2", "b": "3", "n": "5"})


def test_operators_and_keys_have_no_case() -> None:
    assert holds({"stringequals": {"AWS:Key": "v"}}, {"aws:key": "v"})
    assert holds({"FORANYVALUE:StringEqualsIfExists": {"AWS:Key": "v"}}, {"aws:key": ("v",)})


@pytest.mark.parametrize(
    ("element", "keys", "expected"),
    [
        ({"StringEquals": {"k": "${aws:username}"}}, {"k": "ana", "aws:username": "ana"}, True),
        ({"StringEquals": {"k": "${aws:username}"}}, {"k": "bob", "aws:username": "ana"}, False),
        ({"StringEquals": {"k": "${aws:username}"}}, {"k": "ana"}, False),
        ({"StringNotEquals": {"k": "${aws:username}"}}, {"k": "ana"}, True),
        ({"StringLike": {"k": "${aws:username}/*"}}, {"k": "ana/x", "aws:username": "ana"}, True),
        ({"StringLike": {"k": "${aws:username}"}}, {"k": "bob", "aws:username": "*"}, False),
        ({"ArnLike": {"k": "arn:aws:sns:*:1:${aws:username}"}}, {"k": "arn:aws:sns:x:1:a", "aws:username": "a"}, True),
        ({"NumericEquals": {"k": "5"}}, {"k": "5"}, True),
    ],
)
def test_variables_stand_in_string_and_arn_operators(element: dict, keys: dict, expected: bool) -> None:
    assert holds(element, keys) is expected


@pytest.mark.parametrize(
    "element",
    [
        [],
        "x",
        {"StringEquals": "x"},
        {"StringEquals": {"": "x"}},
        {"StringEquals": {"k": None}},
        {"StringEquals": {"k": [{"a": 1}]}},
        {"StringIs": {"k": "v"}},
        {"ForSomeValues:StringEquals": {"k": "v"}},
        {"NullIfExists": {"k": "true"}},
        {"Null": {"k": "maybe"}},
        {"Bool": {"k": "maybe"}},
        {"NumericEquals": {"k": "ten"}},
        {"NumericEquals": {"k": "1e99999"}},
        {"DateEquals": {"k": "2026-13-01"}},
        {"IpAddress": {"k": "300.0.0.0/8"}},
        {"BinaryEquals": {"k": "***"}},
        {"StringEquals": {"k": "${open"}},
    ],
)
def test_malformed_conditions_are_refused(element: object) -> None:
    with pytest.raises(ConditionError):
        compile_conditions(element, has_variables=True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970", 0),
        ("1970-01", 0),
        ("1970-01-02", 86_400),
        ("1970-01-01T00:01Z", 60),
        ("1970-01-01T00:00:01Z", 1),
        ("1970-01-01T00:00:00-01:30", 5_400),
        ("1970-01-01T02:00:00+0200", 0),
        ("86400", 86_400),
        ("1970-02-30", None),
        ("1970-01-01T25:00:00Z", None),
        ("yesterday", None),
    ],
)
def test_dates_are_read_in_w3c_form_or_as_epoch_seconds(text: str, seconds: int | None) -> None:
    assert parse_date(text) == seconds


@pytest.mark.parametrize("text", ["", "NaN", "Infinity", "0x10", "1_000", "٣", "1e1000", "9" * 65])
def test_numbers_that_are_none_are_not_read(text: str) -> None:
    assert parse_number(text) is None
