from __future__ import annotations

import json

from gatepost.services.apigateway.openapi_document import Findings
from gatepost.services.apigateway.openapi_documentation import declared_parts, described_parts, documentation_version

DOCUMENT = {
    "openapi": "3.0.1",
    "info": {"title": "shop", "description": "All we sell", "contact": {"name": "us"}, "version": "1"},
    "paths": {
        "/orders": {
            "get": {
                "summary": "List",
                "tags": ["orders"],
                "parameters": [{"name": "page", "in": "query", "description": "from 1"}, {"$ref": "#/nowhere"}],
                "requestBody": {"description": "nothing"},
                "responses": {
                    "200": {"description": "fine", "headers": {"X-A": {"description": "a"}}},
                    "400": {"description": "400 response"},
                    "default": {"description": "else"},
                },
            },
            "x-amazon-apigateway-any-method": {"description": "else"},
        }
    },
}


def test_the_words_of_a_document_become_parts() -> None:
    found = {str(location): json.loads(properties) for location, properties in described_parts(DOCUMENT)}
    assert found == {
        "type 'API'": {"info": {"description": "All we sell", "contact": {"name": "us"}}},
        "type 'METHOD', path '/orders', method 'GET'": {"summary": "List", "tags": ["orders"]},
        "type 'QUERY_PARAMETER', path '/orders', method 'GET', name 'page'": {"description": "from 1"},
        "type 'REQUEST_BODY', path '/orders', method 'GET'": {"description": "nothing"},
        "type 'RESPONSE', path '/orders', method 'GET', statusCode '200'": {"description": "fine"},
        "type 'RESPONSE_HEADER', path '/orders', method 'GET', statusCode '200', name 'X-A'": {"description": "a"},
        "type 'METHOD', path '/orders', method 'ANY'": {"description": "else"},
    }


def test_a_document_that_says_nothing_has_no_parts() -> None:
    for document in ({}, {"info": 1, "paths": 2}, {"info": {}, "paths": {"/a": 1, "/b": {"get": 5}}}):
        assert described_parts(document) == []


def test_declared_parts_are_read_and_the_wrong_ones_told() -> None:
    findings = Findings()
    parts = [
        {"location": {"type": "API"}, "properties": {"a": 1}},
        {"location": {"type": "SHOE"}, "properties": {}},
        {"location": {"type": "API"}, "properties": 5},
        7,
    ]
    document = {"x-amazon-apigateway-documentation": {"version": 1.5, "documentationParts": parts}}
    assert [properties for _, properties in declared_parts(document, findings)] == ['{"a":1}']
    assert len(findings.errors) == 3
    assert documentation_version(document) == "1.5"
    assert documentation_version({}) == ""
