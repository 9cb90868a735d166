"""Answers of stages' caches that this gateway has given within the last second, taken apart and ready to be sent.

Theory. Wherever a cache lies, in this process, in the state process of several gateways or in a Valkey server, an entry
that many ask for is fetched and taken apart once in `NEAR_MS` and not for each request. An entry stays here no longer
than that, nor than its own time to live, and no longer than its client wants it: whoever makes an entry anew or drops
it tells all gateways, each of which forgets it. A gateway that did not hear it answers from here for what is left of
the second. Encrypted entries, and large ones, are not kept here.

What is here is bounded in bytes; over the bound everything goes, since it costs one fetch each to have it again.
"""

from __future__ import annotations

from itertools import count
from typing import Final

from gatepost.gateway.exchange import Exchange
from gatepost.state.base import Answer, SharedState
from gatepost.wire.messages import Head, Response

NEAR_MS: Final = 1_000
BODY_BYTES_MAX: Final = 64 * 1024
BYTES_MAX: Final = 32 * 1024 * 1024
ENTRY_BYTES: Final = 512  # what an entry costs beside its body
KEYS_MAX: Final = 8_192
TOLD_CHARACTERS_MAX: Final = 256
CHANNEL: Final = "cache/anew"
_MS_NS: Final = 1_000_000


class ReadyAnswer:
    """A remembered answer and until when, by the monotonic clock, it may be given."""

    __slots__ = ("body", "head", "until_ns")

    def __init__(self, head: Head, body: bytes, until_ns: int) -> None:
        self.head = head
        self.body = body
        self.until_ns = until_ns


class NearAnswers:
    """What one gateway has at hand of all stages' caches, by key: keys of different stages are different."""

    __slots__ = ("_bytes", "_state", "answers", "keys", "numbers")

    def __init__(self, state: SharedState) -> None:
        """Take the state whose gateways tell each other of entries that changed."""
        self._state = state
        self._bytes = 0
        self.answers: dict[str, ReadyAnswer] = {}
        self.keys: dict[tuple[int, str, str, str], str] = {}
        """Keys that were worked out already, by a number of whoever did, method, path and query: at most KEYS_MAX."""
        self.numbers = count()
        state.subscribe(CHANNEL, self._heard)

    def keep(self, key: str, response: Response, *, exchange: Exchange, expires_at_ms: int) -> None:
        """Have an answer at hand from when its request came; `expires_at_ms` is the entry's end by the wall clock."""
        left_ms = min(NEAR_MS, expires_at_ms - exchange.time_ms)
        size = len(response.body) + ENTRY_BYTES
        if left_ms <= 0 or len(response.body) > BODY_BYTES_MAX:
            return
        self.drop(key)
        if self._bytes + size > BYTES_MAX:
            self.clear()
        self._bytes += size
        until_ns = exchange.started_ns + left_ms * _MS_NS
        self.answers[key] = ReadyAnswer(Head(response.status, tuple(response.headers)), response.body, until_ns)

    def drop(self, key: str) -> None:
        """Forget an answer here."""
        found = self.answers.pop(key, None)
        if found is not None:
            self._bytes -= len(found.body) + ENTRY_BYTES

    def tell(self, key: str) -> Answer[None]:
        """Forget an answer in every gateway. Raises: StateUnavailable, at once or when awaited."""
        self.drop(key)
        return self._state.publish(CHANNEL, key.encode())

    def clear(self) -> None:
        """Forget everything."""
        self.answers.clear()
        self._bytes = 0

    def remember_key(self, asked: tuple[int, str, str, str], key: str) -> None:
        """Keep a key that was worked out, unless what it was made of is long."""
        if len(asked[2]) + len(asked[3]) > TOLD_CHARACTERS_MAX:
            return
        if len(self.keys) >= KEYS_MAX:
            self.keys.clear()
        self.keys[asked] = key

    def _heard(self, message: bytes) -> None:
        if message:
            self.drop(message.decode("ascii", "replace"))
        else:  # something may have been missed
            self.clear()
