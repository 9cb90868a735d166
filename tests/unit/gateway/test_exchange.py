from __future__ import annotations

import pytest

from gatepost.gateway.exchange import CALLER, Fact, FactNotWritten, FactWrittenTwice
from gatepost.kernel.operations import Principal
from tests.support.gateways import an_exchange

ALICE = Principal("user", "123456789012", "arn:aws:iam::123456789012:user/alice", "AIDA")


def test_a_fact_is_read_as_it_was_written():
    exchange = an_exchange()
    exchange.write(CALLER, ALICE)
    assert exchange.read(CALLER) is ALICE
    assert exchange.has(CALLER)


def test_reading_a_fact_too_early_is_a_named_bug():
    exchange = an_exchange()
    assert not exchange.has(CALLER)
    with pytest.raises(FactNotWritten, match="caller"):
        exchange.read(CALLER)
    exchange.write(Fact("other"), 1)
    with pytest.raises(FactNotWritten, match="caller"):
        exchange.read(CALLER)


def test_a_fact_is_written_once():
    exchange = an_exchange()
    exchange.write(CALLER, ALICE)
    with pytest.raises(FactWrittenTwice, match="caller"):
        exchange.write(CALLER, ALICE)


def test_decisions_cost_nothing_until_there_is_one():
    exchange = an_exchange()
    assert exchange.decisions is None
    exchange.decide("guard", "allowed")
    assert exchange.decisions == [("guard", "allowed")]
