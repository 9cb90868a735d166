"""Function URLs: a function's own address, at `{urlId}.lambda-url.{region}.localhost` and `/_aws/lambda-url/{urlId}/`.

A request is let in by the function's resource policy, and with AuthType AWS_IAM by its signature and the caller's
policies; then the function answers. Both `lambda:InvokeFunctionUrl` and `lambda:InvokeFunction` must be allowed, as on
AWS since October 2025. Whatever goes wrong, the function is not reached.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from gatepost.gateway.deadline import DeadlinePassed, within
from gatepost.gateway.function_stream import MalformedPrelude, opened, started
from gatepost.gateway.function_url_event import JSON, MalformedResponse, head_of, render_event, response_of
from gatepost.gateway.guards.resource_policy import ANONYMOUS
from gatepost.gateway.guards.signature import SignatureParts
from gatepost.gateway.headers import is_field_value
from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import AccessDeniedException, ServiceError
from gatepost.kernel.limits import LAMBDA_PAYLOAD_BYTES_MAX, LAMBDA_TIMEOUT_S_MAX
from gatepost.kernel.operations import Access, Call, Principal
from gatepost.kernel.ports import FunctionInvoker, Invocation, Replica, StreamBroken
from gatepost.kernel.tasks import Tasks
from gatepost.security.sigv4 import SignatureError, joined_headers
from gatepost.services.lambda_.model import ALIAS, FUNCTION, FUNCTION_URL, FunctionUrl
from gatepost.wire.messages import Headers, Request, Response

log = logging.getLogger(__name__)

BY_PATH: Final = "/_aws/lambda-url/"
SERVICE: Final = "lambda"
TIMEOUT_MS: Final = (LAMBDA_TIMEOUT_S_MAX + 30) * 1000  # the runner keeps the function's own
# unverified: AWS's exact words; status and error type are documented.
FORBIDDEN: Final = (
    "Forbidden. For troubleshooting Function URL authorization issues, see: "
    "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
)
_HOST: Final = re.compile(
    r"([a-z0-9]{1,63})\.lambda-url\.([a-z0-9-]+)\.(?:localhost|on\.aws)\.?(?::\d{1,5})?", re.ASCII
)


class Forbidden(Exception):
    """The request is not let in. `message` is for the client."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class FunctionUrlParts:
    """What serving function URLs needs."""

    clock: Clock
    tasks: Tasks
    invoker: FunctionInvoker
    new_id: Callable[[], str]
    signatures: SignatureParts


@dataclass(frozen=True, slots=True)
class Addressed:
    """Which URL a request means, and its path below the root. `url` None: there is no such URL."""

    url: FunctionUrl | None
    path: str
    domain: str


