"""A gateway on real parts: fixed clock, real plans, functions and upstreams that answer as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from gatepost.gateway.compiled_stage import CompiledStage
from gatepost.gateway.compiler import compile_stage
from gatepost.gateway.exchange import Exchange
from gatepost.gateway.guards.signature import SignatureParts
from gatepost.gateway.observers import RequestLog
from gatepost.gateway.parts import Parts
from gatepost.gateway.plan import ObserverFailures
from gatepost.gateway.plans import ActivePlans
from gatepost.gateway.request_ids import RequestIds
from gatepost.gateway.route import NO_ROUTE, Route, StageFacts, parameter_names
from gatepost.gateway.server import Gateway
from gatepost.gateway.upstream_calls import HttpProxyParts
from gatepost.gateway.upstreams import AddressPolicy
from gatepost.gateway.user_pools import UserPools
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ports import (
    HTTP_INTEGRATION_RESPONSE,
    Invocation,
    InvocationResult,
    RoleSessions,
    StreamBroken,
)
from gatepost.kernel.tasks import Tasks
from gatepost.services.apigateway.deployment import (
    Deployment,
    Integration,
    IntegrationResponse,
    Method,
    Resource,
    StageSettings,
    deployment_to_json,
    stage_to_json,
)
from gatepost.services.lambda_.runner.streams import FunctionStream
from gatepost.telemetry.figures import Counter
from gatepost.telemetry.metrics import Metrics
from gatepost.wire.messages import HeaderBlock, Headers, Peer, Request, Response
from gatepost.wire.outgoing import IncomingResponse, OutgoingRequest
from gatepost.wire.rendering import RequestRenderer

ACCOUNT = "123456789012"
REGION = "us-east-1"
API = "abc1234567"
HOST = f"{API}.execute-api.{REGION}.localhost:8080"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:orders"
FUNCTION_URI = f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{FUNCTION}/invocations"
OK = {"statusCode": 200, "body": "ok"}

MOCK = Integration(
    "MOCK",
    request_templates={"application/json": '{"statusCode": 200}'},
    responses=(IntegrationResponse("200", response_templates={"application/json": '{"hello":"world"}'}),),
)
LAMBDA = Integration("AWS_PROXY", http_method="POST", uri=FUNCTION_URI)


class Functions:
    """An invoker: each call is kept, and answered with what `returns` gives or raises."""

    def __init__(self, returns: Any = OK, *, function_error: str = "") -> None:
        self.returns = returns
        self.function_error = function_error
        self.content_type = HTTP_INTEGRATION_RESPONSE  # of streamed answers
        self.gate: asyncio.Event | None = None  # functions wait until it is set
        self.invocations: list[Invocation] = []
        self.ended = 0

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        self.invocations.append(invocation)
        if self.gate is not None:
            await self.gate.wait()
        self.ended += 1
        if isinstance(self.returns, ServiceError):
            raise self.returns
        payload = self.returns if isinstance(self.returns, bytes) else orjson.dumps(self.returns)
        return InvocationResult(200, payload, self.function_error)

    async def stream(self, invocation: Invocation) -> FunctionStream:
        """Answer in one piece, or in the pieces of `returns` when that is a list; None in it breaks the answer off."""
        answer: asyncio.Future[InvocationResult] = asyncio.get_running_loop().create_future()
        stream = FunctionStream(answer, "$LATEST")
        if not isinstance(self.returns, list):
            answer.set_result(await self.invoke(invocation))
            return await stream.started()
        self.invocations.append(invocation)
        stream.begin(self.content_type)
        for piece in self.returns:
            if piece is None:
                stream.end(StreamBroken("Unhandled", b'{"errorType":"Broken"}'))
            else:
                stream.put(piece)
        answer.set_result(InvocationResult(200, b""))
        return await stream.started()

    @property
    def event(self) -> dict[str, Any]:
        return orjson.loads(self.invocations[-1].payload)


class Grants:
    """Functions' policies: the source ARNs that were asked for are kept, and allowed unless they are denied."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []
        self.denied: set[str] = set()

    def allow(self, function_arn: str, *, service: str, source_arn: str) -> bool:
        self.asked.append((function_arn, service, source_arn))
        return source_arn not in self.denied


class Upstreams:
    """A sender: each request is kept, and answered by `answer`."""

    def __init__(self, answer: Callable[[OutgoingRequest], IncomingResponse] | Exception | None = None) -> None:
        self.answer = answer or (lambda _request: an_answer())
        self.requests: list[OutgoingRequest] = []

    def prepare(self, headers: Headers) -> bytes:
        return RequestRenderer().prepare(headers)

    async def send(self, request: OutgoingRequest) -> IncomingResponse:
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer(request)

    @property
    def last(self) -> OutgoingRequest:
        return self.requests[-1]

    def header(self, name: str) -> list[str]:
        wanted = name.lower().encode()
        return [value.decode() for key, value in headers_of(self.last) if key.lower() == wanted]


def headers_of(request: OutgoingRequest) -> Headers:
    lines = [line.partition(b": ") for line in request.prepared.split(b"\r\n")[1:]]
    return [*((name, value) for name, _, value in lines), *request.headers]


def an_answer(
    status: int = 200, headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/plain"),), body: bytes = b"up"
) -> IncomingResponse:
    text = "".join(f"{name}: {value}\r\n" for name, value in headers).encode()
    block = b"\r\n" + text + b"\r\n"
    response = IncomingResponse(status, HeaderBlock(block, block.lower(), ""))
    response.body = body
    return response


