"""Event patterns against events."""

from __future__ import annotations

import json

import pytest

from gatepost.languages.event_patterns import DEPTH_MAX, BadPattern, compile_pattern

EVENT = {
    "eventName": "INSERT",
    "dynamodb": {"NewImage": {"status": {"S": "paid"}, "total": {"N": "12"}}, "Keys": {"id": {"S": "Order-1"}}},
    "count": 5,
    "flags": ["a", "b"],
    "empty": None,
}


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ({}, True),
        ({"eventName": ["INSERT", "MODIFY"]}, True),
        ({"eventName": ["REMOVE"]}, False),
        ({"dynamodb": {"NewImage": {"status": {"S": ["paid"]}}}}, True),
        ({"dynamodb": {"NewImage": {"status": {"S": [{"prefix": "pa"}]}}}}, True),
        ({"dynamodb": {"NewImage": {"status": {"S": [{"suffix": "id"}]}}}}, True),
        ({"dynamodb": {"NewImage": {"status": {"S": [{"anything-but": ["paid"]}]}}}}, False),
        ({"dynamodb": {"NewImage": {"status": {"S": [{"anything-but": {"prefix": "x"}}]}}}}, True),
        ({"dynamodb": {"Keys": {"id": {"S": [{"equals-ignore-case": "order-1"}]}}}}, True),
        ({"dynamodb": {"OldImage": [{"exists": False}]}}, True),
        ({"dynamodb": {"NewImage": {"status": {"S": [{"exists": True}]}}}}, True),
        ({"dynamodb": {"OldImage": {"x": {"S": [{"anything-but": "y"}]}}}}, False),  # it is not there
        ({"count": [{"numeric": [">", 0, "<=", 5]}]}, True),
        ({"count": [{"numeric": ["<", 5]}]}, False),
        ({"count": [5]}, True),
        ({"count": ["5"]}, False),
        ({"dynamodb": {"NewImage": {"total": {"N": [{"numeric": ["=", 12]}]}}}}, False),  # a text, as on AWS
        ({"flags": ["b"]}, True),
        ({"empty": [None]}, True),
        ({"lost": [None]}, False),
        ({"$or": [{"eventName": ["REMOVE"]}, {"count": [5]}]}, True),
        ({"$or": [{"eventName": ["REMOVE"]}, {"count": [6]}]}, False),
        ({"eventName": {"deeper": ["x"]}}, False),
        ({"eventName": ["INSERT"], "count": [6]}, False),
    ],
)
def test_an_event_fits_when_every_field_does(pattern, fits: bool) -> None:
    assert compile_pattern(json.dumps(pattern))(EVENT) is fits


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "1", '{"a":"b"}', '{"a":[]}', '{"a":[{"prefix":1}]}', '{"a":[{"nope":1}]}', '{"a":[{"exists":1}]}',
        '{"a":[{"numeric":[">"]}]}', '{"a":[{"numeric":["~",1]}]}', '{"a":[{"anything-but":[]}]}', '{"a":[["b"]]}',
        '{"a":[{"prefix":"x","suffix":"y"}]}', '{"a":' * (DEPTH_MAX + 1) + '["x"]' + "}" * (DEPTH_MAX + 1),
        '{"a":["' + "x" * 5000 + '"]}', "[" * 3000,
    ],
)  # fmt: skip
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(BadPattern):
        compile_pattern(text)
