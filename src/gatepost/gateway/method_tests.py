"""Running a method of an API with a made-up request, as the console's "Test" does (TestInvokeMethod).

What is tested is the API as it stands, compiled for this one request: request validation, mappings and the integration
are the real ones; authorizers, API keys, throttles and resource policies do not look at it, and nothing is counted. The
integration is called for real, with the stage name `test-invoke-stage`.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-test-method.html
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from gatepost.gateway.authorizer_tests import test_authorizer
from gatepost.gateway.compiled_stage import CompiledStage
from gatepost.gateway.compiler import compile_stage
from gatepost.gateway.exchange import Exchange
from gatepost.gateway.execution_log import execution_lines
from gatepost.gateway.observers import RequestLog
from gatepost.gateway.parts import Parts
from gatepost.gateway.plan import Plan
from gatepost.gateway.request_ids import RequestIds
from gatepost.kernel.errors import remote_error
from gatepost.kernel.ports import AuthorizerTest, AuthorizerTestResult, MethodTest, MethodTestResult
from gatepost.services.apigateway.deployment import Deployment, StageSettings, deployment_from_json
from gatepost.telemetry.figures import Counter
from gatepost.telemetry.metrics import Metrics
from gatepost.wire.messages import Headers, Request, Response

STAGE: Final = "test-invoke-stage"
LOG_CHARACTERS_MAX: Final = 256 * 1024
_NS_PER_MS: Final = 1_000_000


class GatewayMethodTests:
    """Implements `kernel.ports.MethodTests` with a gateway's parts."""

    def __init__(self, parts: Parts, ids: RequestIds) -> None:
        self._parts = replace(
            parts,
            metrics=Metrics(),
            request_log=RequestLog(_nowhere),
            usage=lambda _key: Counter(),
            logs=None,
            keys=None,
            limits=None,
        )
        self._ids = ids

    async def test(self, test: MethodTest) -> MethodTestResult:
        """Run a method. Raises: ServiceError when there is no such method."""
        clock = self._parts.clock
        compiled = compile_stage(
            only_method(deployment_from_json(test.deployment), test.resource_path, test.http_method),
            StageSettings(
                STAGE, "", variables=dict(test.stage_variables), client_certificate_id=test.client_certificate_id
            ),
            self._parts,
        )
        exchange = Exchange(
            _request(test), self._ids.next(), self._ids.next_extended(), clock.now_ms(), clock.monotonic_ns()
        )
        plan = _find(compiled, exchange, test)
        answered = plan.run(exchange)
        response = answered if isinstance(answered, Response) else await answered
        return MethodTestResult(
            status=response.status,
            headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers),
            body=response.body.decode("utf-8", "replace"),
            log=_log(exchange, response),
            latency_ms=exchange.latency_ns // _NS_PER_MS,
        )

    async def test_authorizer(self, test: AuthorizerTest) -> AuthorizerTestResult:
        """Ask an authorizer. Raises: ServiceError when it cannot work."""
        return await test_authorizer(test, self._parts, self._ids)


def only_method(deployment: Deployment, resource_path: str, http_method: str) -> Deployment:
    """Give an API of one method that nothing guards. Raises: NotFoundException."""
    for resource in deployment.resources:
        for method in resource.methods:
            if resource.path == resource_path and method.http_method == http_method:
                open_to_all = replace(method, authorization_type="NONE", authorizer_id="", api_key_required=False)
                return replace(
                    deployment,
                    resources=(replace(resource, methods=(open_to_all,)),),
                    resource_policy="",
                    endpoint_types=("REGIONAL",),
                    is_execute_api_endpoint_disabled=False,
                    minimum_compression_bytes=None,
                )
    raise remote_error("NotFoundException", 404, "Invalid Method identifier specified")


def _find(compiled: CompiledStage, exchange: Exchange, test: MethodTest) -> Plan:
    path = exchange.request.path
    exchange.path = path
    exchange.full_path = f"/{STAGE}{path}"
    exchange.domain = "testPrefix.testDomainName"  # what AWS's tests show
    if test.http_method != "ANY":
        exchange.method = test.http_method
    found = compiled.matcher.match(path)
    plan = compiled.plans[0]
    names = plan.route.parameter_names
    exchange.values = found[1] if found is not None and len(found[1]) == len(names) else ("",) * len(names)
    exchange.route = plan.route
    exchange.keeps_call = True
    return plan


def _request(test: MethodTest) -> Request:
    headers: Headers = [
        (name.encode("latin-1", "replace"), value.encode("utf-8", "replace")) for name, value in test.headers
    ]
    target = test.path_with_query or test.resource_path
    if not target.startswith("/"):
        target = f"/{target}"
    method = "POST" if test.http_method == "ANY" else test.http_method
    return Request(method, target, headers, test.body.encode(), client_ip="test-invoke-source-ip")


def _log(exchange: Exchange, response: Response) -> str:
    at = datetime.fromtimestamp(exchange.time_ms / 1000, UTC).strftime("%a %b %d %H:%M:%S UTC %Y")
    prefix = f"({exchange.request_id}) "
    lines = (line.removeprefix(prefix) for line in execution_lines(exchange, response, is_data_traced=True))
    text = f"Execution log for request {exchange.request_id}\n" + "".join(f"{at} : {line}\n" for line in lines)
    return text[:LOG_CHARACTERS_MAX]


def _nowhere(_lines: bytes) -> None:
    """Keep nothing of tests in the access log."""
