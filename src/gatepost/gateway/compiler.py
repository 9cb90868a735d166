"""From a deployment and its stage to plans: pure and total.

Every method of every resource gets a plan. One that cannot work (an expression that means nothing, an
integration type that we do not have, an authorizer without its service) gets a plan that answers
API_CONFIGURATION_ERROR and holds the reason, which is also in `CompiledStage.problems` for whoever deployed it.
Nothing here does I/O; `Parts` holds what the made parts will use later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from gatepost.gateway.addresses import AddressBuckets
from gatepost.gateway.backends import cache
from gatepost.gateway.backends.aws_service import compile_aws_service
from gatepost.gateway.backends.http_custom import compile_http_custom
from gatepost.gateway.backends.http_proxy import compile_http_proxy
from gatepost.gateway.backends.lambda_custom import compile_lambda_custom
from gatepost.gateway.backends.lambda_event import EventFormat
from gatepost.gateway.backends.lambda_proxy import compile_lambda_proxy, function_arn, is_function_uri
from gatepost.gateway.backends.lambda_stream import compile_lambda_stream
from gatepost.gateway.backends.mock import compile_mock
from gatepost.gateway.backends.refusal import AlwaysRefuses
from gatepost.gateway.canary import canary_settings
from gatepost.gateway.compiled_stage import Canary, CompiledStage, Plans
from gatepost.gateway.compression import Pack, UnpackGuard
from gatepost.gateway.explanation import Line
from gatepost.gateway.finishers import RequestIdHeaders
from gatepost.gateway.function_calls import FunctionCalls
from gatepost.gateway.function_events import compile_function_events
from gatepost.gateway.guards import (
    address,
    authorizer_policy,
    endpoint,
    function_grant,
    invoke_permission,
    resource_policy,
    signature,
    throttle,
    usage,
)
from gatepost.gateway.guards.arn_length import ArnLengthGuard
from gatepost.gateway.guards.authorizers import Authorizers
from gatepost.gateway.guards.lambda_authorizer import AuthorizerParts
from gatepost.gateway.guards.shared_results import SharedResults
from gatepost.gateway.guards.validation import Validators
from gatepost.gateway.lifecycle import (
    ADDRESS,
    ADDRESS_REFUND,
    API_KEY,
    ARN_LENGTH,
    AUTHORIZER_POLICY,
    BODY,
    COGNITO_AUTHORIZER,
    ENDPOINT,
    EXPLICIT_DENY,
    FUNCTION_GRANT,
    INVOKE_PERMISSION,
    LAMBDA_AUTHORIZER,
    PARAMETERS,
    RESOURCE_POLICY,
    REST_GUARDS,
    SIGNATURE,
    THROTTLE,
    UNPACK,
    OrderError,
    check_order,
)
from gatepost.gateway.mapping import MappingError, resolve_stage_variables
from gatepost.gateway.method_settings import method_settings_of
from gatepost.gateway.observers import Meters, StageLog
from gatepost.gateway.parts import Parts
from gatepost.gateway.plan import Backend, Finisher, Guard, Observer, Plan
from gatepost.gateway.rate_limit_headers import rate_limit_headers
from gatepost.gateway.responses import (
    API_CONFIGURATION_ERROR,
    FORBIDDEN,
    MISSING_AUTHENTICATION_TOKEN,
    GatewayResponses,
)
from gatepost.gateway.route import NO_ROUTE, Route, StageFacts, parameter_names
from gatepost.gateway.router import PathMatcher
from gatepost.gateway.service_calls import compile_service_calls, compile_sessions, parse_service_uri
from gatepost.gateway.stage_logs import StageLogs
from gatepost.gateway.template_scope import TemplateScope
from gatepost.gateway.upstream_calls import HttpProxyParts
from gatepost.gateway.usage_keys import StageKeys
from gatepost.services.apigateway.deployment import Deployment, Integration, Method, Resource, StageSettings
from gatepost.services.apigateway.stage_extensions import StageExtensions, stage_extensions
from gatepost.telemetry.figures import Counter
from gatepost.telemetry.metrics import Dimensions, Meter

# "You can use any of the supported HTTP methods" for ANY:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-settings-method-request.html
METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
NO_STAGE: Final = StageFacts("", "", "", "", "", "")


def compile_stage(
    deployment: Deployment, settings: StageSettings, parts: Parts, *, canary: Deployment | None = None
) -> CompiledStage:
    """Compile all routes of a stage, and of its canary. Never raises for anything that a deployment can hold."""
    compiled = _StageCompiler(deployment, settings, parts).compile()
    declared = settings.canary
    if declared is not None and canary is None:
        compiled.problems += ("canary: its deployment is missing",)
    if declared is not None and canary is not None:
        other = _StageCompiler(canary, canary_settings(settings), parts, is_canary=True).compile()
        compiled.canary = Canary(
            other, percent=declared.percent_traffic, chance=parts.chance, uses_stage_cache=declared.uses_stage_cache
        )
        compiled.problems += tuple(f"canary: {problem}" for problem in other.problems)
    return compiled


def stage_facts(deployment: Deployment, settings: StageSettings, *, is_canary: bool = False) -> StageFacts:
    """Give the constants of a stage."""
    return StageFacts(
        account_id=deployment.account_id,
        region=deployment.region,
        api_id=deployment.api_id,
        api_name=deployment.api_name,
        stage_name=settings.stage_name,
        deployment_id=deployment.id,
        variables=dict(settings.variables),
        binary_media_types=tuple(each.lower().replace("~1", "/") for each in deployment.binary_media_types),
        has_canary=settings.canary is not None,
        is_canary=is_canary,
        is_traced=settings.is_tracing_enabled,
        is_edge="EDGE" in deployment.endpoint_types,
    )


class _StageCompiler:
    def __init__(
        self, deployment: Deployment, settings: StageSettings, parts: Parts, *, is_canary: bool = False
    ) -> None:
        self._deployment = deployment
        self._settings = settings
        self._parts = parts
        self._stage = stage_facts(deployment, settings, is_canary=is_canary)
        self._scope = TemplateScope(self._stage)
        self._problems: list[str] = []
        self._responses = self._compile_responses()
        self._validators = Validators(deployment)
        self._authorizers = Authorizers(
            deployment,
            self._stage,
            _authorizer_parts(parts, self._stage, settings),
            parts.passed_to_lambda,
            parts.pools,
        )
        self._extensions = StageExtensions()
        self._stage_problem = self._find_stage_problem()
        self._by_address = self._address_buckets()
        self._usage = parts.usage(f"{deployment.api_id}/{settings.stage_name}")
        self._logs = StageLogs(settings, self._stage, parts.logs)
        self._problems += self._logs.problems

    def compile(self) -> CompiledStage:
        targets: list[tuple[str, Plans]] = []
        plans: list[Plan] = []
        for resource in sorted(self._deployment.resources, key=lambda each: each.path):
            methods = {method.http_method: self._plan(resource, method) for method in resource.methods}
            if methods:
                targets.append((resource.path, _with_any(methods)))
                plans += [methods[name] for name in sorted(methods)]
        unrouted = self._make(NO_ROUTE, (), AlwaysRefuses(MISSING_AUTHENTICATION_TOKEN))
        return CompiledStage(self._stage, PathMatcher(targets), tuple(plans), unrouted, tuple(self._problems))

    def _compile_responses(self) -> GatewayResponses:
        try:
            return GatewayResponses(self._deployment.gateway_responses, self._stage)
        except MappingError as error:
            self._problems.append(f"gateway responses: {error}")
            return GatewayResponses((), self._stage)

    def _find_stage_problem(self) -> str:
        """Say what of the stage as a whole cannot be enforced; then none of its routes may answer."""
        try:
            self._extensions = stage_extensions(self._settings.tags)
        except ValueError as error:
            return str(error)
        return ""

    def _plan(self, resource: Resource, method: Method) -> Plan:
        route = Route(resource.id, resource.path, method.http_method, parameter_names(resource.path))
        try:
            self._check_enforced(method)
            guards = self._guards(method, route)
            backend = self._cached(self._backend(method, route), method, route)
            check_order(guards, backend)
        except (MappingError, OrderError, ValueError) as error:  # ValueError: text that no header can hold, "2oo"
            self._problems.append(f"{route}: {error}")
            return self._make(route, (), AlwaysRefuses(API_CONFIGURATION_ERROR, str(error)))
        return self._make(route, guards, backend)

    def _check_enforced(self, method: Method) -> None:
        if self._stage_problem:
            raise MappingError(self._stage_problem)
        if method.authorization_type not in REST_GUARDS:
            raise MappingError(f"authorizationType {method.authorization_type} is not supported")

    def _guards(self, method: Method, route: Route) -> list[Guard]:
        deployment, stage, access = self._deployment, self._stage, self._parts.signatures
        authorization = access.authorization if access is not None else None
        made: Mapping[str, Callable[[], Guard | None]] = {
            ENDPOINT: lambda: endpoint.for_deployment(deployment, stage, authorization),
            EXPLICIT_DENY: lambda: resource_policy.denies_for_deployment(deployment, stage, authorization),
            LAMBDA_AUTHORIZER: lambda: self._authorizers.lambda_guard(method, route),
            COGNITO_AUTHORIZER: lambda: self._authorizers.cognito_guard(method),
            AUTHORIZER_POLICY: lambda: authorizer_policy.for_deployment(deployment, stage, authorization),
            SIGNATURE: lambda: signature.for_stage(stage, access),
            INVOKE_PERMISSION: lambda: invoke_permission.for_deployment(deployment, stage, access),
            RESOURCE_POLICY: lambda: resource_policy.for_deployment(deployment, stage, authorization),
            ADDRESS: lambda: address.for_stage(self._by_address, self._parts.clock),
            ADDRESS_REFUND: lambda: address.refund_for_stage(self._by_address, method),
            API_KEY: lambda: usage.for_method(method, self._keys_of(method), deployment.api_key_source),
            THROTTLE: lambda: self._throttle(method, route),
            ARN_LENGTH: lambda: ArnLengthGuard(stage),
            UNPACK: lambda: UnpackGuard() if deployment.minimum_compression_bytes is not None else None,
            PARAMETERS: lambda: self._validators.parameters(method),
            BODY: lambda: self._validators.body(method),
            FUNCTION_GRANT: lambda: self._function_grant(method, route),
        }
        guards: list[Guard] = []
        for name in REST_GUARDS[method.authorization_type]:
            guard = made[name]()
            if guard is not None:
                guards.append(guard)
        return guards

    def _address_buckets(self) -> AddressBuckets | None:
        throttle, limits, stage = self._extensions.address_throttle, self._parts.limits, self._stage
        if throttle is None or limits is None:
            return None
        return limits.by_address(f"{stage.api_id}/{stage.stage_name}", throttle)

    def _keys_of(self, method: Method) -> StageKeys | None:
        keys, stage = self._parts.keys, self._stage
        if keys is None or not method.api_key_required:
            return None
        return keys.stage(stage.account_id, stage.region, stage.api_id, stage.stage_name)

    def _throttle(self, method: Method, route: Route) -> Guard | None:
        parts = self._parts
        return throttle.for_route(
            route,
            self._stage,
            self._settings,
            clock=parts.clock,
            limits=parts.limits,
            keys=self._keys_of(method),
        )

    def _function_grant(self, method: Method, route: Route) -> Guard | None:
        integration, stage, parts = method.integration, self._stage, self._parts
        if integration is None or integration.type not in ("AWS_PROXY", "AWS"):
            return None
        if integration.type == "AWS" and not is_function_uri(integration.uri):
            return None  # the service itself asks what the integration's role may do
        function = function_arn(integration.uri, stage)
        if not integration.credentials_arn:
            return function_grant.for_function(parts.grants, function, stage, route)
        role_arn = resolve_stage_variables(integration.credentials_arn, stage)
        return function_grant.for_role(
            parts.role_sessions, parts.signatures, role_arn=role_arn, function_arn=function, stage=stage
        )

    def _backend(self, method: Method, route: Route) -> Backend:
        integration, parts = method.integration, self._parts
        if integration is None:
            raise MappingError("the method has no integration")
        mode = integration.response_transfer_mode
        if mode != "BUFFERED" and (mode != "STREAM" or integration.type not in ("AWS_PROXY", "HTTP_PROXY")):
            raise MappingError(f"responseTransferMode {mode} does not work with integration type {integration.type}")
        if integration.type == "MOCK":
            return compile_mock(integration, self._scope)
        if integration.type == "AWS_PROXY" and mode == "STREAM":
            event = EventFormat(
                self._stage,
                route,
                has_caller=method.authorization_type == "AWS_IAM",
                has_authorizer=method.authorization_type in ("CUSTOM", "COGNITO_USER_POOLS"),
                passed=parts.passed_to_lambda,
            )
            return compile_lambda_stream(integration, self._stage, event, parts)
        if integration.type == "AWS_PROXY":
            return compile_lambda_proxy(
                integration,
                self._stage,
                route,
                has_caller=method.authorization_type == "AWS_IAM",
                has_authorizer=method.authorization_type in ("CUSTOM", "COGNITO_USER_POOLS"),
                calls=self._function_calls(integration),
                passed=parts.passed_to_lambda,
            )
        if integration.type == "AWS":
            return self._aws(integration, method, route)
        if integration.type == "HTTP":
            return compile_http_custom(integration, self._scope, route, self._http(), tasks=parts.tasks)
        if integration.type == "HTTP_PROXY":
            return compile_http_proxy(
                integration,
                self._stage,
                route,
                self._http(),
                tasks=parts.tasks,
                drops_authorization=method.authorization_type == "AWS_IAM",
            )
        raise MappingError(f"integration type {integration.type} does not exist")

    def _http(self) -> HttpProxyParts | None:
        """Give what HTTP integrations use: with a client of its own where the stage names a certificate."""
        http, certificate_id = self._parts.http, self._settings.client_certificate_id
        if http is None or not certificate_id:
            return http
        certificates, stage = self._parts.certificates, self._stage
        if certificates is None:
            raise MappingError("clientCertificateId: this gateway holds no certificates")
        sender = certificates.sender(stage.account_id, stage.region, certificate_id, http.client)
        return replace(http, client=sender, unverified_client=None)  # nothing is sent without the certificate

    def _cached(self, backend: Backend, method: Method, route: Route) -> Backend:
        integration, parts = method.integration, self._parts
        if integration is None:
            return backend
        return cache.in_front_of(
            backend,
            integration,
            route,
            self._stage,
            self._settings,
            parts=parts.cache,
            signatures=parts.signatures,
            meter=self._meter(route),
            tasks=parts.tasks,
            collapses=self._extensions.collapses_cache_misses,
        )

    def _meter(self, route: Route) -> Meter:
        """Give the meter of a method with detailed metrics, else that of its stage."""
        stage = self._stage
        whole = Dimensions(stage.api_id, stage.api_name, stage.stage_name)
        if method_settings_of(self._settings.method_settings, route).get("metricsEnabled"):
            whole = replace(whole, resource=route.resource_path, method=route.http_method)
        return self._parts.metrics.meter(whole)

    def _aws(self, integration: Integration, method: Method, route: Route) -> Backend:
        parts, stage = self._parts, self._stage
        has_caller = method.authorization_type == "AWS_IAM"
        if is_function_uri(integration.uri):
            return compile_lambda_custom(
                integration,
                self._scope,
                route,
                self._function_calls(integration),
                compile_function_events(integration, stage, route, parts, has_caller=has_caller),
            )
        target = parse_service_uri(integration.uri, stage)
        sessions = compile_sessions(integration, stage, parts.role_sessions, parts.signatures, has_caller=has_caller)
        calls = compile_service_calls(integration, sessions, parts.services, clock=parts.clock, tasks=parts.tasks)
        return compile_aws_service(integration, self._scope, route, target, calls)

    def _function_calls(self, integration: Integration) -> FunctionCalls:
        parts = self._parts
        return FunctionCalls(
            function_arn(integration.uri, self._stage),
            timeout_ms=max(integration.timeout_ms, parts.invocation_ms_min),
            invoker=parts.invoker,
            new_id=parts.new_id,
            clock=parts.clock,
            tasks=parts.tasks,
        )

    def _make(self, route: Route, guards: tuple[Guard, ...] | list[Guard], backend: Backend) -> Plan:
        parts = self._parts
        finishers: list[Finisher] = [RequestIdHeaders()]
        if self._extensions.has_rate_limit_headers:
            finishers += rate_limit_headers(guards, parts.clock)
        if self._deployment.minimum_compression_bytes is not None:
            finishers.append(Pack(self._deployment.minimum_compression_bytes))
        observers: list[Observer] = [
            Meters(self._meter(route), self._usage, parts.clock),
            StageLog(parts.request_log, self._stage, route, Line(tuple(guards), backend)),
        ]
        logs = self._logs.observers(route)
        return Plan(
            route,
            guards=guards,
            backend=backend,
            finishers=finishers,
            observers=[*observers, *logs],
            responses=self._responses,
            failures=parts.failures,
            keeps_calls=bool(logs),
        )


def _authorizer_parts(parts: Parts, stage: StageFacts, settings: StageSettings) -> AuthorizerParts:
    shared = None
    if parts.cache is not None and parts.cache.is_shared:
        shared = SharedResults(parts.cache.state, parts.cache.seal, stage, settings.authorizer_cache_flushes)
    return AuthorizerParts(
        shared=shared,
        invoker=parts.invoker,
        new_id=parts.new_id,
        clock=parts.clock,
        tasks=parts.tasks,
        grants=parts.grants,
        role_sessions=parts.role_sessions,
        signatures=parts.signatures,
    )


def _with_any(methods: Mapping[str, Plan]) -> Plans:
    """Give the plan of each method that a client may use; `ANY` stands for those that have none of their own."""
    given = {name: plan for name, plan in methods.items() if name != "ANY"}
    if "ANY" in methods:
        given = dict.fromkeys(METHODS, methods["ANY"]) | given
    return given


def compile_unknown_api(parts: Parts) -> Plan:
    """Make the plan for requests that name no API or stage that we have: `{"message":"Forbidden"}`."""
    backend = AlwaysRefuses(FORBIDDEN)
    return Plan(
        NO_ROUTE,
        guards=(),
        backend=backend,
        finishers=(RequestIdHeaders(),),
        observers=(
            Meters(parts.metrics.meter(Dimensions("", "")), Counter(), parts.clock),
            StageLog(parts.request_log, NO_STAGE, NO_ROUTE, Line((), backend)),
        ),
        responses=GatewayResponses((), NO_STAGE),
        failures=parts.failures,
    )
