"""The event that a Lambda function receives from a REST API by proxy integration (payload format 1.0).

The shape, field by field, is that of AWS's documented sample, "Input format of a Lambda function for proxy
integration" (https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html);
the order of `requestContext` is that of real events. What does not depend on the request is rendered once, when
the API is deployed. The path stays percent-encoded; path and query parameters are decoded.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson

from gatepost.gateway.authorizer_result import AUTHORIZER
from gatepost.gateway.clf import request_time
from gatepost.gateway.client_identity import client_certificate
from gatepost.gateway.cognito_caller import cognito_caller
from gatepost.gateway.exchange import CALLER, Exchange, Fact, Facts
from gatepost.gateway.headers import (
    DROPPED_TO_LAMBDA,
    FORWARDED_NAMES,
    SIGNATURE,
    forwarded,
    matches_any,
    media_type,
)
from gatepost.gateway.passed_headers import PassedHeaders
from gatepost.gateway.query import decode_parameter, parse_query
from gatepost.gateway.route import Route, StageFacts
from gatepost.gateway.trace import TRACE_HEADER, trace_root
from gatepost.gateway.usage_keys import API_KEY
from gatepost.wire.messages import Request

_NO_IDENTITY: Final[dict[str, Any]] = {
    "cognitoIdentityPoolId": None,
    "accountId": None,
    "cognitoIdentityId": None,
    "caller": None,
    "apiKey": None,
    "sourceIp": None,
    "principalOrgId": None,
    "accessKey": None,
    "cognitoAuthenticationType": None,
    "cognitoAuthenticationProvider": None,
    "userArn": None,
    "userAgent": None,
    "user": None,
}


class PassedToLambda(NamedTuple):
    """A request's headers as JSON, open at the end, and the User-Agent."""

    single: bytes
    lists: bytes
    user_agent: str | None


