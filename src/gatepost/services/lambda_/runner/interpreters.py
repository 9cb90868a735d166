"""Which Python interpreters this machine has, and which one stands for a runtime."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROBE: Final = (
    "import json,sys,sysconfig;"
    "print(json.dumps([list(sys.version_info[:2]),sys.executable,sys.base_prefix,sysconfig.get_path('stdlib'),"
    "sysconfig.get_path('platstdlib'),sysconfig.get_config_var('LIBDIR') or '']))"
)
PROBE_TIMEOUT_S: Final = 5
MINORS: Final = tuple(range(9, 16))  # Python 3.9 to 3.15: what Lambda has or had lately


@dataclass(frozen=True, slots=True)
class Interpreter:
    """One Python. `visible` are the directories without which it cannot run."""

    version: tuple[int, int]
    executable: Path
    visible: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The interpreter for a runtime; `warning` says so when it is not the version that was asked for."""

    interpreter: Interpreter
    warning: str = ""


def probe(executable: str) -> Interpreter | None:
    """Ask an executable what it is; None when it is no Python 3."""
    try:
        answer = subprocess.run(
            [executable, "-I", "-S", "-c", PROBE],
            capture_output=True,
            timeout=PROBE_TIMEOUT_S,
            check=True,
            env={"PATH": os.environ.get("PATH", "")},
        )
        version, real, prefix, *libraries = json.loads(answer.stdout)
        if len(version) != 2 or not real:
            return None
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    # A prefix such as /usr is there for everyone; a home directory's must be named.
    visible = tuple(dict.fromkeys(path for path in (prefix, *libraries) if path))
    return Interpreter((int(version[0]), int(version[1])), Path(real), visible)


def own_interpreter() -> Interpreter:
    """Give the interpreter that runs this process, outside of its virtual environment. Costs nothing."""
    executable = Path(getattr(sys, "_base_executable", "") or sys.executable)
    library = str(Path(os.__file__).resolve().parent)
    libraries = (sys.base_prefix, library, str(sysconfig.get_config_var("LIBDIR") or sys.base_prefix))
    return Interpreter(sys.version_info[:2], executable, tuple(dict.fromkeys(libraries)))


def find_interpreters() -> tuple[Interpreter, ...]:
    """Find our own interpreter and every `python3.X` on PATH, one for each version. Takes 20 to 300 ms each."""
    own = own_interpreter()
    found = {own.version: own}
    for candidate in (path for minor in MINORS if (path := shutil.which(f"python3.{minor}"))):
        interpreter = probe(candidate)
        if interpreter is not None:
            found.setdefault(interpreter.version, interpreter)
    return tuple(found[version] for version in sorted(found))


def python_version(runtime: str) -> tuple[int, int] | None:
    """Read `python3.12`; None for another language."""
    name, _, minor = runtime.partition("python3.")
    return (3, int(minor)) if not name and minor.isdigit() else None


def choose(runtime: str, interpreters: Sequence[Interpreter]) -> Choice | None:
    """Give the interpreter of `runtime`'s version, else the nearest (the newer of two); None when there is none."""
    wanted = python_version(runtime)
    if wanted is None or not interpreters:
        return None
    best = min(interpreters, key=lambda found: (abs(found.version[1] - wanted[1]), -found.version[1]))
    if best.version == wanted:
        return Choice(best)
    return Choice(
        best,
        f"approximated: {runtime} runs on Python {best.version[0]}.{best.version[1]}, the nearest on this machine; "
        f"install python{wanted[0]}.{wanted[1]} to have the same",
    )
