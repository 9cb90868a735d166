"""What an OpenAPI document asks for that Gatepost does not do yet, place by place: known before anything is made.

The import refuses the same, but ends at the first. Values that are not known yet (a template's references) are passed
over; what is wrong in itself is left to the import.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from gatepost.services.apigateway import openapi_methods
from gatepost.services.apigateway.deployment import Integration
from gatepost.services.apigateway.integrations import check_uri
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.openapi_document import Findings, check_extensions, resolve
from gatepost.services.apigateway.openapi_import import EXTENSIONS
from gatepost.services.apigateway.openapi_security import ROOT_SECURITY_IGNORED, has_ignored_security, read_security
from gatepost.services.apigateway.support import UnsupportedSetting, check_supported

Steps = tuple[str, ...]
Gap = tuple[Steps, str]  # where in the document, and what would work


def openapi_gaps(document: Any) -> Iterator[Gap]:
    """Give a gap for each part of a document that cannot be enforced."""
    if not isinstance(document, dict):
        return
    yield from _extensions((), document, EXTENSIONS, "the document")
    if has_ignored_security(document):
        yield ("security",), ROOT_SECURITY_IGNORED
    paths = document.get("paths")
    for path, given in paths.items() if isinstance(paths, dict) else ():
        item = _object(partial(resolve, document, given))
        for verb, operation in item.items():
            if isinstance(operation, dict) and (verb.isalpha() or verb == openapi_methods.ANY_METHOD):
                yield from _operation(("paths", path, verb), document, operation)


def _operation(steps: Steps, document: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[Gap]:
    yield from _extensions(steps, operation, openapi_methods.EXTENSIONS, "an operation")
    if "security" in operation:
        yield from _tried((*steps, "security"), partial(read_security, document, operation, Findings()))
    integration = _object(partial(resolve, document, operation.get(openapi_methods.INTEGRATION)))
    for setting in ("type", "connectionType"):
        value = integration.get(setting)
        if isinstance(value, str):
            place = (*steps, openapi_methods.INTEGRATION, setting)
            yield from _tried(place, partial(check_supported, setting, value.upper()))
    uri = integration.get("uri")
    if str(integration.get("type")).upper() == "AWS" and isinstance(uri, str):
        yield from _tried((*steps, openapi_methods.INTEGRATION, "uri"), partial(check_uri, Integration("AWS", uri=uri)))


def _extensions(steps: Steps, given: Mapping[str, Any], known: tuple[str, ...], what: str) -> Iterator[Gap]:
    for name in given:
        yield from _tried((*steps, name), partial(check_extensions, {name: None}, known, what))


def _tried(steps: Steps, check: Callable[[], object]) -> Iterator[Gap]:
    try:
        check()
    except UnsupportedSetting as gap:
        yield steps, gap.message
    except BadRequestException:
        return  # the import says it


def _object(read: Callable[[], Any]) -> dict[str, Any]:
    try:
        value = read()
    except BadRequestException:
        return {}
    return value if isinstance(value, dict) else {}
