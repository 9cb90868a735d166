"""URIs of Lambda functions as API Gateway writes them, and patterns that the gateway can match in linear time."""

from __future__ import annotations

import re
from typing import Final

from gatepost.kernel.arn import parse_arn
from gatepost.services.apigateway.model import BadRequestException

STAGE_VARIABLE: Final = re.compile(r"\$\{stageVariables\.[A-Za-z0-9_]+\}")
PATTERN_CHARACTERS_MAX: Final = 4_096  # a bound of ours

_FUNCTION_PATH: Final = re.compile(
    r"path/(?:2015-03-31/functions/(.+)/invocations|2021-11-15/functions/(.+)/response-streaming-invocations)"
)
_FUNCTION_ARN: Final = re.compile(r"function:[a-zA-Z0-9_-]{1,64}(?::(?:\$LATEST|[a-zA-Z0-9_-]{1,128}))?")


def is_function_uri(uri: str) -> bool:
    """Say whether `uri` is `arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations`.

    The function's ARN may have stage variables in it.
    """
    parsed = parse_arn(uri)
    if parsed is None or parsed.service != "apigateway" or not parsed.region or parsed.account_id != "lambda":
        return False
    return is_function_path(parsed.resource)


def function_of(uri: str) -> str:
    """Give the ARN of the function that a URI names, which has been checked. Stage variables are filled in by then."""
    return uri.partition("/functions/")[2].rpartition("/invocations")[0]


def is_function_path(path: str) -> bool:
    """Say whether the last part of such a URI, from `path/` on, names a function."""
    found = _FUNCTION_PATH.fullmatch(path)
    if found is None:
        return False
    function = parse_arn(STAGE_VARIABLE.sub("variable", found[1] or found[2]))
    return function is not None and function.service == "lambda" and bool(_FUNCTION_ARN.fullmatch(function.resource))


def check_linear(what: str, pattern: str) -> None:
    """Refuse a pattern that is wrong, or that the gateway cannot match in linear time.

    Raises: BadRequestException.
    """
    import re2

    if len(pattern) > PATTERN_CHARACTERS_MAX:
        raise BadRequestException(f"Invalid {what} specified: at most {PATTERN_CHARACTERS_MAX} characters are allowed")
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error:
        try:
            re.compile(pattern)
        except re.error:
            raise BadRequestException(f"Invalid {what} specified") from None
        message = f"Invalid {what} specified: look-around and back references do not work here"
        raise BadRequestException(message) from None
