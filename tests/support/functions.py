"""Functions and a real runner with real workers, on an event loop of its own in a thread."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import textwrap
import threading
import zipfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gatepost.awsapi.dispatch import Dispatcher
from gatepost.kernel.clock import FixedClock, SystemClock
from gatepost.kernel.errors import AccessDeniedException, ServiceError
from gatepost.kernel.ids import random_id, request_id
from gatepost.kernel.ports import Credentials, Invocation, InvocationResult, LogEvent, StreamBroken
from gatepost.services.lambda_.model import Function
from gatepost.services.lambda_.provider import LambdaParts, LambdaProvider
from gatepost.services.lambda_.runner.runner import OWN_RUNTIME, FunctionRunner
from gatepost.services.lambda_.runner.settings import RunnerSettings
from gatepost.services.lambda_.runner.starter import RunnerParts
from gatepost.services.lambda_.runner.streams import FunctionStream
from gatepost.storage.assets import FileAssets
from tests.support.rest_apis import GrantsAllBut, KeptChanges
from tests.support.stores import some_records
from tests.support.toys import ACCOUNT, ADMINISTRATOR

ROLE = "arn:aws:iam::000000000000:role/functions"
FORBIDDEN_ROLE = "arn:aws:iam::000000000000:role/nobody-may"


class TrustingRoles:
    """Lets Lambda assume every role but one."""

    def __init__(self, expires_at_ms: int = 1 << 50) -> None:
        self.expires_at_ms = expires_at_ms
        self.assumed: list[tuple[str, str, str]] = []

    def assume(self, role_arn: str, *, service: str, session_name: str, duration_s: int = 3600) -> Credentials:
        if role_arn == FORBIDDEN_ROLE:
            raise AccessDeniedException("no")
        self.assumed.append((role_arn, service, session_name))
        return Credentials("ASIAEXAMPLE", "a-secret", "a-token", self.expires_at_ms)


class KeptLogs:
    """A log sink that keeps what it is told, by log group's name."""

    def __init__(self) -> None:
        self.streams: dict[tuple[str, str], list[LogEvent]] = {}

    def put(self, log_group: str, log_stream: str, events: Sequence[LogEvent]) -> None:
        self.streams.setdefault((log_group, log_stream), []).extend(events)

    def messages(self, name: str) -> list[str]:
        """Everything that the function's group holds."""
        return [
            event.message
            for (group, _), events in list(self.streams.items())
            if group.endswith(f":log-group:/aws/lambda/{name}")
            for event in list(events)
        ]


def a_zip(files: Mapping[str, str | bytes]) -> bytes:
    """A zip of `files`; those that begin as programs do are executable."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name)  # no time: same files, same digest
            if text[:2] in ("#!", b"#!", b"\x7fE"):
                entry.external_attr = 0o100755 << 16
            archive.writestr(entry, text, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def a_function(name: str = "orders", **fields: Any) -> Function:
    """A function's record."""
    values: dict[str, Any] = {
        "name": name,
        "arn": f"arn:aws:lambda:us-east-1:000000000000:function:{name}",
        "region": "us-east-1",
        "account_id": "000000000000",
        "runtime": OWN_RUNTIME,
        "handler": "app.handler",
        "role_arn": ROLE,
        "code_sha256": "0" * 64,
        "code_bytes": 1,
        "revision_id": "r1",
        "modified_at_ms": 1_760_000_000_000,
    }
    return Function(**{**values, **fields})


