"""Starts workers: the right zygote, unpacked code, fresh credentials, a user and a directory of the worker's own."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import AccessDeniedException, ServiceError
from gatepost.kernel.ids import chance, random_id
from gatepost.kernel.ports import Assets, Credentials, LogSink, RoleSessions
from gatepost.services.lambda_.code import BadCode, extract
from gatepost.services.lambda_.layer_files import merge, merged_digest
from gatepost.services.lambda_.model import (
    Function,
    InvalidRuntimeException,
    InvalidZipFileException,
    LambdaAccessDenied,
    ServiceException,
)
from gatepost.services.lambda_.runner.compilation import Compilation
from gatepost.services.lambda_.runner.debugging import debugpy_folder
from gatepost.services.lambda_.runner.environment import environment, log_group_of
from gatepost.services.lambda_.runner.interpreters import (
    Interpreter,
    choose,
    find_interpreters,
    own_interpreter,
    python_version,
)
from gatepost.services.lambda_.runner.packages import CERTIFICATES, compile_packages, link_packages, runtime_packages
from gatepost.services.lambda_.runner.process import MB, Owner, Worker, spawn_limits
from gatepost.services.lambda_.runner.program_starter import ProgramStarter
from gatepost.services.lambda_.runner.programs import is_program
from gatepost.services.lambda_.runner.settings import RunnerSettings
from gatepost.services.lambda_.runner.transcript import Transcript
from gatepost.services.lambda_.runner.worker.sandbox import RUNTIME
from gatepost.services.lambda_.runner.zygote import Places, SpawnRequest, Zygote
from gatepost.services.lambda_.unsynced_code import remove_unsettled, settle

log = logging.getLogger(__name__)

COMPILATION_LIMITS: Final = {"CORE": 0, "FSIZE": 0, "NOFILE": 64, "AS": 2048 * MB, "CPU": 60}
SESSION_S = 3600
SESSION_REFRESH_MS = 30 * 60 * 1000  # new workers get credentials that are valid for at least so long


@dataclass(frozen=True, slots=True)
class RunnerParts:
    """What a runner needs from the rest of the platform."""

    clock: Clock
    role_sessions: RoleSessions
    logs: LogSink
    assets: Assets
    functions_dir: Path  # <data>/functions, open to everyone
    cache_dir: Path  # <data>/cache
    endpoint_url: str  # the AWS endpoint as functions reach it
    settings: RunnerSettings = field(default_factory=RunnerSettings)
    runtimes_dir: Path | None = None  # <data>/runtimes, open to everyone: packages that functions in Node.js lack
    trust: Path | None = None  # a folder of certificates that every worker may read
    trusting: Callable[[str], Mapping[str, str]] = lambda _folder: {}  # variables by which a worker trusts them
    chance: Callable[[], float] = chance  # from 0.0 to below 1.0: which version an alias sends an invocation to


class WorkerStarter:
    """Makes workers for every pool, and takes back what they had."""

    def __init__(self, parts: RunnerParts, interpreters: Sequence[Interpreter] | None = None) -> None:
        self._parts = parts
        self._interpreters = interpreters
        self._warned: set[str] = set()
        self._zygotes: dict[tuple[int, int], Zygote] = {}
        self._programs = ProgramStarter(parts.settings, parts.clock)
        self._places: Places | None = None
        self._credentials: dict[str, Credentials] = {}  # by role
        self._uids = worker_users(parts.settings, parts.functions_dir)
        self._number = 0
        self._preparing = asyncio.Lock()
        self._compiling = asyncio.Lock()  # one at a time: it should not be noticed

    async def prepare(self) -> None:
        """Find and link the runtime's packages, once."""
        async with self._preparing:
            if self._places is not None:
                return
            loop = asyncio.get_running_loop()
            debugger = debugpy_folder() if self._parts.settings.debug_function else ""
            packages = await loop.run_in_executor(None, runtime_packages, debugger)
            if self._parts.trust is not None:
                packages[CERTIFICATES] = str(self._parts.trust.resolve())
            cache_dir = self._parts.cache_dir.resolve()
            linked = link_packages(cache_dir / "runtime-packages", packages)
            await loop.run_in_executor(None, remove_unsettled, self._parts.functions_dir)
            runtimes = self._parts.runtimes_dir
            self._places = Places(
                self._parts.functions_dir.resolve(),
                cache_dir,
                packages,
                linked,
                runtimes.resolve() if runtimes is not None and runtimes.is_dir() else None,
            )

    def _trusting(self, *, is_boxed: bool) -> Mapping[str, str]:
        trust = self._parts.trust
        if trust is None:
            return {}
        return self._parts.trusting(f"{RUNTIME}/{CERTIFICATES}" if is_boxed else str(trust.resolve()))

    async def warm(self, runtime: str) -> None:
        """Start the zygote of `runtime` ahead of its first use."""
        await self.prepare()
        with contextlib.suppress(OSError, ServiceError):
            zygote = await self._zygote(runtime)
            await zygote.start()
            if is_program(runtime):
                return
            assert self._places is not None
            work = (zygote.interpreter, self._places.packages)
            await asyncio.get_running_loop().run_in_executor(None, compile_packages, *work)

    async def _interpreter(self, runtime: str) -> Interpreter:
        """Give the interpreter of a runtime: our own without a search when it is the right one."""
        own = own_interpreter()
        if self._interpreters is None and python_version(runtime) == own.version:
            return own
        if self._interpreters is None:
            self._interpreters = await asyncio.get_running_loop().run_in_executor(None, find_interpreters)
        choice = choose(runtime, self._interpreters)
        if choice is None:
            raise InvalidRuntimeException(f"No interpreter for runtime {runtime} was found on this machine")
        if choice.warning and runtime not in self._warned:
            self._warned.add(runtime)
            log.warning(choice.warning)
        return choice.interpreter

    async def _zygote(self, runtime: str) -> Zygote:
        assert self._places is not None
        if is_program(runtime):
            return await self._programs.zygote(runtime, self._places)
        interpreter = await self._interpreter(runtime)
        zygote = self._zygotes.get(interpreter.version)
        if zygote is None:
            zygote = self._zygotes[interpreter.version] = Zygote(interpreter, self._places, self._parts.settings)
        return zygote

    async def start(self, function: Function, owner: Owner, *, is_provisioned: bool = False) -> Worker | None:
        """Launch a worker; it tells `owner` when it is ready. None: the zygote has just died, try again.

        Raises: ServiceError when the function cannot run here or its role does not allow it.
        """
        await self.prepare()
        credentials = self._credentials_for(function)
        await self.unpack(function)
        zygote = await self._zygote(function.runtime)
        try:
            await zygote.start()
        except OSError as error:
            raise ServiceException("The runtime could not be started", detail=str(error)) from error
        clock = self._parts.clock
        stream = self._stream_name(function.version)
        settings = self._parts.settings
        group = f"arn:aws:logs:{function.region}:{function.account_id}:log-group:{log_group_of(function)}"
        transcript = Transcript(self._parts.logs, clock, group, stream, events_max=settings.log_events_max)
        variables = environment(
            function,
            credentials=credentials,
            endpoint_url=self._parts.endpoint_url,
            more=self._trusting(is_boxed=zygote.is_boxed),
            log_stream=stream,
            is_provisioned=is_provisioned,
        )
        layers = merged_digest(layers_of(function))
        opt = self._parts.functions_dir / layers if layers else None
        extensions = await self._programs.extend(function, opt, variables)
        self._number += 1
        worker = self._programs.kind_of_worker(function, extensions)(
            self._number,
            function,
            owner=owner,
            zygote=zygote,
            transcript=transcript,
            clock=clock,
            settings=settings,
            is_provisioned=is_provisioned,
        )
        worker.expires_at_ms = credentials.expires_at_ms
        configuration = self._configuration(worker, zygote, variables)
        configuration["has_extensions"] = bool(extensions)
        request = self._place(worker, zygote)
        self._programs.employ(worker, extensions)
        try:
            is_launched = await worker.launch(request, orjson.dumps(configuration))
        except OSError as error:  # no file descriptors left
            self.take_back(worker)
            raise ServiceException("A worker could not be started", detail=str(error)) from error
        if not is_launched:
            self.take_back(worker)
        return worker if is_launched else None

    def _configuration(self, worker: Worker, zygote: Zygote, variables: dict[str, str]) -> dict[str, Any]:
        """Give what a worker is told of its function; a program's variables are added to."""
        function = worker.function
        configuration: dict[str, Any] = {
            "handler": function.handler,
            "environment": variables,
            "log_format": function.log_format,
            "log_level": function.application_log_level,
        }
        if worker.debug_port and debugpy_folder():
            configuration["debug_port"] = worker.debug_port
        if is_program(function.runtime):
            configuration["program"] = self._programs.program(function, zygote, variables)
        return configuration

    def _place(self, worker: Worker, zygote: Zygote) -> SpawnRequest:
        """Give a worker its user and, without a file system of its own, its directory."""
        function = worker.function
        if zygote.drops_user:
            worker.uid = self._uids.popleft()
        if not zygote.is_boxed:
            worker.tmp_dir = tempfile.mkdtemp(prefix="gatepost-function-")
            if worker.uid:
                os.chown(worker.tmp_dir, worker.uid, worker.uid)
        return SpawnRequest(
            code_sha256=function.code_sha256,
            layers=merged_digest(layers_of(function)),
            tmp_bytes=function.ephemeral_storage_mb * MB,
            tmp_dir=worker.tmp_dir,
            memory_mb=function.memory_mb,
            uid=worker.uid,
            limits=spawn_limits(function, self._parts.settings, has_own_uid=bool(worker.uid)),
        )

    def take_back(self, worker: Worker) -> None:
        """Free what an ended worker had."""
        self._programs.dismiss(worker)
        if worker.uid:
            self._uids.append(worker.uid)
            worker.uid = 0
        if worker.tmp_dir:
            asyncio.get_running_loop().run_in_executor(None, _remove, worker.tmp_dir)
            worker.tmp_dir = ""

    async def unpack(self, function: Function) -> None:
        """Have the function's code and layers unpacked. Raises: InvalidZipFileException, ServiceException."""
        await self._unpack(function.code_sha256, "code")
        layers = layers_of(function)
        for sha256 in layers:
            await self._unpack(sha256, "layer")
        if layers and not (self._parts.functions_dir / merged_digest(layers)).is_dir():
            try:
                await asyncio.get_running_loop().run_in_executor(None, merge, self._parts.functions_dir, layers)
            except OSError as error:
                raise ServiceException("The function's layers could not be merged", detail=str(error)) from error

    async def _unpack(self, sha256: str, what: str) -> None:
        if (self._parts.functions_dir / sha256).is_dir():
            return
        archive = self._parts.assets.path(sha256)
        if archive is None:
            raise InvalidZipFileException(f"The function's {what} is not in this platform's assets any more")
        work = (archive, sha256, self._parts.functions_dir)
        try:
            await asyncio.get_running_loop().run_in_executor(None, extract, *work)
        except BadCode as error:
            raise InvalidZipFileException(error.message) from error
        except OSError as error:
            raise ServiceException("The function's code could not be unpacked", detail=str(error)) from error
        asyncio.get_running_loop().run_in_executor(None, settle, self._parts.functions_dir, sha256)  # nobody waits

    async def compile(self, function: Function) -> None:
        """Have the modules of unpacked code compiled once for its interpreter. Does nothing when that fails."""
        if is_program(function.runtime):
            return
        await self.prepare()
        zygote = await self._zygote(function.runtime)
        for sha256 in (function.code_sha256, merged_digest(layers_of(function))):
            if sha256:
                await self._compile(sha256, zygote)

    async def _compile(self, sha256: str, zygote: Zygote) -> None:
        major, minor = zygote.interpreter.version
        mark = self._parts.functions_dir / f".{sha256}.python{major}.{minor}"
        async with self._compiling:
            if mark.exists():
                return
            await zygote.start()
            self._number += 1
            folder = self._parts.functions_dir / sha256
            uid = self._uids.popleft() if zygote.drops_user else 0
            try:
                request = SpawnRequest(
                    code_sha256=sha256,
                    tmp_bytes=MB,
                    tmp_dir="",
                    memory_mb=0,
                    uid=uid,
                    limits=COMPILATION_LIMITS,
                    is_compilation=True,
                )
                if await Compilation(self._number, zygote, folder).run(request):
                    mark.touch()
            finally:
                if uid:
                    self._uids.append(uid)

    def _credentials_for(self, function: Function) -> Credentials:
        now_ms = self._parts.clock.now_ms()
        held = self._credentials.get(function.role_arn)
        if held is not None and held.expires_at_ms - now_ms > SESSION_REFRESH_MS:
            return held
        try:
            fresh = self._parts.role_sessions.assume(
                function.role_arn, service="lambda.amazonaws.com", session_name=function.name, duration_s=SESSION_S
            )
        except AccessDeniedException as error:
            words = "The role defined for the function cannot be assumed by Lambda."
            raise LambdaAccessDenied(words, detail=error.message) from error
        if fresh.expires_at_ms:
            self._credentials[function.role_arn] = fresh
        return fresh

    def _stream_name(self, version: str) -> str:
        now_s = self._parts.clock.now_ms() // 1000
        return f"{day_of(now_s)}/[{version}]{random_id(32, '0123456789abcdef')}"

    async def close(self) -> None:
        """End every zygote and with them all workers."""
        await asyncio.gather(*(zygote.close() for zygote in self._zygotes.values()), self._programs.close())


def layers_of(function: Function) -> list[str]:
    """Give the digests of a function's layers, the first first."""
    return [layer["sha256"] for layer in function.layers]


def worker_users(settings: RunnerSettings, functions_dir: Path) -> deque[int]:
    """Give the users that workers run as, in a platform's own order.

    Two platforms on one machine share the range; that they begin at different places keeps their workers, of which
    there are few at a time, from being the same users.
    """
    users = deque(range(settings.uid_first, settings.uid_first + settings.uid_count))
    digest = hashlib.blake2b(str(functions_dir.resolve()).encode(), digest_size=8).digest()
    users.rotate(-(int.from_bytes(digest, "big") % settings.uid_count))
    return users


def day_of(epoch_s: int) -> str:
    """Give the UTC day in a log stream's form, `2026/11/24`."""
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(epoch_s, UTC):%Y/%m/%d}"


def _remove(folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