def a_request(
    method: str = "GET",
    target: str = "/prod/orders",
    headers: tuple[tuple[str, str], ...] = (),
    body: bytes = b"",
    *,
    host: str = HOST,
    client_ip: str = "198.51.100.7",
    is_tls: bool = False,
) -> Request:
    lines = "".join(f"{name}: {value}\r\n" for name, value in (("Host", host), *headers)).encode("latin-1")
    block = b"\r\n" + lines + b"\r\n"
    wire_block = HeaderBlock(block, block.lower(), host.lower())
    request = Request(method, target, block=wire_block, peer=Peer(client_ip, 4711, is_tls=is_tls))
    request.body = body
    return request


def a_stage(**changes: Any) -> StageFacts:
    facts: dict[str, Any] = {
        "account_id": ACCOUNT,
        "region": REGION,
        "api_id": API,
        "api_name": "shop",
        "stage_name": "prod",
        "deployment_id": "dep123",
    }
    return StageFacts(**(facts | changes))


def a_route(path: str = "/orders", method: str = "GET") -> Route:
    return Route("res123", path, method, parameter_names(path))


def an_exchange(request: Request | None = None, *, route: Route = NO_ROUTE, values: tuple[str, ...] = ()) -> Exchange:
    exchange = Exchange(
        request or a_request(), "01234567-89ab-4cde-8f01-23456789abcd", "JKJaXmPLvHcESHA=", 1_760_000_000_123, 0
    )
    exchange.route = route
    exchange.values = values
    exchange.domain = f"{API}.execute-api.{REGION}.localhost"
    return exchange


def a_deployment(resources: Mapping[str, tuple[Method, ...]], **changes: Any) -> Deployment:
    tree = tuple(Resource(f"r{at}", path, methods) for at, (path, methods) in enumerate(resources.items()))
    facts: dict[str, Any] = {
        "id": "dep123",
        "api_id": API,
        "api_name": "shop",
        "account_id": ACCOUNT,
        "region": REGION,
        "root_resource_id": "r0",
        "created_at_ms": 0,
        "resources": tree,
    }
    return Deployment(**(facts | changes))


class TestGateway:
    """A whole gateway with one way in: `send`."""

    __test__ = False

    def __init__(
        self,
        functions: Functions | None = None,
        upstreams: Upstreams | None = None,
        signatures: SignatureParts | None = None,
        role_sessions: RoleSessions | None = None,
        clock: FixedClock | None = None,
        own_listener: Callable[[str], tuple[str, int] | None] = lambda _api: None,
        policy: AddressPolicy | None = None,
    ) -> None:
        self.clock = clock or FixedClock()
        self.functions = functions or Functions()
        self.upstreams = upstreams or Upstreams()
        self.grants = Grants()
        self.pools = UserPools(self.clock)
        self.metrics = Metrics()
        self.lines: list[bytes] = []
        self.request_log = RequestLog(self.lines.append)
        self.failures = ObserverFailures()
        self.counters: dict[str, Counter] = {}
        self.tasks = Tasks("gateway")
        self.ids = RequestIds()
        self.parts = Parts(
            clock=self.clock,
            tasks=self.tasks,
            invoker=self.functions,
            new_id=self.ids.next,
            metrics=self.metrics,
            request_log=self.request_log,
            failures=self.failures,
            usage=lambda key: self.counters.setdefault(key, Counter()),
            signatures=signatures,
            grants=self.grants,
            role_sessions=role_sessions,
            pools=self.pools,
            http=HttpProxyParts(
                client=self.upstreams,
                clock=self.clock,
                policy=policy or AddressPolicy(),
                own_listener=own_listener,
            ),
        )
        self.plans = ActivePlans(self.parts)
        self.door = Gateway(self.plans, self.parts, ids=self.ids, clock=self.clock)

    def deploy(
        self,
        resources: Mapping[str, tuple[Method, ...]],
        *,
        stage: StageSettings | None = None,
        **changes: Any,
    ) -> CompiledStage:
        deployment = a_deployment(resources, **changes)
        settings = stage or StageSettings("prod", deployment.id)
        self.plans.take(
            f"{deployment.api_id}/{settings.stage_name}",
            {"deployment": deployment_to_json(deployment), "stage": stage_to_json(settings)},
        )
        return self.plans.apis[deployment.api_id][settings.stage_name]

    def compile(self, resources: Mapping[str, tuple[Method, ...]], **changes: Any) -> CompiledStage:
        return compile_stage(a_deployment(resources, **changes), StageSettings("prod", "dep123"), self.parts)

    async def send(self, request: Request) -> Response:
        answered = self.door(request)
        return answered if isinstance(answered, Response) else await answered

    def get(self, target: str = "/prod/orders", **kwargs: Any) -> Response:
        return self.answer(a_request(target=target, **kwargs))

    def answer(self, request: Request) -> Response:
        async def scenario() -> Response:
            response = await self.send(request)
            self.request_log.flush()
            return response

        return asyncio.run(scenario())

    def run(self, scenario: Callable[[], Awaitable[Any]]) -> Any:
        async def whole() -> Any:
            result = await scenario()
            self.request_log.flush()
            await self.tasks.close()
            return result

        return asyncio.run(whole())


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until `condition` holds; fail after 10 s."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


def header(response: Response, name: str) -> list[str]:
    return [value.decode("latin-1") for key, value in response.headers if key.lower() == name.lower().encode()]


def json_of(response: Response) -> Any:
    return orjson.loads(response.body)
