"""Tallies: what is added is collected once, whatever is taken back meanwhile."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gatepost.telemetry.tallies import Tally, collect


def test_two_of_one_name_add_up_and_are_collected_once():
    noted, sums = [], {"a": 1}
    one, other = Tally("a", noted), Tally("a", noted)
    one.add(2)
    other.add(3)
    assert collect(noted, sums) == {"a": 5}
    assert collect(noted, sums) == {}
    assert sums == {"a": 6}


@given(st.lists(st.one_of(st.integers(-3, 3), st.none()), max_size=40))
def test_nothing_is_lost_or_counted_twice(steps):
    """None: collect now."""
    noted, sums = [], {}
    tally = Tally("a", noted)
    for step in steps:
        if step is None:
            collect(noted, sums)
        else:
            tally.add(step)
    collect(noted, sums)
    assert sums.get("a", 0) == sum(step for step in steps if step is not None)
