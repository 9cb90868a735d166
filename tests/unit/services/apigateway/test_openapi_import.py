from __future__ import annotations

import pytest

from gatepost.services.apigateway.deployment import Resource
from gatepost.services.apigateway.model import BadRequestException, Definition, LimitExceededException
from gatepost.services.apigateway.openapi_document import Findings, parse_document
from gatepost.services.apigateway.openapi_import import put_into, read_api
from tests.support.openapi_bodies import PETSTORE_YAML, a_document, a_document_3, a_lambda, a_sam_body

EMPTY = Definition(resources={"root": Resource("root", "/")})
QUERY = {"type": "aws", "httpMethod": "POST", "uri": "arn:aws:apigateway:us-east-1:dynamodb:action/Query"}
MOCK = {"get": {"x-amazon-apigateway-integration": {"type": "mock"}}}


def built(
    document: dict, *, mode: str = "ignore", before: Definition = EMPTY, overwrites: bool = True
) -> tuple[Definition, Findings]:
    findings = Findings()
    imported = read_api(document, mode, findings)
    return put_into("api1", before, imported, findings, overwrites=overwrites), findings


def paths_of(definition: Definition) -> list[str]:
    return sorted(each.path for each in definition.resources.values())


def methods_of(definition: Definition) -> dict[str, list[str]]:
    return {
        each.path: [method.http_method for method in each.methods]
        for each in definition.resources.values()
        if each.methods
    }


def test_sams_body_becomes_a_tree() -> None:
    definition, findings = built(a_sam_body())
    assert not findings.errors
    assert not findings.warnings
    assert methods_of(definition) == {
        "/orders/{id}": ["GET", "OPTIONS"],
        "/orders": ["GET", "OPTIONS"],
        "/files/{proxy+}": ["ANY", "OPTIONS"],
    }
    by_path = {each.path: each for each in definition.resources.values()}
    assert [each.authorization_type for each in by_path["/orders/{id}"].methods] == ["AWS_IAM", "NONE"]
    assert [each.authorization_type for each in by_path["/orders"].methods] == ["NONE", "NONE"]
    options = by_path["/orders"].methods[1].integration
    assert (options.type, options.cache_namespace) == ("MOCK", by_path["/orders"].id)
    assert definition.gateway_responses["DEFAULT_4XX"].response_parameters


def test_a_petstore_in_yaml_becomes_a_tree_with_models() -> None:
    definition, findings = built(parse_document(PETSTORE_YAML))
    assert not findings.errors
    assert methods_of(definition) == {"/pets": ["GET", "POST"], "/pets/{petId}": ["GET"]}
    assert {"Pet", "Pets"} < set(definition.models)
    pets = next(each for each in definition.resources.values() if each.path == "/pets")
    assert pets.methods[0].integration.timeout_ms == 5_000
    assert pets.methods[1].request_models == {"application/json": "Pet"}


def test_the_settings_of_a_document_are_read() -> None:
    document = a_document(
        **{
            "info": {"title": "shop", "version": 1.0, "description": "about"},
            "x-amazon-apigateway-api-key-source": "header",
            "x-amazon-apigateway-binary-media-types": ["*/*"],
            "x-amazon-apigateway-minimum-compression-size": 1024,
            "x-amazon-apigateway-policy": {"Version": "2012-10-17", "Statement": []},
            "x-amazon-apigateway-endpoint-configuration": {"types": ["REGIONAL"], "disableExecuteApiEndpoint": True},
            "x-amazon-apigateway-documentation": {"documentationParts": []},
        }
    )
    imported = read_api(document, "ignore", Findings())
    assert (imported.name, imported.version, imported.description) == ("shop", "1.0", "about")
    assert imported.api_key_source == "HEADER"
    assert imported.binary_media_types == ("*/*",)
    assert imported.minimum_compression_bytes == 1_024
    assert imported.policy == '{"Version": "2012-10-17", "Statement": []}'
    assert imported.endpoint_types == ("REGIONAL",)
    assert imported.is_execute_api_endpoint_disabled is True


def test_openapi_3_has_its_endpoint_configuration_on_servers() -> None:
    configuration = {"disableExecuteApiEndpoint": "true"}
    servers = [{"url": "/", "x-amazon-apigateway-endpoint-configuration": configuration}]
    imported = read_api(a_document_3(servers=servers), "ignore", Findings())
    assert imported.is_execute_api_endpoint_disabled is True