class FunctionUrlDoor:
    """Answers requests for function URLs."""

    def __init__(self, parts: FunctionUrlParts) -> None:
        self._parts = parts
        self._urls: dict[str, FunctionUrl] = {}  # by id
        self._ids: dict[str, str] = {}  # id by ARN
        self._policies: dict[str, str] = {}  # of functions, versions and aliases, by ARN

    def watch(self, replica: Replica) -> None:
        """Follow URLs and resource policies."""
        replica.watch(FUNCTION_URL, self.changed)
        replica.watch(FUNCTION, self.policy_changed)
        replica.watch(ALIAS, self.policy_changed)

    def changed(self, arn: str, value: Mapping[str, Any] | None) -> None:
        """Take a URL as it is from now on; None: it was deleted."""
        self._urls.pop(self._ids.pop(arn, ""), None)
        if value is not None:
            url = FunctionUrl.from_json(value)
            self._ids[arn] = url.url_id
            self._urls[url.url_id] = url

    def policy_changed(self, arn: str, value: Mapping[str, Any] | None) -> None:
        """Take a resource policy as it is from now on."""
        if value is not None and value["policy"]:
            self._policies[arn] = value["policy"]
        else:
            self._policies.pop(arn, None)

    def find(self, request: Request) -> Addressed | None:
        """Say which URL a request means; None: it is not for a function URL."""
        if not self._urls:
            return None  # costs other requests nothing
        if request.path.startswith(BY_PATH):
            url_id, _, rest = request.path[len(BY_PATH) :].partition("/")
            url = self._urls.get(url_id)
            domain = f"{url_id}.lambda-url.{url.region}.localhost" if url is not None else ""
            return Addressed(url, f"/{rest}", domain)
        host = request.host()
        if ".lambda-url." not in host:
            return None
        found = _HOST.fullmatch(host)
        if found is None:
            return Addressed(None, request.path, "")
        url = self._urls.get(found[1])
        if url is not None and url.region != found[2]:
            url = None
        return Addressed(url, request.path, host.rpartition(":")[0] if ":" in host else host)

    def answer(self, request: Request, addressed: Addressed) -> Response | Coroutine[Any, Any, Response]:
        """Answer a request for a function URL."""
        url = addressed.url
        if url is None:
            return _refusal(404, "Not Found")
        if url.cors and is_preflight(request):
            return Response(200, cors_headers(url.cors, request, is_asking=True), b"")
        return self._answer(request, addressed, url)

    async def _answer(self, request: Request, addressed: Addressed, url: FunctionUrl) -> Response:
        request_id = self._parts.new_id()
        response = await self._answered(request, addressed, url, request_id)
        headers = [(b"x-amzn-RequestId", request_id.encode()), *response.headers]
        if url.cors:
            headers = [pair for pair in headers if not pair[0].lower().startswith(b"access-control-")]
            headers += cors_headers(url.cors, request, is_asking=False)
        response.headers = headers
        return response

    async def _answered(self, request: Request, addressed: Addressed, url: FunctionUrl, request_id: str) -> Response:
        now_ms = self._parts.clock.now_ms()
        try:
            caller = self._caller(request, url, now_ms) if url.auth_type == "AWS_IAM" else None
            self._check(url, request, caller, request_id=request_id, now_ms=now_ms)
        except Forbidden as error:
            return _refusal(403, error.message, kind=b"AccessDeniedException")
        root = f"Root=1-{now_ms // 1000:08x}-{request_id.replace('-', '')[8:]}"
        payload = render_event(
            url,
            request,
            path=addressed.path,
            domain=addressed.domain,
            request_id=request_id,
            trace_root=root,
            time_ms=now_ms,
            caller=caller,
        )
        if len(payload) > LAMBDA_PAYLOAD_BYTES_MAX:
            return _refusal(413, "Request Entity Too Large")
        invocation = Invocation(url.arn, payload, request_id, trace_id=root)
        answer = self._streamed if url.invoke_mode == "RESPONSE_STREAM" else self._buffered
        try:
            return await answer(invocation)
        except DeadlinePassed:
            return _refusal(504, "Gateway Timeout")
        except ServiceError as error:
            if error.status == 429:
                body = {"Reason": error.members.get("Reason"), "Type": "User", "message": error.message}
                return Response(429, [JSON, (b"x-amzn-ErrorType", error.code.encode())], orjson.dumps(body))
            log.warning("function URL failed", extra={"function": url.arn, "code": error.code, "error": error.message})
        except StreamBroken:
            pass  # the function's own failure: its log tells
        except (MalformedResponse, MalformedPrelude) as error:
            log.warning("function URL failed", extra={"function": url.arn, "error": str(error)})
        return _refusal(502, "Internal Server Error")

    async def _buffered(self, invocation: Invocation) -> Response:
        """Answer with what the function returned. Raises: as `within` and `response_of` do."""
        work = self._parts.invoker.invoke(invocation)
        result = await within(work, timeout_ms=TIMEOUT_MS, tasks=self._parts.tasks, name="invoke")
        if result.function_error:
            return _refusal(502, "Internal Server Error")
        return response_of(result.payload)

    async def _streamed(self, invocation: Invocation) -> Response:
        """Answer with what the function writes, as it does; once the head is out, a failure breaks the answer off.

        unverified: an answer without metadata is the body as it is, whatever a function that streams nothing returns.
        """
        parts = self._parts
        stream = await started(parts.invoker, invocation, timeout_ms=TIMEOUT_MS, tasks=parts.tasks)
        answer = await opened(stream)
        if answer.metadata is None:
            given = answer.content_type.encode("latin-1", "replace")
            content_type = given if is_field_value(given) else b"application/octet-stream"
            return Response(200, [(b"content-type", content_type)], stream=answer.body)
        try:
            status, headers = head_of({"statusCode": 200, **answer.metadata})
        except MalformedResponse:
            await stream.aclose()
            raise
        return Response(status, headers, stream=answer.body)

    # --- who may -----------------------------------------------------------------------------------------------

    def _caller(self, request: Request, url: FunctionUrl, now_ms: int) -> Principal:
        """Verify the signature. Raises: Forbidden."""
        signatures = self._parts.signatures
        headers = joined_headers(request.headers)
        try:
            claim = signatures.verifier.read(headers, request.query, now_ms=now_ms)
            if claim.scope.service != SERVICE:
                raise SignatureError("mismatch", f"Credential should be scoped to correct service: '{SERVICE}'.")
            if claim.scope.region != url.region:
                raise SignatureError("mismatch", f"Credential should be scoped to a valid region: '{url.region}'.")
            identity = signatures.identities.find(claim.access_key_id, claim.session_token, now_ms)
            if identity is None:
                raise Forbidden("The security token included in the request is invalid.")
            signatures.verifier.verify(
                claim,
                identity.secret_access_key,
                method=request.method,
                path=request.path,
                query=request.query,
                headers=headers,
                body=request.body,
            )
        except SignatureError as error:
            raise Forbidden(error.message if error.kind != "missing" else "Missing Authentication Token") from error
        except ServiceError as error:  # the session token has expired
            raise Forbidden(error.message or "The security token included in the request is expired") from error
        return identity.principal

    def _check(
        self, url: FunctionUrl, request: Request, caller: Principal | None, *, request_id: str, now_ms: int
    ) -> None:
        """Ask the policies for both actions. Raises: Forbidden."""
        agent = request.header(b"user-agent")
        call = Call(
            service=SERVICE,
            operation="InvokeFunctionUrl",
            account_id=url.account_id,
            region=url.region,
            principal=caller or ANONYMOUS,
            request_id=request_id,
            now_ms=now_ms,
            source_ip=request.client_ip,
            user_agent=agent.decode("latin-1") if agent else "",
            is_tls=request.is_tls,
        )
        policy = self._policies.get(url.arn)
        context: Mapping[str, str] = {
            "lambda:functionurlauthtype": url.auth_type,
            "lambda:invokedviafunctionurl": "true",
        }
        try:
            for action in ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction"):
                self._parts.signatures.authorization.check(
                    call, Access(action, url.arn, context=dict(context), resource_policy=policy)
                )
        except AccessDeniedException as error:
            raise Forbidden(FORBIDDEN) from error


