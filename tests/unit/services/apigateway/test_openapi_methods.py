from __future__ import annotations

from gatepost.services.apigateway.deployment import Method
from gatepost.services.apigateway.openapi_document import Findings
from gatepost.services.apigateway.openapi_methods import MethodReader
from gatepost.services.apigateway.openapi_schemas import Schemas
from tests.support.openapi_bodies import a_document, a_document_3


def read(item: object, document: dict | None = None) -> tuple[dict[str, Method], Findings]:
    document = document or a_document(definitions={"Order": {"type": "object"}})
    findings = Findings()
    methods = MethodReader(document, Schemas(document), findings).read_path("/orders", item)
    return {each.http_method: each for each in methods}, findings


def test_verbs_and_any_are_methods() -> None:
    verbs = ("get", "put", "post", "delete", "options", "head", "patch", "x-amazon-apigateway-any-method")
    methods, findings = read({**{name: {} for name in verbs}, "summary": "x", "x-vendor": 1})
    assert set(methods) == {"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "ANY"}
    assert not findings.errors


def test_a_verb_that_does_not_exist_is_an_error_and_not_a_lost_method() -> None:
    _, findings = read({"psot": {}, "trace": {}, "GET": {}})
    assert findings.errors == [
        f"Invalid HttpMethod specified: '{name}' for resource at path '/orders'" for name in ("psot", "trace", "GET")
    ]


def test_an_operations_parameters_replace_those_of_its_path() -> None:
    page = {"name": "page", "in": "query", "type": "string"}
    methods, _ = read(
        {
            "parameters": [page, {"name": "X-A", "in": "header", "required": True, "type": "string"}],
            "get": {
                "operationId": "list",
                "parameters": [{**page, "required": True}, {"name": "id", "in": "path", "required": True}],
            },
        }
    )
    assert methods["GET"].operation_name == "list"
    assert methods["GET"].request_parameters == {
        "method.request.querystring.page": True,
        "method.request.header.X-A": True,
        "method.request.path.id": True,
    }


def test_places_that_api_gateway_does_not_know_are_warnings() -> None:
    _, findings = read({"get": {"parameters": [{"name": "a", "in": "cookie"}, {"name": "f", "in": "formData"}]}})
    assert findings.warnings == [
        "Parameter 'a' in 'cookie' is not supported and was ignored",
        "Parameter 'f' in 'formData' is not supported and was ignored",
    ]


def test_a_swagger_body_is_a_model_for_each_type_that_is_consumed() -> None:
    order = {"$ref": "#/definitions/Order"}
    methods, _ = read(
        {
            "put": {"parameters": [{"in": "body", "name": "o", "schema": order}]},
            "post": {"consumes": ["a/b", "c/d"], "parameters": [{"in": "body", "name": "o", "schema": order}]},
        }
    )
    assert methods["PUT"].request_models == {"application/json": "Order"}
    assert methods["POST"].request_models == {"a/b": "Order", "c/d": "Order"}


def test_an_openapi_3_body_is_a_model_by_content() -> None:
    document = a_document_3(components={"schemas": {"Order": {}}})
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}, "text/plain": {}}
    methods, _ = read({"post": {"requestBody": {"content": content}}}, document)
    assert methods["POST"].request_models == {"application/json": "Order"}


def test_responses_have_headers_and_models() -> None:
    responses = {
        "404": {"description": "none"},
        "200": {"headers": {"X-A": {"type": "string"}}, "schema": {"$ref": "#/definitions/Order"}},
        "default": {"description": "any"},
        "5XX": {"description": "broken"},
    }
    methods, findings = read({"get": {"responses": responses}})
    first, second = methods["GET"].responses
    assert (first.status_code, first.response_parameters) == ("200", {"method.response.header.X-A": False})
    assert first.response_models == {"application/json": "Order"}
    assert second.status_code == "404"
    assert findings.warnings == ["Response '5XX' is not supported and was ignored"]


def test_what_is_wrong_with_one_method_leaves_the_others() -> None:
    methods, findings = read(
        {
            "get": {"x-amazon-apigateway-integration": {"type": "nothing"}},
            "put": {"x-amazon-apigateway-request-validator": "all"},
            "post": {"parameters": "none"},
            "delete": {},
        }
    )
    assert set(methods) == {"DELETE"}
    assert [each.split(": ", 1)[0] for each in findings.errors] == [
        f"Unable to put method '{verb}' on resource at path '/orders'" for verb in ("GET", "PUT", "POST")
    ]
    assert "Unable to find request validator all" in findings.errors[1]
