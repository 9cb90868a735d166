"""The AWS endpoint: every request to it comes in here and leaves here.

    host and origin -> own paths | deployed APIs | AWS operations
    an operation: route -> signature -> parse -> check -> authorize -> method -> render

A request whose method does not wait is answered without a coroutine. Whatever fails is rendered in the protocol of the
request; what nobody foresaw is logged with the request's id, and the client gets that id and nothing else.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from inspect import isawaitable
from typing import Any, Final

import orjson

from gatepost.awsapi import dispatch, forwarding, pages
from gatepost.awsapi.authentication import Authenticator, Caller
from gatepost.awsapi.dispatch import Dispatcher
from gatepost.awsapi.errors import (
    IncompleteSignatureException,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
    RequestEntityTooLargeException,
    SerializationException,
    UnknownOperationException,
    UnrecognizedClientException,
)
from gatepost.awsapi.forwarding import Forwarder
from gatepost.awsapi.headers import headers_of
from gatepost.awsapi.hosted import HOSTED_PREFIX, HostedDomains
from gatepost.awsapi.hosts import HostGuard
from gatepost.awsapi.own_routes import OPERATIONS_PREFIX, PREFIX, OwnRoute, OwnRoutes
from gatepost.awsapi.protocols import xml
from gatepost.awsapi.protocols.base import Incoming, ServiceProtocol
from gatepost.awsapi.protocols.errors import JSON, QUERY, REST, rendered
from gatepost.awsapi.protocols.json import parse_object
from gatepost.awsapi.protocols.query import FORM_TYPE, error_document
from gatepost.awsapi.routing import Routed, Router, Unroutable
from gatepost.awsapi.signed_heads import SignedHead, remember
from gatepost.awsapi.validation import raise_problems
from gatepost.gateway.request_ids import RequestIds
from gatepost.kernel.errors import InternalFailure, ServiceError, StateUnavailable, StoreUnavailable, VersionConflict
from gatepost.kernel.operations import Access, Call, Principal
from gatepost.kernel.ports import Authorization, Identities
from gatepost.security.sigv4 import Claim, SignatureVerifier
from gatepost.wire.messages import Handler, Headers, Request, Response

log = logging.getLogger(__name__)

MIB: Final = 1024 * 1024
BODY_BYTES_MAX: Final = 10 * MIB
DYNAMODB_BODY_BYTES_MAX: Final = 16 * MIB
LAMBDA_BODY_BYTES_MAX: Final = 100 * MIB  # a zip of 50 MB in base64, with room
UNPACKED_BODY_BYTES_MAX: Final = 10 * MIB
OWN_SERVICE: Final = "gatepost"
_LARGE_LAMBDA_PATHS: Final = ("/2015-03-31/functions", "/2018-10-31/layers")
_LARGE_OPERATIONS: Final = frozenset({"CreateFunction", "UpdateFunctionCode", "PublishLayerVersion"})
_FAILED: Final = "The request processing has failed because of an unknown error, exception or failure."
_LOST: Final = (NotImplementedError, StoreUnavailable, StateUnavailable, VersionConflict)

SIGNATURE_REFUSALS: Final = (
    IncompleteSignatureException,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
    UnrecognizedClientException,
)
Answer = Response | Coroutine[Any, Any, Response]


class AwsEndpoint:
    """The handler of the AWS endpoint's listener (`wire.messages.Handler`)."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        identities: Identities,
        authorization: Authorization,
        hosts: Iterable[str],
        origins: Iterable[str] = (),
        routes: Iterable[OwnRoute] = (),
        api_requests: Handler | None = None,
        any_credentials: Principal | None = None,
        forwarder: Forwarder | None = None,
        documents: Callable[[str], bytes | None] | None = None,
        hosted: HostedDomains | None = None,
        note_use: Callable[[Principal, str, str, int], None] | None = None,
    ) -> None:
        """Take what the endpoint needs.

        `hosts` are the names and addresses that it is configured with, `origins` those of its own console.
        `api_requests` answers requests for deployed APIs. `any_credentials` is the administrator that an unknown
        access key stands for, or None. `forwarder` takes the services that the operator sends elsewhere. `documents`
        gives what anyone may read at a path (`/{userPoolId}/.well-known/…`), as JSON. `hosted` answers at the domains
        of user pools. `note_use` hears of every operation who called which service where and when.

        Raises: ValueError when one of those is a service that we have.
        """
        ours = forwarder.names & dispatcher.signing_names if forwarder is not None else frozenset()
        if ours:
            raise ValueError(f"Gatepost has {', '.join(sorted(ours))} itself: forward other services")
        self._dispatcher = dispatcher
        self._authorization = authorization
        self._clock = dispatcher.clock
        self._new_request_id = RequestIds().next
        is_domain = hosted.is_custom_domain if hosted is not None else None
        self._hosts = HostGuard(hosts, origins=origins, is_domain=is_domain)
        self._hosted = hosted
        self._authenticator = Authenticator(identities, verifier=SignatureVerifier(), any_credentials=any_credentials)
        self._router = Router(dispatcher)
        self._routes = OwnRoutes(routes)
        self._api_requests = api_requests
        self._forwarder = forwarder
        self._documents = documents
        self._note_use = note_use
        self._anonymous = Principal("anonymous", dispatcher.account_id, "", "anonymous")

    def __call__(self, request: Request) -> Answer:
        """Answer a request; gives a coroutine only when its operation waits for something."""
        block = request.block
        if block is not None and isinstance(head := block.memo, SignedHead):
            now_ms = self._clock.now_ms()
            caller = head.caller(self._authenticator, request, block, now_ms)
            if caller is not None:
                return self._run_again(head, caller, request, now_ms)
        request_id = self._new_request_id()
        protocol: ServiceProtocol | None = None
        try:
            headers = headers_of(request)
            kind = self._hosts.kind(headers)
            path = request.path
            if path != "/" or kind != "aws":
                if self._hosted is not None and (kind == "auth" or (kind == "aws" and path.startswith(HOSTED_PREFIX))):
                    return self._finish_own(self._hosted.answer(request, request_id), request, request_id)
                if kind == "api" or is_api_path(path):
                    return self._answer_api(request)
                if path.startswith(PREFIX):
                    self._hosts.check_origin(headers)
                    return self._answer_own(request, headers, request_id)
                if pages.DOCUMENTS in path and (found := self._document(request)) is not None:
                    return found
            elif b"origin" in headers and (shown := self._answer_page(request, headers, request_id)) is not None:
                return shown
            self._hosts.check_origin(headers)
            now_ms = self._clock.now_ms()
            if self._forwarder is not None and (name := self._forwarded_name(request, headers, now_ms)):
                return self._forward(self._forwarder, name, request, headers, request_id, now_ms)
            target = headers.get(b"x-amz-target")
            if target is not None:
                routed = self._router.by_target(target)
                protocol = routed.served.protocol
                claim = self._claim(request, headers, now_ms, is_unsigned=routed.served.model.is_unsigned)
            else:
                claim = self._claim(request, headers, now_ms, is_unsigned=True)
                routed = self._router.route(request, headers, claim.scope.service if claim is not None else "")
                protocol = routed.served.protocol
            return self._answer_operation(routed, claim, request, headers, request_id, now_ms)
        except Unroutable as unroutable:
            return self._failed(unroutable.error, unroutable.protocol, request, request_id)
        except SIGNATURE_REFUSALS as refusal:
            return self._failed(refusal, protocol or self._router.guess(request, headers), request, request_id)
        except Exception as error:  # noqa: BLE001 its home: whatever fails is answered here
            return self._failed(error, protocol, request, request_id)

    def _document(self, request: Request) -> Response | None:
        content = self._documents(request.path) if self._documents is not None else None
        return pages.document(content) if content is not None and request.method in ("GET", "HEAD") else None

    def _answer_page(self, request: Request, headers: dict[bytes, bytes], request_id: str) -> Answer | None:
        """Answer a web page that asks for what pages of every origin may have; None: it asks for something else."""
        if not pages.is_for_everyone(self._router, request, headers):
            return pages.preflight(request, headers)
        routed = self._router.by_target(headers[b"x-amz-target"])
        try:
            answer = self._answer_operation(routed, None, request, headers, request_id, self._clock.now_ms())
        except Exception as error:  # noqa: BLE001 its home: whatever fails is answered here
            answer = self._failed(error, routed.served.protocol, request, request_id)
        return pages.shown(answer)

    def _run_again(self, head: SignedHead, caller: Caller, request: Request, now_ms: int) -> Answer:
        """Run the operation of a request whose head is known, and whose signature has been verified."""
        request_id = self._new_request_id()
        try:
            return self._run(head.routed, caller, request, head.headers, request_id, now_ms)
        except Exception as error:  # noqa: BLE001 its home: whatever fails is answered here
            return self._failed(error, head.routed.served.protocol, request, request_id)

    def answer_for(self, caller: Caller, request: Request) -> Answer:
        """Answer an operation whose caller is known without a signature: a request of an API's integration.

        `caller.service` is the service's name in credential scopes; everything but the signature is as for anyone.
        """
        request_id = self._new_request_id()
        protocol: ServiceProtocol | None = None
        try:
            headers = headers_of(request)
            now_ms = self._clock.now_ms()
            if self._forwarder is not None and caller.service in self._forwarder.names:
                return self._pass_on(self._forwarder, caller, request, headers, request_id, now_ms)
            target = headers.get(b"x-amz-target")
            if target is not None:
                routed = self._router.by_target(target)
            else:
                routed = self._router.route(request, headers, caller.service)
            protocol = routed.served.protocol
            if routed.served.signing_name != caller.service:
                raise UnknownOperationException(f"{caller.service} has no such operation")
            return self._run(routed, caller, request, headers, request_id, now_ms)
        except Unroutable as unroutable:
            return self._failed(unroutable.error, unroutable.protocol, request, request_id)
        except Exception as error:  # noqa: BLE001 its home: whatever fails is answered here
            return self._failed(error, protocol, request, request_id)

    def trust_origin(self, origin: str) -> None:
        """Answer to the pages of `origin`: the console's, known once the listener has its port."""
        self._hosts.trust_origin(origin)

    def body_bytes_max(self, request: Request) -> int:
        """Give the most bytes that the body of this request may have; more than 10 MiB only for known keys."""
        block = request.block
        if block is not None and request.path == "/" and 0 <= block.body_bytes <= BODY_BYTES_MAX:
            return BODY_BYTES_MAX  # every operation at this path may have as much
        large = self._large_body_bytes_max(request)
        if large <= BODY_BYTES_MAX or (block is not None and 0 <= block.body_bytes <= BODY_BYTES_MAX):
            return large  # who sends it matters only for what is larger
        now_ms = self._clock.now_ms()
        try:
            claim = self._authenticator.read(request, headers_of(request), now_ms)
        except ServiceError:
            return BODY_BYTES_MAX
        return large if self._authenticator.knows(claim, now_ms) else BODY_BYTES_MAX

    def _large_body_bytes_max(self, request: Request) -> int:
        path = request.path
        if path == "/":
            target = request.header(b"x-amz-target") or b""
            return DYNAMODB_BODY_BYTES_MAX if target.startswith(b"DynamoDB_") else BODY_BYTES_MAX
        if path.startswith(OPERATIONS_PREFIX):
            return LAMBDA_BODY_BYTES_MAX if path.rpartition("/")[2] in _LARGE_OPERATIONS else DYNAMODB_BODY_BYTES_MAX
        if path.startswith(PREFIX):
            route = self._routes.find(request.method, path)
            return route.body_bytes_max if route is not None else 0
        if self._forwarder is not None and self._is_forwarded(request):
            return forwarding.REQUEST_BYTES_MAX
        if path.startswith(_LARGE_LAMBDA_PATHS) and not path.endswith("/invocations"):
            return LAMBDA_BODY_BYTES_MAX
        return BODY_BYTES_MAX

    def _is_forwarded(self, request: Request) -> bool:
        try:
            headers = headers_of(request)
            return bool(self._forwarded_name(request, headers, self._clock.now_ms()))
        except ServiceError:
            return False

    def _claim(
        self, request: Request, headers: Mapping[bytes, bytes], now_ms: int, *, is_unsigned: bool
    ) -> Claim | None:
        """Read the claim; None where there is none and the operation may do without."""
        try:
            return self._authenticator.read(request, headers, now_ms)
        except MissingAuthenticationTokenException:
            if is_unsigned:
                return None
            raise

    def _answer_operation(
        self,
        routed: Routed,
        claim: Claim | None,
        request: Request,
        headers: dict[bytes, bytes],
        request_id: str,
        now_ms: int,
    ) -> Answer:
        served = routed.served
        if claim is not None:
            if claim.scope.service != served.signing_name:
                raise InvalidSignatureException(
                    f"Credential should be scoped to correct service: '{served.signing_name}'. "
                )
            caller = self._authenticator.caller(
                claim, request, headers, now_ms, unsigned_payload_allowed=served.model.takes_unsigned_payload
            )
            if request.block is not None and request.block.varies:
                remember(self._authenticator, request, headers, routed, claim, caller, now_ms)
        elif served.model.is_unsigned:
            caller = Caller(self._anonymous, self._dispatcher.region, served.signing_name)
        else:
            raise MissingAuthenticationTokenException("Request is missing Authentication Token")
        return self._run(routed, caller, request, headers, request_id, now_ms)

    def _run(
        self,
        routed: Routed,
        caller: Caller,
        request: Request,
        headers: Mapping[bytes, bytes],
        request_id: str,
        now_ms: int,
    ) -> Answer:
        """Parse, check, authorize and run an operation for a caller who is proven."""
        served = routed.served
        bound, check = served.bound, served.check
        if bound is None or check is None:
            refusal = self._dispatcher.refusal(served.service, served.operation)
            raise dispatch.unsupported(served.service, served.operation, refusal)
        call = self._call(served.service, served.operation, caller, request, headers, request_id, now_ms)
        if self._note_use is not None:
            self._note_use(caller.principal, caller.service, caller.region, now_ms)
        body = request.body
        if b"content-encoding" in headers:
            body = unpacked(headers[b"content-encoding"], body)
        if served.wire is not None:
            params = parse_object(body)
            if bound.known is not None:
                params = bound.known(params)
        else:
            incoming = Incoming(request.method, request.path, request.query, headers, body, routed.labels)
            params = served.codec.parse(incoming)
        problems = check(params)
        if problems is not None:
            raise_problems(problems, bound.validation_error)
        if bound.wire_json and served.wire is None:
            params = bound.to_wire(params)
        result = self._dispatcher.start(bound, call, params)
        if result.__class__ is bytes or result.__class__ is dict or not isawaitable(result):
            return self._render(routed, result, request_id)
        return self._finish(routed, result, request, request_id)

    def _call(
        self,
        service: str,
        operation: str,
        caller: Caller,
        request: Request,
        headers: Mapping[bytes, bytes],
        request_id: str,
        now_ms: int,
    ) -> Call:
        peer = request if request.block is None else request.peer  # what came over the wire is not taken apart
        return Call(
            service,
            operation,
            caller.principal.account_id,
            caller.region,
            caller.principal,
            request_id,
            now_ms,
            peer.client_ip if isinstance(peer, Request) else peer.ip,
            headers.get(b"user-agent", b"").decode("latin-1"),
            peer.is_tls,
        )

    def _render(self, routed: Routed, result: Any, request_id: str) -> Response:
        served = routed.served
        if served.wire is not None:
            return served.wire.render_wire(result, request_id)
        assert served.bound is not None
        if served.bound.wire_json:
            result = served.bound.from_wire(result)
        return served.codec.render(result or {}, request_id)

    async def _finish(self, routed: Routed, running: Awaitable[Any], request: Request, request_id: str) -> Response:
        try:
            return self._render(routed, await running, request_id)
        except Exception as error:  # noqa: BLE001 its home: whatever fails is answered here
            return self._failed(error, routed.served.protocol, request, request_id)

    # -- forwarded services

    def _forwarded_name(self, request: Request, headers: Mapping[bytes, bytes], now_ms: int) -> str:
        claim = self._claim(request, headers, now_ms, is_unsigned=True)
        if claim is None or self._forwarder is None or claim.scope.service not in self._forwarder.names:
            return ""
        return claim.scope.service

    def _forward(
        self,
        forwarder: Forwarder,
        name: str,
        request: Request,
        headers: Mapping[bytes, bytes],
        request_id: str,
        now_ms: int,
    ) -> Answer:
        claim = self._authenticator.read(request, headers, now_ms)
        caller = self._authenticator.caller(claim, request, headers, now_ms)
        return self._pass_on(forwarder, caller._replace(service=name), request, headers, request_id, now_ms)

    def _pass_on(
        self,
        forwarder: Forwarder,
        caller: Caller,
        request: Request,
        headers: Mapping[bytes, bytes],
        request_id: str,
        now_ms: int,
    ) -> Answer:
        name = caller.service
        access = forwarder.access(request, headers, name)
        call = self._call(name, access.action.partition(":")[2], caller, request, headers, request_id, now_ms)
        self._authorization.check(call, access)
        return self._finish_own(forwarder.forward(request, headers, name, call), request, request_id)

    def _answer_api(self, request: Request) -> Answer:
        if self._api_requests is None:
            raise UnknownOperationException("This endpoint serves no deployed APIs")
        return self._api_requests(request)

    # -- our own paths

    def _answer_own(self, request: Request, headers: Mapping[bytes, bytes], request_id: str) -> Answer:
        now_ms = self._clock.now_ms()
        if request.path.startswith(OPERATIONS_PREFIX):
            return self._answer_plain(request, headers, request_id, now_ms)
        route = self._routes.find(request.method, request.path)
        if route is None:
            raise UnknownOperationException(f"There is nothing at {request.method} {request.path[:256]}")
        if len(request.body) > route.body_bytes_max:
            raise RequestEntityTooLargeException(f"The body has more than {route.body_bytes_max} bytes")
        if route.action is None:
            caller = Caller(self._anonymous, self._dispatcher.region, OWN_SERVICE)
        else:
            caller = self._own_caller(request, headers, now_ms, services=(OWN_SERVICE,))
        name = route.action.partition(":")[2] if route.action is not None else ""
        call = self._call(OWN_SERVICE, name, caller, request, headers, request_id, now_ms)
        if route.action is not None:
            self._authorization.check(call, Access(route.action))
        answer = route.handler(request, call)
        if isinstance(answer, Response):
            return answer
        return self._finish_own(answer, request, request_id)

    async def _finish_own(self, running: Coroutine[Any, Any, Response], request: Request, request_id: str) -> Response:
        try:
            return await running
        except Exception as error:  # noqa: BLE001 its home: whatever fails is answered here
            return self._failed(error, None, request, request_id)

    def _own_caller(
        self, request: Request, headers: Mapping[bytes, bytes], now_ms: int, *, services: tuple[str, ...]
    ) -> Caller:
        claim = self._authenticator.read(request, headers, now_ms)
        if claim.scope.service not in services:
            raise InvalidSignatureException(f"Credential should be scoped to correct service: '{services[0]}'. ")
        return self._authenticator.caller(claim, request, headers, now_ms)

    def _answer_plain(self, request: Request, headers: Mapping[bytes, bytes], request_id: str, now_ms: int) -> Answer:
        """Answer `POST /_gatepost/operations/{service}/{Operation}`: JSON in and out, for every operation."""
        service, _, operation = request.path[len(OPERATIONS_PREFIX) :].partition("/")
        caller = self._own_caller(request, headers, now_ms, services=(OWN_SERVICE, service))
        if request.method != "POST":
            raise UnknownOperationException("Operations are called by POST")
        bound = self._dispatcher.operation(service, operation)
        call = self._call(service, operation, caller, request, headers, request_id, now_ms)
        params = bound.read_plain(parse_object(request.body))
        return self._finish_plain(bound, call, params, request)

    async def _finish_plain(
        self, bound: dispatch.BoundOperation, call: Call, params: dict[str, Any], request: Request
    ) -> Response:
        try:
            result = await self._dispatcher.run(bound, call, params)
            headers: Headers = [(b"x-amzn-RequestId", call.request_id.encode()), (b"Content-Type", b"application/json")]
            return Response(200, headers, orjson.dumps(bound.write_plain(result)))
        except Exception as error:  # noqa: BLE001 its home: whatever fails is answered here
            return self._failed(error, None, request, call.request_id)

    # -- failures

    def _failed(
        self, error: Exception, protocol: ServiceProtocol | None, request: Request, request_id: str
    ) -> Response:
        if isinstance(error, RecursionError):
            error = SerializationException("The parameters are nested too deeply")
        if isinstance(error, _LOST):
            error = dispatch.as_service_error(error, "this", "operation")
        if not isinstance(error, ServiceError):
            log.error("operation failed", extra={"request_id": request_id, "path": request.path}, exc_info=error)
            error = InternalFailure(_FAILED)
        elif error.status >= 500 or error.detail:
            extra = {"request_id": request_id, "code": error.code, "detail": error.detail}
            log.info("operation refused", extra=extra)
        if request.path.startswith(PREFIX):
            return plain_error(error, request_id)
        if protocol is None:
            return unrouted_error(error, request, request_id)
        return protocol.render_error(error, request_id)


