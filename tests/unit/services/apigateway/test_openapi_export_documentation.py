from __future__ import annotations

import json

from gatepost.services.apigateway.documentation_model import DocumentationPart, DocumentationVersion, location_from_aws
from gatepost.services.apigateway.openapi_export_documentation import document_with_words, documentation_extension


def a_version(*said: tuple[dict, dict]) -> DocumentationVersion:
    parts = tuple(
        DocumentationPart(str(number), location_from_aws(location), json.dumps(properties))
        for number, (location, properties) in enumerate(said)
    )
    return DocumentationVersion("1.0", 0, "", parts)


def test_words_stand_in_their_own_places() -> None:
    place = {"path": "/a", "method": "ANY"}
    operation = {
        "parameters": [{"in": "header", "name": "X"}, {"in": "body", "name": "b"}],
        "requestBody": {},
        "responses": {"200": {"description": "200 response", "headers": {"H": {}}}},
    }
    document = {"info": {}, "paths": {"/a": {"x-amazon-apigateway-any-method": operation}}}
    version = a_version(
        ({"type": "API"}, {"info": {"description": "all", "title": "no"}}),
        ({"type": "METHOD", **place}, {"summary": "one", "operationId": "no"}),
        ({"type": "REQUEST_HEADER", **place, "name": "X"}, {"description": "two"}),
        ({"type": "REQUEST_BODY", **place}, {"description": "three"}),
        ({"type": "RESPONSE", **place, "statusCode": "200"}, {"description": "four"}),
        ({"type": "RESPONSE_HEADER", **place, "statusCode": "200", "name": "H"}, {"description": "five"}),
    )
    document = document_with_words(document, version)
    assert document["info"] == {"description": "all"}
    assert operation == {
        "summary": "one",
        "parameters": [
            {"in": "header", "name": "X", "description": "two"},
            {"in": "body", "name": "b", "description": "three"},
        ],
        "requestBody": {"description": "three"},
        "responses": {"200": {"description": "four", "headers": {"H": {"description": "five"}}}},
    }


def test_words_about_what_is_not_there_are_left_to_the_extension() -> None:
    version = a_version(
        ({"type": "API"}, {"info": "no object"}),
        ({"type": "METHOD", "path": "/b", "method": "GET"}, {"summary": "x"}),
        ({"type": "RESPONSE", "path": "/a", "method": "GET", "statusCode": "404"}, {"description": "x"}),
        ({"type": "RESPONSE"}, {"description": "inherited"}),
        ({"type": "MODEL", "name": "M"}, {"description": "x"}),
    )
    document = {"info": {}, "paths": {"/a": {"get": {"responses": {}}}}}
    before = json.loads(json.dumps(document))
    assert document_with_words(document, version) == before
    extension = documentation_extension(version)["x-amazon-apigateway-documentation"]
    assert (extension["version"], len(extension["documentationParts"])) == ("1.0", 5)
