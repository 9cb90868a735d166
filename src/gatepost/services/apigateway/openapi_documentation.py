"""`x-amazon-apigateway-documentation`, and the words of an OpenAPI document that become documentation parts.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-documenting-api-quick-start-import-export.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gatepost.kernel.limits import API_GATEWAY_DOCUMENTATION_PARTS_PER_API_MAX
from gatepost.services.apigateway.documentation_model import (
    PROPERTIES_BYTES_MAX,
    Location,
    check_properties,
    location_from_aws,
)
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.openapi_document import Findings, as_list, as_object, is_openapi_3, resolve

DOCUMENTATION: Final = "x-amazon-apigateway-documentation"
ANY_METHOD: Final = "x-amazon-apigateway-any-method"

_VERBS: Final = ("get", "put", "post", "delete", "options", "head", "patch", ANY_METHOD)
_OF_INFO: Final = ("description", "termsOfService", "contact", "license")
_OF_METHOD: Final = ("description", "summary", "tags", "deprecated", "externalDocs")
_PARAMETERS: Final = {"path": "PATH_PARAMETER", "query": "QUERY_PARAMETER", "header": "REQUEST_HEADER"}

Part = tuple[Location, str]


def declared_parts(document: Mapping[str, Any], findings: Findings) -> list[Part]:
    """Read the parts that a document lists: in Amazon's extension, or at its root as `documentationParts`.

    What is wrong with one goes to `findings` as an error. Raises: BadRequestException.
    """
    holder = document
    if DOCUMENTATION in document:
        holder = as_object(document[DOCUMENTATION], DOCUMENTATION)
    parts = []
    for number, given in enumerate(as_list(holder.get("documentationParts"), "documentationParts")):
        try:
            part = as_object(given, f"documentation part {number}")
            location = location_from_aws(as_object(part.get("location"), f"location of documentation part {number}"))
            parts.append((location, _text(part.get("properties"))))
        except BadRequestException as error:
            findings.add_error(f"Unable to create documentation part {number}: {error.message}")
    return parts


def described_parts(document: Mapping[str, Any]) -> list[Part]:
    """Make parts of what a document says about its own info, methods, parameters and responses."""
    found: list[Part] = []
    info = _some(document.get("info"), _OF_INFO)
    if set(info) - {"description"}:  # a description alone is the API's own (unverified)
        _add(found, Location("API"), {"info": info})
    paths = document.get("paths")
    for path, item in paths.items() if isinstance(paths, dict) else ():
        for verb, operation in item.items() if isinstance(item, dict) else ():
            if verb in _VERBS and isinstance(operation, dict):
                found.extend(_of_operation(document, path, "ANY" if verb == ANY_METHOD else verb.upper(), operation))
    return found


def read_documentation(document: Mapping[str, Any], findings: Findings) -> tuple[Part, ...]:
    """Read what a document says about itself; what it lists in Amazon's extension wins over its own words.

    Raises: BadRequestException.
    """
    listed = declared_parts(document, findings)
    known = {location for location, _ in listed}
    described = [part for part in described_parts(document) if part[0] not in known]
    room = max(0, API_GATEWAY_DOCUMENTATION_PARTS_PER_API_MAX - len(listed))
    short = [part for part in described if len(part[1].encode()) <= PROPERTIES_BYTES_MAX][:room]
    if len(short) < len(described):
        findings.add_warning(f"{len(described) - len(short)} descriptions are too many or too long and were ignored")
    return (*short, *listed)


def documentation_version(document: Mapping[str, Any]) -> str:
    """Give the version that Amazon's extension names, "" for none. Raises: BadRequestException."""
    version = as_object(document.get(DOCUMENTATION), DOCUMENTATION).get("version")
    return "" if version is None else str(version)


def _of_operation(document: Mapping[str, Any], path: str, verb: str, operation: Mapping[str, Any]) -> Iterator[Part]:
    found: list[Part] = []
    _add(found, Location("METHOD", path, verb), _some(operation, _OF_METHOD))
    parameters = operation.get("parameters")
    for each in parameters if isinstance(parameters, list) else ():
        parameter = _resolved(document, each)
        kind = _PARAMETERS.get(str(parameter.get("in")))
        if kind is not None and isinstance(parameter.get("name"), str):
            _add(found, Location(kind, path, verb, name=parameter["name"]), _some(parameter, ("description",)))
        elif parameter.get("in") == "body":
            _add(found, Location("REQUEST_BODY", path, verb), _some(parameter, ("description",)))
    if is_openapi_3(document):
        body = _resolved(document, operation.get("requestBody"))
        _add(found, Location("REQUEST_BODY", path, verb), _some(body, ("description",)))
    responses = operation.get("responses")
    for status, each in responses.items() if isinstance(responses, dict) else ():
        if not status.isdigit():
            continue
        response = _resolved(document, each)
        if response.get("description") != f"{status} response":  # what exports write where nothing is said
            _add(found, Location("RESPONSE", path, verb, status), _some(response, ("description",)))
        headers = response.get("headers")
        for name, header in headers.items() if isinstance(headers, dict) else ():
            said = _some(_resolved(document, header), ("description",))
            _add(found, Location("RESPONSE_HEADER", path, verb, status, name), said)
    yield from found


def _resolved(document: Mapping[str, Any], value: Any) -> Mapping[str, Any]:
    try:
        found = resolve(document, value)
    except BadRequestException:
        return {}  # whoever reads the method says it
    return found if isinstance(found, dict) else {}


def _some(value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value[name] for name in names if value.get(name)} if isinstance(value, dict) else {}


def _add(found: list[Part], location: Location, said: dict[str, Any]) -> None:
    if said:
        found.append((location, json.dumps(said, separators=(",", ":"))))


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    check_properties(text)
    return text
