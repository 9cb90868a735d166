from __future__ import annotations

import pytest

from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.openapi_security import Security, check_schemes, read_security
from tests.support.openapi_bodies import a_document, a_document_3

IAM = {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"}


def test_without_security_anybody_may_call() -> None:
    assert read_security(a_document(), {}) == Security("NONE")


@pytest.mark.parametrize(
    "document",
    [
        a_document(securityDefinitions={"sigv4": IAM}, security=[{"sigv4": []}]),
        a_document_3(components={"securitySchemes": {"sigv4": IAM}}, security=[{"sigv4": []}]),
    ],
)
def test_awss_signature_is_iam_for_every_operation_that_does_not_say_otherwise(document: dict) -> None:
    assert read_security(document, {}) == Security("AWS_IAM")
    assert read_security(document, {"security": []}) == Security("NONE")
    assert read_security(document, {"security": [{"NONE": []}]}) == Security("NONE")
    assert read_security(document, {"x-amazon-apigateway-auth": {"type": "NONE"}}) == Security("NONE")


def test_the_override_names_the_type() -> None:
    assert read_security(a_document(), {"x-amazon-apigateway-auth": {"type": "AWS_IAM"}}) == Security("AWS_IAM")


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        ({"type": "apiKey", "in": "header", "name": "X-API-Key"}, "apiKeyRequired true yet"),
        ({"type": "apiKey", "in": "header", "x-amazon-apigateway-authtype": "custom"}, "authorizationType CUSTOM yet"),
        (
            {"type": "apiKey", "in": "header", "x-amazon-apigateway-authtype": "cognito_user_pools"},
            "authorizationType COGNITO_USER_POOLS yet",
        ),
        ({"type": "oauth2", "x-amazon-apigateway-authorizer": {"type": "token"}}, "authorizationType CUSTOM yet"),
        ({"type": "oauth2"}, "does not enforce the security scheme guard of type oauth2"),
        ({"type": "http", "scheme": "bearer"}, "does not enforce the security scheme guard of type http"),
        ({"type": "apiKey", "in": "query", "name": "key"}, "does not enforce the security scheme"),
    ],
)
def test_what_would_not_guard_is_refused(scheme: dict, words: str) -> None:
    with pytest.raises(BadRequestException, match=words):
        read_security(a_document(securityDefinitions={"guard": scheme}), {"security": [{"guard": []}]})


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(BadRequestException, match="Unable to find security scheme guard"):
        read_security(a_document(), {"security": [{"guard": []}]})


def test_an_authorizer_is_refused_even_when_nobody_uses_it() -> None:
    check_schemes(a_document(securityDefinitions={"unused": {"type": "oauth2"}, "iam": IAM}))
    with pytest.raises(BadRequestException, match="authorizationType CUSTOM yet"):
        check_schemes(a_document(securityDefinitions={"a": {"type": "apiKey", "x-amazon-apigateway-authorizer": {}}}))
