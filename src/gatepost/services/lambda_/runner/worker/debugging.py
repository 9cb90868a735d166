"""The debugger's end in a Python worker: debugpy listens, and the gateway hears when the function is halted."""

from __future__ import annotations

import importlib
import os
import socket
import sys
import threading
import time
from typing import Any

from .channel import PAUSED, Channel

HOST = "127.0.0.1"
PORT_FREE_S = 5.0  # how long the last worker may take to give up its port


class Halts:
    """Counts halted threads; tells the gateway when the first halts and the last goes on."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()
        self._halted = 0
        self._since = 0.0
        self.total_ms = 0

    def begin(self) -> None:
        """Note that a thread halts."""
        with self._lock:
            self._halted += 1
            if self._halted == 1:
                self._since = time.monotonic()
                self._channel.reply(PAUSED, b"", 0, 1)

    def end(self) -> None:
        """Note that a thread goes on."""
        with self._lock:
            self._halted -= 1
            if self._halted == 0:
                self.total_ms += int((time.monotonic() - self._since) * 1000)
                self._channel.reply(PAUSED, b"", 0, 0)


def listen(channel: Channel, port: int, context_class: Any) -> None:
    """Have debugpy listen at `port`; the time that a handler has left stands still while it is halted."""
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    _wait_until_free(port)
    debugpy = importlib.import_module("debugpy")
    debugpy.configure(subProcess=False, python=_executable())
    debugpy.listen((HOST, port))
    halts = Halts(channel)
    debugger = importlib.import_module("pydevd").PyDB
    wait = debugger.do_wait_suspend

    def do_wait_suspend(self: Any, *arguments: Any, **options: Any) -> Any:
        halts.begin()
        try:
            return wait(self, *arguments, **options)
        finally:
            halts.end()

    debugger.do_wait_suspend = do_wait_suspend
    begin, left = context_class.__init__, context_class.get_remaining_time_in_millis

    def init(self: Any, *arguments: Any) -> None:
        begin(self, *arguments)
        self._halted_before_ms = halts.total_ms

    def remaining(self: Any) -> int:
        self._epoch_deadline_time_in_ms += halts.total_ms - self._halted_before_ms
        self._halted_before_ms = halts.total_ms
        return left(self)  # type: ignore[no-any-return]

    context_class.__init__ = init
    context_class.get_remaining_time_in_millis = remaining


def _executable() -> str:
    return getattr(sys, "_base_executable", "") or sys.executable


def _wait_until_free(port: int) -> None:
    until = time.monotonic() + PORT_FREE_S
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
                return
            except OSError:
                if time.monotonic() > until:
                    raise
        time.sleep(0.05)