class LiveRunner:
    """A runner in its own thread: deploy code, invoke it, read its log."""

    def __init__(self, folder: Path, settings: RunnerSettings | None = None) -> None:
        self.folder = folder
        self.roles = TrustingRoles()
        self.logs = KeptLogs()
        for name in ("assets", "functions", "cache", "runtimes"):
            (folder / name).mkdir(exist_ok=True)
        (folder / "assets").chmod(0o700)
        self._assets = FileAssets(folder / "assets")
        self._settings = settings or RunnerSettings(init_ms=5_000)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.runner: FunctionRunner = self.run(self._build())

    async def _build(self) -> FunctionRunner:
        return FunctionRunner(
            RunnerParts(
                clock=SystemClock(),
                role_sessions=self.roles,
                logs=self.logs,
                assets=self._assets,
                functions_dir=self.folder / "functions",
                runtimes_dir=self.folder / "runtimes",
                cache_dir=self.folder / "cache",
                endpoint_url="http://127.0.0.1:4566",
                settings=self._settings,
            )
        )

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the runner's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def deploy(self, code: str | Mapping[str, str | bytes], **fields: Any) -> Function:
        """Make a function of code under a new name (or `name`)."""
        files = {"app.py": textwrap.dedent(code)} if isinstance(code, str) else code
        content = a_zip(files)
        self._assets.put_now(content)
        sha256 = hashlib.sha256(content).hexdigest()
        name = fields.pop("name", None) or f"f-{random_id(8)}"
        function = a_function(name, code_sha256=sha256, code_bytes=len(content), **fields)
        self.publish(function)
        return function

    def publish(self, function: Function) -> None:
        """Tell the runner of a function."""
        self.call(lambda: self.runner.changed(function.arn, function.to_json()))

    def call(self, work: Any) -> Any:
        """Run something plain on the runner's loop."""

        async def now() -> Any:
            return work()

        return self.run(now())

    def start(self, function: Function, event: object = None, **fields: Any) -> Any:
        """Begin an invocation; `.result()` waits for it."""
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        invocation = Invocation(function.arn, payload, fields.pop("request_id", request_id()), **fields)

        async def invoke() -> InvocationResult:
            return await self.runner.invoke(invocation)

        return asyncio.run_coroutine_threadsafe(invoke(), self._loop)

    def invoke(self, function: Function, event: object = None, **fields: Any) -> InvocationResult:
        """Invoke and wait."""
        return self.start(function, event, **fields).result(30)

    def stream(self, function: Function, event: object = None, *, take: Any = None, **fields: Any) -> tuple[Any, ...]:
        """Invoke with a streamed answer: its pieces (through `take(piece)`), its content type, what broke it off."""
        payload = event if isinstance(event, bytes) else json.dumps(event).encode()
        invocation = Invocation(function.arn, payload, request_id(), **fields)

        async def read() -> tuple[Any, ...]:
            stream = await self.runner.stream(invocation)
            pieces, broken = [], None
            try:
                async for piece in stream:
                    pieces += [take(piece) if take is not None else piece]
            except StreamBroken as error:
                broken = json.loads(error.payload)
            return pieces, stream.content_type, broken

        return self.run(read())

    def value(self, function: Function, event: object = None, **fields: Any) -> Any:
        """Invoke and give what the function returned."""
        result = self.invoke(function, event, **fields)
        assert not result.function_error, result.payload
        return json.loads(result.payload)

    def error(self, function: Function, event: object = None, **fields: Any) -> dict[str, Any]:
        """Invoke and give the error that the function reported."""
        result = self.invoke(function, event, **fields)
        assert result.function_error == "Unhandled", result.payload
        return json.loads(result.payload)

    def pids(self, function: Function) -> list[int]:
        """The process ids of a function's workers, as this machine knows them."""
        return self.call(lambda: [worker.pid for worker in self.runner._pools[function.arn].workers])

    def log(self, function: Function) -> list[str]:
        """Everything that the function logged so far."""

        def flush() -> None:
            for pool in self.runner._pools.values():
                pool.flush()

        self.call(flush)
        return self.logs.messages(function.name)

    def close(self) -> None:
        """End the workers and the thread."""
        self.run(self.runner.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


@contextmanager
def a_live_runner(folder: Path, **settings: Any) -> Iterator[LiveRunner]:
    """A runner that lasts as long as the block."""
    live = LiveRunner(folder, RunnerSettings(**{"init_ms": 5_000, **settings}))
    try:
        yield live
    finally:
        live.close()


def skip_without_a_box(live: LiveRunner) -> None:
    """Skip a test of what only a file system of the worker's own gives, where the kernel makes no namespaces."""
    live.value(live.deploy("def handler(event, context):\n    return 1\n"))
    if not all(zygote.is_boxed for zygote in live.runner._starter._zygotes.values()):
        pytest.skip("this kernel does not let us make namespaces")


class EchoInvoker:
    """An invoker that answers at once with what it was sent; `results` are used up first."""

    def __init__(self) -> None:
        self.invocations: list[Invocation] = []
        self.results: list[InvocationResult | ServiceError] = []

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        self.invocations.append(invocation)
        result = self.results.pop(0) if self.results else InvocationResult(200, invocation.payload)
        if isinstance(result, ServiceError):
            raise result
        return result

    async def stream(self, invocation: Invocation) -> FunctionStream:
        """Answer as `invoke` does, in one piece."""
        answer: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        stream = FunctionStream(answer, "$LATEST")
        answer.set_result(await self.invoke(invocation))
        return await stream.started()


class LambdaControl:
    """The Lambda service as an operator uses it: `await control("CreateFunction", FunctionName="orders", …)`."""

    def __init__(self, provider: LambdaProvider, parts: LambdaParts, invoker: EchoInvoker, told: KeptChanges) -> None:
        self.provider = provider
        self.invoker = invoker
        self.told = told
        self.clock = parts.clock
        self.assets = parts.assets
        self.authorization = GrantsAllBut()
        self._dispatcher = Dispatcher(
            [provider], authorization=self.authorization, clock=parts.clock, account_id=ACCOUNT, region="us-east-1"
        )

    async def __call__(self, operation: str, **params: Any) -> dict[str, Any]:
        return await self._dispatcher.invoke(ADMINISTRATOR, "lambda", operation, params)

    async def a_function(self, name: str = "orders", **params: Any) -> dict[str, Any]:
        """Create a function of little code."""
        values = {
            "Runtime": "python3.12",
            "Role": ROLE,
            "Handler": "app.handler",
            "Code": {"ZipFile": a_zip({"app.py": "def handler(event, context): return event"})},
        }
        return await self("CreateFunction", FunctionName=name, **{**values, **params})


@asynccontextmanager
async def a_lambda_control(
    folder: Path, *, records: Any = None, deliveries: Any = None, streams: Any = None, runtimes: Path | None = None
) -> AsyncIterator[LambdaControl]:
    """The Lambda service on real records, with an invoker that echoes."""
    async with AsyncExitStack() as stack:
        for name in ("assets", "functions"):
            (folder / name).mkdir(exist_ok=True)
        told, invoker = KeptChanges(), EchoInvoker()
        parts = LambdaParts(
            records=records or await stack.enter_async_context(some_records(folder)),
            publisher=told,
            clock=FixedClock(),
            assets=FileAssets(folder / "assets"),
            role_sessions=TrustingRoles(),
            invoker=invoker,
            functions_dir=folder / "functions",
            runtimes_dir=runtimes,
            authorization=GrantsAllBut(),
            deliveries=deliveries,
            streams=streams,
        )
        provider = LambdaProvider(parts)
        await provider.start()
        try:
            yield LambdaControl(provider, parts, invoker, told)
        finally:
            await provider.close()


def with_lambda(
    folder: Path,
    scenario: Callable[[LambdaControl], Coroutine[Any, Any, Any]],
    *,
    deliveries: Any = None,
    streams: Any = None,
) -> Any:
    """Run `scenario` with an empty Lambda service."""

    async def run() -> Any:
        async with a_lambda_control(folder, deliveries=deliveries, streams=streams) as control:
            return await scenario(control)

    return asyncio.run(run())
