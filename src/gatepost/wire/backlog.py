"""What clients have not read yet, of all connections together, and who is cut off when it becomes too much.

A client that reads a byte now and then makes progress, and its answers may be large: each costs it a few bytes and us
megabytes. So there is a bound on all of them. Beyond it the connection that keeps us holding most is cut off, the
oldest of several.
"""

from __future__ import annotations

from typing import Protocol


class Reader(Protocol):
    """A connection whose client reads more slowly than we answer."""

    def abort(self) -> None:
        """Close at once."""
        ...


class Backlog:
    """Counts unsent bytes by connection; `bytes_max` of all together."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes = 0
        self._bytes_max = bytes_max
        self._held: dict[Reader, int] = {}

    def hold(self, reader: Reader, size: int) -> int:
        """Note how many bytes wait for a client now, 0 for none, and give how many connections were cut off for it."""
        self.bytes += size - self._held.get(reader, 0)
        if size:
            self._held[reader] = size
        else:
            self._held.pop(reader, None)
        cut_off = 0
        while self.bytes > self._bytes_max:
            worst = max(self._held, key=self._held.__getitem__)
            self.bytes -= self._held.pop(worst)
            worst.abort()
            cut_off += 1
        return cut_off
