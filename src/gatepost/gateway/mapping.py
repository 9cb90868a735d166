"""Parameter mapping expressions, compiled at deployment: `method.request.header.X`, `'literal'`, `context.stage`.

Source: API Gateway developer guide, "API request and response data mapping reference"
(https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html) and, for
`context`, "Variables for data transformations for API Gateway"
(https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import orjson

from gatepost.gateway.authorizer_result import AUTHORIZER
from gatepost.gateway.clf import request_time
from gatepost.gateway.client_identity import client_certificate
from gatepost.gateway.cognito_caller import cognito_caller
from gatepost.gateway.exchange import CALLER, Exchange
from gatepost.gateway.query import decode_parameter, parse_query
from gatepost.gateway.route import Route, StageFacts
from gatepost.gateway.trace import trace_root
from gatepost.gateway.usage_keys import API_KEY
from gatepost.kernel.operations import Principal

Values = Callable[[Exchange], Sequence[str]]
Source = Callable[[Exchange], str | None]

_JSON_PATH: Final = re.compile(r"(?:\.?[A-Za-z_][\w-]*|\[\d{1,6}\])+")
_JSON_STEP: Final = re.compile(r"([A-Za-z_][\w-]*)|\[(\d+)\]")
_AUTHORIZER: Final = "authorizer."
_STAGE_VARIABLE: Final = re.compile(r"\$\{stageVariables\.(\w+)\}")


class MappingError(Exception):
    """An expression that cannot work. The text says which and why."""


def resolve_stage_variables(text: str, stage: StageFacts) -> str:
    """Put stage variables in the place of `${stageVariables.name}`. Raises: MappingError when one is not set."""

    def value(found: re.Match[str]) -> str:
        if found.group(1) not in stage.variables:
            raise MappingError(f"stage variable {found.group(1)} is not set on stage {stage.stage_name}")
        return stage.variables[found.group(1)]

    return _STAGE_VARIABLE.sub(value, text)


def compile_source(expression: str, stage: StageFacts) -> Source:
    """Compile an expression for one value (of several, the last). Raises: MappingError."""
    values = compile_values(expression, stage)

    def last(exchange: Exchange) -> str | None:
        found = values(exchange)
        return found[-1] if found else None

    return last


def compile_values(expression: str, stage: StageFacts) -> Values:
    """Compile an expression for all its values. Raises: MappingError."""
    if len(expression) >= 2 and expression[0] == expression[-1] == "'":
        constant = (expression[1:-1],)
        return lambda _exchange: constant
    head, _, rest = expression.partition(".")
    if head == "stageVariables" and rest:
        variable = (stage.variables[rest],) if rest in stage.variables else ()
        return lambda _exchange: variable
    if head == "context" and rest:
        return _compile_context(rest, stage)
    if expression.startswith("method.request."):
        return _compile_request(expression, expression.removeprefix("method.request."))
    raise MappingError(
        f"mapping expression {expression}: use 'literal', method.request.…, stageVariables.NAME or context.NAME"
    )


def _compile_request(expression: str, rest: str) -> Values:
    if rest == "body" or rest.startswith(("body.", "body[")):
        return _compile_body(expression, rest[len("body") :].removeprefix("."))
    place, _, name = rest.partition(".")
    readers: dict[str, Callable[[Exchange, str], Sequence[str]]] = {
        "path": path_values,
        "querystring": query_values,
        "multivaluequerystring": query_values,
        "header": header_values,
        "multivalueheader": header_values,
    }
    if place not in readers or not name:
        raise MappingError(f"mapping expression {expression}: method.request has path, querystring, header and body")
    read, takes_all = readers[place], place.startswith("multivalue")
    return lambda exchange: read(exchange, name) if takes_all else read(exchange, name)[-1:]


def path_values(exchange: Exchange, name: str) -> Sequence[str]:
    """Give the decoded value of path parameter `name`, if the route has it."""
    names = exchange.route.parameter_names
    if name not in names:
        return ()
    return (decode_parameter(exchange.values[names.index(name)]),)


def query_values(exchange: Exchange, name: str) -> Sequence[str]:
    """Give all values of query parameter `name`; names are case-sensitive."""
    return [value for key, value in parse_query(exchange.request.query) if key == name]


def header_values(exchange: Exchange, name: str) -> Sequence[str]:
    """Give all values of header `name`.

    AWS: "header names and query parameters are processed in a case-sensitive way"; HTTP/2 clients send lower
    case whatever the mapping says, so we compare without case (unverified).
    """
    wanted = name.lower().encode("latin-1", "replace")
    return [value.decode("latin-1") for key, value in exchange.request.headers if key.lower() == wanted]


def _compile_body(expression: str, path: str) -> Values:
    read = compile_body_reader(expression, path)
    return lambda exchange: read(exchange.request.body)


def compile_body_reader(expression: str, path: str) -> Callable[[bytes], Sequence[str]]:
    """Compile a JSONPath into a body; without one it is the whole body. Raises: MappingError."""
    if not path:
        return lambda body: (body.decode("utf-8", "replace"),)
    if not _JSON_PATH.fullmatch(path):
        raise MappingError(f"mapping expression {expression}: of JSONPath only names and [index] are supported")
    steps = tuple(step[0] or int(step[1]) for step in _JSON_STEP.findall(path))
    return lambda body: _from_json(body, steps)


def _from_json(body: bytes, steps: Sequence[str | int]) -> Sequence[str]:
    try:
        found: Any = orjson.loads(body)
        for step in steps:
            found = found[step]
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError):
        return ()
    return (found if isinstance(found, str) else orjson.dumps(found).decode(),)


def user_agent(exchange: Exchange) -> str | None:
    """Give the client's User-Agent."""
    found = header_values(exchange, "user-agent")
    return found[-1] if found else None


