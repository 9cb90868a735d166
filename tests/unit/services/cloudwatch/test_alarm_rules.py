"""Rules of composite alarms."""

from __future__ import annotations

import pytest

from gatepost.services.cloudwatch.alarm_rules import BadRule, parse_rule

STATES = {"a": "ALARM", "b": "OK", "c d": "INSUFFICIENT_DATA"}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ('ALARM("a")', True),
        ("ALARM(b)", False),
        ("OK('b') AND ALARM(a)", True),
        ('ALARM(b) OR INSUFFICIENT_DATA("c d")', True),
        ("NOT ALARM(a)", False),
        ("NOT (ALARM(b) OR FALSE)", True),
        ("ALARM(b) AND ALARM(b) OR TRUE", True),
        ("ALARM(nobody)", False),
    ],
)
def test_a_rule_holds_by_the_states_of_its_alarms(text: str, holds: bool) -> None:
    assert parse_rule(text).holds(lambda name: STATES.get(name, "")) is holds


@pytest.mark.parametrize(
    "text",
    ["", "a", "ALARM()", "ALARM(a) ALARM(b)", "(ALARM(a)", "ALARM(a) AND", "NOT", "OR TRUE", "(" * 100 + "TRUE",
     "NOT " * 100 + "TRUE", " OR ".join(["TRUE"] * 300), " OR ".join(f"OK(a{number})" for number in range(101))],
)  # fmt: skip
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(BadRule):
        parse_rule(text)


def test_a_rule_knows_its_children() -> None:
    assert list(parse_rule("ALARM(a) OR NOT OK(b)").children()) == ["a", "b"]
