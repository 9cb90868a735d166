from gatepost.services.apigateway.openapi_gaps import openapi_gaps

COGNITO = {
    "type": "apiKey",
    "x-amazon-apigateway-authtype": "cognito_user_pools",
    "x-amazon-apigateway-authorizer": {"type": "cognito_user_pools"},
}
KEY = {"type": "apiKey", "name": "x-api-key", "in": "header"}
LAMBDA = {"x-amazon-apigateway-integration": {"type": "aws_proxy", "httpMethod": "POST", "uri": object()}}


def a_document(operation, **more):
    schemes = {"users": COGNITO, "key": KEY}
    return {"openapi": "3.0.1", "components": {"securitySchemes": schemes}, "paths": {"/x": {"get": operation}}, **more}


def test_a_document_that_is_enforced_has_no_gaps_though_a_value_is_not_known_yet():
    document = {"openapi": "3.0.1", "paths": {"/x": {"get": LAMBDA, "parameters": []}}}
    assert list(openapi_gaps(document)) == []
    assert list(openapi_gaps(None)) == []


def test_every_guard_that_would_not_stand_is_named_with_its_place():
    gaps = dict(openapi_gaps(a_document({**LAMBDA, "security": [{"key": []}]}, security=[{"users": []}])))
    assert list(gaps) == [
        ("components", "securitySchemes", "users"),
        ("security",),
        ("paths", "/x", "get", "security"),
    ]
    assert (
        gaps["security",] == "Gatepost does not support authorizationType COGNITO_USER_POOLS yet: use NONE or AWS_IAM"
    )


QUERY_URI = "arn:aws:apigateway:us-east-1:dynamodb:action/Query"


def test_extensions_and_integrations_that_do_nothing_are_named():
    operation = {
        "x-amazon-apigateway-request-validator": "all",
        "x-amazon-apigateway-integration": {"type": "aws", "connectionType": "VPC_LINK", "uri": QUERY_URI},
    }
    document = {"swagger": "2.0", "x-amazon-apigateway-request-validators": {}, "paths": {"/x": {"get": operation}}}
    here = ("paths", "/x", "get")
    assert [steps for steps, _ in openapi_gaps(document)] == [
        ("x-amazon-apigateway-request-validators",),
        (*here, "x-amazon-apigateway-request-validator"),
        (*here, "x-amazon-apigateway-integration", "connectionType"),
        (*here, "x-amazon-apigateway-integration", "uri"),
    ]


def test_what_is_wrong_in_itself_is_left_to_the_import():
    assert list(openapi_gaps(a_document({"security": [{"nobody": []}]}))) != []
    assert list(openapi_gaps({"openapi": "3.0.1", "paths": {"/x": {"$ref": "#/nowhere"}}, "components": 5})) == []
