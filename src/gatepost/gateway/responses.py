"""How the gateway says no: AWS's gateway response types, their defaults, and an API's own versions of them.

A guard or backend raises `Refusal(kind)`; only this module builds the HTTP response. The types, default
statuses and fallbacks are those of the API Gateway developer guide, "Gateway response types for API Gateway"
(https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html). Templates
of gateway responses are not VTL: they know simple variables only
(https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gatewayResponse-definition.html).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from gatepost.gateway.exchange import Exchange
from gatepost.gateway.headers import clean_field_value
from gatepost.gateway.mapping import MappingError, Source, compile_source
from gatepost.gateway.route import StageFacts
from gatepost.services.apigateway.deployment import GatewayResponse
from gatepost.wire.messages import Headers, Response

JSON: Final = b"application/json"
CONTENT_TYPE: Final = (b"Content-Type", JSON)


@dataclass(frozen=True, slots=True)
class RefusalKind:
    """One way to say no. `response_type` is AWS's name, under which an API may declare its own response.

    `message` None is JSON's null, as authorizers that fail answer. `member` is the message's name in AWS's own body:
    what policies refuse is told under "Message" (unverified: seen, not documented).
    """

    name: str
    response_type: str
    status: int
    message: str | None
    error_type: str
    member: str = "message"

    @property
    def fallback_type(self) -> str:
        """Give the type whose declaration counts when this one has none."""
        return "DEFAULT_4XX" if self.status < 500 else "DEFAULT_5XX"


def _kind(
    response_type: str, status: int, message: str | None, error_type: str, *, name: str = "", member: str = "message"
) -> RefusalKind:
    return RefusalKind(name or response_type, response_type, status, message, error_type, member)


_INTERNAL: Final = "InternalServerErrorException"
ACCESS_DENIED: Final = _kind(
    "ACCESS_DENIED",
    403,
    "User is not authorized to access this resource",
    "AccessDeniedException",
    member="Message",
)
API_CONFIGURATION_ERROR: Final = _kind("API_CONFIGURATION_ERROR", 500, "Internal server error", _INTERNAL)
AUTHORIZER_CONFIGURATION_ERROR: Final = _kind(
    "AUTHORIZER_CONFIGURATION_ERROR", 500, None, "AuthorizerConfigurationException"
)
AUTHORIZER_FAILURE: Final = _kind("AUTHORIZER_FAILURE", 500, None, "AuthorizerFailureException")  # unverified: type
BAD_REQUEST_BODY: Final = _kind("BAD_REQUEST_BODY", 400, "Invalid request body", "BadRequestException")
BAD_REQUEST_PARAMETERS: Final = _kind(
    "BAD_REQUEST_PARAMETERS", 400, "Missing required request parameters", "BadRequestException"
)
EXPIRED_TOKEN: Final = _kind(
    "EXPIRED_TOKEN", 403, "The security token included in the request is expired", "ExpiredTokenException"
)
INCOMPLETE_SIGNATURE: Final = _kind(
    "INVALID_SIGNATURE",
    403,
    "Authorization header is incomplete.",
    "IncompleteSignatureException",
    name="INCOMPLETE_SIGNATURE",
)
INTEGRATION_FAILURE: Final = _kind("INTEGRATION_FAILURE", 504, "Network error communicating with endpoint", _INTERNAL)
INTEGRATION_TIMEOUT: Final = _kind("INTEGRATION_TIMEOUT", 504, "Endpoint request timed out", _INTERNAL)
INVALID_API_KEY: Final = _kind("INVALID_API_KEY", 403, "Forbidden", "ForbiddenException")
INVALID_SIGNATURE: Final = _kind(
    "INVALID_SIGNATURE",
    403,
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
    "InvalidSignatureException",
)
UNRECOGNIZED_CLIENT: Final = _kind(
    "INVALID_SIGNATURE",
    403,
    "The security token included in the request is invalid.",
    "UnrecognizedClientException",
    name="UNRECOGNIZED_CLIENT",
)
MISSING_AUTHENTICATION_TOKEN: Final = _kind(
    "MISSING_AUTHENTICATION_TOKEN", 403, "Missing Authentication Token", "MissingAuthenticationTokenException"
)
QUOTA_EXCEEDED: Final = _kind("QUOTA_EXCEEDED", 429, "Limit Exceeded", "LimitExceededException")
REQUEST_TOO_LARGE: Final = _kind("REQUEST_TOO_LARGE", 413, "Request Too Long", "RequestTooLargeException")
UNAUTHORIZED: Final = _kind("UNAUTHORIZED", 401, "Unauthorized", "UnauthorizedException")
THROTTLED: Final = _kind("THROTTLED", 429, "Too Many Requests", "TooManyRequestsException")
UNSUPPORTED_MEDIA_TYPE: Final = _kind("UNSUPPORTED_MEDIA_TYPE", 415, "Unsupported Media Type", "BadRequestException")

# These have no response type of their own: an API changes them through DEFAULT_4XX and DEFAULT_5XX only.
BAD_REQUEST: Final = _kind("DEFAULT_4XX", 400, "Bad Request", "BadRequestException", name="BAD_REQUEST")
FORBIDDEN: Final = _kind("DEFAULT_4XX", 403, "Forbidden", "ForbiddenException", name="FORBIDDEN")
URI_TOO_LONG: Final = _kind(
    "DEFAULT_4XX", 414, "Request-URI Too Long", "RequestUriTooLongException", name="URI_TOO_LONG"
)
INTERNAL_ERROR: Final = _kind("DEFAULT_5XX", 500, "Internal server error", _INTERNAL, name="INTERNAL_ERROR")
MALFORMED_PROXY_RESPONSE: Final = _kind(
    "DEFAULT_5XX", 502, "Internal server error", _INTERNAL, name="MALFORMED_PROXY_RESPONSE"
)

RESPONSE_TYPES: Final = frozenset(
    {
        "ACCESS_DENIED",
        "API_CONFIGURATION_ERROR",
        "AUTHORIZER_CONFIGURATION_ERROR",
        "AUTHORIZER_FAILURE",
        "BAD_REQUEST_BODY",
        "BAD_REQUEST_PARAMETERS",
        "DEFAULT_4XX",
        "DEFAULT_5XX",
        "EXPIRED_TOKEN",
        "INTEGRATION_FAILURE",
        "INTEGRATION_TIMEOUT",
        "INVALID_API_KEY",
        "INVALID_SIGNATURE",
        "MISSING_AUTHENTICATION_TOKEN",
        "QUOTA_EXCEEDED",
        "REQUEST_TOO_LARGE",
        "RESOURCE_NOT_FOUND",
        "THROTTLED",
        "UNAUTHORIZED",
        "UNSUPPORTED_MEDIA_TYPE",
        "WAF_FILTERED",
    }
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a decision record keeps of a refusal: never the exception, whose traceback holds the whole request."""

    kind: RefusalKind
    detail: str
    message: str = ""
    validation_error: str = ""
    evidence: object = None  # explains more when someone asks; it never holds the request

    def __str__(self) -> str:
        return f"{self.kind.name}: {self.detail}" if self.detail else self.kind.name


