"""`--debug FUNCTION`: one function's single worker listens for a debugger, and its clock stands still meanwhile.

Python: debugpy (the Debug Adapter Protocol), which tells when a thread is halted and when it goes on. Node.js:
`--inspect`; there the clock stands still while a client is connected, because a halted program cannot tell.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Final

from gatepost.services.lambda_.model import LATEST, Function
from gatepost.services.lambda_.runner.interpreters import python_version
from gatepost.services.lambda_.runner.nodes import node_major
from gatepost.services.lambda_.runner.settings import RunnerSettings

PYTHON_PORT: Final = 5678  # what editors suggest
NODE_PORT: Final = 9229
LONG_MS: Final = 24 * 3600 * 1000  # how long a halted function, and who waits for it, may take
_ESTABLISHED: Final = "01"


def debugpy_folder() -> str:
    """Give where debugpy lies, or an empty text when it is not installed."""
    spec = importlib.util.find_spec("debugpy")
    return str(Path(spec.origin).resolve().parent) if spec is not None and spec.origin is not None else ""


def is_named(function_name: str, wanted: str) -> bool:
    """Say whether `wanted` means a function: by its name, or by the logical id from which a stack made the name."""
    return function_name == wanted or re.fullmatch(rf".+-{re.escape(wanted)}-[A-Za-z0-9]+", function_name) is not None


def debug_port(function: Function, settings: RunnerSettings) -> int:
    """Give the port at which a function's worker listens for its debugger; 0: it is not debugged.

    Published versions are not: they are what others use, and there is one port.
    """
    wanted = settings.debug_function
    if not wanted or function.version != LATEST or not is_named(function.name, wanted):
        return 0
    if python_version(function.runtime) is not None:
        return settings.debug_port or PYTHON_PORT
    if node_major(function.runtime) is not None:
        return settings.debug_port or NODE_PORT
    return 0


def has_client(port: int) -> bool:
    """Say whether somebody is connected to a port of this machine's loopback interface."""
    local = f"0100007F:{port:04X}"
    try:
        lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    except OSError:
        return True  # a machine that does not tell: a debugged function is never stopped then
    for line in lines:
        fields = line.split()
        if len(fields) > 3 and fields[1] == local and fields[3] == _ESTABLISHED:
            return True
    return False