def is_preflight(request: Request) -> bool:
    """Say whether a browser asks what it may do."""
    return (
        request.method == "OPTIONS"
        and request.header(b"origin") is not None
        and request.header(b"access-control-request-method") is not None
    )


def cors_headers(cors: Mapping[str, Any], request: Request, *, is_asking: bool) -> Headers:
    """Give the CORS headers for a request; only Vary when its origin (or what it asks for) is not allowed."""
    vary = [(b"Vary", b"Origin")]
    origin = request.header(b"origin")
    if origin is None or not _allows(cors.get("AllowOrigins"), origin.decode("latin-1")):
        return vary
    headers: Headers = [*vary, (b"Access-Control-Allow-Origin", b"*" if _is_open(cors) else origin)]
    if cors.get("AllowCredentials"):
        headers.append((b"Access-Control-Allow-Credentials", b"true"))
    if expose := cors.get("ExposeHeaders"):
        headers.append((b"Access-Control-Expose-Headers", ",".join(expose).encode("latin-1")))
    if not is_asking:
        return headers
    method = (request.header(b"access-control-request-method") or b"").decode("latin-1")
    if not _allows(cors.get("AllowMethods"), method):
        return vary
    headers.append((b"Access-Control-Allow-Methods", method.encode("latin-1")))
    asked = (request.header(b"access-control-request-headers") or b"").decode("latin-1")
    names = [name.strip() for name in asked.split(",") if name.strip()]
    if names and all(_allows(cors.get("AllowHeaders"), name.lower()) for name in names):
        headers.append((b"Access-Control-Allow-Headers", ",".join(names).encode("latin-1")))
    if (max_age := cors.get("MaxAge")) is not None:
        headers.append((b"Access-Control-Max-Age", str(max_age).encode()))
    return headers


def _is_open(cors: Mapping[str, Any]) -> bool:
    return "*" in cors.get("AllowOrigins", ()) and not cors.get("AllowCredentials")


def _allows(allowed: list[str] | None, value: str) -> bool:
    """Say whether a list of origins, methods or header names has `value`."""
    return any(pattern == "*" or pattern.lower() == value.lower() or _fits(pattern, value) for pattern in allowed or ())


def _fits(pattern: str, value: str) -> bool:
    """Say whether `value` is `pattern` with anything but slashes in the place of its stars, in linear time."""
    first, *others = pattern.split("*")
    if not others or pattern.count("/") != value.count("/") or not value.startswith(first):
        return False
    at, end = len(first), len(value) - len(others[-1])
    for text in others[:-1]:
        found = value.find(text, at)
        if found < 0:
            return False
        at = found + len(text)
    return at <= end and value.endswith(others[-1])


def _refusal(status: int, message: str, *, kind: bytes = b"") -> Response:
    headers = [JSON, *([(b"x-amzn-ErrorType", kind)] if kind else [])]
    return Response(status, headers, orjson.dumps({"Message": message}))
