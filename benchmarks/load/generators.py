"""Runs the load generators, pinned, and reads what they found."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.options import ROOT
from benchmarks.processes import PeerFailed, ServerProcess

SCRIPT: Final = Path(__file__).parent / "wrk.lua"
SETTLE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Load:
    """What one measurement found."""

    requests: int
    seconds: float
    p50_us: float
    p99_us: float
    refused: int  # answers with a status of 400 or more
    broken: int  # connections that failed
    late: int
    cpu_seconds: float  # of the server's whole tree, meanwhile
    longest_us: float = 0.0  # of the paced client

    @property
    def per_second(self) -> float:
        """Give requests per second of wall time."""
        return self.requests / self.seconds

    @property
    def per_cpu_second(self) -> float:
        """Give requests per second of the server's CPU time."""
        return self.requests / max(self.cpu_seconds, 1e-9)


def run_wrk(
    server: ServerProcess, file: Path | list[Path], port: int, *, connections: int, seconds: float, cores: str
) -> Load:
    """Send as fast as answers come, each connection one request at a time; of several files one in each thread.

    Raises: PeerFailed.
    """
    files = file if isinstance(file, list) else [file]
    command = [
        *("taskset", "-c", cores, "wrk", f"-t{len(files)}", f"-c{connections}", f"-d{max(1, round(seconds))}s"),
        *("--timeout", "10s", "-s", str(SCRIPT), f"http://127.0.0.1:{port}", "--", *map(str, files)),
    ]
    return _measure(server, command, seconds)


def run_paced(
    server: ServerProcess,
    file: Path | list[Path],
    port: int,
    *,
    connections: int,
    rate: float,
    seconds: float,
    cores: str,
) -> Load:
    """Send `rate` requests per second, whatever comes back; of several files one on each connection.

    Raises: PeerFailed.
    """
    files = file if isinstance(file, list) else [file]
    command = [
        *("taskset", "-c", cores, sys.executable, "-m", "benchmarks.load.paced"),
        *(str(port), str(connections), str(rate), str(seconds), *map(str, files)),
    ]
    return _measure(server, command, seconds)


def _measure(server: ServerProcess, command: list[str], seconds: float) -> Load:
    before = server.cpu_seconds()
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + SETTLE_S, check=False, cwd=ROOT
        )
    except subprocess.TimeoutExpired as error:
        raise PeerFailed(f"the load did not end: {command}") from error
    cpu_seconds = server.cpu_seconds() - before
    for line in ended.stdout.splitlines():
        if line.startswith("FIGURES "):
            figures = json.loads(line.removeprefix("FIGURES "))
            load = Load(cpu_seconds=cpu_seconds, **figures)
            if load.requests == 0:
                raise PeerFailed(f"no answer within {seconds:g} s")
            if load.refused > load.requests // 100:
                raise PeerFailed(f"{load.refused} of {load.requests} requests were refused; {server.log_end()}")
            return load
    raise PeerFailed(f"no figures: {ended.stderr[-300:]} {ended.stdout[-300:]}")
