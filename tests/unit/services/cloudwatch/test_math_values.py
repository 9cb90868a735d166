"""Metric math: what expressions come to, and what is none."""

from __future__ import annotations

import pytest

from gatepost.services.cloudwatch.math_syntax import BadExpression, parse
from gatepost.services.cloudwatch.math_values import Series, Setting, check_functions, work_out

TIMES = range(0, 300, 60)
A = Series("a", {0: 1.0, 60: 2.0, 120: 4.0}, 60)
B = Series("b", {0: 10.0, 60: 0.0, 240: 5.0}, 60)
SETTING = Setting({"a": A, "b": B}, ["a", "b"], TIMES)


def worked_out(text: str):
    node = parse(text)
    check_functions(node)
    found = work_out(node, SETTING)
    if isinstance(found, Series):
        return dict(found.values)
    return [dict(one.values) for one in found] if isinstance(found, list) else found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1 + 2 * 3 ^ 2", 19.0),
        ("-(2 - 5)", 3.0),
        ("a * 2", {0: 2.0, 60: 4.0, 120: 8.0}),
        ("a + b", {0: 11.0, 60: 2.0}),
        ("a / b", {0: 0.1}),
        ("a > 1", {0: 0.0, 60: 1.0, 120: 1.0}),
        ("a > 1 AND b == 0", {0: 0.0, 60: 1.0}),
        ("a > 3 || b > 3", {0: 1.0, 60: 0.0}),
        ("SUM(a)", 7.0),
        ("AVG([a, b])", {0: 5.5, 60: 1.0, 120: 4.0, 240: 5.0}),
        ("MAX(METRICS())", {0: 10.0, 60: 2.0, 120: 4.0, 240: 5.0}),
        ("METRICS('a') * 3", [{0: 3.0, 60: 6.0, 120: 12.0}]),
        ("METRIC_COUNT(METRICS())", 2.0),
        ("DATAPOINT_COUNT(a)", 3.0),
        ("FILL(a, 0)", {0: 1.0, 60: 2.0, 120: 4.0, 180: 0.0, 240: 0.0}),
        ("FILL(a, REPEAT)", {0: 1.0, 60: 2.0, 120: 4.0, 180: 4.0, 240: 4.0}),
        ("FILL(b, LINEAR)", {0: 10.0, 60: 0.0, 120: 5 / 3, 180: 10 / 3, 240: 5.0}),
        ("IF(a > 1, b, 7)", {0: 7.0, 60: 0.0}),
        ("IF(a > 1, a)", {60: 2.0, 120: 4.0}),
        ("RATE(a)", {60: 1 / 60, 120: 2 / 60}),
        ("DIFF(a)", {60: 1.0, 120: 2.0}),
        ("DIFF_TIME(b)", {60: 60.0, 240: 180.0}),
        ("RUNNING_SUM(a)", {0: 1.0, 60: 3.0, 120: 7.0}),
        ("FIRST(a) + LAST(a)", 5.0),
        ("PERIOD(a)", 60.0),
        ("TIME_SERIES(3)", dict.fromkeys(TIMES, 3.0)),
        ("MINUTE(a)", {0: 0.0, 60: 1.0, 120: 2.0}),
        ("CEIL(LOG10(a))", {0: 0.0, 60: 1.0, 120: 1.0}),
        ("LOG(b)", {0: 2.302585092994046, 240: 1.6094379124341003}),
        ("SLICE(METRICS(), 1, 2)", [{0: 10.0, 60: 0.0, 240: 5.0}]),
        ("REMOVE_EMPTY([a, IF(a > 9, a)])", [{0: 1.0, 60: 2.0, 120: 4.0}]),
        ("STDDEV(a)", 1.247219128924647),
    ],
)
def test_an_expression_comes_to_a_value(text: str, found) -> None:
    worked = worked_out(text)
    if isinstance(found, dict):
        assert worked == pytest.approx(found)
    else:
        assert worked == found


@pytest.mark.parametrize(
    "text", ["", "1 +", "a b", "(a", "a]", "[1, 2]", "c", "1 / 0", "UNKNOWN(a)", "a + 'x'", "IF(a)", "~", "FILL(a)",
             "2 ^ 1e9", "SLICE([a, b], 1e999)", "FIRST(IF(a > 9, a))", "-" * 100 + "1", "(" * 100 + "1" + ")" * 100],
)  # fmt: skip
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(BadExpression):
        worked_out(text)


@pytest.mark.parametrize("name", ["SUM", "AVG", "STDDEV"])
def test_what_comes_to_more_than_a_number_can_hold_has_no_value(name: str) -> None:
    huge = Series("h", {0: 1e308, 60: -1e308, 120: 1e308, 180: 1e308}, 60)
    setting = Setting({"h": huge, "i": huge}, ["h", "i"], TIMES)
    series = work_out(parse(f"{name}([h, i, h, i])"), setting)
    assert isinstance(series, Series)
    assert set(series.values) <= ({0, 60, 120, 180} if name == "STDDEV" else set())
    assert work_out(parse(f"{name}([RUNNING_SUM(h), DIFF(h), RATE(h)])"), setting)
    for text in (f"{name}(h * 1)", f"{name}(DIFF(h))", f"{name}(1e308, 1e308, 0 - 1e308, 1e308, 1e308)"):
        try:
            found = work_out(parse(text), setting)
        except BadExpression:
            continue
        assert abs(found) < 2e308