def is_api_path(path: str) -> bool:
    """Say whether a path addresses a deployed API."""
    return path.startswith("/_aws/") or (path.startswith("/restapis/") and "/_user_request_" in path)


def plain_error(error: ServiceError, request_id: str) -> Response:
    """Render an error on our own paths: `{"code": …, "message": …}`."""
    code, status, _ = rendered(error, None, REST)
    headers: Headers = [(b"x-amzn-RequestId", request_id.encode()), (b"Content-Type", b"application/json")]
    return Response(status, headers, orjson.dumps({"code": code, "message": error.message}))


def unrouted_error(error: ServiceError, request: Request, request_id: str) -> Response:
    """Render an error for a request that means no operation: XML for a form, else what JSON and REST clients read."""
    if (request.header(b"content-type") or b"").startswith(FORM_TYPE):
        code, status, _ = rendered(error, None, QUERY)
        return error_document(status, code, error.message, request_id)
    if b"/s3/aws4_request" in (request.header(b"authorization") or b""):
        return s3_error(error, request_id)
    code, status, _ = rendered(error, None, JSON if request.header(b"x-amz-target") else REST)
    headers: Headers = [
        (b"x-amzn-RequestId", request_id.encode()),
        (b"x-amzn-ErrorType", code.encode()),
        (b"Content-Type", b"application/json"),
    ]
    return Response(status, headers, orjson.dumps({"__type": code, "message": error.message}))


