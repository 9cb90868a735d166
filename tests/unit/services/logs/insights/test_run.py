"""Queries over rows: each command, functions, and what is no query."""

from __future__ import annotations

import pytest

from gatepost.services.logs.insights.run import QueryRun, TooMuch
from gatepost.services.logs.insights.syntax import parse_query
from gatepost.services.logs.insights.values import shown
from gatepost.services.logs.model import MalformedQueryException

ROWS = [
    {"level": "ERROR", "ms": 12.0, "path": "/a", "@message": "ERROR took 12 ms for ana"},
    {"level": "INFO", "ms": 3.0, "path": "/b", "@message": "INFO took 3 ms for bob"},
    {"level": "ERROR", "ms": 30.0, "path": "/a", "@message": "ERROR took 30 ms for cy"},
    {"level": "WARN", "@message": "WARN nothing"},
]


def rows(query: str, limit: int = 100) -> list[dict[str, str]]:
    run = QueryRun(parse_query(query), limit)
    for number, row in enumerate(ROWS):
        run.take({"@timestamp": 60_000.0 * number, "@ptr": str(number), **row})
    return [{one["field"]: one["value"] for one in row if one["field"] != "@ptr"} for row in run.results()]


def column(query: str, name: str) -> list[str]:
    return [row.get(name, "") for row in rows(query)]


def test_the_newest_comes_first_with_time_and_message() -> None:
    assert rows("fields @timestamp, @message")[0] == {
        "@timestamp": "1970-01-01 00:03:00.000", "@message": "WARN nothing",
    }  # fmt: skip
    assert rows("limit 1") == rows("fields @timestamp, @message | limit 1")


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ('level = "ERROR"', ["30", "12"]),
        ("ms > 5 and ms < 20", ["12"]),
        ("ms >= 12 or level = 'INFO'", ["30", "3", "12"]),
        ("not (level = 'ERROR')", ["", "3"]),
        ("level != 'ERROR'", ["", "3"]),
        ("@message like /for (ana|bob)/", ["3", "12"]),
        ("@message like 'took 3'", ["30", "3"]),
        ("@message not like /took/", [""]),
        ("@message =~ /TOOK/i", ["30", "3", "12"]),
        ("level in ['INFO', 'WARN']", ["", "3"]),
        ("level not in ['INFO', 'WARN']", ["30", "12"]),
        ("ispresent(ms) and ms % 5 = 0", ["30"]),
        ("isblank(ms)", [""]),
        ("strcontains(path, 'b')", ["3"]),
        ("ms / 0 = 1", []),
        ("ms > path", []),
    ],
)
def test_rows_are_filtered(condition: str, found) -> None:
    assert column(f"fields ms | filter {condition}", "ms") == found


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", "7"),
        ("-(2 ^ 3) + 0.5", "-7.5"),
        ("abs(-3)", "3"),
        ("ceil(1.2) + floor(1.8)", "3"),
        ("greatest(1, 5, 3) - least(1, 5, 3)", "4"),
        ("concat(toupper('a'), tolower('B'), 'c')", "Abc"),
        ("strlen('four')", "4"),
        ("substr('abcdef', 2, 3)", "cde"),
        ("replace('a-b', '-', '+')", "a+b"),
        ("trim('  x ')", "x"),
        ("coalesce(nothing, 'else')", "else"),
        ("bin(1h)", "1970-01-01 00:00:00.000"),
        ("datefloor(@timestamp, 2m)", "1970-01-01 00:02:00.000"),
        ("`level`", "WARN"),
        ("mod(7, 4)", "3"),
    ],
)
def test_an_expression_comes_to_a_value(expression: str, value: str) -> None:
    assert column(f"fields {expression} as found | limit 1", "found") == [value]