# The three cases of AWS's page about basePath.
@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("ignore", ["/", "/e", "/f"]),
        ("prepend", ["/", "/a", "/a/b", "/a/b/c", "/a/b/c/e", "/a/b/c/f"]),
        ("split", ["/", "/b", "/b/c", "/b/c/e", "/b/c/f"]),
    ],
)
@pytest.mark.parametrize(
    "base",
    [
        a_document(basePath="/a/b/c"),
        a_document_3(servers=[{"url": "https://example.com/a/b/c"}]),
        a_document_3(servers=[{"url": "https://x/{basePath}", "variables": {"basePath": {"default": "a/b/c"}}}]),
        a_document_3(servers=[{"url": "/z"}, {"url": "/y", "variables": {"basePath": {"default": "/a/b/c/"}}}]),
    ],
)
def test_the_base_path_is_taken_as_told(mode: str, expected: list[str], base: dict) -> None:
    definition, findings = built({**base, "paths": {"/e": MOCK, "/f": MOCK}}, mode=mode)
    assert not findings.errors
    assert paths_of(definition) == expected


def test_the_root_of_a_document_is_its_base_path() -> None:
    definition, _ = built(a_document({"/": MOCK}, basePath="/v1"), mode="prepend")
    assert methods_of(definition) == {"/v1": ["GET"]}
    definition, _ = built(a_document({"/": MOCK}, basePath="/v1"), mode="split")
    assert methods_of(definition) == {"/": ["GET"]}


