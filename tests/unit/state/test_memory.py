"""The state in memory is bounded; what every state promises is in tests/contract/test_shared_state.py."""

from __future__ import annotations

import pytest

from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import StateUnavailable
from gatepost.state import memory
from gatepost.state.base import Space
from gatepost.state.memory import ENTRY_BYTES, MemoryState

HOUR_MS = 3_600_000


def remember(state: MemoryState, space: Space, keys: str, value: bytes = bytes(100)) -> None:
    for key in keys:
        state.remember(space, key, value, expires_after_ms=HOUR_MS)


def kept(state: MemoryState, space: Space, keys: str) -> str:
    return "".join(key for key in keys if state.recall(space, key) is not None)


def test_a_full_space_drops_what_was_not_used_for_longest() -> None:
    state = MemoryState(FixedClock())
    space = Space("s", bytes_max=3 * (101 + ENTRY_BYTES))
    remember(state, space, "abc")
    assert state.recall(space, "a") is not None
    remember(state, space, "d")
    assert kept(state, space, "abcd") == "acd"


def test_a_value_larger_than_its_space_is_not_kept_and_drops_nothing_else() -> None:
    state = MemoryState(FixedClock())
    space = Space("s", bytes_max=1_000)
    remember(state, space, "a")
    remember(state, space, "b", bytes(2_000))
    assert kept(state, space, "ab") == "a"


def test_all_spaces_together_are_bounded_and_the_one_not_written_for_longest_gives_way() -> None:
    state = MemoryState(FixedClock(), bytes_max=4 * (101 + ENTRY_BYTES))
    first, second = Space("1", bytes_max=10**9), Space("2", bytes_max=10**9)
    remember(state, first, "ab")
    remember(state, second, "cdef")
    assert kept(state, first, "ab") == ""
    assert kept(state, second, "cdef") == "cdef"
    assert state.bytes == 4 * (101 + ENTRY_BYTES)


def test_the_bytes_that_are_counted_come_back_when_values_go() -> None:
    clock = FixedClock()
    state = MemoryState(clock)
    space = Space("s", bytes_max=10**6)
    remember(state, space, "abc")
    state.forget(space, "a")
    clock.advance(ms=HOUR_MS)
    assert state.recall(space, "b") is None
    state.remember(space, "d", b"", expires_after_ms=1)  # what has expired goes when something new comes
    assert state.bytes == 1 + ENTRY_BYTES
    state.forget_all(space)
    assert state.bytes == 0


def test_over_the_bound_of_buckets_one_that_nobody_misses_goes_first() -> None:
    state = MemoryState(FixedClock(), buckets_max=2)

    def take(bucket: str) -> int:
        return state.take_tokens(bucket, count=1, rate_per_second=0.001, burst=1).granted

    assert take("used up") == 1
    state.take_tokens("full", count=0, rate_per_second=0.001, burst=1)
    assert take("new") == 1
    assert take("used up") == 0


def test_counters_and_claims_over_their_bounds_are_refused_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "COUNTERS_MAX", 2)
    monkeypatch.setattr(memory, "CLAIMS_MAX", 1)
    clock = FixedClock()
    state = MemoryState(clock)
    ends = clock.now_ms() + 1_000
    for counter in ("a", "b"):
        state.add_to_quota(counter, count=1, limit=1, expires_at_ms=ends)
    with pytest.raises(StateUnavailable):
        state.add_to_quota("c", count=1, limit=1, expires_at_ms=ends)
    assert state.claim("x", owner="o", expires_after_ms=1_000)
    with pytest.raises(StateUnavailable):
        state.claim("y", owner="o", expires_after_ms=1_000)
    clock.advance(ms=1_001)
    assert state.add_to_quota("c", count=1, limit=1, expires_at_ms=ends + 5_000).granted == 1
    assert state.claim("y", owner="o", expires_after_ms=1_000)
