"""Event patterns: each operator, lists in events, and what is no pattern."""

from __future__ import annotations

import json
import time

import pytest

from gatepost.services.events.patterns import BadPattern, EventPattern

EVENT = {
    "source": "shop.orders",
    "detail": {
        "state": "paid",
        "amount": 12.5,
        "count": 0,
        "none": None,
        "ok": True,
        "tags": ["new", "big"],
        "ip": "10.0.1.7",
        "items": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}],
        "empty": "",
    },
}


@pytest.mark.parametrize(
    ("detail", "matches"),
    [
        ({"state": ["paid"]}, True),
        ({"state": ["open", "paid"], "amount": [12.50]}, True),
        ({"state": ["Paid"]}, False),
        ({"count": [0]}, True),
        ({"count": [False]}, False),
        ({"ok": [True]}, True),
        ({"ok": [1]}, False),
        ({"none": [None]}, True),
        ({"missing": [None]}, False),
        ({"empty": [""]}, True),
        ({"tags": ["big"]}, True),
        ({"tags": ["old"]}, False),
        ({"items": {"sku": ["a"], "n": [1]}}, True),
        ({"items": {"sku": ["a"], "n": [2]}}, False),
        ({"state": [{"prefix": "pa"}]}, True),
        ({"state": [{"prefix": {"equals-ignore-case": "PA"}}]}, True),
        ({"state": [{"suffix": "id"}]}, True),
        ({"state": [{"equals-ignore-case": "PAID"}]}, True),
        ({"state": [{"wildcard": "p*d"}]}, True),
        ({"state": [{"wildcard": "p*x*d"}]}, False),
        ({"state": [{"wildcard": "*"}]}, True),
        ({"state": [{"anything-but": "paid"}]}, False),
        ({"state": [{"anything-but": ["open", "closed"]}]}, True),
        ({"state": [{"anything-but": {"prefix": "pa"}}]}, False),
        ({"state": [{"anything-but": {"suffix": ["x", "y"]}}]}, True),
        ({"state": [{"anything-but": {"equals-ignore-case": ["PAID"]}}]}, False),
        ({"state": [{"anything-but": {"wildcard": "o*n"}}]}, True),
        ({"missing": [{"anything-but": "x"}]}, False),
        ({"amount": [{"numeric": [">", 12, "<=", 12.5]}]}, True),
        ({"amount": [{"numeric": ["<", 12]}]}, False),
        ({"amount": [{"numeric": ["=", 12.5]}]}, True),
        ({"state": [{"numeric": ["=", 1]}]}, False),
        ({"ip": [{"cidr": "10.0.0.0/16"}]}, True),
        ({"ip": [{"cidr": "10.1.0.0/16"}]}, False),
        ({"state": [{"cidr": "10.1.0.0/16"}]}, False),
        ({"state": [{"exists": True}]}, True),
        ({"state": [{"exists": False}]}, False),
        ({"missing": [{"exists": False}]}, True),
        ({"missing": {"deep": [{"exists": False}]}}, True),
        ({"items": [{"exists": True}]}, False),
        ({"$or": [{"state": ["open"]}, {"amount": [12.5]}]}, True),
        ({"$or": [{"state": ["open"]}, {"amount": [1]}], "ok": [True]}, False),
    ],
)
def test_an_event_matches(detail, matches: bool) -> None:
    assert EventPattern(json.dumps({"detail": detail})).matches(EVENT) is matches


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("nothing", "not valid JSON"),
        ("[1]", "Filter is not an object"),
        ("{}", "Empty objects are not allowed"),
        ('{"source": "shop"}', '"source" must be an object or an array'),
        ('{"source": []}', "Empty arrays are not allowed"),
        ('{"source": [[1]]}', "Match value must be String, number, true, false, or null"),
        ('{"source": [{"suffix": "a", "prefix": "b"}]}', "Only one key allowed"),
        ('{"source": [{"like": "a"}]}', "Unrecognized match type like"),
        ('{"source": [{"prefix": 1}]}', "prefix match pattern must be a string"),
        ('{"source": [{"exists": "yes"}]}', "exists match pattern must be either true or false."),
        ('{"source": [{"numeric": 1}]}', "Value of numeric must be an array."),
        ('{"source": [{"numeric": [">", 3, "<", 3]}]}', "Bottom must be less than top"),
        ('{"source": [{"numeric": ["~", 3]}]}', "Unrecognized numeric range operator: ~"),
        ('{"source": [{"numeric": ["=", 1e400]}]}', "Value must be between"),
        ('{"source": [{"anything-but": [true]}]}', "Inside anything but list"),
        ('{"source": [{"anything-but": {"numeric": ["=", 1]}}]}', "Unsupported anything-but pattern"),
        ('{"source": [{"cidr": "10.0.0.0"}]}', "Malformed CIDR"),
        ('{"source": [{"wildcard": "a**b"}]}', "Consecutive wildcard characters"),
        ('{"source": [{"wildcard": "a\\\\b"}]}', "Invalid escape character"),
        ("[" * 4000, ""),
        ('{"a":' * 600 + "[1]" + "}" * 600, "nested more than"),
    ],
)
def test_what_is_no_pattern_is_refused(pattern: str, words: str) -> None:
    with pytest.raises(BadPattern, match=words.replace("[", r"\[") if words else None):
        EventPattern(pattern)


def test_a_star_after_a_backslash_is_a_star() -> None:
    pattern = EventPattern(json.dumps({"a": [{"wildcard": "x\\*y*"}]}))
    assert [pattern.matches({"a": text}) for text in ("x*yz", "xxyz")] == [True, False]


def test_many_stars_take_one_walk() -> None:
    pattern = EventPattern(json.dumps({"a": [{"wildcard": "*a" * 200 + "*b"}]}))
    started = time.perf_counter()
    assert not pattern.matches({"a": "a" * 100_000})
    assert time.perf_counter() - started < 1
