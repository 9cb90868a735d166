"""Compiles a function's modules once, inside the sandbox: workers find bytecode and need not compile at each start.

The source is a stranger's, so not even the compiler is run on it outside of a worker.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import util
from typing import Any

from .channel import BYTECODE, READY, Channel

SOURCE_BYTES_MAX = 2_000_000  # larger modules are compiled where they are imported
FILES_MAX = 20_000


def modules_of(task_root: str) -> Iterator[str]:
    """Give the paths of modules below `task_root`, relative to it."""
    count = 0
    for folder, folders, names in os.walk(task_root):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in names:
            path = os.path.join(folder, name)
            if name.endswith(".py") and not os.path.islink(path):
                count += 1
                if count > FILES_MAX:
                    return
                yield os.path.relpath(path, task_root)


def bytecode_of(path: str) -> bytes:
    """Compile one module to the content of its .pyc. Raises: what the compiler raises, OSError."""
    external: Any = util.cache_from_source.__globals__  # importlib._bootstrap_external, where the format is known
    with open(path, "rb") as file:
        source = file.read(SOURCE_BYTES_MAX + 1)
    if len(source) > SOURCE_BYTES_MAX:
        raise ValueError(path)
    status = os.stat(path)
    code = compile(source, path, "exec", dont_inherit=True)
    content: bytes = bytes(external["_code_to_timestamp_pyc"](code, int(status.st_mtime), status.st_size))
    return content


def compile_all(channel: Channel, task_root: str) -> None:
    """Send the bytecode of every module that compiles, then READY."""
    for relative in modules_of(task_root):
        try:
            content = bytecode_of(os.path.join(task_root, relative))
            name = os.path.basename(util.cache_from_source(relative)).encode()
        except (SyntaxError, ValueError, OSError, RecursionError, MemoryError, OverflowError):
            continue  # importing it says what is wrong
        head = relative.encode("utf-8", "surrogateescape")
        channel.reply(BYTECODE, b"\0".join((head, name, b"")) + content, len(head) + len(name) + 2)
    channel.reply(READY, b"")
