"""Where an authorizer finds who calls: the expressions of its identity source, compiled.

Sources: "identitySource" of https://docs.aws.amazon.com/apigateway/latest/api/API_CreateAuthorizer.html: one header for
TOKEN and COGNITO_USER_POOLS; for REQUEST "method.request.header, method.request.querystring, stageVariables and
context", of which each must be there and not empty, else 401 "without calling the authorizer Lambda function".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gatepost.gateway.exchange import Exchange
from gatepost.gateway.mapping import MappingError, Source, compile_values
from gatepost.gateway.responses import UNAUTHORIZED, Refusal
from gatepost.gateway.route import StageFacts

HEADER: Final = "method.request.header."
DEFAULT_TOKEN_SOURCE: Final = f"{HEADER}Authorization"
SOURCES_MAX: Final = 16
_REQUEST_SOURCES: Final = (HEADER, "method.request.querystring.", "stageVariables.", "context.")

Identity = tuple[str, ...]


def compile_identity(text: str, stage: StageFacts) -> Callable[[Exchange], Identity]:
    """Compile the identity source of a REQUEST authorizer; none gives an empty identity. Raises: MappingError.

    A header or parameter that comes several times counts with all its values: the function sees them all, and what it
    says of one list must not be remembered for another that ends alike. (unverified: what AWS does then.)
    """
    expressions = [each.strip() for each in text.split(",") if each.strip()]
    if len(expressions) > SOURCES_MAX:
        raise MappingError(f"identitySource has {len(expressions)} expressions: use at most {SOURCES_MAX}")
    for each in expressions:
        if not each.startswith(_REQUEST_SOURCES):
            raise MappingError(
                f"identitySource {each}: use method.request.header.NAME, method.request.querystring.NAME, "
                "stageVariables.NAME or context.NAME"
            )
    sources = tuple((each, compile_values(_of_all_values(each), stage)) for each in expressions)

    def identity(exchange: Exchange) -> Identity:
        found: list[str] = []
        counts: list[str] = []
        for expression, values in sources:
            given = values(exchange)
            if not given or not given[-1]:
                raise Refusal(UNAUTHORIZED, detail=f"identity source {expression} is missing or empty")
            found += given
            counts.append(str(len(given)))
        if len(found) == len(counts):
            return tuple(found)
        return (*found, *counts)  # longer than any identity of single values, and read in one way from its end

    return identity


def _of_all_values(expression: str) -> str:
    """Give the expression for all values of what `expression` gives the last of."""
    place, _, name = expression.removeprefix("method.request.").partition(".")
    return f"method.request.multivalue{place}.{name}" if place in ("header", "querystring") else expression


def compile_token_source(text: str, stage: StageFacts) -> Source:
    """Compile the one header that holds the token (TOKEN, COGNITO_USER_POOLS). Raises: MappingError."""
    expression = text.strip() or DEFAULT_TOKEN_SOURCE
    if not expression.startswith(HEADER) or "," in expression:
        raise MappingError(f"identitySource {expression}: use one header, method.request.header.NAME")
    values = compile_values(f"method.request.multivalueheader.{expression.removeprefix(HEADER)}", stage)

    def only(exchange: Exchange) -> str | None:
        found = values(exchange)  # two tokens are none: what stands behind us might read the one that was not verified
        return found[0] if len(found) == 1 else None

    return only


def compile_validation(expression: str) -> Callable[[str], bool] | None:
    """Compile an identityValidationExpression, which the whole token must match; None when there is none.

    By RE2, in linear time: the token is the client's. Raises: MappingError when RE2 does not take it (look-around and
    back-references, which only a backtracking engine has).
    """
    if not expression:
        return None
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        pattern: Any = re2.compile(expression, options)
    except re2.error as error:
        raise MappingError(f"identityValidationExpression {expression}: RE2 does not take it: {error}") from error
    return lambda token: pattern.fullmatch(token) is not None
