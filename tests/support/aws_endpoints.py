"""AWS endpoints to call: one in memory that boto3 talks to without a socket, and one behind the real server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.config
from botocore.awsrequest import AWSResponse

from gatepost.awsapi.dispatch import Dispatcher
from gatepost.awsapi.listener import AWS_LIMITS, refuse
from gatepost.awsapi.server import AwsEndpoint
from gatepost.kernel.clock import SystemClock
from gatepost.wire.messages import Request, Response
from gatepost.wire.server import Server
from tests.support.toys import ACCOUNT, SECRET, KnownIdentities, StrangersMayNothing

CONFIG = botocore.config.Config(
    retries={"total_max_attempts": 1}, parameter_validation=False, connect_timeout=5, read_timeout=10
)


def an_endpoint(*providers: Any, clock: Any = None, **options: Any) -> AwsEndpoint:
    """Build an endpoint over `providers`."""
    authorization = StrangersMayNothing()
    dispatcher = Dispatcher(
        providers, authorization=authorization, clock=clock or SystemClock(), account_id=ACCOUNT, region="us-east-1"
    )
    options.setdefault("identities", KnownIdentities())
    return AwsEndpoint(dispatcher, authorization=authorization, hosts=["127.0.0.1"], **options)


def answer_of(handler: Callable[[Request], Any], request: Request) -> Response:
    """Run a handler to its end."""
    answer = handler(request)
    if isinstance(answer, Response):
        return answer

    async def finish() -> Response:
        return await answer

    return asyncio.run(finish())


class Loop:
    """A loop in a thread of its own, for providers whose stores belong to one loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Any) -> Any:
        """Run a coroutine to its end."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def wrapped(self, handler: Callable[[Request], Any]) -> Any:
        """Give a handler that answers on this loop."""

        async def answer(request: Request) -> Response:
            found = handler(request)
            return found if isinstance(found, Response) else await found

        return lambda request: self.run(answer(request))

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@contextmanager
def a_loop() -> Iterator[Loop]:
    """A loop that lasts as long as the block."""
    loop = Loop()
    try:
        yield loop
    finally:
        loop.close()


class _Raw:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._content

    def read(self, *_: Any, **__: Any) -> bytes:
        content, self._content = self._content, b""
        return content

    def close(self) -> None: ...


def a_client(
    endpoint: AwsEndpoint, service: str, *, key: str = "AKIATESTADMIN", token: str | None = None, **options: Any
) -> Any:
    """Build a boto3 client whose requests go straight into `endpoint`, signed and serialized by botocore."""
    client = boto3.client(
        service,
        endpoint_url="http://127.0.0.1:4566",
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=options.pop("secret", SECRET),
        aws_session_token=token,
        config=CONFIG,
        **options,
    )

    def send(request: Any, **_: Any) -> AWSResponse:
        response = answer_of(endpoint, as_request(request))
        headers = {name.decode(): value.decode() for name, value in response.headers}
        return AWSResponse(request.url, response.status, headers, _Raw(response.body))

    client.meta.events.register("before-send.*", send)
    return client


def as_request(prepared: Any) -> Request:
    """Turn a prepared request of botocore's into what the server would hand to the handler."""
    parts = urlsplit(prepared.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = [(_bytes(name), _bytes(value)) for name, value in prepared.headers.items()]
    if not any(name.lower() == b"host" for name, _ in headers):
        headers.append((b"Host", parts.netloc.encode()))
    body = prepared.body
    if hasattr(body, "read"):
        body = body.read()
    return Request(prepared.method, target, headers, _bytes(body or b""))


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


@contextmanager
def listening(endpoint: Callable[[Request], Any], *, close: Callable[[], Any] | None = None) -> Iterator[str]:
    """Serve an endpoint, or any handler, by the real server on a free port; gives its URL. `close` runs at the end."""
    import socket

    sock = socket.create_server(("127.0.0.1", 0))
    loop = asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        server = Server(
            endpoint,
            limits=AWS_LIMITS,
            refuse=refuse,
            clock=SystemClock(),
            body_bytes_max=getattr(endpoint, "body_bytes_max", None),
        )
        await server.serve(sock)
        ready.set()
        await stop.wait()
        await server.drain(1_000)
        if close is not None:
            await close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
