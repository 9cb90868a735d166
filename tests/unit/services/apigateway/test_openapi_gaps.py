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


def test_guards_that_stand_are_no_gaps():
    operation = {**LAMBDA, "responses": {}, "security": [{"users": ["email"], "key": []}]}
    assert list(openapi_gaps(a_document(operation))) == []


def test_security_that_aws_ignores_is_named_when_an_operation_has_none_of_its_own():
    gaps = dict(openapi_gaps(a_document({**LAMBDA, "responses": {}}, security=[{"users": []}])))
    assert list(gaps) == [("security",)]
    assert "API Gateway ignores the security of the document as a whole" in gaps["security",]
    for security in ([], [{"key": []}]):
        guarded = a_document({**LAMBDA, "responses": {}, "security": security}, security=[{"users": []}])
        assert list(openapi_gaps(guarded)) == []


def test_a_scheme_that_guards_nothing_is_named_with_its_place():
    document = a_document({**LAMBDA, "security": [{"oauth": []}]})
    document["components"]["securitySchemes"]["oauth"] = {"type": "oauth2"}
    assert [steps for steps, _ in openapi_gaps(document)] == [("paths", "/x", "get", "security")]


QUERY_URI = "arn:aws:apigateway:us-east-1:1234.s3:path/bucket"


def test_extensions_and_integrations_that_do_nothing_are_named():
    operation = {
        "x-amazon-apigateway-colour": "all",
        "x-amazon-apigateway-integration": {"type": "aws", "connectionType": "VPC_LINK", "uri": QUERY_URI},
    }
    document = {"swagger": "2.0", "x-amazon-apigateway-colours": {}, "paths": {"/x": {"get": operation}}}
    here = ("paths", "/x", "get")
    assert [steps for steps, _ in openapi_gaps(document)] == [
        ("x-amazon-apigateway-colours",),
        (*here, "x-amazon-apigateway-colour"),
        (*here, "x-amazon-apigateway-integration", "connectionType"),
        (*here, "x-amazon-apigateway-integration", "uri"),
    ]


def test_what_is_wrong_in_itself_is_left_to_the_import():
    assert list(openapi_gaps(a_document({"security": [{"nobody": []}]}))) == []
    assert list(openapi_gaps({"openapi": "3.0.1", "paths": {"/x": {"$ref": "#/nowhere"}}, "components": 5})) == []
