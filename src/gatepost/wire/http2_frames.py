"""What HTTP/2 frames cost: floods are stopped by counting, before the frames are understood.

Each connection has tokens. Frames that bring a request forward are free; those that keep us busy and ask for nothing
(pings, settings, resets, empty data, window updates beyond the data that we sent, continuations, unknown ones) take
some. Tokens come back with time, so that an honest client never notices. The numbers leave room for a browser that
abandons a page (two hundred resets at once) and for a client that pings every second.

Sources: RFC 9113 section 10.5; CVE-2019-9511 to 9518 (pings, settings, resets, empty frames, window updates),
CVE-2023-44487 (rapid reset), CVE-2024-27316 and its kin (continuations).
"""

from __future__ import annotations

from typing import Final, Literal

PREFACE_BYTES: Final = 24
FRAME_HEAD_BYTES: Final = 9
FRAME_BYTES_MAX: Final = 16_384  # SETTINGS_MAX_FRAME_SIZE as it is unless announced, which we do not do
TOKENS_MAX: Final = 1_000
TOKENS_PER_S: Final = 100
SMALL_BYTES: Final = 256  # a DATA frame of fewer bytes, which does not end its stream, costs

DATA: Final = 0
HEADERS: Final = 1
RST_STREAM: Final = 3
SETTINGS: Final = 4
PING: Final = 6
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9
END_STREAM: Final = 1

EMPTY_DATA_COST: Final = 5
_COSTS: Final = {HEADERS: 0, RST_STREAM: 5, SETTINGS: 10, PING: 2, WINDOW_UPDATE: 1, CONTINUATION: 5}
UNKNOWN_COST: Final = 2  # PRIORITY too, which means nothing any more


Verdict = Literal["", "flood", "too_large"]


class FrameMeter:
    """Counts what a client's frames cost, whole or in pieces as they arrive."""

    __slots__ = ("_head", "_last_ns", "_skip", "_tokens", "_updates")

    def __init__(self, now_ns: int) -> None:
        self._tokens = float(TOKENS_MAX)
        self._last_ns = now_ns
        self._skip = PREFACE_BYTES  # bytes that are no frame's head
        self._head = b""  # the part of a head that has arrived
        self._updates = 0  # window updates that our own data has earned the client

    def sent(self, frames: int) -> None:
        """Note that we have sent data: each frame of it may be answered by two window updates."""
        self._updates = min(self._updates + 2 * frames, 1_000)

    def charge(self, tokens: int) -> bool:
        """Take tokens; say whether there were enough."""
        self._tokens -= tokens
        return self._tokens >= 0

    def take(self, data: bytes, now_ns: int) -> Verdict:
        """Count the frames in `data`; "" lets the client go on.

        A frame that is too large is known by its head: nobody may have us wait for the rest of it.
        """
        self._tokens = min(self._tokens + (now_ns - self._last_ns) * TOKENS_PER_S / 1e9, TOKENS_MAX)
        self._last_ns = now_ns
        at, size = 0, len(data)
        while at < size:
            if self._skip:
                step = min(self._skip, size - at)
                self._skip -= step
                at += step
                continue
            part = data[at : at + FRAME_HEAD_BYTES - len(self._head)]
            at += len(part)
            head = self._head + part
            if len(head) < FRAME_HEAD_BYTES:
                self._head = head
                break
            self._head = b""
            self._skip = int.from_bytes(head[:3], "big")
            if self._skip > FRAME_BYTES_MAX:
                return "too_large"
            self._tokens -= self._cost(head)
            if self._tokens < 0:
                return "flood"
        return ""

    def _cost(self, head: bytes) -> int:
        kind = head[3]
        if kind == DATA:
            if self._skip >= SMALL_BYTES or head[4] & END_STREAM:
                return 0
            return 1 if self._skip else EMPTY_DATA_COST
        if kind == WINDOW_UPDATE and self._updates > 0:
            self._updates -= 1
            return 0
        return _COSTS.get(kind, UNKNOWN_COST)
