"""Shared state in this process: what one gateway alone, and every test, uses. Every answer is given at once.

Everything is bounded. Buckets over `BUCKETS_MAX` go oldest first, full ones (which nobody misses) before others;
counters and claims over their bounds are refused with `StateUnavailable`, because forgetting one would let through
what it holds back; remembered values go least recently used first, within their space and then among all spaces.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from typing import Final, TypeVar

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import StateUnavailable
from gatepost.state.base import (
    MESSAGE_BYTES_MAX,
    NEVER_MS,
    Counted,
    Space,
    Taken,
    check_name,
    check_value,
)
from gatepost.state.buckets import TokenBucket

BUCKETS_MAX: Final = 1_000_000
COUNTERS_MAX: Final = 2_000_000
CLAIMS_MAX: Final = 100_000
SPACES_MAX: Final = 10_000
ENTRY_BYTES: Final = 256  # what an entry costs beside its key and value
BYTES_MAX: Final = 512 * 1024 * 1024
MS_NS: Final = 1_000_000

_Kept = TypeVar("_Kept")


class _Entries:
    """The values of one space, least recently used first."""

    __slots__ = ("bytes", "values")

    def __init__(self) -> None:
        self.bytes = 0
        self.values: OrderedDict[str, tuple[int, bytes]] = OrderedDict()


class MemoryState:
    """Implements `SharedState` without leaving the process. `bytes_max` bounds what all spaces remember together."""

    def __init__(self, clock: Clock, *, bytes_max: int = BYTES_MAX, buckets_max: int = BUCKETS_MAX) -> None:
        self._clock = clock
        self._bytes_max = bytes_max
        self._buckets_max = buckets_max
        self._buckets: dict[str, TokenBucket] = {}
        self._counters: dict[str, tuple[int, int]] = {}  # what it stands at, when it expires
        self._claims: dict[str, tuple[int, str]] = {}  # when it expires, who has it
        self._held: dict[str, dict[str, tuple[int, int]]] = {}  # by name and owner: how many, when they expire
        self._spaces: OrderedDict[str, _Entries] = OrderedDict()  # least recently written first
        self._listeners: dict[str, list[Callable[[bytes], None]]] = {}
        self.bytes = 0  # remembered in all spaces

    # -- tokens and quotas

    def take_tokens(
        self, bucket: str, *, count: int, rate_per_second: float, burst: int, count_min: int | None = None
    ) -> Taken:
        """Take tokens. See `SharedState`."""
        now_ns = self._clock.monotonic_ns()
        found = self._buckets.get(bucket)
        if found is None:
            found = self._add_bucket(bucket, rate_per_second, burst, now_ns)
        else:
            found.change(rate_per_second=rate_per_second, burst=burst, now_ns=now_ns)
        granted = found.take_up_to(count, count if count_min is None else count_min, now_ns)
        wait_ns = found.wait_ns(now_ns)
        return Taken(granted, int(found.tokens), NEVER_MS if wait_ns is None else -(-wait_ns // MS_NS))

    def give_back_tokens(self, bucket: str, *, count: int, burst: int) -> None:
        """Put tokens back. See `SharedState`."""
        del burst  # the bucket knows its own
        if (found := self._buckets.get(bucket)) is not None:
            found.give_back(count)

    def _add_bucket(self, name: str, rate_per_second: float, burst: int, now_ns: int) -> TokenBucket:
        check_name(name)
        if len(self._buckets) >= self._buckets_max:
            self._drop_bucket(now_ns)
        made = self._buckets[name] = TokenBucket(rate_per_second=rate_per_second, burst=burst, now_ns=now_ns)
        return made

    def _drop_bucket(self, now_ns: int) -> None:
        oldest = list(islice(self._buckets.items(), 8))
        for name, bucket in oldest:
            bucket.refill(now_ns)
            if bucket.is_full:
                del self._buckets[name]
                return
        del self._buckets[oldest[0][0]]

    def add_to_quota(self, counter: str, *, count: int, limit: int, expires_at_ms: int, at_least: int = 0) -> Counted:
        """Add to a counter. See `SharedState`."""
        now_ms = self._clock.now_ms()
        used, expires = self._counters.get(counter, (0, expires_at_ms))
        if expires <= now_ms:
            used = 0
        used = max(used, at_least)
        granted = max(min(count, limit - used), 0) if count >= 0 else -min(-count, used)
        if counter not in self._counters:
            check_name(counter)
            self._make_room(self._counters, COUNTERS_MAX, lambda kept: kept[1] <= now_ms)
        self._counters[counter] = (used + granted, expires_at_ms)
        return Counted(granted, used + granted)

    # -- claims

    def claim(self, name: str, *, owner: str, expires_after_ms: int) -> bool:
        """Take a name. See `SharedState`."""
        now_ms = self._now_ms()
        expires, holder = self._claims.get(name, (0, owner))
        if holder != owner and expires > now_ms:
            return False
        if name not in self._claims:
            check_name(name)
            self._make_room(self._claims, CLAIMS_MAX, lambda kept: kept[0] <= now_ms)
        self._claims[name] = (now_ms + expires_after_ms, owner)
        return True

    def release(self, name: str, *, owner: str) -> bool:
        """Give a name up. See `SharedState`."""
        expires, holder = self._claims.get(name, (0, ""))
        if holder != owner:
            return False
        del self._claims[name]
        return expires > self._now_ms()

    def hold(self, name: str, *, owner: str, count: int, limit: int, expires_after_ms: int) -> int:
        """Hold places. See `SharedState`."""
        now_ms = self._now_ms()
        holders = self._held.get(name, {})
        others = {other: held for other, held in holders.items() if other != owner and held[1] > now_ms}
        granted = max(0, min(count, limit - sum(held[0] for held in others.values())))
        if granted:
            others[owner] = (granted, now_ms + expires_after_ms)
        if name not in self._held:
            check_name(name)
            self._make_room(self._held, CLAIMS_MAX, lambda kept: all(held[1] <= now_ms for held in kept.values()))
        if others:
            self._held[name] = others
        else:
            self._held.pop(name, None)
        return granted

    def _make_room(self, kept: dict[str, _Kept], count_max: int, has_expired: Callable[[_Kept], bool]) -> None:
        if len(kept) < count_max:
            return
        for name in [name for name, value in kept.items() if has_expired(value)]:
            del kept[name]
        if len(kept) >= count_max:
            raise StateUnavailable(f"there are {count_max} already")

    # -- remembered values

    def remember(self, space: Space, key: str, value: bytes, *, expires_after_ms: int) -> None:
        """Keep a value. See `SharedState`."""
        check_value(value)
        check_name(key)
        size = len(key) + len(value) + ENTRY_BYTES
        if expires_after_ms <= 0 or size > space.bytes_max:
            self.forget(space, key)
            return
        entries = self._entries(space)
        self._drop(entries, key)
        now_ms = self._now_ms()
        entries.values[key] = (now_ms + expires_after_ms, value)
        entries.bytes += size
        self.bytes += size
        while entries.bytes > space.bytes_max or next(iter(entries.values.values()))[0] <= now_ms:
            self._drop(entries, next(iter(entries.values)))
        while self.bytes > self._bytes_max:
            self._drop_oldest()

    def recall(self, space: Space, key: str) -> bytes | None:
        """Give a value. See `SharedState`."""
        entries = self._spaces.get(space.name)
        found = entries.values.get(key) if entries is not None else None
        if entries is None or found is None:
            return None
        if found[0] <= self._now_ms():
            self._drop(entries, key)
            return None
        entries.values.move_to_end(key)
        return found[1]

    def forget(self, space: Space, key: str) -> None:
        """Drop a value. See `SharedState`."""
        entries = self._spaces.get(space.name)
        if entries is not None:
            self._drop(entries, key)

    def forget_all(self, space: Space) -> None:
        """Drop a space's values. See `SharedState`."""
        entries = self._spaces.pop(space.name, None)
        if entries is not None:
            self.bytes -= entries.bytes

    def _entries(self, space: Space) -> _Entries:
        entries = self._spaces.get(space.name)
        if entries is None:
            check_name(space.name)
            if len(self._spaces) >= SPACES_MAX:
                self.bytes -= self._spaces.popitem(last=False)[1].bytes
            entries = self._spaces[space.name] = _Entries()
        self._spaces.move_to_end(space.name)
        return entries

    def _drop(self, entries: _Entries, key: str) -> None:
        found = entries.values.pop(key, None)
        if found is not None:
            size = len(key) + len(found[1]) + ENTRY_BYTES
            entries.bytes -= size
            self.bytes -= size

    def _drop_oldest(self) -> None:
        name, entries = next(iter(self._spaces.items()))
        if entries.values:
            self._drop(entries, next(iter(entries.values)))
        if not entries.values:
            del self._spaces[name]

    # -- messages

    def publish(self, channel: str, message: bytes) -> None:
        """Tell listeners, at once. See `SharedState`."""
        check_value(message, MESSAGE_BYTES_MAX)
        for heard in list(self._listeners.get(channel, ())):
            heard(message)

    def subscribe(self, channel: str, heard: Callable[[bytes], None]) -> Callable[[], None]:
        """Listen. See `SharedState`."""
        check_name(channel)
        self._listeners.setdefault(channel, []).append(heard)

        def end() -> None:
            listeners = self._listeners.get(channel, [])
            if heard in listeners:
                listeners.remove(heard)
            if not listeners:
                self._listeners.pop(channel, None)

        return end

    async def close(self) -> None:
        """Nothing to let go of."""

    def _now_ms(self) -> int:
        return self._clock.monotonic_ns() // MS_NS
