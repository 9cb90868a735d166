"""Mapping expressions of parameters: which names and sources are well-formed, and which of them are declared.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from gatepost.services.apigateway.model import BadRequestException

_NAME: Final = r"[a-zA-Z0-9._$\-]+"  # what AWS allows in the last part
_DECLARED: Final = re.compile(
    rf"method\.request\.(?:path|querystring|header|multivaluequerystring|multivalueheader)\.{_NAME}"
)
_RESPONSE: Final = re.compile(rf"method\.response\.(?:header|multivalueheader)\.{_NAME}")
_TARGET: Final = re.compile(
    rf"integration\.request\.(?:path|querystring|header|multivaluequerystring|multivalueheader)\.{_NAME}"
)
_LITERAL: Final = re.compile(r"'[^']*'")
_CONTEXT: Final = re.compile(rf"(?:context|stageVariables)\.{_NAME}")
_BODY: Final = re.compile(r"(?:method\.request|integration\.response)\.body(?:[.\[].*)?")
_ANSWER: Final = re.compile(rf"integration\.response\.(?:header|multivalueheader)\.{_NAME}")


def is_literal(expression: str) -> bool:
    """Say whether an expression is a static value in single quotes."""
    return _LITERAL.fullmatch(expression) is not None


def check_method_parameters(names: Iterable[str]) -> None:
    """Check what a method declares of its request. Raises: BadRequestException."""
    _check_all(_DECLARED, names)


def check_response_parameters(names: Iterable[str]) -> None:
    """Check what a method declares of its response. Raises: BadRequestException."""
    _check_all(_RESPONSE, names)


def check_integration_request(mappings: Mapping[str, str], declared: Mapping[str, bool]) -> None:
    """Check an integration's request parameters against what its method declares.

    Raises: BadRequestException.
    """
    _check_all(_TARGET, mappings)
    for source in mappings.values():
        if _LITERAL.fullmatch(source) or _CONTEXT.fullmatch(source):
            continue
        if _BODY.fullmatch(source) and source.startswith("method."):
            continue
        _check_all(_DECLARED, (source,))
        if source not in declared:
            raise _refused(f"Invalid mapping expression parameter specified: {source}")


def check_integration_response(mappings: Mapping[str, str], declared: Mapping[str, bool]) -> None:
    """Check an integration response's parameters against what its method response declares.

    Raises: BadRequestException.
    """
    for target, source in mappings.items():
        _check_all(_RESPONSE, (target,))
        if target not in declared:
            raise _refused(f"Invalid mapping expression parameter specified: {target}")
        is_known = any(form.fullmatch(source) for form in (_LITERAL, _CONTEXT, _ANSWER))
        if not is_known and not (_BODY.fullmatch(source) and source.startswith("integration.")):
            raise _refused(f"Invalid mapping expression specified: {source}")


def _check_all(form: re.Pattern[str], expressions: Iterable[str]) -> None:
    for expression in expressions:
        if not form.fullmatch(expression):
            raise _refused(f"Invalid mapping expression specified: {expression}")


def _refused(why: str) -> BadRequestException:
    return BadRequestException(
        f"Invalid mapping expression specified: Validation Result: warnings : [], errors : [{why}]"
    )
