"""Wildcards, policy variables and ARNs of IAM policies."""

import time
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.languages.iam_policy_patterns import (
    Glob,
    PatternError,
    Variable,
    compile_arn,
    compile_glob,
    compile_resource,
    parse_pattern,
)


def a_glob(text: str) -> Glob:
    return compile_glob(parse_pattern(text, has_variables=False))


def naive_match(pattern: str, value: str) -> bool:
    """The definition of a glob, by dynamic programming."""

    @cache
    def match(p: int, v: int) -> bool:
        if p == len(pattern):
            return v == len(value)
        if pattern[p] == "*":
            return match(p + 1, v) or (v < len(value) and match(p, v + 1))
        return v < len(value) and pattern[p] in ("?", value[v]) and match(p + 1, v + 1)

    return match(0, 0)


@given(st.text("ab*?", max_size=12), st.text("ab", max_size=14))
def test_a_glob_matches_what_its_definition_says(pattern: str, value: str) -> None:
    assert a_glob(pattern).matches(value) is naive_match(pattern, value)


@given(st.text("ab:/*?", max_size=20), st.text("ab:/", max_size=20))
def test_a_glob_over_delimiters_matches_what_its_definition_says(pattern: str, value: str) -> None:
    assert a_glob(pattern).matches(value) is naive_match(pattern, value)


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("*", "anything", True),
        ("?", "", False),
        ("?", "a", True),
        ("a*", "a", True),
        ("a*a", "a", False),  # the star does not let one character be both ends
        ("a*a", "aa", True),
        ("a**b", "ab", True),
        ("*ab*ab", "abab", True),
        ("*ab*ab", "ab", False),
        ("*?a*", "a", False),
        ("*?a*", "ba", True),
        ("a?c*f", "abcdef", True),
    ],
)
def test_wildcards_at_the_edges(pattern: str, value: str, expected: bool) -> None:
    assert a_glob(pattern).matches(value) is expected


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        ("*a" * 3_000 + "b", "a" * 2_048),
        ("*" + "?a" * 1_000 + "b*", "a" * 4_096),
        ("*" + "a?" * 1_500 + "b" + "*?a" * 500, "a" * 4_096),
        ("?*" * 3_000 + "b", "a" * 4_096),
    ],
)
def test_no_pattern_makes_matching_explode(pattern: str, value: str) -> None:
    glob = a_glob(pattern)
    began = time.perf_counter()
    assert not glob.matches(value)
    assert time.perf_counter() - began < 1.0


# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
@pytest.mark.parametrize(
    ("pattern", "resource", "expected"),
    [
        ("*", "arn:aws:s3:::bucket/key", True),
        ("*", "*", True),
        ("arn:aws:iam::1:user/accounting/*", "arn:aws:iam::1:user/accounting/x/y", True),
        ("arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b/1/test/object.jpg", True),
        ("arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b/1/2/test/3/object.jpg", True),
        ("arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b/1-test/object.jpg", False),
        ("arn:aws:logs:*:*:*", "arn:aws:logs:us-east-1:1:log-group:g:log-stream:s", True),
        ("arn:aws:logs:*", "arn:aws:logs:us-east-1:1:log-group:g", True),
        ("arn:aws:sqs:*:queue1", "arn:aws:sqs:us-east-1:1:queue1", True),  # a star that ends a segment runs on
        ("arn:aws:sqs:us-*-1:1:q", "arn:aws:sqs:us-east-1:1:q", True),
        ("arn:aws:sqs:us-*-1:1:q", "arn:aws:sqs:us-east-2:9:x-1:1:q", False),  # one inside a segment does not
        ("arn:aws:dynamodb:us-east-1:1:table/T", "arn:aws:dynamodb:us-east-1:1:table/t", False),
        ("arn:aws:dynamodb:us-east-?:1:table/T", "arn:aws:dynamodb:us-east-2:1:table/T", True),
        ("arn:aws:dynamodb:us-east-1:1:table/T", "*", False),
        ("arn:aws:dynamodb:*:1:table/T/index/*", "arn:aws:dynamodb:eu-west-1:1:table/T/index/i", True),
        ("arn:aws:dynamodb:*:1:table/T/index/*", "arn:aws:dynamodb:eu-west-1:1:table/T", False),
    ],
)
def test_resources_match_as_documented(pattern: str, resource: str, expected: bool) -> None:
    assert compile_resource(pattern, has_variables=True).matches(resource, {}) is expected


