"""A client that sends at a fixed rate whatever the server does, and counts latency from the time that was planned.

Run as a process of its own: `python -m benchmarks.load.paced PORT CONNECTIONS RATE SECONDS FILE…`. A connection keeps
to one file, as a caller would. A kernel timer (timerfd) fires once for each request; a request whose connection is not
free waits, and its wait counts: the server cannot slow the client down to look better (no "coordinated omission").
Prints one line of JSON.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import re
import select
import socket
import sys
import time
from collections import deque
from pathlib import Path
from typing import Final

from benchmarks.load.requests import read

CLOCK_MONOTONIC: Final = 1
TFD_NONBLOCK: Final = os.O_NONBLOCK
GRACE_S: Final = 2.0
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)", re.IGNORECASE)


class Ticks:
    """A descriptor that is readable when requests are due."""

    def __init__(self, interval_ns: int) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = self._libc.timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        seconds, rest = divmod(interval_ns, 1_000_000_000)
        times = (ctypes.c_long * 4)(seconds, rest, seconds, rest)
        if self._libc.timerfd_settime(self.descriptor, 0, ctypes.byref(times), None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    def due(self) -> int:
        """Give how many requests have come due since the last call."""
        try:
            return int.from_bytes(os.read(self.descriptor, 8), sys.byteorder)
        except BlockingIOError:
            return 0


class PacedClient:
    """Connections, the requests that are on them, and what came back."""

    def __init__(self, requests: list[list[bytes]], port: int, connections: int) -> None:
        self._requests = requests
        self._turn = 0
        self._port = port
        self._poll = select.epoll()
        self._free: deque[socket.socket] = deque()
        self._sockets: dict[int, socket.socket] = {}
        self._planned: dict[int, int] = {}
        self._received: dict[int, bytes] = {}
        self._waiting: deque[int] = deque()
        self.latencies_ns: list[int] = []
        self.refused = 0
        self.broken = 0
        for _ in range(connections):
            self._connect()

    def _connect(self) -> None:
        opened = socket.create_connection(("127.0.0.1", self._port), timeout=10)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.setblocking(False)
        self._sockets[opened.fileno()] = opened
        self._received[opened.fileno()] = b""
        self._poll.register(opened, select.EPOLLIN)
        self._free.append(opened)

    def run(self, rate: float, seconds: float) -> None:
        """Send `rate` requests per second for `seconds`, then wait a little for the last answers."""
        interval_ns = round(1e9 / rate)
        total = round(rate * seconds)
        start = time.monotonic_ns()
        ticks = Ticks(interval_ns)
        self._poll.register(ticks.descriptor, select.EPOLLIN)
        sent = 0
        deadline = start + round((seconds + GRACE_S) * 1e9)
        while (sent < total or self._planned or self._waiting) and time.monotonic_ns() < deadline:
            for descriptor, _ in self._poll.poll(0.1):
                if descriptor == ticks.descriptor:
                    for _ in range(min(ticks.due(), total - sent)):
                        sent += 1
                        self._waiting.append(start + sent * interval_ns)
                else:
                    self._receive(descriptor)
            while self._waiting and self._free:
                self._send(self._free.popleft(), self._waiting.popleft())
        self.broken += len(self._planned) + len(self._waiting)

    def _send(self, connection: socket.socket, planned_ns: int) -> None:
        requests = self._requests[connection.fileno() % len(self._requests)]
        request = requests[self._turn % len(requests)]
        self._turn += 1
        self._planned[connection.fileno()] = planned_ns
        try:
            connection.send(request)
        except OSError:
            self._lose(connection)

    def _receive(self, descriptor: int) -> None:
        connection = self._sockets.get(descriptor)
        if connection is None:
            return
        try:
            part = connection.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            part = b""
        if not part:
            self._lose(connection)
            return
        received = self._received[descriptor] + part
        head = received.find(b"\r\n\r\n")
        if head < 0 or not _is_whole(received, head):
            self._received[descriptor] = received
            return
        self._received[descriptor] = b""
        planned = self._planned.pop(descriptor, None)
        if planned is not None:
            self.latencies_ns.append(time.monotonic_ns() - planned)
        if received[9:12] != b"200":
            self.refused += 1
        self._free.append(connection)

    def _lose(self, connection: socket.socket) -> None:
        descriptor = connection.fileno()
        self.broken += self._planned.pop(descriptor, None) is not None
        if connection in self._free:
            self._free.remove(connection)
        del self._sockets[descriptor], self._received[descriptor]
        self._poll.unregister(descriptor)
        connection.close()
        self._connect()


def _is_whole(received: bytes, head: int) -> bool:
    length = _LENGTH.search(received, 0, head + 2)
    if length is not None:
        return len(received) >= head + 4 + int(length[1])
    return received.endswith(b"0\r\n\r\n")


def main(arguments: list[str]) -> None:
    """Run one measurement and print its figures."""
    port, connections, rate, seconds, *files = arguments
    client = PacedClient([read(Path(file)) for file in files], int(port), int(connections))
    gc.disable()
    client.run(float(rate), float(seconds))
    latencies = sorted(client.latencies_ns) or [0]
    print(
        "FIGURES "
        + json.dumps(
            {
                "requests": len(client.latencies_ns),
                "seconds": float(seconds),
                "p50_us": latencies[len(latencies) // 2] / 1000,
                "longest_us": latencies[-1] / 1000,
                "p99_us": latencies[min(len(latencies) - 1, len(latencies) * 99 // 100)] / 1000,
                "refused": client.refused,
                "broken": client.broken,
                "late": 0,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
