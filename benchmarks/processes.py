"""Processes under measurement: started pinned, counted with all their descendants, and surely ended."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
POLL_S: Final = 0.005


class PeerFailed(Exception):
    """A server did not start, or does not answer as it should. The report says so."""


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """One process of a tree."""

    pid: int
    parent: int
    session: int
    cpu_seconds: float  # its own and its dead, awaited children's
    command: str


def free_port() -> int:
    """Give a port on the loopback address that nobody holds now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def processes() -> dict[int, ProcessFacts]:
    """Read every process's place and time."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        fields = stat.rpartition(")")[2].split()
        if fields[0] == "Z":
            command = ""
        ticks = sum(int(fields[place]) for place in (11, 12, 13, 14))  # utime, stime, cutime, cstime
        found[int(entry.name)] = ProcessFacts(
            int(entry.name), int(fields[1]), int(fields[3]), ticks / TICKS_PER_SECOND, command
        )
    return found


class ServerProcess:
    """A server that we started, in a session of its own, with everything that it starts."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cores: str,
        log: Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        self.started_at = time.monotonic()
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                ["taskset", "-c", cores, *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        self.pid = self._process.pid

    def tree(self) -> list[ProcessFacts]:
        """Give the process and all that descend from it or stay in its session."""
        everything = processes()
        family = {self.pid}
        while True:
            more = {
                facts.pid
                for facts in everything.values()
                if facts.pid not in family and (facts.parent in family or facts.session == self.pid)
            }
            if not more:
                return [everything[pid] for pid in family if pid in everything]
            family |= more

    def cpu_seconds(self) -> float:
        """Give the CPU time that the tree has used so far."""
        return sum(facts.cpu_seconds for facts in self.tree())

    def pss_bytes(self) -> dict[str, int]:
        """Give each process's proportional memory by its command, largest first."""
        found: dict[str, int] = {}
        for facts in self.tree():
            try:
                rollup = Path(f"/proc/{facts.pid}/smaps_rollup").read_text()
            except OSError:
                continue
            for line in rollup.splitlines():
                if line.startswith("Pss:"):
                    name = f"{facts.command} #{facts.pid}"
                    found[name] = int(line.split()[1]) * 1024
        return dict(sorted(found.items(), key=lambda pair: -pair[1]))

    def wait_until(self, is_ready: Callable[[], bool], *, within_s: float = 60.0) -> float:
        """Wait until `is_ready()`; give the seconds since the start. Raises: PeerFailed with the log's end."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if is_ready():
                return time.monotonic() - self.started_at
            if self._process.poll() is not None:
                raise PeerFailed(f"ended with {self._process.returncode}: {self.log_end()}")
            time.sleep(POLL_S)
        raise PeerFailed(f"not ready within {within_s:.0f} s: {self.log_end()}")

    def log_end(self) -> str:
        """Give the last lines that the server printed."""
        return " | ".join(self.log.read_text(errors="replace").strip().splitlines()[-5:])[-600:]

    def stop(self, within_s: float = 8.0) -> None:
        """End the tree: ask first, then kill what is left of it."""
        family = self.tree()
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(within_s)
            except subprocess.TimeoutExpired:
                pass
        everything = processes()
        for facts in family:
            now = everything.get(facts.pid)
            if now is not None and now.command == facts.command:  # not a stranger who inherited the number
                try:
                    os.kill(facts.pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            pass


def answers(port: int, path: str = "/", *, status: int | None = None, host: str = "localhost") -> bool:
    """Say whether something on a loopback port answers HTTP, with `status` if that is given."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": f"{host}:{port}"})
        response = connection.getresponse()
        response.read()
        return status is None or response.status == status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