class Refusal(Exception):
    """The gateway says no. `message` replaces the kind's own; `detail` is for logs and `explain` only.

    `validation_error` is `$context.error.validationErrorString`; `evidence` is what `explain` renders further.
    """

    def __init__(
        self,
        kind: RefusalKind,
        *,
        message: str | None = None,
        detail: str = "",
        validation_error: str = "",
        evidence: object = None,
    ) -> None:
        super().__init__(detail or kind.name)
        self.evidence = evidence
        self.validation_error = validation_error
        self.kind = kind
        self.message = kind.message if message is None else message
        self.detail = detail

    @property
    def verdict(self) -> Verdict:
        """Give what a decision record keeps."""
        return Verdict(self.kind, self.detail, self.message or "", self.validation_error, self.evidence)


def default_body(status: int, message: str | None, member: str = "message") -> bytes:
    """Give the body of AWS's default template; a server error's text has a space before it."""
    space = b" " if status >= 500 and message is not None else b""
    return b'{"%b":%b%b}' % (member.encode(), space, orjson.dumps(message))


def default_response(kind: RefusalKind, message: str | None = None) -> Response:
    """Build AWS's own answer for `kind`."""
    said = kind.message if message is None else message
    headers: Headers = [CONTENT_TYPE, (b"x-amzn-ErrorType", kind.error_type.encode())]
    return Response(kind.status, headers, default_body(kind.status, said, kind.member))


_VARIABLE: Final = re.compile(r"\$(context\.[A-Za-z0-9_.]+|stageVariables\.\w+|method\.request\.\w+\.[A-Za-z0-9_.-]+)")
_ERROR_VARIABLES: Final = ("message", "messageString", "responseType", "validationErrorString")
_BRACED: Final = re.compile(r"\$\{([^}]*)\}")