def _caller(exchange: Exchange) -> Principal | None:
    return exchange.read(CALLER) if exchange.has(CALLER) else None


def _route(exchange: Exchange) -> Route:
    return exchange.route


def _client(name: str) -> Source:
    """Give a reader for a part of the client's certificate."""

    def read(exchange: Exchange) -> str | None:
        found = client_certificate(exchange.request)
        return str(getattr(found, name)) if found is not None else None

    return read


def _cognito(name: str) -> Source:
    """Give a reader for what the caller is in an identity pool."""

    def read(exchange: Exchange) -> str | None:
        found = cognito_caller(_caller(exchange))
        return getattr(found, name) if found is not None else None

    return read


def _nothing(_exchange: Exchange) -> None:
    return None


_CONTEXT: Final[dict[str, Source]] = {
    "customDomain.basePathMatched": lambda exchange: exchange.mapping.base_path if exchange.mapping else None,
    "customDomain.routingRuleIdMatched": lambda exchange: (
        (exchange.mapping.rule_id or None) if exchange.mapping else None
    ),
    "identity.clientCert.clientCertPem": _client("pem"),
    "identity.clientCert.issuerDN": _client("issuer_dn"),
    "identity.clientCert.serialNumber": _client("serial_number"),
    "identity.clientCert.subjectDN": _client("subject_dn"),
    "identity.clientCert.validity.notAfter": _client("not_after"),
    "identity.clientCert.validity.notBefore": _client("not_before"),
    "domainName": lambda exchange: exchange.domain,
    "domainPrefix": lambda exchange: exchange.domain.partition(".")[0],
    "extendedRequestId": lambda exchange: exchange.extended_id,
    "httpMethod": lambda exchange: exchange.method,
    "identity.sourceIp": lambda exchange: exchange.request.client_ip,
    "identity.userAgent": user_agent,
    "path": lambda exchange: exchange.full_path,
    "protocol": lambda _exchange: "HTTP/1.1",
    "requestId": lambda exchange: exchange.request_id,
    "requestTime": lambda exchange: request_time(exchange.time_ms),
    "requestTimeEpoch": lambda exchange: str(exchange.time_ms),
    "resourceId": lambda exchange: _route(exchange).resource_id,
    "resourcePath": lambda exchange: _route(exchange).resource_path,
    "identity.accountId": lambda exchange: caller.account_id if (caller := _caller(exchange)) is not None else None,
    "identity.accessKey": lambda exchange: caller.access_key_id if (caller := _caller(exchange)) is not None else None,
    "identity.caller": lambda exchange: caller.principal_id if (caller := _caller(exchange)) is not None else None,
    "identity.user": lambda exchange: caller.principal_id if (caller := _caller(exchange)) is not None else None,
    "identity.userArn": lambda exchange: caller.arn if (caller := _caller(exchange)) is not None else None,
    "awsEndpointRequestId": lambda exchange: exchange.call.request_id if exchange.call is not None else None,
    "isCanaryRequest": _nothing,  # of a stage without a canary
    "xrayTraceId": lambda exchange: trace_root(exchange).partition(";")[0].removeprefix("Root=") or None,
    "identity.vpcId": lambda exchange: (exchange.vpc_endpoint.vpc_id or None) if exchange.vpc_endpoint else None,
    "identity.vpceId": lambda exchange: exchange.vpc_endpoint.id if exchange.vpc_endpoint else None,
    "identity.cognitoAuthenticationProvider": _cognito("authentication_provider"),
    "identity.cognitoAuthenticationType": _cognito("authentication_type"),
    "identity.cognitoIdentityId": _cognito("identity_id"),
    "identity.cognitoIdentityPoolId": _cognito("identity_pool_id"),
    # There are neither organizations nor firewalls here: null, as on AWS without them.
    "identity.principalOrgId": _nothing,
    "wafResponseCode": _nothing,
    "webaclArn": _nothing,
    # "For methods that don't require an API key, this variable is null."
    "identity.apiKey": lambda exchange: exchange.read(API_KEY).value if exchange.has(API_KEY) else None,
    "identity.apiKeyId": lambda exchange: exchange.read(API_KEY).member.key_id if exchange.has(API_KEY) else None,
}


