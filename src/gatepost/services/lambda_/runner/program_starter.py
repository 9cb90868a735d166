"""What workers of Node.js and custom runtimes need beyond those of Python: a zygote without boto3, a command line."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from pathlib import Path

from gatepost.kernel.clock import Clock
from gatepost.services.lambda_.model import Function, InvalidRuntimeException, ServiceException
from gatepost.services.lambda_.runner.custom import CustomWorker
from gatepost.services.lambda_.runner.debugging import debug_port
from gatepost.services.lambda_.runner.extended import ExtendedWorker
from gatepost.services.lambda_.runner.interpreters import own_interpreter
from gatepost.services.lambda_.runner.nodes import NO_NODE, Node, choose_node, find_nodes, node_major
from gatepost.services.lambda_.runner.packages import CERTIFICATES, link_packages
from gatepost.services.lambda_.runner.process import Worker
from gatepost.services.lambda_.runner.programs import (
    NODE_FOLDER,
    SDK_FOLDER,
    custom_program,
    is_custom,
    node_program,
    program_environment,
    visible_files,
)
from gatepost.services.lambda_.runner.runtime_api import RuntimeApi
from gatepost.services.lambda_.runner.settings import RunnerSettings
from gatepost.services.lambda_.runner.worker.program import extensions_in
from gatepost.services.lambda_.runner.worker.sandbox import RUNTIME
from gatepost.services.lambda_.runner.zygote import WORKER_SOURCES, Places, Zygote

log = logging.getLogger(__name__)


class ProgramStarter:
    """Gives the zygote of all programs, one for the whole runner, and what a worker becomes."""

    def __init__(self, settings: RunnerSettings, clock: Clock) -> None:
        self._settings = settings
        self._api = RuntimeApi(clock)
        self._nodes: tuple[Node, ...] = ()  # none: looked for again at the next start
        self._zygote: Zygote | None = None
        self._sdk_folder = ""  # where sets of the SDK's packages are, as the gateway sees it
        self._runtime_folder = ""  # of workers without a file system of their own
        self._warned: set[str] = set()

    async def zygote(self, runtime: str, places: Places) -> Zygote:
        """Give the zygote for `runtime`, not started. Raises: InvalidRuntimeException."""
        if not self._nodes:
            self._nodes = await asyncio.get_running_loop().run_in_executor(None, find_nodes)
        if not is_custom(runtime):
            self._node(runtime)
        if self._zygote is None:
            packages = {NODE_FOLDER: str(WORKER_SOURCES / "node")}
            if CERTIFICATES in places.packages:
                packages[CERTIFICATES] = places.packages[CERTIFICATES]
            if places.runtimes is not None:
                packages[SDK_FOLDER] = self._sdk_folder = str(places.runtimes)
            linked = link_packages(places.cache / "runtime-programs", packages)
            self._runtime_folder = str(linked)
            own = own_interpreter()
            interpreter = dataclasses.replace(own, visible=(*own.visible, *visible_files(self._nodes)))
            own_places = dataclasses.replace(places, packages=packages, packages_dir=linked)
            self._zygote = Zygote(interpreter, own_places, self._settings)
        return self._zygote

    def _node(self, runtime: str) -> Node:
        choice = choose_node(runtime, self._nodes)
        if choice is None:
            reason = NO_NODE if node_major(runtime) is not None else "this runtime is not supported here"
            raise InvalidRuntimeException(f"Runtime {runtime} cannot run: {reason}")
        if choice.warning and runtime not in self._warned:
            self._warned.add(runtime)
            log.warning(choice.warning)
        return choice.node

    def program(self, function: Function, zygote: Zygote, variables: dict[str, str]) -> list[str]:
        """Give the command line of a worker whose zygote has started, and add to its environment.

        Raises: InvalidRuntimeException.
        """
        folder = RUNTIME if zygote.is_boxed else self._runtime_folder
        node = None if is_custom(function.runtime) else self._node(function.runtime)
        sdk = ""
        if node is not None and function.node_sdk and self._sdk_folder:
            sdk = f"{f'{RUNTIME}/{SDK_FOLDER}' if zygote.is_boxed else self._sdk_folder}/{function.node_sdk}"
        for name, value in program_environment(function, node=node, runtime_folder=folder, sdk=sdk).items():
            if name.startswith("AWS_") or name not in variables:
                variables[name] = value
        if node is None:
            return custom_program()
        port = debug_port(function, self._settings)
        return node_program(
            node,
            function,
            runtime_folder=folder,
            log_bytes_max=self._settings.log_bytes_max,
            debug_port=port,
            has_sdk=bool(sdk),
        )

    async def extend(self, function: Function, layers: Path | None, variables: dict[str, str]) -> int | None:
        """Tell a worker where the Runtime API is when it needs it, and give how many extensions it will have.

        `layers` is the directory that becomes its /opt. None: it needs no such API. Raises: ServiceException.
        """
        extensions = len(extensions_in(str(layers))) if layers is not None else 0
        if not extensions and not is_custom(function.runtime):
            return None
        try:
            variables["AWS_LAMBDA_RUNTIME_API"] = await self._api.start()
        except OSError as error:
            raise ServiceException("The Runtime API could not be started", detail=str(error)) from error
        return extensions

    @staticmethod
    def kind_of_worker(function: Function, extensions: int | None) -> type[Worker]:
        """Give the class of a function's workers."""
        if extensions is None:
            return Worker
        return CustomWorker if is_custom(function.runtime) else ExtendedWorker

    def employ(self, worker: Worker, extensions: int | None) -> None:
        """Let a worker that needs the Runtime API use it."""
        if isinstance(worker, ExtendedWorker):
            worker.extensions_expected = extensions or 0
            self._api.employ(worker)

    def dismiss(self, worker: Worker) -> None:
        """Let an ended worker use it no more."""
        if isinstance(worker, ExtendedWorker):
            self._api.dismiss(worker)

    async def close(self) -> None:
        """End the zygote and with it all workers."""
        await self._api.close()
        if self._zygote is not None:
            await self._zygote.close()
