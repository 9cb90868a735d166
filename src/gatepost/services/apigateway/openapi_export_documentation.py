"""What a documentation version says, in an OpenAPI document: as Amazon's extension, and in the standard's fields."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gatepost.kernel.clock import iso_8601
from gatepost.services.apigateway.documentation_model import DocumentationVersion, Location
from gatepost.services.apigateway.openapi_documentation import ANY_METHOD, DOCUMENTATION

_PLACES: Final = {"PATH_PARAMETER": "path", "QUERY_PARAMETER": "query", "REQUEST_HEADER": "header"}
_FIELDS: Final = {
    "API": ("description", "termsOfService", "contact", "license"),
    "METHOD": ("description", "summary", "tags", "deprecated", "externalDocs"),
}
_DESCRIBED: Final = ("description",)


def documentation_extension(version: DocumentationVersion) -> dict[str, Any]:
    """Give the extension that holds all parts of a version."""
    parts = [
        {"location": each.location.to_aws(), "properties": json.loads(each.properties)}
        for each in sorted(version.parts, key=lambda part: str(part.location))
    ]
    return {
        DOCUMENTATION: {
            "version": version.version,
            "createdDate": iso_8601(version.created_at_ms),
            "documentationParts": parts,
        }
    }


def document_with_words(document: dict[str, Any], version: DocumentationVersion) -> dict[str, Any]:
    """Put what is said about the API, its methods, parameters and responses into their own places too."""
    for part in version.parts:
        said = json.loads(part.properties)
        if part.location.type == "API":
            info = said.get("info")
            said = info if isinstance(info, dict) else {}
        names = _FIELDS.get(part.location.type, _DESCRIBED)
        words = {name: said[name] for name in names if name in said}
        for place in _places(document, part.location) if words else ():
            place.update(words)
    return document


def _places(document: Mapping[str, Any], location: Location) -> Iterator[dict[str, Any]]:
    """Give the objects of a document that a location names. A location with `*` names none: it is inherited."""
    if location.type == "API":
        yield document["info"]
        return
    verb = ANY_METHOD if location.method == "ANY" else location.method.lower()
    operation = document["paths"].get(location.path, {}).get(verb)
    if not isinstance(operation, dict):
        return
    if location.type == "METHOD":
        yield operation
    elif location.type in _PLACES:
        wanted = (_PLACES[location.type], location.name)
        yield from (each for each in operation.get("parameters", ()) if (each["in"], each["name"]) == wanted)
    elif location.type == "REQUEST_BODY":
        yield from (each for each in operation.get("parameters", ()) if each["in"] == "body")
        if "requestBody" in operation:
            yield operation["requestBody"]
    else:
        response = operation["responses"].get(location.status_code)
        if location.type == "RESPONSE" and response is not None:
            yield response
        elif location.type == "RESPONSE_HEADER" and response is not None:
            yield from (header for name, header in response.get("headers", {}).items() if name == location.name)