def _constants(stage: StageFacts) -> dict[str, str]:
    known = {
        "accountId": stage.account_id,
        "apiId": stage.api_id,
        "deploymentId": stage.deployment_id,
        "stage": stage.stage_name,
    }
    if stage.has_canary:  # "Present only when you have a canary enabled"
        known["isCanaryRequest"] = "true" if stage.is_canary else "false"
    return known


def context_sources(stage: StageFacts) -> dict[str, Source]:
    """Give a reader for each context variable that this gateway has, by name (`identity.sourceIp`)."""

    def always(text: str) -> Source:
        return lambda _exchange: text

    return _CONTEXT | {name: always(text) for name, text in _constants(stage).items()}


def _compile_authorizer(name: str) -> Values:
    """Compile `context.authorizer.NAME`: empty where there was no authorizer, or it did not say."""

    def value(exchange: Exchange) -> Sequence[str]:
        found = exchange.read(AUTHORIZER).variable(name) if exchange.has(AUTHORIZER) else None
        return (found,) if found is not None else ()

    return value


def authorizer_context(exchange: Exchange) -> dict[str, Any]:
    """Give `$context.authorizer` as templates see it."""
    if not exchange.has(AUTHORIZER):
        return {}
    return exchange.read(AUTHORIZER).to_event()


def _compile_context(name: str, stage: StageFacts) -> Values:
    constants = _constants(stage)
    if name in constants:
        constant = (constants[name],)
        return lambda _exchange: constant
    if name.startswith(_AUTHORIZER):
        return _compile_authorizer(name[len(_AUTHORIZER) :])
    if name not in _CONTEXT:
        raise MappingError(f"context.{name} is not a context variable that this gateway has")
    read = _CONTEXT[name]

    def value(exchange: Exchange) -> Sequence[str]:
        found = read(exchange)
        return (found,) if found is not None else ()

    return value
