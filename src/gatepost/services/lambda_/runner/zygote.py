"""The gateway's handle on a zygote: starting it, asking it for workers, hearing how they end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import struct
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from gatepost.services.lambda_.runner.interpreters import Interpreter
from gatepost.services.lambda_.runner.settings import RunnerSettings

log = logging.getLogger(__name__)

WORKER_SOURCES: Final = Path(__file__).parent / "worker"
MESSAGE_BYTES_MAX: Final = 65536
START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 2.0
# What a zygote tries, the best first: a namespace of processes and files, of files, none.
BOXES: Final = ("processes", "files", "")
CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid
# The worker's sources as a package, without ours: whatever Python runs it.
PACKAGE_LOADER: Final = """
import importlib.util, sys
folder = sys.argv[1]
where = {"submodule_search_locations": [folder]}
spec = importlib.util.spec_from_file_location("gatepost_worker", folder + "/__init__.py", **where)
package = importlib.util.module_from_spec(spec)
sys.modules["gatepost_worker"] = package
spec.loader.exec_module(package)
"""
LOADER: Final = f"""
{PACKAGE_LOADER}
control = int(sys.argv[2])
from gatepost_worker import zygote
sys.argv[:] = [""]
zygote.main(control)
"""


class Spawned(Protocol):
    """A worker, as far as its zygote's handle knows it."""

    number: int

    @property
    def pid(self) -> int:
        """The process id; 0: not known yet."""
        ...

    def started(self, pid: int) -> None:
        """Hear the process id."""
        ...

    def exited(self, status: int | None) -> None:
        """Hear how the process ended, as of `waitpid`; None: unknown."""
        ...


@dataclass(frozen=True, slots=True)
class Places:
    """Where a zygote finds what it shows to its workers."""

    functions: Path  # <data>/functions
    cache: Path  # <data>/cache: holds the links to packages and the empty directory of the sandbox's root
    packages: Mapping[str, str]  # name under /var/runtime -> real path
    packages_dir: Path  # the same as links
    runtimes: Path | None = None  # sets of packages for functions in Node.js


@dataclass(frozen=True, slots=True)
class SpawnRequest:
    """What the zygote must know of a worker; nothing of it is secret."""

    code_sha256: str
    tmp_bytes: int
    tmp_dir: str
    memory_mb: int
    uid: int
    limits: Mapping[str, int] = field(default_factory=dict)
    layers: str = ""  # the directory of merged layers; empty: none
    is_compilation: bool = False  # only compile the code's modules and send them back


