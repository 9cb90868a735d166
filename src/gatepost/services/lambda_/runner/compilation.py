"""Takes the bytecode that a sandboxed worker makes of a function's modules and puts it beside them.

What arrives is a stranger's: a path must name a module that is there, and the file that is written lies in that
module's own `__pycache__`. Bytecode of a module is run only by workers of the same code, which could run anything
anyway. Without it everything works, only slower.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from pathlib import Path, PurePosixPath
from typing import Final

from gatepost.services.lambda_.runner import frames
from gatepost.services.lambda_.runner.zygote import SpawnRequest, Zygote

log = logging.getLogger(__name__)

TIME_S: Final = 60.0
BYTES_MAX: Final = 200 * 1024 * 1024


class Compilation(asyncio.Protocol):
    """One compiling worker. `finished` is set to True when all modules came."""

    def __init__(self, number: int, zygote: Zygote, folder: Path) -> None:
        self.number = number
        self.pid = 0
        self.finished: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._zygote = zygote
        self._folder = folder
        self._buffer = bytearray()
        self._bytes = 0
        self._waiting: list[bytes] = []

    async def run(self, request: SpawnRequest) -> bool:
        """Compile, and say whether all of it was written."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        with theirs:
            is_spawned = self._zygote.spawn(self, request, theirs, null)
        os.close(null)
        if not is_spawned:
            ours.close()
            return False
        ours.setblocking(False)
        transport, _ = await loop.create_unix_connection(lambda: self, sock=ours)
        timer = loop.call_later(TIME_S, self._end, False)
        try:
            transport.write(frames.blob(b'{"environment": {}}'))
            is_whole = await self.finished
            for content in self._waiting:
                await loop.run_in_executor(None, self._write, content)
            return is_whole
        finally:
            timer.cancel()
            self._zygote.kill(self)
            transport.abort()

    def started(self, pid: int) -> None:
        """Hear the process id."""
        self.pid = pid

    def exited(self, status: int | None) -> None:
        """Hear that the process is over."""
        del status
        asyncio.get_running_loop().call_soon(self._end, False)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end. Part of asyncio.Protocol."""
        del exc
        self._end(False)

    def _end(self, is_whole: bool) -> None:
        if not self.finished.done():
            self.finished.set_result(is_whole)

    def data_received(self, data: bytes) -> None:
        """Keep each module's bytecode. Part of asyncio.Protocol."""
        self._buffer += data
        self._bytes += len(data)
        if self._bytes > BYTES_MAX:
            self._end(False)
            return
        while len(self._buffer) >= frames.REPLY.size:
            kind, _, length, number = frames.REPLY.unpack_from(self._buffer)
            end = frames.REPLY.size + length
            if length > frames.FRAME_BYTES_MAX:
                self._end(False)
                return
            if len(self._buffer) < end:
                return
            body = bytes(memoryview(self._buffer)[frames.REPLY.size : end])
            del self._buffer[:end]
            if kind == frames.BYTECODE and number <= length:
                self._waiting.append(body)
            else:
                self._end(kind == frames.READY)

    def _write(self, content: bytes) -> None:
        module, _, rest = content.partition(b"\0")
        name, _, bytecode = rest.partition(b"\0")
        write_bytecode(self._folder, os.fsdecode(module), os.fsdecode(name), bytecode)


def write_bytecode(folder: Path, module: str, name: str, bytecode: bytes) -> bool:
    """Put a module's bytecode beside it; False when it names no module of `folder`."""
    parts = PurePosixPath(module)
    source = folder / parts
    if parts.is_absolute() or ".." in parts.parts or parts.suffix != ".py" or "/" in name:
        return False
    if not name.startswith(f"{parts.stem}.") or not name.endswith(".pyc"):
        return False
    if source.is_symlink() or not source.is_file() or not source.resolve().is_relative_to(folder.resolve()):
        return False
    cache = source.parent / "__pycache__"
    if cache.is_symlink():
        return False
    try:
        cache.mkdir(exist_ok=True)
        cache.chmod(0o755)
        scratch = cache / f".{name}"
        scratch.write_bytes(bytecode)
        scratch.chmod(0o644)
        scratch.replace(cache / name)
    except OSError as error:
        log.info("bytecode not written", extra={"error": str(error)})
        return False
    return True
