"""The supervisor: opens the sockets, starts the roles, starts a dead one again, and ends all.

One process is services, one or more (`--workers`) are gateways. Several gateways have a listener each on the same port,
which this process holds open: when one of them dies, the others take whoever waits there (`wire.spare`). What they
share is in a process of its own, the state role, unless `--state` names a server for it.

The roles are processes of their own in process groups of their own, so that Ctrl-C reaches only the supervisor,
which stops them in order: first the gateway drains, then services. If the supervisor itself is killed, the
kernel kills the roles (`child.end_with`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from gatepost.app.child import EXIT_SETTINGS, Orders
from gatepost.app.gateway_place import role_name
from gatepost.app.listeners import Listeners, open_listeners, url_of
from gatepost.app.pulse import LOOKS, Pulse
from gatepost.config import Settings
from gatepost.kernel.clock import Clock, SystemClock
from gatepost.kernel.errors import SettingsError
from gatepost.kernel.tasks import Tasks
from gatepost.storage.data_directory import DataDirectory, write_durably

log = logging.getLogger(__name__)

READY_WITHIN_S: Final = 60.0
KILL_AFTER_DRAIN_S: Final = 2.0
RESTART_AFTER_S: Final = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)  # the pause before the n-th restart within a minute
HUNG_AFTER_S: Final = 30.0  # a role whose loop has not turned for so long is killed and started again
QUIET_AFTER_S: Final = 60.0
SOCKET_PATH_MAX: Final = 100  # sockaddr_un holds 108 bytes

MODULES: Final = {"services": "gatepost.app.services_role", "gateway": "gatepost.app.gateway_role"}
STATE: Final = "state"
STATE_MODULE: Final = "gatepost.app.state_role"


class RoleProcess:
    """One role's process, and the line on which it reports."""

    def __init__(self, role: str, module: str, orders: Callable[[int], Orders], keep: tuple[int, ...]) -> None:
        self.role = role
        self._module = module
        self._orders = orders
        self._keep = keep  # descriptors that it inherits
        self.process: subprocess.Popen[bytes] | None = None
        self.restarts = 0
        self.cut_off = 0  # requests that the last stop cut off
        self._told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.ended = asyncio.Event()
        self._pulse: Pulse | None = None
        self._serves = False

    async def start(self) -> None:
        """Start the process and wait until it serves. Raises: SettingsError with the role's own reason."""
        reading, writing = os.pipe()
        orders = self._orders(writing)
        self._told = asyncio.Queue()
        self._pulse, self._serves = None, False
        self.ended.clear()
        self.process = subprocess.Popen(  # noqa: ASYNC220 - a fork and an exec of some milliseconds, at start only
            [sys.executable, "-P", "-m", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            pass_fds=(*self._keep, writing),
            process_group=0,
        )
        os.close(writing)
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(orders.to_json().encode())
            self.process.stdin.close()
        await self._listen(reading)
        try:
            told = await asyncio.wait_for(self._told.get(), READY_WITHIN_S)
        except TimeoutError:
            raise SettingsError(f"the {self.role} role was not ready within {READY_WITHIN_S:.0f} s") from None
        if told["state"] != "ready":
            reason = told.get("reason") or f"the {self.role} role ended at once: see logs/{self.role}.log"
            raise SettingsError(reason)
        self._serves = True

    async def _listen(self, reading: int) -> None:
        stream = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reading, "rb", 0))
        self._listening = loop.create_task(self._hear(stream))

    async def _hear(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            if self._pulse is not None:
                self._pulse.heard()
            with suppress(ValueError):
                told = json.loads(line)
                if told["state"] == "alive":
                    continue
                if told["state"] == "stopped":
                    self.cut_off = told.get("cut_off", 0)
                self._told.put_nowait(told)
        self._told.put_nowait({"state": "ended"})
        self.ended.set()

    def kill_if_hung(self, look_s: float) -> bool:
        """Look whether the process hangs, kill it if so, and say whether it did; to be called every `look_s` seconds.

        One that is still starting has a time limit of its own.
        """
        if self.ended.is_set() or self.process is None or not self._serves:
            return False
        if self._pulse is None:
            self._pulse = Pulse(look_s)
        if not self._pulse.is_gone(self.process.pid):
            return False
        log.error("role hangs; killing it", extra={"role": self.role})
        self.signal(signal.SIGKILL)
        return True

    def signal(self, number: int) -> None:
        """Send a signal if the process runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    async def stop(self, within_s: float) -> None:
        """Ask it to end, and kill it when it has not ended `within_s` seconds later."""
        self.signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.ended.wait(), within_s)
        except TimeoutError:
            log.error("role killed", extra={"role": self.role})
            self.signal(signal.SIGKILL)
        if self.process is not None:
            await asyncio.get_running_loop().run_in_executor(None, self.process.wait)


class Supervisor:
    """A running platform: its roles, four sockets, one data directory."""

    def __init__(self, settings: Settings, *, clock: Clock | None = None, hung_after_s: float = HUNG_AFTER_S) -> None:
        self._settings = settings
        self._hung_after_s = hung_after_s
        self._clock = clock or SystemClock()
        self._data = DataDirectory(settings.data_dir.absolute())
        self._tasks = Tasks("supervisor")
        self._listeners: Listeners | None = None
        self._lock = -1
        self._roles: dict[str, RoleProcess] = {}
        self._socket_folder: tempfile.TemporaryDirectory[str] | None = None
        self._is_stopping = False
        self.failed = asyncio.Event()
        self.failure = ""

    @property
    def data(self) -> DataDirectory:
        """The directory that this platform owns."""
        return self._data

    async def start(self) -> None:
        """Bring the platform up. Raises: SettingsError; nothing is left running then."""
        if problems := self._settings.problems():
            raise SettingsError("; ".join(problems))
        self._data.prepare()
        self._lock = self._data.own()
        try:
            if self._settings.is_ephemeral:
                self._data.begin_ephemeral()
            else:
                self._data.forget_ephemeral()  # what one that was killed has left
            self._listeners = open_listeners(self._settings)
            self._tell_endpoints()
            self._make_roles()
            await self._start_all()
        except SettingsError:
            await self.stop()
            raise
        for process in self._roles.values():
            self._tasks.spawn(self._keep_alive(process), name=process.role)
        self._tasks.spawn(self._watch(), name="watch")

    def _make_roles(self) -> None:
        workers = self._settings.workers
        modules = {STATE: STATE_MODULE} if workers > 1 and not self._settings.state_url else {}
        numbers = dict.fromkeys((*modules, *MODULES), 1)
        modules |= MODULES
        for number in range(2, workers + 1):
            modules[role_name(number)], numbers[role_name(number)] = MODULES["gateway"], number
        for role, module in modules.items():
            orders = self._orders_for(
                role, numbers[role], state_path=self._path("state.sock") if STATE in modules else ""
            )
            self._roles[role] = RoleProcess(role, module, orders, self._descriptors())

    async def _start_all(self) -> None:
        if STATE in self._roles:
            await self._roles[STATE].start()
        others = [process for role, process in self._roles.items() if role != STATE]
        starts = [asyncio.ensure_future(process.start()) for process in others]
        _, pending = await asyncio.wait(starts, return_when=asyncio.FIRST_EXCEPTION)
        for start in pending:
            start.cancel()
        # All of them are looked at: where one role cannot start, often the other cannot either.
        outcomes = await asyncio.gather(*starts, return_exceptions=True)
        errors = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
        if errors:
            raise errors[0]

    async def stop(self) -> int:
        """Drain and end all roles; give the number of requests that were cut off."""
        self._is_stopping = True
        if self._listeners is not None:
            self._listeners.close()  # with the roles' own ends closed too, new clients are refused at once
        within_s = self._settings.drain_ms / 1000 + KILL_AFTER_DRAIN_S
        last = [self._roles[role] for role in ("services", STATE) if role in self._roles]
        gateways = [process for process in self._roles.values() if process not in last]
        await asyncio.gather(*(process.stop(within_s) for process in gateways))
        for process in last:
            await process.stop(within_s)
        await self._tasks.close()
        self._data.endpoints.unlink(missing_ok=True)
        if self._socket_folder is not None:
            self._socket_folder.cleanup()
        if self._lock >= 0:
            self._data.forget_ephemeral()
            os.close(self._lock)
            self._lock = -1
        return sum(process.cut_off for process in self._roles.values())

    def _descriptors(self) -> tuple[int, ...]:
        assert self._listeners is not None
        more = [listener.fileno() for doors in self._listeners.more for listener in doors]
        return (*(listener.fileno() for listener in self._listeners.all()), *more, self._lock)

    def _orders_for(self, role: str, number: int, *, state_path: str) -> Callable[[int], Orders]:
        assert self._listeners is not None
        sockets = tuple(listener.fileno() for listener in self._listeners.all())
        doors = tuple((one.fileno(), two.fileno(), three.fileno()) for one, two, three in self._listeners.more)
        ports = tuple(listener.getsockname()[1] for listener in self._listeners.all())
        link_path = self._path("link.sock")

        def orders(report: int) -> Orders:
            return Orders(
                role=role,
                settings=self._settings,
                sockets=(sockets[0], sockets[1], sockets[2], sockets[3]),
                ports=(ports[0], ports[1], ports[2], ports[3]),
                link_path=link_path,
                report=report,
                supervisor=os.getpid(),
                number=number,
                doors=doors,
                state_path=state_path,
            )

        return orders

    def _path(self, name: str) -> str:
        """Give the path of a Unix socket: in the data directory, unless that is too long for one."""
        path = self._data.run / name
        if len(os.fsencode(path)) <= SOCKET_PATH_MAX:
            return str(path)
        if self._socket_folder is None:
            self._socket_folder = tempfile.TemporaryDirectory(prefix="gatepost-")
        return str(Path(self._socket_folder.name) / name)

    def _tell_endpoints(self) -> None:
        assert self._listeners is not None
        host = self._settings.host
        public, private, aws, tls = (listener.getsockname()[1] for listener in self._listeners.all())
        told = {
            "aws": url_of(host, aws),
            "public": url_of(host, public),
            "private": url_of(host, private),
            "tls": url_of(host, tls, scheme="https"),
            "region": self._settings.region,
            "account_id": self._settings.account_id,
            "is_ephemeral": self._settings.is_ephemeral,
            "durability": self._settings.durability,
            "supervisor": os.getpid(),
            "started_at_ms": self._clock.now_ms(),
        }
        try:
            write_durably(self._data.endpoints, json.dumps(told, indent=2).encode() + b"\n")
        except OSError as error:
            raise self._data.unusable(error) from error

    async def _keep_alive(self, process: RoleProcess) -> None:
        """Start a role again whenever it ends, more slowly each time within a minute."""
        while True:
            await process.ended.wait()
            if self._is_stopping:
                return
            assert process.process is not None
            status = await asyncio.get_running_loop().run_in_executor(None, process.process.wait)
            if status == EXIT_SETTINGS:
                self._fail(f"the {process.role} role cannot run: see logs/{process.role}.log")
                return
            log.error("role ended; starting it again", extra={"role": process.role, "status": status})
            await asyncio.sleep(RESTART_AFTER_S[min(process.restarts, len(RESTART_AFTER_S) - 1)])
            process.restarts += 1
            asyncio.get_running_loop().call_later(QUIET_AFTER_S, self._forget_restart, process)
            try:
                await process.start()
            except SettingsError as error:
                self._fail(str(error))
                return

    async def _watch(self) -> None:
        """Kill a role that hangs: it is started again like one that has died."""
        while True:
            await asyncio.sleep(self._hung_after_s / LOOKS)
            for process in self._roles.values():
                process.kill_if_hung(self._hung_after_s / LOOKS)

    @staticmethod
    def _forget_restart(process: RoleProcess) -> None:
        process.restarts = max(0, process.restarts - 1)

    def _fail(self, reason: str) -> None:
        self.failure = reason
        self.failed.set()