class EventFormat:
    """Renders events for one method."""

    __slots__ = ("_binary", "_has_authorizer", "_has_caller", "_names", "_passed", "_route", "_stage", "_variables")

    def __init__(
        self,
        stage: StageFacts,
        route: Route,
        *,
        has_caller: bool,
        passed: PassedHeaders[PassedToLambda],
        has_authorizer: bool = False,
    ) -> None:
        self._stage = stage
        self._route = route
        self._names: Sequence[str] = route.parameter_names
        self._binary = stage.binary_media_types
        self._has_caller = has_caller
        self._has_authorizer = has_authorizer
        self._passed = passed
        self._variables = orjson.Fragment(orjson.dumps(dict(stage.variables) or None))

    @property
    def needs(self) -> Facts:
        """Give the facts that guards must have written."""
        facts: list[tuple[bool, Fact[Any]]] = [(self._has_caller, CALLER), (self._has_authorizer, AUTHORIZER)]
        return frozenset(fact for is_read, fact in facts if is_read)

    def render(self, exchange: Exchange) -> bytes:
        """Give the event as JSON."""
        request = exchange.request
        passed = self._passed.of(request, self._has_caller, self._prepare)
        root = trace_root(exchange).encode("ascii")
        pairs = parse_query(request.query)
        query_lists: dict[str, list[str]] = {}
        for name, value in pairs:
            query_lists.setdefault(name, []).append(value)
        body, is_base64 = self._body(exchange)
        names = self._names
        return orjson.dumps(
            {
                "resource": self._route.resource_path,
                "path": exchange.path if exchange.mapping is None else exchange.full_path,
                "httpMethod": exchange.method,
                "headers": orjson.Fragment(b'%b,"X-Amzn-Trace-Id":"%b"}' % (passed.single, root)),
                "multiValueHeaders": orjson.Fragment(b'%b,"X-Amzn-Trace-Id":["%b"]}' % (passed.lists, root)),
                "queryStringParameters": dict(pairs) if pairs else None,
                "multiValueQueryStringParameters": query_lists if pairs else None,
                "pathParameters": (
                    {name: decode_parameter(value) for name, value in zip(names, exchange.values, strict=True)}
                    if names
                    else None
                ),
                "stageVariables": self._variables,
                "requestContext": self._context(exchange, passed.user_agent),
                "body": body,
                "isBase64Encoded": is_base64,
            }
        )

    def for_authorizer(self, exchange: Exchange) -> dict[str, Any]:
        """Give what a REQUEST authorizer sees of a request: everything but the body; what is not there is empty.

        https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html
        """
        request = exchange.request
        passed = self._passed.of(request, False, self._prepare)
        root = trace_root(exchange).encode("ascii")
        query_lists: dict[str, list[str]] = {}
        for name, value in parse_query(request.query):
            query_lists.setdefault(name, []).append(value)
        values = zip(self._names, exchange.values, strict=True)
        return {
            "resource": self._route.resource_path,
            "path": exchange.path if exchange.mapping is None else exchange.full_path,
            "httpMethod": exchange.method,
            "headers": orjson.Fragment(b'%b,"X-Amzn-Trace-Id":"%b"}' % (passed.single, root)),
            "multiValueHeaders": orjson.Fragment(b'%b,"X-Amzn-Trace-Id":["%b"]}' % (passed.lists, root)),
            "queryStringParameters": {name: found[-1] for name, found in query_lists.items()},
            "multiValueQueryStringParameters": query_lists,
            "pathParameters": {name: decode_parameter(value) for name, value in values},
            "stageVariables": dict(self._stage.variables),
            "requestContext": self._context(exchange, passed.user_agent),
        }

    def _prepare(self, request: Request) -> PassedToLambda:
        """Render the headers that pass, with the X-Forwarded ones: everything but the trace id."""
        single: dict[str, str] = {}
        lists: dict[str, list[str]] = {}
        for key, raw in request.headers:
            lower = key.lower()
            if lower in DROPPED_TO_LAMBDA or lower in FORWARDED_NAMES or lower == TRACE_HEADER:
                continue
            if lower == b"authorization" and (self._has_caller or raw.startswith(SIGNATURE)):
                continue
            name, value = key.decode("latin-1"), raw.decode("utf-8", "replace")
            single[name] = value
            lists.setdefault(name, []).append(value)
        chain, port, scheme = forwarded(request)
        for name, value in (("X-Forwarded-For", chain), ("X-Forwarded-Port", port), ("X-Forwarded-Proto", scheme)):
            single[name] = value
            lists[name] = [value]
        agent = request.header(b"user-agent")
        return PassedToLambda(
            orjson.dumps(single)[:-1],
            orjson.dumps(lists)[:-1],
            agent.decode("utf-8", "replace") if agent is not None else None,
        )

    def _context(self, exchange: Exchange, user_agent: str | None) -> dict[str, Any]:
        stage, domain = self._stage, exchange.domain
        context: dict[str, Any] = {"resourceId": self._route.resource_id}
        if self._has_authorizer:
            context["authorizer"] = exchange.read(AUTHORIZER).to_event()
        context |= {
            "resourcePath": self._route.resource_path,
            "httpMethod": exchange.method,
            "extendedRequestId": exchange.extended_id,
            "requestTime": request_time(exchange.time_ms),
            "path": exchange.full_path,
            "accountId": stage.account_id,
            "protocol": "HTTP/1.1",
            "stage": stage.stage_name,
            "domainPrefix": domain.partition(".")[0],
            "requestTimeEpoch": exchange.time_ms,
            "requestId": exchange.request_id,
            "identity": self._identity(exchange, user_agent),
            "domainName": domain,
            "deploymentId": stage.deployment_id,
            "apiId": stage.api_id,
        }
        return context

    def _identity(self, exchange: Exchange, user_agent: str | None) -> dict[str, Any]:
        identity = _NO_IDENTITY.copy()
        identity["sourceIp"] = exchange.request.client_ip
        identity["userAgent"] = user_agent
        if (certificate := client_certificate(exchange.request)) is not None:
            identity["clientCert"] = certificate.to_event()
        if (endpoint := exchange.vpc_endpoint) is not None:
            identity["vpcId"], identity["vpceId"] = endpoint.vpc_id, endpoint.id
        if exchange.has(API_KEY):
            caller_key = exchange.read(API_KEY)
            identity["apiKey"], identity["apiKeyId"] = caller_key.value, caller_key.member.key_id
        if self._has_caller:
            caller = exchange.read(CALLER)
            identity["accountId"] = caller.account_id
            identity["accessKey"] = caller.access_key_id
            identity["caller"] = identity["user"] = caller.principal_id
            identity["userArn"] = caller.arn
            if (known := cognito_caller(caller)) is not None:
                identity["cognitoIdentityId"], identity["cognitoIdentityPoolId"] = known[:2]
                identity["cognitoAuthenticationType"], identity["cognitoAuthenticationProvider"] = known[2:]
        return identity

    def _body(self, exchange: Exchange) -> tuple[str | None, bool]:
        body = exchange.request.body
        if not body:
            return None, False
        if self._binary:
            media = media_type(exchange.request.header(b"content-type"))
            if matches_any(media, self._binary):
                return base64.b64encode(body).decode("ascii"), True
        return body.decode("utf-8", "replace"), False