@pytest.mark.parametrize(
    ("pattern", "keys", "value", "expected"),
    [
        ("home/${aws:username}/*", {"aws:username": "ana"}, "home/ana/x", True),
        ("home/${aws:UserName}/*", {"aws:username": "ana"}, "home/ana/x", True),  # keys are case-insensitive
        ("home/${aws:username}/*", {"aws:username": "ana"}, "home/bob/x", False),
        ("home/${aws:username}/*", {}, "home//x", False),  # no value: no match
        ("home/${aws:username}/*", {"aws:username": "*"}, "home/bob/x", False),  # a value is never a wildcard
        ("home/${aws:username}/*", {"aws:username": "*"}, "home/*/x", True),
        ("home/${aws:username}/*", {"aws:username": "${x}"}, "home/${x}/1", True),  # nor a variable
        ("t/${aws:PrincipalTag/team, 'company-wide'}", {}, "t/company-wide", True),
        ("t/${aws:PrincipalTag/team, 'company-wide'}", {"aws:principaltag/team": "y"}, "t/y", True),
        ("t/${aws:PrincipalTag/team, 'a*'}", {}, "t/ab", False),
        ("t/${aws:TagKeys}", {"aws:tagkeys": ("a", "b")}, "t/a", False),  # multi-valued keys cannot stand there
        ("a${*}b", {}, "a*b", True),
        ("a${*}b", {}, "axb", False),
        ("a${?}b", {}, "a?b", True),
        ("a${?}b", {}, "axb", False),
        ("a${$}{x}", {}, "a${x}", True),
    ],
)
def test_policy_variables_are_put_in(pattern: str, keys: dict, value: str, expected: bool) -> None:
    assert compile_resource(pattern, has_variables=True).matches(value, keys) is expected


def test_version_2008_takes_a_variable_for_text() -> None:
    pattern = compile_resource("a/${aws:username}", has_variables=False)
    assert pattern.matches("a/${aws:username}", {"aws:username": "ana"})
    assert not pattern.matches("a/ana", {"aws:username": "ana"})


@pytest.mark.parametrize("text", ["${aws:username", "${}", "${ }", "${a, b}", "${a, 'b}", "${${a}}"])
def test_malformed_variables_are_refused(text: str) -> None:
    with pytest.raises(PatternError):
        parse_pattern(text, has_variables=True)


def test_a_variable_is_read_in_lower_case_with_its_default() -> None:
    assert parse_pattern("x${aws:PrincipalTag/Team, 'no one'}", has_variables=True) == (
        "x",
        Variable("aws:principaltag/team", "no one"),
    )


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("arn:aws:sns:*:1:t", "arn:aws:sns:us-east-1:1:t", True),
        ("arn:aws:sns:*:t", "arn:aws:sns:us-east-1:1:t", False),  # each of the six parts on its own
        ("arn:aws:execute-api:us-east-1:1:api/*/GET/x", "arn:aws:execute-api:us-east-1:1:api/prod/GET/x", True),
        ("arn:aws:*", "arn:aws:sns:us-east-1:1:t", False),
        ("arn:*:*:*:*:*", "arn:aws:sns:us-east-1:1:a:b", True),
        ("arn:aws:sns:*:1:t", "no arn", False),
    ],
)
def test_the_arn_operators_match_part_by_part(pattern: str, value: str, expected: bool) -> None:
    assert compile_arn(parse_pattern(pattern, has_variables=False)).matches(value) is expected


def test_compiling_a_long_pattern_takes_no_time_worth_speaking_of() -> None:
    began = time.perf_counter()
    a_glob("*" + "?a" * 60_000 + "*")
    assert time.perf_counter() - began < 1.0
