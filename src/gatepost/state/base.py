"""What every shared state promises: whole atomic operations, never a get followed by a set.

An operation gives its answer at once where the state is in this process, and something to await where it is not
(`Answer`): whoever must not make a coroutine per request looks with `isinstance`, everyone else awaits `settled(…)`.
Each operation that leaves the process has a deadline and raises `StateUnavailable` when it is missed; an operation
that may not have arrived is never repeated by the state itself.

Times of expiry are durations where a restart may forget them, and wall-clock times where it must not (quotas).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, TypeVar, Union

T = TypeVar("T")
Answer = Union[T, Awaitable[T]]  # noqa: UP007 (a type variable has no `|` for values)

KEY_BYTES_MAX: Final = 1024
"""Of names of buckets, quotas, claims, entries and channels. Hash what a client chooses before it becomes one."""
VALUE_BYTES_MAX: Final = 8 * 1024 * 1024
MESSAGE_BYTES_MAX: Final = 64 * 1024
NEVER_MS: Final = 2**53
"""`Taken.wait_ms` of a bucket that does not refill."""


class Taken(NamedTuple):
    """What `take_tokens` gave: how many, how many whole ones are left, and how long until there is one."""

    granted: int
    left: int
    wait_ms: int


class Counted(NamedTuple):
    """What `add_to_quota` gave: how many were added, and what the counter stands at."""

    granted: int
    used: int


@dataclass(frozen=True, slots=True)
class Space:
    """A group of remembered values that share a bound and can be forgotten together (one stage's cache).

    `bytes_max` counts keys, values and what an entry costs. The least recently used go first.
    """

    name: str
    bytes_max: int


class SharedState(Protocol):
    """Operations on state that gateways share. Every one may raise StateUnavailable, at once or when awaited."""

    def take_tokens(
        self, bucket: str, *, count: int, rate_per_second: float, burst: int, count_min: int | None = None
    ) -> Answer[Taken]:
        """Take `count` tokens from `bucket`; if there are fewer, what there is from `count_min` on; else none.

        The bucket holds at most `burst` tokens, begins full, and refills continuously at `rate_per_second`. A
        changed rate or burst counts from now on; tokens over a smaller burst are lost. `count_min` None: all or none.
        """
        ...

    def give_back_tokens(self, bucket: str, *, count: int, burst: int) -> Answer[None]:
        """Put back tokens that were taken and not used; never over `burst`. A bucket that is forgotten stays full."""
        ...

    def add_to_quota(
        self, counter: str, *, count: int, limit: int, expires_at_ms: int, at_least: int = 0
    ) -> Answer[Counted]:
        """Add `count` to `counter` as far as `limit` allows; negative: take back, not under 0.

        `at_least` is what the caller knows to be used already: a counter that stands lower (a store that lost its
        data) is set to it first, so that a quota never starts again by accident. The counter is forgotten at the
        wall-clock time `expires_at_ms`.
        """
        ...

    def claim(self, name: str, *, owner: str, expires_after_ms: int) -> Answer[bool]:
        """Take `name` for `owner`, or keep it if it is already theirs; False when someone else has it."""
        ...

    def release(self, name: str, *, owner: str) -> Answer[bool]:
        """Give `name` up; False when it was not `owner`'s."""
        ...

    def hold(self, name: str, *, owner: str, count: int, limit: int, expires_after_ms: int) -> Answer[int]:
        """Have `owner` hold `count` of the `limit` places of `name`, and give how many they are.

        Fewer when others hold the rest. It replaces what `owner` held before, so that saying it again keeps the places
        for another `expires_after_ms`; who does not say it again loses them then. 0 lets all go.
        """
        ...

    def remember(self, space: Space, key: str, value: bytes, *, expires_after_ms: int) -> Answer[None]:
        """Keep `value` for a while. It may go earlier when `space` is full. Over VALUE_BYTES_MAX: ValueError."""
        ...

    def recall(self, space: Space, key: str) -> Answer[bytes | None]:
        """Give what is remembered, or None."""
        ...

    def forget(self, space: Space, key: str) -> Answer[None]:
        """Drop one value."""
        ...

    def forget_all(self, space: Space) -> Answer[None]:
        """Drop every value of `space`, in the same time however many there are."""
        ...

    def publish(self, channel: str, message: bytes) -> Answer[None]:
        """Tell whoever listens to `channel`, in every process; nobody is waited for. At most MESSAGE_BYTES_MAX."""
        ...

    def subscribe(self, channel: str, heard: Callable[[bytes], None]) -> Callable[[], None]:
        """Call `heard(message)` from now on; what is returned ends it.

        What is published while the state is lost is lost too: `heard` is called with `b""` when messages may have
        been missed.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


async def settled(answer: Answer[T]) -> T:
    """Give an operation's answer, however it comes."""
    if isinstance(answer, Awaitable):
        return await answer
    return answer


def check_name(name: str) -> str:
    """Let a name pass that every state can hold. Raises: ValueError."""
    if not name or len(name) > KEY_BYTES_MAX or (not name.isascii() and len(name.encode()) > KEY_BYTES_MAX):
        raise ValueError(f"a name has 1 to {KEY_BYTES_MAX} bytes, not {len(name.encode())}")
    return name


def check_value(value: bytes, bytes_max: int = VALUE_BYTES_MAX) -> bytes:
    """Let a value pass that every state can hold. Raises: ValueError."""
    if len(value) > bytes_max:
        raise ValueError(f"{len(value)} bytes are too many: at most {bytes_max}")
    return value
