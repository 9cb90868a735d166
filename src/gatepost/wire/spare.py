"""Listeners that belong to another process of the same platform, and whose queues must not wait for it.

The kernel shares new connections out among the processes' listeners. What one of them does not take in time (it has
died and is being started again, it hangs, or it has more to do than the others) the others take: each looks into the
others' queues every `LOOK_EVERY_S`, which costs an idle process about a microsecond for each.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final

from gatepost.kernel.tasks import Tasks

LOOK_EVERY_S: Final = 0.02
TAKEN_AT_ONCE_MAX: Final = 32


class SpareListeners:
    """Takes connections that wait at others' listeners."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks
        self._listeners: list[tuple[socket.socket, Callable[[], asyncio.Protocol]]] = []
        self._timer: asyncio.TimerHandle | None = None
        self.taken = 0

    def add(self, listener: socket.socket, made: Callable[[], asyncio.Protocol]) -> None:
        """Look after `listener`, which is bound, listens and does not block; `made` makes a connection's protocol."""
        self._listeners.append((listener, made))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)

    def close(self) -> None:
        """Stop, and close our ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for listener, _ in self._listeners:
            listener.close()
        self._listeners = []

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        for listener, made in self._listeners:
            for _ in range(TAKEN_AT_ONCE_MAX):
                try:
                    connection, _ = listener.accept()
                except OSError:  # nobody waits, whoever did has gone, or no more files may be open
                    break
                connection.setblocking(False)
                self.taken += 1
                self._tasks.spawn(loop.connect_accepted_socket(made, connection), name="take a connection")
        self._timer = loop.call_later(LOOK_EVERY_S, self._look)
