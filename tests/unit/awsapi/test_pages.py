"""What pages of every origin may ask for: exactly users' own operations, and never with a signature."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.awsapi.pages import document, preflight, shown
from gatepost.awsapi.shapes import ServiceModels
from gatepost.services.cognito_idp.access import UNSIGNED
from gatepost.wire.messages import Request, Response
from tests.support.aws_endpoints import an_endpoint, answer_of
from tests.support.toys import a_provider

ASKING = {
    b"access-control-request-method": b"POST",
    b"access-control-request-headers": b"Content-Type, X-Amz-Target",
}


def headers_of(response: Response) -> dict[bytes, bytes]:
    return {name.lower(): value for name, value in response.headers}


def a_request(target: bytes, *headers: tuple[bytes, bytes], method: str = "POST") -> Request:
    given = [(b"Host", b"localhost"), (b"Origin", b"https://shop.example"), (b"X-Amz-Target", target), *headers]
    return Request(method, "/", given, b'{"AccessToken":"x"}')


def endpoint() -> Any:
    user = {"Username": "ann", "UserAttributes": []}
    cognito = a_provider("cognito-idp", GetUser=lambda *_: user, ListUsers=lambda *_: {})
    type(cognito).access = lambda *_: ()  # as the real one: a token opens these
    tables = a_provider("dynamodb", ListTables=lambda *_: {})
    return an_endpoint(cognito, tables)


def test_users_own_operations_are_answered_to_every_origin() -> None:
    answer = answer_of(endpoint(), a_request(b"AWSCognitoIdentityProviderService.GetUser"))
    assert (answer.status, headers_of(answer)[b"access-control-allow-origin"]) == (200, b"*")


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        (b"AWSCognitoIdentityProviderService.ListUsers", ()),
        (b"AWSCognitoIdentityProviderService.Nothing", ()),
        (b"DynamoDB_20120810.ListTables", ()),
        (b"nonsense", ()),
        (b"AWSCognitoIdentityProviderService.GetUser", ((b"Authorization", b"AWS4-HMAC-SHA256 x"),)),
    ],
)
def test_everything_else_is_refused_to_pages(target: bytes, headers: tuple[tuple[bytes, bytes], ...]) -> None:
    answer = answer_of(endpoint(), a_request(target, *headers))
    assert answer.status == 403
    assert b"access-control-allow-origin" not in headers_of(answer)


@pytest.mark.parametrize(
    ("method", "changes", "is_answered"),
    [
        ("OPTIONS", {}, True),
        ("POST", {}, False),
        ("OPTIONS", {b"access-control-request-method": b"PUT"}, False),
        ("OPTIONS", {b"access-control-request-headers": b"content-type"}, False),
        ("OPTIONS", {b"access-control-request-headers": b"not-x-amz-target"}, False),
    ],
)
def test_only_a_question_for_such_an_operation_is_answered(
    method: str, changes: dict[bytes, bytes], is_answered: bool
) -> None:
    answer = preflight(Request(method, "/", [], b""), {**ASKING, **changes})
    assert (answer is not None) == is_answered
    if answer is not None:
        assert b"authorization" in headers_of(answer)[b"access-control-allow-headers"]


def test_errors_are_shown_to_the_page_as_well() -> None:
    answer = shown(Response(400, [(b"x", b"y")], b"no"))
    assert isinstance(answer, Response)
    assert (answer.status, answer.body, headers_of(answer)[b"access-control-allow-origin"]) == (400, b"no", b"*")


def test_documents_may_be_kept() -> None:
    assert headers_of(document(b"{}"))[b"cache-control"] == b"public, max-age=3600"


def test_no_operation_is_open_that_awss_model_does_not_call_open() -> None:
    model = ServiceModels().get("cognito-idp")
    assert model is not None
    assert {name for name in UNSIGNED if not model.operation(name).is_unsigned} == set()  # type: ignore[union-attr]
