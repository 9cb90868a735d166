"""The HTTP API by which custom runtimes and extensions get invocations and answer them: one listener for all workers.

Every client library of AWS's is given `host:port` and nothing else, so there is no place for a secret in a request. The
kernel says which worker a connection comes from (`callers`); a worker reaches its own invocations and no other's, and
whoever is no worker gets 403.

Runtime API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
Extensions API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Final

import orjson

from gatepost.kernel.clock import Clock
from gatepost.kernel.ids import request_id as new_id
from gatepost.services.lambda_.runner import memory
from gatepost.services.lambda_.runner.callers import CallerLookup, holds
from gatepost.services.lambda_.runner.custom import CustomWorker, UnknownInvocation
from gatepost.services.lambda_.runner.extended import ExtendedWorker, InvalidState
from gatepost.services.lambda_.runner.extensions import EVENTS, Extension
from gatepost.services.lambda_.runner.streams import STREAM_BYTES_MAX
from gatepost.wire.headers import CHUNKED
from gatepost.wire.limits import ListenerLimits, WireRefusal
from gatepost.wire.messages import Headers, Request, Response
from gatepost.wire.server import Server

log = logging.getLogger(__name__)

HOST: Final = "127.0.0.1"
LIMITS: Final = ListenerLimits(
    head_bytes_max=64 * 1024,
    body_bytes_max=7 * 1024 * 1024,  # above Lambda's 6 MB, so that most that is too large is answered in its words
    body_ms=900_000,  # a streamed answer takes as long as the function may
    idle_ms=1_000_000,  # a runtime keeps its connection while the handler runs, for at most 900 s
)
STREAMED_BYTES_MAX: Final = STREAM_BYTES_MAX + 64 * 1024 * 1024  # what goes beyond the stream's own bound is dropped
RUNTIME: Final = "/2018-06-01/runtime/"
EXTENSION: Final = "/2020-01-01/extension/"
ERROR_TYPE: Final = b"lambda-runtime-function-error-type"
ERROR_BODY: Final = b"lambda-runtime-function-error-body"  # a trailer: the error's JSON in base64
RESPONSE_MODE: Final = b"lambda-runtime-function-response-mode"
EXTENSION_ID: Final = b"lambda-extension-identifier"
SOCKETS_REMEMBERED_MAX: Final = 4_096
Answer = Response | Coroutine[Any, Any, Response]
RuntimeRoute = Callable[[CustomWorker, Request], Answer]
ExtensionRoute = Callable[[ExtendedWorker, Request], Answer]


def answer(status: int, content: object, headers: Headers | None = None) -> Response:
    """Make a JSON response."""
    return Response(status, [(b"Content-Type", b"application/json"), *(headers or [])], orjson.dumps(content))


def error(status: int, kind: str, words: str) -> Response:
    """Make an error in the API's form."""
    return answer(status, {"errorMessage": words, "errorType": kind})


def header_text(text: str) -> bytes:
    """Give text as it can stand in a header: JSON in ASCII; of anything else what is printable."""
    try:
        return json.dumps(json.loads(text), separators=(",", ":")).encode()
    except ValueError:
        return "".join(letter for letter in text if " " <= letter <= "~").encode()


