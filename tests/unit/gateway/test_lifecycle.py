from __future__ import annotations

import pytest

from gatepost.gateway.exchange import CALLER, NO_FACTS
from gatepost.gateway.lifecycle import REST_GUARDS, OrderError, check_order


class Part:
    def __init__(self, *, needs=NO_FACTS, writes=NO_FACTS):
        self.needs, self.writes = needs, writes

    def __repr__(self):
        return "Part"


WRITER, READER, NEITHER = Part(writes=frozenset({CALLER})), Part(needs=frozenset({CALLER})), Part()


def test_whoever_needs_a_fact_comes_after_whoever_writes_it():
    check_order([WRITER, READER], READER)
    check_order([NEITHER], NEITHER)


@pytest.mark.parametrize("guards", [[READER, WRITER], [READER], [NEITHER, READER]])
def test_a_guard_before_its_facts_is_refused(guards):
    with pytest.raises(OrderError, match="needs caller"):
        check_order(guards, NEITHER)


def test_a_backend_without_its_facts_is_refused():
    with pytest.raises(OrderError, match="needs caller"):
        check_order([NEITHER], READER)


def test_two_guards_cannot_write_the_same_fact():
    with pytest.raises(OrderError, match="an earlier guard writes too"):
        check_order([WRITER, WRITER], NEITHER)


def test_the_caller_is_known_before_its_permission_is_asked():
    line = REST_GUARDS["AWS_IAM"]
    assert list(line).index("signature") < list(line).index("invoke_permission")