def s3_error(error: ServiceError, request_id: str) -> Response:
    """Render an error as S3's clients read it: deployment tools meet "Gatepost does not have the service s3" here."""
    code, status, _ = rendered(error, None, QUERY)
    content = xml.element("Code", code) + xml.element("Message", xml.text(error.message))
    content += xml.element("RequestId", request_id)
    headers: Headers = [(b"x-amz-request-id", request_id.encode()), (b"Content-Type", b"application/xml")]
    return Response(status, headers, xml.element("Error", content).encode())


def unpacked(encoding: bytes, body: bytes) -> bytes:
    """Unpack a gzipped body (SDKs pack large ones), at most 10 MiB. Raises: SerializationException, …TooLarge…."""
    if encoding in {b"", b"identity"}:
        return body
    if encoding.lower() != b"gzip":
        raise SerializationException("Unsupported Content-Encoding: use gzip or none")
    unpacker = zlib.decompressobj(wbits=31)
    try:
        content = unpacker.decompress(body, UNPACKED_BODY_BYTES_MAX)
    except zlib.error as error:
        raise SerializationException("The body is not valid gzip") from error
    if unpacker.unconsumed_tail:
        raise RequestEntityTooLargeException(f"The unpacked body has more than {UNPACKED_BODY_BYTES_MAX} bytes")
    if not unpacker.eof or unpacker.unused_data:
        raise SerializationException("The body is not one complete gzip stream")
    return content