@dataclass(frozen=True, slots=True)
class _ErrorSource:
    """`$context.error.…`: what the refusal says of itself."""

    name: str

    def render(self, refusal: Refusal) -> str:
        if self.name == "message":
            return refusal.message or ""
        if self.name == "messageString":
            return orjson.dumps(refusal.message).decode()
        if self.name == "responseType":
            return refusal.kind.response_type
        return refusal.validation_error


Part = str | Source | _ErrorSource


def _compile_variable(expression: str, stage: StageFacts) -> Part:
    if expression.startswith("context.error."):
        name = expression.removeprefix("context.error.")
        if name not in _ERROR_VARIABLES:
            raise MappingError(f"${expression} is not a variable of gateway responses")
        return _ErrorSource(name)
    return compile_source(expression, stage)


def _compile_template(template: str, stage: StageFacts) -> tuple[Part, ...]:
    """Take a template apart into text and variables. Raises: MappingError for a variable that we do not know."""
    parts: list[Part] = []
    plain = _BRACED.sub(r"$\1", template)
    position = 0
    for found in _VARIABLE.finditer(plain):
        expression = found.group(1)
        trailing = len(expression) - len(expression.rstrip("."))  # a full stop after a variable is text
        parts += [plain[position : found.start()], _compile_variable(expression.rstrip("."), stage)]
        position = found.end() - trailing
    parts.append(plain[position:])
    return tuple(part for part in parts if part != "")


def _render(parts: Sequence[Part], exchange: Exchange, refusal: Refusal) -> str:
    rendered = []
    for part in parts:
        if isinstance(part, str):
            rendered.append(part)
        elif isinstance(part, _ErrorSource):
            rendered.append(part.render(refusal))
        else:
            rendered.append(part(exchange) or "")
    return "".join(rendered)


@dataclass(frozen=True, slots=True)
class _Declared:
    status: int
    headers: tuple[tuple[bytes, Part], ...]
    content_type: bytes
    body: tuple[Part, ...] | None  # None: AWS's default template


def _compile_declared(declared: GatewayResponse, stage: StageFacts) -> _Declared:
    if declared.response_type not in RESPONSE_TYPES:
        raise MappingError(f"gateway response type {declared.response_type} does not exist")
    headers: list[tuple[bytes, Part]] = []
    for target, expression in declared.response_parameters.items():
        place, _, name = target.removeprefix("gatewayresponse.").partition(".")
        if place != "header" or not name:
            raise MappingError(f"gateway response parameter {target}: only gatewayresponse.header.NAME is supported")
        headers.append((name.encode("latin-1"), _compile_variable(expression.lstrip("$"), stage)))
    content_type, body = JSON, None
    if declared.response_templates:
        # unverified: with several templates AWS chooses by the Accept header; JSON, then the first, is ours.
        key = "application/json" if "application/json" in declared.response_templates else ""
        key = key or next(iter(declared.response_templates))
        content_type, body = key.encode("latin-1"), _compile_template(declared.response_templates[key], stage)
    return _Declared(int(declared.status_code or 0), tuple(headers), content_type, body)


class GatewayResponses:
    """An API's answers for refusals: what it declares, else what DEFAULT_4XX / DEFAULT_5XX declare, else AWS's."""

    def __init__(self, declared: Sequence[GatewayResponse], stage: StageFacts) -> None:
        """Compile the declarations. Raises: MappingError when one cannot work."""
        self._declared: Mapping[str, _Declared] = {
            each.response_type: _compile_declared(each, stage) for each in declared
        }

    def render(self, exchange: Exchange, refusal: Refusal) -> Response:
        """Build the response for `refusal`."""
        kind = refusal.kind
        own = self._declared.get(kind.response_type)
        fallback = self._declared.get(kind.fallback_type)
        declared = own or fallback
        if declared is None or kind is REQUEST_TOO_LARGE:  # AWS: customizing 413 is not supported
            return default_response(kind, refusal.message)
        # "Changing the status code of this fallback gateway response changes the status codes of all other" ones.
        status = declared.status or (fallback.status if fallback else 0) or kind.status
        headers: Headers = [
            (b"Content-Type", declared.content_type),
            (b"x-amzn-ErrorType", kind.error_type.encode()),
        ]
        for name, value in declared.headers:
            text = _render((value,), exchange, refusal)
            if text:
                headers.append((name, clean_field_value(text)))
        if declared.body is None:
            return Response(status, headers, default_body(kind.status, refusal.message))
        return Response(status, headers, _render(declared.body, exchange, refusal).encode())

    def __repr__(self) -> str:
        return f"GatewayResponses({', '.join(sorted(self._declared))})"
