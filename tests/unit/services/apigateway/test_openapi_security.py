from __future__ import annotations

import pytest

from gatepost.services.apigateway.deployment import Authorizer
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.openapi_document import Findings
from gatepost.services.apigateway.openapi_security import (
    Security,
    has_ignored_security,
    read_authorizers,
    read_security,
)
from gatepost.services.apigateway.support import UnsupportedSetting
from tests.support.openapi_bodies import a_document, a_document_3
from tests.support.rest_apis import FUNCTION_URI

IAM = {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"}
KEY = {"type": "apiKey", "name": "x-api-key", "in": "header"}
POOL = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_Abc123"


def a_scheme(kind: str, **extension) -> dict:
    authorizer = {
        "type": kind,
        **({"authorizerUri": FUNCTION_URI} if kind != "cognito_user_pools" else {}),
        **extension,
    }
    auth_type = kind if kind == "cognito_user_pools" else "custom"
    return {
        "type": "apiKey",
        "name": "X-Token",
        "in": "header",
        "x-amazon-apigateway-authtype": auth_type,
        "x-amazon-apigateway-authorizer": authorizer,
    }


TOKEN = a_scheme("token", identityValidationExpression="^x", authorizerResultTtlInSeconds=60)
REQUEST = a_scheme("request", identitySource="method.request.header.A, context.stage", authorizerResultTtlInSeconds=0)
COGNITO = a_scheme("cognito_user_pools", providerARNs=[POOL])
SCHEMES = {"sigv4": IAM, "key": KEY, "token": TOKEN, "request": REQUEST, "users": COGNITO}


def read(document: dict, operation: dict, findings: Findings | None = None) -> Security:
    return read_security(document, operation, findings or Findings())


def test_without_security_anybody_may_call() -> None:
    assert read(a_document(), {}) == Security("NONE")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([{"sigv4": []}], Security("AWS_IAM")),
        ([], Security("NONE")),
        ([{"NONE": []}], Security("NONE")),
        ([{"key": []}], Security("NONE", api_key_required=True)),
        ([{"token": []}], Security("CUSTOM", authorizer="token")),
        ([{"request": []}, {"key": []}], Security("CUSTOM", api_key_required=True, authorizer="request")),
        ([{"key": [], "users": ["a/b", "c"]}], Security("COGNITO_USER_POOLS", True, "users", ("a/b", "c"))),
    ],
)
def test_an_operations_security_is_its_methods(asked: list, expected: Security) -> None:
    for document in (
        a_document(securityDefinitions=SCHEMES),
        a_document_3(components={"securitySchemes": SCHEMES}),
    ):
        assert read(document, {"security": asked}) == expected


def test_the_documents_own_security_does_nothing_as_on_aws() -> None:
    document = a_document(securityDefinitions=SCHEMES, security=[{"sigv4": []}])
    document["paths"] = {"/x": {"get": {"responses": {}}}}
    assert read(document, document["paths"]["/x"]["get"]) == Security("NONE")
    assert has_ignored_security(document)
    document["paths"]["/x"]["get"]["security"] = []
    assert not has_ignored_security(document)


def test_the_override_names_the_type() -> None:
    assert read(a_document(), {"x-amazon-apigateway-auth": {"type": "AWS_IAM"}}) == Security("AWS_IAM")
    document = a_document(securityDefinitions=SCHEMES)
    asked = {"security": [{"sigv4": []}], "x-amazon-apigateway-auth": {"type": "NONE"}}
    assert read(document, asked) == Security("NONE")


def test_two_authorizers_on_one_method_are_refused() -> None:
    with pytest.raises(BadRequestException, match="A method has one authorizer"):
        read(a_document(securityDefinitions=SCHEMES), {"security": [{"token": []}, {"users": []}]})


@pytest.mark.parametrize(
    "scheme",
    [
        {"type": "oauth2"},
        {"type": "http", "scheme": "bearer"},
        {"type": "apiKey", "in": "query", "name": "key"},
    ],
)
def test_what_would_not_guard_is_refused(scheme: dict) -> None:
    with pytest.raises(UnsupportedSetting, match="does not enforce the security scheme guard"):
        read(a_document(securityDefinitions={"guard": scheme}), {"security": [{"guard": []}]})


def test_lenient_findings_pass_over_what_would_not_guard_and_say_so_once() -> None:
    document = a_document(securityDefinitions={"guard": {"type": "oauth2"}, "key": KEY})
    findings = Findings(is_lenient=True)
    for _ in range(2):
        assert read(document, {"security": [{"guard": []}, {"key": []}]}, findings).api_key_required
    (told,) = findings.told
    assert "guard of type oauth2" in told
    assert "guards nothing" in told


def test_a_type_without_its_authorizer_is_refused() -> None:
    scheme = {"type": "apiKey", "in": "header", "name": "A", "x-amazon-apigateway-authtype": "custom"}
    with pytest.raises(BadRequestException, match="declares no authorizer"):
        read(a_document(securityDefinitions={"guard": scheme}), {"security": [{"guard": []}]})


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(BadRequestException, match="Unable to find security scheme guard"):
        read(a_document(), {"security": [{"guard": []}]})


def test_schemes_with_an_authorizer_become_authorizers_by_their_name() -> None:
    findings = Findings()
    assert read_authorizers(a_document(securityDefinitions=SCHEMES), findings) == (
        Authorizer(
            "",
            "token",
            "TOKEN",
            auth_type="custom",
            uri=FUNCTION_URI,
            identity_source="method.request.header.X-Token",
            identity_validation_expression="^x",
            result_ttl_s=60,
        ),
        Authorizer(
            "",
            "request",
            "REQUEST",
            auth_type="custom",
            uri=FUNCTION_URI,
            identity_source="method.request.header.A, context.stage",
            result_ttl_s=0,
        ),
        Authorizer(
            "",
            "users",
            "COGNITO_USER_POOLS",
            (POOL,),
            "cognito_user_pools",
            identity_source="method.request.header.X-Token",
        ),
    )
    assert findings.errors == []


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        (a_scheme("jwt"), "Invalid authorizer type specified: jwt"),
        (a_scheme("token", authorizerUri="x"), "Invalid Authorizer URI: x."),
        (a_scheme("token", authorizerResultTtlInSeconds=3601), "Should be between 0 and 3600"),
        (a_scheme("token", authorizerResultTtlInSeconds="soon"), "not a whole number"),
        (a_scheme("token", enableSimpleResponses=True), "Unknown property enableSimpleResponses"),
        (a_scheme("cognito_user_pools"), "At least one provider ARN"),
    ],
)
def test_an_authorizer_that_cannot_be_ends_the_import(scheme: dict, words: str) -> None:
    findings = Findings()
    read_authorizers(a_document(securityDefinitions={"guard": scheme}), findings)
    assert len(findings.errors) == 1
    assert words in findings.errors[0]