class Zygote:
    """One interpreter's zygote, started on first use and again when it died.

    `is_boxed` says whether its workers have a file system of their own; it is known once `start` has returned.
    """

    def __init__(self, interpreter: Interpreter, places: Places, settings: RunnerSettings) -> None:
        self.interpreter = interpreter
        self.is_boxed = False
        self._places = places
        self._settings = settings
        self._boxes = list(BOXES if settings.is_sandboxed else BOXES[-1:])  # what is still to be tried
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._workers: dict[int, Spawned] = {}
        self._starting: asyncio.Future[dict[str, Any]] | None = None
        self._start_turn = asyncio.Lock()
        self._lost: Callable[[], None] | None = None

    @property
    def is_running(self) -> bool:
        """Say whether workers can be asked for."""
        return self._control is not None and self._starting is None

    @property
    def drops_user(self) -> bool:
        """Say whether workers run as users without rights of their own."""
        if os.geteuid() != 0:
            return False
        if self.is_boxed:
            return True
        needed = [str(self._places.functions / "x"), *self.interpreter.visible, *self._places.packages.values()]
        return not any(is_private(Path(path)) for path in needed)

    async def start(self) -> None:
        """Start the process and wait until it is warm. Raises: OSError when it cannot be started."""
        async with self._start_turn:  # who comes second waits for the end of it, fallbacks included
            if not self.is_running:
                await self._start()

    async def _start(self) -> None:
        answer = await self._launch()
        while "refused" in answer and len(self._boxes) > 1:
            log.warning("functions are isolated less", extra={"without": self._boxes[0], "reason": answer["refused"]})
            del self._boxes[0]
            self._close_control()
            answer = await self._launch()
        if not answer.get("ready"):
            raise OSError(f"the zygote of {self.interpreter.executable} did not start")
        self.is_boxed = bool(answer["boxed"])

    async def _launch(self) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        self._starting = loop.create_future()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        opening = loop.run_in_executor(None, self._open, theirs)
        try:
            self._process = await asyncio.shield(opening)
        except asyncio.CancelledError:
            self._process = await opening  # `close` ends it
            ours.close()
            raise
        except OSError:
            ours.close()
            starting, self._starting = self._starting, None
            starting.set_result({})
            raise
        self._control = ours
        loop.add_reader(ours.fileno(), self._readable)
        try:
            ours.send(json.dumps(self._options()).encode())
        except OSError:  # it has ended already
            self._close_control()
        timer = loop.call_later(START_TIMEOUT_S, self._close_control)
        try:
            return await asyncio.shield(self._starting)
        finally:
            timer.cancel()
            self._starting = None

    def _open(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        with theirs:
            fd = theirs.fileno()
            return subprocess.Popen(
                [self.interpreter.executable, "-I", "-S", "-c", LOADER, str(WORKER_SOURCES), str(fd)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(fd,),
                env={"LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin", "TZ": ":UTC"},
                cwd="/",
            )

    def _options(self) -> dict[str, Any]:
        root = self._places.cache / "root"
        root.mkdir(parents=True, exist_ok=True)
        return {
            "sandbox": self._boxes[0],
            "root": str(root.resolve()),
            "visible": self.interpreter.visible,
            "packages": dict(self._places.packages),
            "packages_dir": str(self._places.packages_dir),
            "functions": str(self._places.functions.resolve()),
        }

    def _readable(self) -> None:
        assert self._control is not None
        try:
            data, sender, _, _ = self._control.recvmsg(MESSAGE_BYTES_MAX, socket.CMSG_SPACE(CREDENTIALS.size))
        except BlockingIOError:
            return
        except OSError:
            data, sender = b"", []
        if not data:
            self._close_control()
            return
        self._received(json.loads(data), _pid_of(sender))

    def _received(self, message: dict[str, Any], sender_pid: int) -> None:
        if "spawned" in message:
            worker = self._workers.get(message["spawned"])
            if worker is not None:
                worker.started(sender_pid)
        elif "exited" in message:
            worker = self._workers.pop(message["exited"], None)
            if worker is not None:
                worker.exited(message["status"])
        elif self._starting is not None and not self._starting.done():
            self._starting.set_result(message)

    def _close_control(self) -> None:
        """Forget a zygote that is gone: its workers have died with it."""
        control, self._control = self._control, None
        if control is None:
            return
        asyncio.get_running_loop().remove_reader(control.fileno())
        control.close()
        if self._starting is not None and not self._starting.done():
            self._starting.set_result({})
        process, self._process = self._process, None
        if process is not None:
            asyncio.get_running_loop().run_in_executor(None, _end, process)
        workers, self._workers = self._workers, {}
        for worker in workers.values():
            worker.exited(None)

    def spawn(self, worker: Spawned, request: SpawnRequest, connection: socket.socket, output: int) -> bool:
        """Have a worker forked with its end of the socket and of the output pipe; False when that is impossible now."""
        if self._control is None:
            return False
        message = {
            "spawn": worker.number,
            "code": request.code_sha256,
            "task_root": str(self._places.functions / request.code_sha256),
            "layers": request.layers,
            "layers_root": str(self._places.functions / request.layers),
            "tmp_bytes": request.tmp_bytes,
            "tmp_dir": request.tmp_dir,
            "uid": request.uid,
            "limits": dict(request.limits),
            "is_compilation": request.is_compilation,
            "log_bytes_max": self._settings.log_bytes_max,
        }
        try:
            socket.send_fds(self._control, [json.dumps(message).encode()], [connection.fileno(), output])
        except OSError:  # the buffer is full of starts, or the zygote is gone
            return False
        self._workers[worker.number] = worker
        return True

    def kill(self, worker: Spawned) -> None:
        """Kill a worker with its process group. The zygote does it: it knows whether the id is still the worker's."""
        if self._control is not None and worker.number in self._workers:
            try:
                self._control.send(b'{"kill":%d}' % worker.number)
            except OSError:  # it does not read: then it does not reap either, and the id is still the worker's
                if worker.pid:
                    with contextlib.suppress(OSError):
                        os.killpg(worker.pid, signal.SIGKILL)

    async def close(self) -> None:
        """End the zygote and with it every worker."""
        process = self._process
        self._process = None
        self._close_control()
        if process is not None:
            await asyncio.get_running_loop().run_in_executor(None, _end, process)


def _pid_of(ancillary: list[tuple[int, int, bytes]]) -> int:
    """Give the id, in our namespace, of the process that sent a message; 0 when the kernel did not say."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            return int(CREDENTIALS.unpack(data[: CREDENTIALS.size])[0])
    return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    """Wait until a zygote whose socket is closed has ended its workers and itself."""
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def is_private(path: Path) -> bool:
    """Say whether a directory above `path` is closed to other users."""
    return any(parent.exists() and not parent.stat().st_mode & 0o001 for parent in path.resolve().parents)