@pytest.mark.parametrize(
    ("paths", "error"),
    [
        (
            {"/orders/{id}": MOCK, "/orders/{key}": MOCK},
            "Unable to create resource at path '/orders/{key}': A sibling ({id}) of this resource already has a "
            "variable path part -- only one is allowed",
        ),
        ({"orders": MOCK}, "Unable to create resource at path 'orders': it does not start with /"),
        ({"/a b": MOCK}, "Unable to create resource at path '/a b': Resource's path part only allow"),
        ({"/{p+}/x": MOCK}, "Unable to create resource at path '/{p+}/x': Cannot create a child of a resource"),
        ({"/orders/": MOCK}, "Unable to create resource at path '/orders/': Resource's path part only allow"),
        (
            {"/": {"get": {"x-amazon-apigateway-integration": a_lambda(uri="arn:aws:lambda:x")}}},
            "Unable to put integration on 'GET' for resource at path '/': Invalid ARN specified in the request",
        ),
        (
            {"/": {"get": {"x-amazon-apigateway-integration": {"type": "http_proxy", "httpMethod": "GET"}}}},
            "Unable to put integration on 'GET' for resource at path '/': Invalid HTTP endpoint specified for URI",
        ),
        (
            {"/": {"get": {"x-amazon-apigateway-integration": QUERY}}},
            "Unable to put integration on 'GET' for resource at path '/': Gatepost does not support uri of AWS "
            "without credentials yet",
        ),
        (
            {
                "/": {
                    "get": {
                        "x-amazon-apigateway-integration": {
                            "type": "mock",
                            "responses": {
                                "default": {
                                    "statusCode": 200,
                                    "responseParameters": {"method.response.header.X": "'*'"},
                                }
                            },
                        }
                    }
                }
            },
            "Unable to put integration response on 'GET' for resource at path '/': Invalid mapping expression "
            "specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: "
            "method.response.header.X]",
        ),
        (
            {
                "/": {
                    "get": {
                        "x-amazon-apigateway-integration": {
                            "type": "http_proxy",
                            "httpMethod": "GET",
                            "uri": "http://example.com/{id}",
                            "requestParameters": {"integration.request.path.id": "method.request.path.id"},
                        }
                    }
                }
            },
            "Unable to put integration on 'GET' for resource at path '/': Invalid mapping expression specified",
        ),
        (
            {"/": {"get": {"parameters": [{"name": "a[]", "in": "query"}]}}},
            "Unable to put method 'GET' on resource at path '/': Invalid mapping expression specified",
        ),
        (
            {"/": {"get": {"security": [{"nothing": []}]}}},
            "Unable to put method 'GET' on resource at path '/': Unable to find security scheme nothing",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(paths: dict, error: str) -> None:
    _, findings = built(a_document(paths))
    assert len(findings.errors) == 1
    assert findings.errors[0].startswith(error)


def test_all_errors_are_told_at_once() -> None:
    _, findings = built(a_document({"/a b": MOCK, "c": MOCK, "/d": {"psot": {}}}))
    assert len(findings.errors) == 3


def test_a_model_whose_name_aws_does_not_take_is_an_error() -> None:
    _, findings = built(a_document(definitions={"My.Order": {"type": "object"}}))
    assert findings.errors == ["Unable to create model for 'My.Order': Model name must be alphanumeric: My.Order"]


def test_a_gateway_response_that_cannot_be_is_an_error() -> None:
    _, findings = built(a_document(**{"x-amazon-apigateway-gateway-responses": {"NOTHING": {"statusCode": 1}}}))
    assert findings.errors[0].startswith("Unable to put gateway response 'NOTHING'")


@pytest.mark.parametrize(
    "more",
    [
        {"x-amazon-apigateway-request-validators": {"all": {"validatesBody": True}}},
        {"x-amazon-apigateway-cors": {}},
        {"x-amazon-apigateway-endpoint-configuration": {"vpcEndpointIds": "vpce-1"}},
        {"paths": []},
        {"info": "shop"},
        {"definitions": {"A": 1}},
        {"paths": {"/a": []}},
        {"paths": {"/a": {"$ref": "other.yaml"}}},
    ],
)
def test_a_document_that_asks_for_what_is_missing_is_refused_as_a_whole(more: dict) -> None:
    with pytest.raises(BadRequestException):
        built({**a_document(), **more})


def test_guards_of_a_document_become_those_of_its_methods() -> None:
    guarded = {
        **MOCK,
        "get": {
            **MOCK["get"],
            "security": [{"users": ["email"]}, {"key": []}],
            "x-amazon-apigateway-request-validator": "all",
        },
    }
    pool = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_Abc123"
    users = {
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "x-amazon-apigateway-authtype": "cognito_user_pools",
        "x-amazon-apigateway-authorizer": {"type": "cognito_user_pools", "providerARNs": [pool]},
    }
    document = a_document(
        {"/a": guarded},
        securityDefinitions={"users": users, "key": {"type": "apiKey", "name": "x-api-key", "in": "header"}},
        **{"x-amazon-apigateway-request-validators": {"all": {"validateRequestBody": True}}},
    )
    definition, findings = built(document)
    assert findings.errors == []
    (authorizer,) = definition.authorizers.values()
    (validator,) = definition.request_validators.values()
    (method,) = next(each for each in definition.resources.values() if each.path == "/a").methods
    assert (authorizer.name, authorizer.provider_arns) == ("users", (pool,))
    assert (validator.name, validator.validates_body, validator.validates_parameters) == ("all", True, False)
    assert (method.authorization_type, method.authorizer_id) == ("COGNITO_USER_POOLS", authorizer.id)
    assert (method.authorization_scopes, method.api_key_required) == (("email",), True)
    assert method.request_validator_id == validator.id
    again, _ = built(document, before=definition)
    assert (again.authorizers, again.request_validators) == (definition.authorizers, definition.request_validators)


def test_an_api_has_at_most_300_resources() -> None:
    built(a_document({f"/p{i}": MOCK for i in range(299)}))
    with pytest.raises(LimitExceededException):
        built(a_document({f"/p{i}": MOCK for i in range(300)}))


def test_a_very_long_path_is_refused_by_the_limit_and_not_by_the_stack() -> None:
    with pytest.raises(LimitExceededException):
        built(a_document({"/a" * 5_000: MOCK}))


def test_merging_replaces_methods_and_leaves_the_rest() -> None:
    # The example of AWS's page about import to update.
    two_responses = {"200": {"description": ""}, "206": {"description": ""}}
    before, _ = built(
        a_document({"/a": {"get": {"responses": two_responses}, "post": {"responses": two_responses}}, "/b": MOCK})
    )
    incoming = a_document({"/a": {"get": {"responses": {"200": {"description": ""}, "400": {"description": ""}}}}})
    after, _ = built(incoming, before=before, overwrites=False)
    by_path = {each.path: each for each in after.resources.values()}
    get, post = by_path["/a"].methods
    assert [each.status_code for each in get.responses] == ["200", "400"]
    assert [each.status_code for each in post.responses] == ["200", "206"]
    assert methods_of(after)["/b"] == ["GET"]


def test_overwriting_takes_away_what_is_not_said_and_keeps_ids() -> None:
    before, _ = built(a_document({"/a/{id}": MOCK, "/b": MOCK}, definitions={"Old": {}}))
    after, _ = built(a_document({"/a/{id}": MOCK, "/c": MOCK}), before=before)
    assert paths_of(after) == ["/", "/a", "/a/{id}", "/c"]
    assert "Old" not in after.models
    ids_before = {each.path: each.id for each in before.resources.values()}
    ids_after = {each.path: each.id for each in after.resources.values()}
    assert all(ids_after[path] == ids_before[path] for path in ("/", "/a", "/a/{id}"))


def test_the_document_is_not_changed_by_reading_it() -> None:
    document = a_sam_body()
    built(document)
    assert document == a_sam_body()


def test_what_aws_ignores_without_a_word_is_noted_and_ends_no_import() -> None:
    operation = {"responses": {"200": {"description": "", "links": {"a": {}}}}, "callbacks": {"a": {}}}
    document = a_document({"/a": {"get": operation, "servers": [{"url": "https://example.com"}]}})
    document |= {"security": [{"key": []}]}
    _, findings = built(document)
    assert findings.warnings == []
    assert len(findings.notes) == 4
    assert findings.told == findings.notes
    findings.check(fails_on_warnings=True)
