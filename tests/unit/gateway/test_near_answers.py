"""Answers at hand: for a second, within a bound, and told to go by others."""

from __future__ import annotations

from gatepost.gateway.near_answers import BODY_BYTES_MAX, BYTES_MAX, KEYS_MAX, NearAnswers
from gatepost.kernel.clock import FixedClock
from gatepost.state.memory import MemoryState
from gatepost.wire.messages import Response
from tests.support.gateways import a_request, an_exchange


def near_answers():
    return NearAnswers(MemoryState(FixedClock()))


def keep(near, key, body, *, for_ms=60_000):
    exchange = an_exchange(a_request())
    near.keep(key, Response(200, [], body), exchange=exchange, expires_at_ms=exchange.time_ms + for_ms)


def test_large_answers_and_ended_ones_are_not_kept():
    near = near_answers()
    keep(near, "large", b"x" * (BODY_BYTES_MAX + 1))
    keep(near, "ended", b"x", for_ms=0)
    keep(near, "a clock that jumped", b"x", for_ms=-5)
    assert near.answers == {}
    keep(near, "kept", b"x" * BODY_BYTES_MAX)
    assert list(near.answers) == ["kept"]


def test_endless_distinct_keys_stay_within_the_bound():
    near = near_answers()
    most = BYTES_MAX // BODY_BYTES_MAX
    for number in range(3 * most):
        keep(near, str(number), b"x" * BODY_BYTES_MAX)
        assert len(near.answers) <= most
        near.remember_key((0, "GET", f"/{number}", ""), "k")
    assert near.answers
    for number in range(2 * KEYS_MAX):
        near.remember_key((0, "GET", f"/{number}", ""), "k")
        assert len(near.keys) <= KEYS_MAX


def test_an_answer_that_is_kept_again_counts_once():
    near = near_answers()
    for _ in range(2 * BYTES_MAX // BODY_BYTES_MAX):
        keep(near, "one", b"x" * BODY_BYTES_MAX)
    keep(near, "other", b"x")
    assert set(near.answers) == {"one", "other"}


def test_long_targets_are_worked_out_each_time():
    near = near_answers()
    near.remember_key((0, "GET", "/", "x" * 300), "k")
    assert near.keys == {}


def test_who_may_have_missed_a_message_forgets_everything():
    near = near_answers()
    keep(near, "a", b"x")
    keep(near, "b", b"x")
    near._heard(b"a")
    assert list(near.answers) == ["b"]
    near._heard(b"")
    assert near.answers == {}