class RuntimeApi:
    """Serves all custom workers of a runner. `start` gives the address that they find it at."""

    def __init__(self, clock: Clock) -> None:
        self._server = Server(
            self._handle,
            limits=LIMITS,
            refuse=self._refuse,
            clock=clock,
            body_bytes_max=self._body_bytes_max,
            body_sink=self._body_sink,
        )
        self._callers: CallerLookup | None = None
        self._address = (HOST, 0)
        self._by_uid: dict[int, ExtendedWorker] = {}
        self._of_our_user: set[ExtendedWorker] = set()
        self._by_inode: dict[int, ExtendedWorker] = {}
        self._runtime: dict[tuple[str, str], RuntimeRoute] = {
            ("GET", "invocation/next"): self._next,
            ("POST", "init/error"): self._init_error,
        }
        self._extension: dict[tuple[str, str], ExtensionRoute] = {
            ("POST", "register"): self._register,
            ("GET", "event/next"): self._next_event,
            ("POST", "init/error"): self._extension_init_error,
            ("POST", "exit/error"): self._extension_exit_error,
        }

    async def start(self) -> str:
        """Listen on a free port of the loopback interface unless it does; gives `host:port`. Raises: OSError."""
        if self._callers is None:
            self._callers = CallerLookup()
            listener = socket.create_server((HOST, 0))
            self._address = listener.getsockname()
            await self._server.serve(listener)
        return f"{self._address[0]}:{self._address[1]}"

    def employ(self, worker: ExtendedWorker) -> None:
        """Let a worker's processes in. Its user is set by now, when it has one of its own."""
        if worker.uid:
            self._by_uid[worker.uid] = worker
        else:
            self._of_our_user.add(worker)

    def dismiss(self, worker: ExtendedWorker) -> None:
        """Let a worker's processes in no more."""
        if self._by_uid.get(worker.uid) is worker:
            del self._by_uid[worker.uid]
        self._of_our_user.discard(worker)
        for inode in [inode for inode, one in self._by_inode.items() if one is worker]:
            del self._by_inode[inode]

    async def close(self) -> None:
        """Stop listening."""
        if self._callers is not None:
            await self._server.drain(0)
            self._callers.close()
            self._callers = None

    # --- who calls ---------------------------------------------------------------------------------------------

    def _worker_of(self, request: Request) -> ExtendedWorker | None:
        """Give the worker that a request comes from; None: it comes from none."""
        assert self._callers is not None
        caller = self._callers.find((request.client_ip, request.client_port), self._address)
        if caller is None:
            return None
        worker = self._by_uid.get(caller.uid)
        if worker is None and self._of_our_user and caller.uid == os.geteuid():
            worker = self._by_inode.get(caller.inode) or self._holder_of(caller.inode)
        return worker

    def _holder_of(self, inode: int) -> ExtendedWorker | None:
        """Give the worker among whose processes one holds this socket: workers without users of their own."""
        for worker in self._of_our_user:
            if worker.pid and any(holds(pid, inode) for pid in memory.family(worker.pid)):
                if len(self._by_inode) >= SOCKETS_REMEMBERED_MAX:
                    self._by_inode.clear()
                self._by_inode[inode] = worker
                return worker
        return None

    # --- requests ----------------------------------------------------------------------------------------------

    async def _handle(self, request: Request) -> Response:
        worker = self._worker_of(request)
        if worker is None:
            log.info("refused a caller of the Runtime API that is no worker", extra={"port": request.client_port})
            return error(403, "Forbidden", "Only a function's own runtime and extensions are served here")
        try:
            response = self._answer(worker, request)
            return response if isinstance(response, Response) else await response
        except InvalidState as refusal:
            return error(403, "InvalidStateTransition", f"State transition failed: {refusal}")
        except UnknownInvocation:
            return error(400, "InvalidRequestID", "Invalid request ID")

    def _answer(self, worker: ExtendedWorker, request: Request) -> Answer:
        if request.path.startswith(EXTENSION):
            extension = self._extension.get((request.method, request.path[len(EXTENSION) :]))
            if extension is not None:
                return extension(worker, request)
        route = self._runtime_route(request)
        if route is None:
            return error(404, "NotFound", f"{request.method} {request.path} is not part of the Runtime API here")
        if not isinstance(worker, CustomWorker):
            raise InvalidState("this function's runtime is Gatepost's own")
        return route(worker, request)

    def _runtime_route(self, request: Request) -> RuntimeRoute | None:
        method, name = request.method, request.path.removeprefix(RUNTIME)
        if name == request.path:
            return None
        parts = name.split("/")
        if method == "POST" and len(parts) == 3 and parts[0] == "invocation":
            return {"response": self._response, "error": self._error}.get(parts[2])
        return self._runtime.get((method, name))

    def _refuse(self, refusal: WireRefusal) -> Response:
        """Answer what is no request that can be handled; an answer of many megabytes ends its invocation."""
        request = refusal.request
        if refusal.reason == "body_too_large" and request is not None:
            worker = self._worker_of(request)
            if isinstance(worker, CustomWorker) and self._runtime_route(request) == self._response:
                worker.answer_too_large()
            return error(413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size")
        return error(refusal.status, "InvalidRequest", refusal.reason)

    # --- streamed answers --------------------------------------------------------------------------------------

    def _streams(self, request: Request) -> bool:
        mode = request.header(RESPONSE_MODE)
        return mode is not None and mode.lower() == b"streaming" and self._runtime_route(request) == self._response

    def _body_bytes_max(self, request: Request) -> int:
        """Give room to a streamed answer: its pieces are not kept, and the stream has a bound of its own."""
        is_streamed = request.block is not None and request.block.body_bytes == CHUNKED and self._streams(request)
        return STREAMED_BYTES_MAX if is_streamed else LIMITS.body_bytes_max

    def _body_sink(self, request: Request, transport: asyncio.Transport) -> Callable[[bytes], None] | None:
        """Give what hands an answer on while it arrives; None for other requests.

        What comes from no worker, or answers another invocation, goes nowhere: it is refused when it has come.
        """
        if not self._streams(request):
            return None
        worker = self._worker_of(request)
        if not isinstance(worker, CustomWorker):
            return _ignore
        try:
            worker.begin_answer(_invocation_of(request), (request.header(b"content-type") or b"").decode("latin-1"))
        except UnknownInvocation:
            return _ignore
        running = worker.current

        def take(piece: bytes) -> None:
            if worker.current is running and not worker.streamed(piece, resume):
                transport.pause_reading()

        def resume() -> None:
            if not transport.is_closing():
                transport.resume_reading()

        return take

    # --- Runtime API -------------------------------------------------------------------------------------------

    async def _next(self, worker: CustomWorker, request: Request) -> Response:
        del request
        invocation, deadline_ms = await worker.next_invocation()
        headers = [
            (b"Content-Type", b"application/json"),
            (b"Lambda-Runtime-Aws-Request-Id", header_text(invocation.request_id)),
            (b"Lambda-Runtime-Deadline-Ms", str(deadline_ms).encode()),
            (b"Lambda-Runtime-Invoked-Function-Arn", header_text(invocation.function_arn)),
        ]
        if invocation.trace_id:
            headers.append((b"Lambda-Runtime-Trace-Id", header_text(invocation.trace_id)))
        if invocation.client_context:
            headers.append((b"Lambda-Runtime-Client-Context", header_text(invocation.client_context)))
        return Response(200, headers, invocation.payload)

    def _response(self, worker: CustomWorker, request: Request) -> Response:
        failure = dict(request.trailers).get(ERROR_TYPE) if request.trailers else None
        if failure is not None:  # a streamed answer that broke off
            worker.fail(_invocation_of(request), _reported(_error_body(request.trailers), failure))
        elif not worker.answer(_invocation_of(request), request.body):
            return error(413, "RequestEntityTooLarge", "Exceeded maximum allowed payload size")
        return answer(202, {"status": "OK"})

    def _error(self, worker: CustomWorker, request: Request) -> Response:
        worker.fail(_invocation_of(request), _reported(request.body, request.header(ERROR_TYPE)))
        return answer(202, {"status": "OK"})

    def _init_error(self, worker: CustomWorker, request: Request) -> Response:
        worker.fail_start(_reported(request.body, request.header(ERROR_TYPE)))
        return answer(202, {"status": "OK"})

    # --- Extensions API ----------------------------------------------------------------------------------------

    def _register(self, worker: ExtendedWorker, request: Request) -> Response:
        name = (request.header(b"lambda-extension-name") or b"").decode("latin-1")
        if not name:
            return error(400, "Extension.InvalidExtensionName", "Lambda-Extension-Name is missing")
        try:
            wanted = orjson.loads(request.body or b"{}").get("events", [])
            events = frozenset(str(event) for event in wanted)
        except (orjson.JSONDecodeError, AttributeError, TypeError):
            return error(400, "InvalidRequestFormat", "The body must be JSON with a list of events")
        if not events <= EVENTS:
            return error(400, "Extension.InvalidEventType", f"Events are {' and '.join(sorted(EVENTS))}")
        extension = worker.register(name, events)
        if extension is None:
            return error(403, "Extension.AlreadyRegistered", f"{name} is registered, or there are too many extensions")
        function = worker.function
        content = {"functionName": function.name, "functionVersion": function.version, "handler": function.handler}
        if (request.header(b"lambda-extension-accept-feature") or b"").strip() == b"accountId":
            content["accountId"] = function.account_id
        return answer(200, content, [(b"Lambda-Extension-Identifier", extension.identifier.encode())])

    async def _next_event(self, worker: ExtendedWorker, request: Request) -> Response:
        extension = _extension_of(worker, request)
        if isinstance(extension, Response):
            return extension
        event = await worker.next_event(extension)
        return answer(200, event, [(b"Lambda-Extension-Event-Identifier", new_id().encode())])

    def _extension_init_error(self, worker: ExtendedWorker, request: Request) -> Response:
        extension = _extension_of(worker, request)
        if isinstance(extension, Response):
            return extension
        worker.fail_start(_reported(request.body, request.header(b"lambda-extension-function-error-type")))
        return answer(202, {"status": "OK"})

    def _extension_exit_error(self, worker: ExtendedWorker, request: Request) -> Response:
        extension = _extension_of(worker, request)
        if isinstance(extension, Response):
            return extension
        worker.give_up()
        return answer(202, {"status": "OK"})


def _invocation_of(request: Request) -> str:
    return request.path[len(RUNTIME) :].split("/")[1]


def _error_body(trailers: Headers) -> bytes:
    """Give the error that a trailer tells; nothing when it is not what it should be."""
    try:
        return base64.b64decode(dict(trailers).get(ERROR_BODY, b""), validate=True)
    except binascii.Error:
        return b""


def _ignore(piece: bytes) -> None:
    """Drop what nobody waits for."""


def _extension_of(worker: ExtendedWorker, request: Request) -> Extension | Response:
    identifier = request.header(EXTENSION_ID)
    if identifier is None:
        return error(403, "Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")
    extension = worker.extensions.find(identifier.decode("latin-1"))
    if extension is None:
        return error(403, "Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier")
    return extension


def _reported(body: bytes, kind: bytes | None) -> bytes:
    """Give an error's payload; one without a body has at least its type."""
    if body:
        return body
    return orjson.dumps({"errorType": (kind or b"Runtime.Unknown").decode("latin-1"), "errorMessage": ""})
