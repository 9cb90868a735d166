"""The packages that Lambda's Python runtimes bring: boto3 and what it needs, apart from our own dependencies."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gatepost.services.lambda_.runner.interpreters import Interpreter

COMPILE_TIMEOUT_S: Final = 120

CERTIFICATES: Final = "ca-certificates"  # beside the packages: no name that could be imported
RUNTIME_PACKAGES: Final = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")


def runtime_packages(debugger: str = "") -> dict[str, str]:
    """Give the real path of each package by the name it has on `sys.path`, and of the debugger if there is to be one.

    All are pure Python, or work as such.
    """
    found = {"debugpy": debugger} if debugger else {}
    for name in RUNTIME_PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        path = Path(spec.origin).resolve()
        path = path.parent if path.name == "__init__.py" else path
        found[path.name] = str(path)
    return found


def link_packages(folder: Path, packages: Mapping[str, str]) -> Path:
    """Make `folder` hold symbolic links to `packages`, for workers without a file system of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    for name, source in packages.items():
        link = folder / name
        if not (link.is_symlink() and str(link.readlink()) == source):
            link.unlink(missing_ok=True)
            link.symlink_to(source)
    return folder


def compile_packages(interpreter: Interpreter, packages: Mapping[str, str]) -> bool:
    """Compile the packages for an interpreter unless they are; True when it ran. Blocks: call it in a thread.

    Some installers leave no bytecode, and none is there for another version of Python; each start of a zygote would
    compile all of it again, two seconds long. Where the installation cannot be written it stays so.
    """
    first = Path(packages.get("boto3", "/nowhere"))
    tag = f"cpython-{interpreter.version[0]}{interpreter.version[1]}"
    if (first / "__pycache__" / f"session.{tag}.pyc").exists() or not os.access(first, os.W_OK):
        return False
    command = [str(interpreter.executable), "-I", "-S", "-m", "compileall", "-q", *packages.values()]
    try:
        subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=COMPILE_TIMEOUT_S,
            check=False,
            cwd="/",
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return True
