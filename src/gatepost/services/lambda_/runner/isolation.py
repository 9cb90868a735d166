"""Which isolation functions get on this machine: tried as a zygote tries it, in a process that is thrown away."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from gatepost.services.lambda_.runner.zygote import BOXES, PACKAGE_LOADER, WORKER_SOURCES

PROBE_S: Final = 10.0
_PROBE: Final = f"""
{PACKAGE_LOADER}
from gatepost_worker import processes, sandbox
box, scratch = sys.argv[2:]
if box == "processes":
    sandbox.leave_processes()
arguments = {{"visible": [], "packages": {{}}, "functions": scratch + "/functions"}}
sandbox.build_root(scratch + "/root", are_own_processes=box == "processes", **arguments)
if box == "processes":
    processes.ProcessSpaces()
"""


def best_box() -> str:
    """Give the best of `BOXES` that the kernel lets this process have. Blocks for a moment."""
    for box in BOXES[:-1]:
        with tempfile.TemporaryDirectory() as scratch:
            for name in ("root", "functions"):
                (Path(scratch) / name).mkdir()
            command = [sys.executable, "-I", "-S", "-c", _PROBE, str(WORKER_SOURCES), box, scratch]
            try:
                ended = subprocess.run(command, capture_output=True, timeout=PROBE_S, check=False)
            except (OSError, subprocess.TimeoutExpired):
                continue
            if ended.returncode == 0:
                return box
    return BOXES[-1]


def isolation_words(box: str) -> str:
    """Say what functions have to themselves in a box; docs/security.md has the whole table."""
    user = "a user, " if os.geteuid() == 0 else ""
    shared = "" if user else "; all run as this user"
    if box == "processes":
        return f"each worker has {user}files and processes of its own{shared}"
    if box == "files":
        return f"each worker has {user}files of its own{shared}, and workers can signal one another"
    return "the kernel makes no namespaces for this user: functions see this machine's files (docs/security.md)"