def test_stats_put_rows_together() -> None:
    query = "stats count(*) as n, avg(ms) as mean, max(ms), pct(ms, 50) as p by level | sort n desc, level"
    assert rows(query) == [
        {"level": "ERROR", "n": "2", "mean": "21", "max(ms)": "30", "p": "12"},
        {"level": "INFO", "n": "1", "mean": "3", "max(ms)": "3", "p": "3"},
        {"level": "WARN", "n": "1"},
    ]
    assert rows("stats count(*)") == [{"count(*)": "4"}]
    assert rows("filter level = 'no' | stats count(*), sum(ms)") == [{"count(*)": "0"}]
    assert rows("stats sum(ms) / count(ms) as mean, count_distinct(path) as paths") == [{"mean": "15", "paths": "2"}]
    assert rows("stats earliest(path) as first, latest(ms) as last, stddev(ms)")[0]["first"] == "/a"
    assert rows("stats count(*) as n by bin(2m) as t | sort t") == [
        {"t": "1970-01-01 00:00:00.000", "n": "2"},
        {"t": "1970-01-01 00:02:00.000", "n": "2"},
    ]
    assert rows("stats count(*) by level | sort count(*) desc | limit 1")[0]["level"] == "ERROR"


def test_fields_are_parsed_out_of_a_message() -> None:
    assert rows('parse @message "* took * ms for *" as l, t, who | filter t > 5 | display who, l') == [
        {"who": "cy", "l": "ERROR"},
        {"who": "ana", "l": "ERROR"},
    ]
    assert column("parse @message /for (?<who>\\w+)/ | display who", "who") == ["", "cy", "bob", "ana"]


def test_rows_are_sorted_limited_and_taken_once() -> None:
    assert column("fields ms | sort ms asc", "ms") == ["", "3", "12", "30"]
    assert column("fields path | dedup path | sort path", "path") == ["", "/a", "/b"]
    assert len(rows("fields ms", limit=2)) == 2
    assert rows("fields ms # a comment\n| filter ms > 20 # another") == [{"ms": "30"}]


@pytest.mark.parametrize(
    "query",
    [
        "", "fields", "frobnicate x", "fields a |", "filter", "filter a =", "limit x", "stats a", "stats avg()",
        "fields count(*)", "fields nothing(a)", "fields abs(1, 2)", "parse @message 'a * b' as x, y", "stats pct(a)",
        "fields bin(5)", "filter a like b", "fields 'open", "fields a b", "parse @message", "sort", "fields *",
        "filter " + "(" * 200 + "a" + ")" * 200, "filter " + "not " * 200 + "a", "x" * 10_001, "filter a in b",
    ],
)  # fmt: skip
def test_what_is_no_query_is_refused(query: str) -> None:
    with pytest.raises(MalformedQueryException):
        QueryRun(parse_query(query), 10)


@pytest.mark.parametrize(
    "query",
    [
        *(f"stats {name}(ms) as z" for name in ("avg", "sum", "stddev", "median", "min", "max", "earliest", "latest")),
        "stats pct(ms, 99) as z", "stats count(*) as z by bin(999999999999y)", "stats sum(ms) / avg(ms) as z",
        "fields substr(path, ms) as z", "fields substr(path, 0, path) as z", "fields datefloor(ms, 1mo) as z",
        "fields ms as @timestamp | sort ms", "fields ms ^ ms as z | sort z",
    ],
)  # fmt: skip
@pytest.mark.parametrize("ms", ["1e999", float("inf"), float("nan"), "1e308", -1.7e308, 1e300, "x"])
def test_no_value_of_an_event_breaks_a_query(query: str, ms) -> None:
    run = QueryRun(parse_query(query), 100)
    for number, value in enumerate([ms, ms, 1.5, "-1e308", 1e308]):
        run.take({"@timestamp": float(number), "@message": "m", "ms": value, "path": "/a"})
    assert run.results()


def test_a_hostile_regular_expression_takes_no_time() -> None:
    run = QueryRun(parse_query("filter @message like /(a+)+$/"), 10)
    assert not run.take({"@message": "a" * 100_000 + "b"})
    with pytest.raises(MalformedQueryException):
        QueryRun(parse_query("filter @message like /(/"), 10)


def test_a_query_keeps_no_more_than_it_may(monkeypatch) -> None:
    monkeypatch.setattr("gatepost.services.logs.insights.run.ROWS_MAX", 2)
    run = QueryRun(parse_query("fields @message"), 10)
    assert run.take({"@message": "1"})
    assert run.take({"@message": "2"})
    with pytest.raises(TooMuch):
        run.take({"@message": "3"})


def test_numbers_and_texts_are_shown_as_on_aws() -> None:
    assert [shown(value) for value in (3.0, 2.5, "x", None)] == ["3", "2.5", "x", ""]
