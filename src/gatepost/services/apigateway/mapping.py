"""Mapping expressions of parameters: which names and sources are well-formed, and which of them are declared.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/request-response-data-mappings.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.support import (
    ERROR_VARIABLES,
    check_context,
    check_json_path,
    check_supported,
    check_template_size,
)

PARAMETERS_MAX: Final = 1_000  # of one method, integration or response: a bound of ours

_NAME: Final = r"[a-zA-Z0-9._$\-]+"  # what AWS allows in the last part
_DECLARED: Final = re.compile(
    rf"method\.request\.(?:path|querystring|header|multivaluequerystring|multivalueheader)\.{_NAME}"
)
_RESPONSE: Final = re.compile(rf"method\.response\.(?:header|multivalueheader)\.{_NAME}")
_TARGET: Final = re.compile(rf"integration\.request\.(?:path|querystring|header)\.{_NAME}")
_LITERAL: Final = re.compile(r"'[^']*'")
_CONTEXT: Final = re.compile(r"(context|stageVariables)\.([a-zA-Z0-9._\-]+)")
_BODY: Final = re.compile(r"(method\.request|integration\.response)\.body(?:\.(.+)|(\[.+))?")
_GATEWAY_RESPONSE: Final = re.compile(rf"gatewayresponse\.header\.{_NAME}")
_TEMPLATE_VARIABLE: Final = re.compile(r"\$\{?context\.([A-Za-z0-9_.]+)")
_ANSWER: Final = re.compile(rf"integration\.response\.(?:header|multivalueheader)\.{_NAME}")


def check_method_parameters(names: Collection[str]) -> None:
    """Check what a method declares of its request. Raises: BadRequestException."""
    _check_all(_DECLARED, names)


def check_response_parameters(names: Collection[str]) -> None:
    """Check what a method declares of its response. Raises: BadRequestException."""
    _check_all(_RESPONSE, names)


def check_integration_request(mappings: Mapping[str, str], declared: Mapping[str, bool]) -> None:
    """Check an integration's request parameters against what its method declares.

    Raises: BadRequestException.
    """
    _check_all(_TARGET, mappings)
    for source in mappings.values():
        if _is_known(source, "method.request"):
            continue
        _check_all(_DECLARED, (source,))
        if source not in declared:
            raise _refused(f"Invalid mapping expression parameter specified: {source}")


def check_integration_response(mappings: Mapping[str, str], declared: Mapping[str, bool]) -> None:
    """Check an integration response's parameters against what its method response declares.

    Raises: BadRequestException.
    """
    _check_all(_RESPONSE, mappings)
    for target, source in mappings.items():
        if target not in declared:
            raise _refused(f"Invalid mapping expression parameter specified: {target}")
        if not _ANSWER.fullmatch(source) and not _is_known(source, "integration.response"):
            raise _refused(f"Invalid mapping expression specified: {source}")


def check_function_parameters(mappings: Mapping[str, str]) -> None:
    """Refuse request parameters that would name another function than the URI does. Raises: BadRequestException."""
    check_supported("Qualifier", mappings.get("integration.request.querystring.Qualifier", ""))


def check_gateway_response(mappings: Mapping[str, str], templates: Mapping[str, str]) -> None:
    """Check the parameters and templates of a gateway response. Raises: BadRequestException."""
    _check_all(_GATEWAY_RESPONSE, mappings)
    for source in mappings.values():
        if source.startswith("context.error."):
            _check_error_variable(source.removeprefix("context.error."))
        elif not _is_known(source, ""):
            _check_all(_DECLARED, (source,))
    for content_type, template in templates.items():
        check_template_size("responseTemplates", content_type, template)
        for found in _TEMPLATE_VARIABLE.finditer(template):
            name = found[1].rstrip(".")
            if name.startswith("error."):
                _check_error_variable(name.removeprefix("error."))
            else:
                check_context(name)


def _check_error_variable(name: str) -> None:
    if name not in ERROR_VARIABLES:
        raise BadRequestException(
            f"Gatepost does not support context.error.{name} yet: it knows {', '.join(sorted(ERROR_VARIABLES))}"
        )


def _is_known(source: str, body_of: str) -> bool:
    """Say whether a source is a literal, a context or stage variable, or (part of) the body of `body_of`."""
    if _LITERAL.fullmatch(source):
        return True
    if (found := _CONTEXT.fullmatch(source)) is not None:
        if found[1] == "context":
            check_context(found[2])
        return True
    if (found := _BODY.fullmatch(source)) is None or found[1] != body_of:
        return False
    check_json_path(found[2] or found[3] or "")
    return True


def _check_all(form: re.Pattern[str], expressions: Collection[str]) -> None:
    if len(expressions) > PARAMETERS_MAX:
        raise BadRequestException(f"At most {PARAMETERS_MAX} parameters are allowed, not {len(expressions)}")
    for expression in expressions:
        if not form.fullmatch(expression):
            raise _refused(f"Invalid mapping expression specified: {expression}")


def _refused(why: str) -> BadRequestException:
    return BadRequestException(
        f"Invalid mapping expression specified: Validation Result: warnings : [], errors : [{why}]"
    )
