"""Requests find their operation by target, path, action or scope, each in its own protocol."""

from __future__ import annotations

import pytest

from gatepost.awsapi.dispatch import Dispatcher
from gatepost.awsapi.protocols.cbor import CborProtocol
from gatepost.awsapi.protocols.json import JsonProtocol
from gatepost.awsapi.protocols.query import QueryProtocol
from gatepost.awsapi.protocols.rest_json import RestJsonProtocol
from gatepost.awsapi.routing import Router, Unroutable
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import ServiceError
from gatepost.security.sigv4 import joined_headers
from gatepost.wire.messages import Request
from tests.support.toys import ACCOUNT, StrangersMayNothing, a_provider

FORM = (b"Content-Type", b"application/x-www-form-urlencoded; charset=utf-8")
CBOR = (b"smithy-protocol", b"rpc-v2-cbor")
SCOPE = b"AWS4-HMAC-SHA256 Credential=AKIA/20251009/us-east-1/%s/aws4_request, SignedHeaders=host, Signature=0"


def a_router() -> Router:
    provider = a_provider("cloudwatch", ListMetrics=lambda call, params: {})
    authorization = StrangersMayNothing()
    dispatcher = Dispatcher(
        [provider], authorization=authorization, clock=FixedClock(), account_id=ACCOUNT, region="us-east-1"
    )
    return Router(dispatcher)


def routed(request: Request, scope: str = "") -> tuple[str, str, type]:
    served = a_router().route(request, joined_headers(request.headers), scope).served
    return served.service, served.operation, type(served.protocol)


def refusal_of(request: Request, scope: str = "") -> Unroutable:
    with pytest.raises(Unroutable) as caught:
        routed(request, scope)
    return caught.value


def test_a_target_names_service_and_operation() -> None:
    served = a_router().by_target(b"GraniteServiceVersion20100801.ListMetrics").served
    assert (served.service, served.operation, type(served.protocol)) == ("cloudwatch", "ListMetrics", JsonProtocol)


def test_a_path_names_service_and_operation_in_cbor() -> None:
    request = Request("POST", "/service/GraniteServiceVersion20100801/operation/ListMetrics", [CBOR])
    assert routed(request) == ("cloudwatch", "ListMetrics", CborProtocol)


@pytest.mark.parametrize("scope", ["", "monitoring"])
def test_an_action_names_the_operation_and_scope_or_version_the_service(scope: str) -> None:
    request = Request("POST", "/", [FORM], b"Action=ListMetrics&Version=2010-08-01")
    assert routed(request, scope) == ("cloudwatch", "ListMetrics", QueryProtocol)
    request = Request("GET", "/?Action=ListMetrics&Version=2010-08-01", [])
    assert routed(request, scope) == ("cloudwatch", "ListMetrics", QueryProtocol)


def test_the_scope_names_the_service_of_a_path() -> None:
    assert routed(Request("GET", "/restapis", []), "apigateway") == ("apigateway", "GetRestApis", RestJsonProtocol)
    assert routed(Request("GET", "/2015-03-31/functions/", []), "lambda") == (
        "lambda",
        "ListFunctions",
        RestJsonProtocol,
    )


@pytest.mark.parametrize(
    ("request_", "scope", "code"),
    [
        (Request("GET", "/nothing", []), "", "MissingAuthenticationTokenException"),
        (Request("GET", "/nothing", []), "lambda", "UnknownOperationException"),
        (Request("GET", "/bucket", []), "s3", "NotImplemented"),
        (Request("POST", "/", [FORM], b"Action=Publish&Version=2010-03-31"), "sns", "NotImplemented"),
        (Request("POST", "/", [FORM], b"Version=2010-05-08"), "iam", "UnknownOperationException"),
        (Request("POST", "/", [FORM], b"Action=GetUser&Version=2010-05-09"), "iam", "UnknownOperationException"),
        (Request("POST", "/", [FORM], b"Action=MakeUser&Version=2010-05-08"), "iam", "UnknownOperationException"),
        (Request("POST", "/", [FORM], b"&".join([b"a=b"] * 20_001)), "iam", "SerializationException"),
        (Request("POST", "/service/X/operation/Y", [CBOR]), "monitoring", "UnknownOperationException"),
        (Request("POST", "/service", [CBOR]), "monitoring", "UnknownOperationException"),
    ],
)
def test_requests_that_mean_nothing_are_told_so(request_: Request, scope: str, code: str) -> None:
    error = refusal_of(request_, scope).error
    assert isinstance(error, ServiceError)
    assert error.code == code


@pytest.mark.parametrize("target", [b"Nothing.Nothing", b"", b".", b"ListMetrics", b"\xff.\xff"])
def test_targets_of_services_that_we_lack_are_told_so(target: bytes) -> None:
    with pytest.raises(Unroutable) as caught:
        a_router().by_target(target)
    assert isinstance(caught.value.error, ServiceError)
    assert caught.value.error.code == "NotImplemented"


@pytest.mark.parametrize(
    ("request_", "protocol"),
    [
        (Request("POST", "/", [FORM], b"Action=GetUser&Version=2010-05-08"), QueryProtocol),
        (Request("GET", "/restapis", [(b"Authorization", SCOPE % b"apigateway")]), RestJsonProtocol),
        (Request("GET", "/nothing", [(b"Authorization", SCOPE % b"lambda")]), RestJsonProtocol),
        (
            Request("GET", "/restapis?X-Amz-Credential=A%2F20251009%2Fus-east-1%2Fapigateway%2Faws4_request", []),
            RestJsonProtocol,
        ),
        (Request("GET", "/restapis", []), None),
        (Request("GET", "/restapis", [(b"Authorization", b"Bearer x")]), None),
    ],
)
def test_the_form_of_an_error_is_guessed_from_what_is_claimed(request_: Request, protocol: type | None) -> None:
    guessed = a_router().guess(request_, joined_headers(request_.headers))
    assert (type(guessed) if guessed is not None else None) is protocol


def test_an_operation_that_nobody_provides_is_served_as_lacking() -> None:
    served = a_router().by_target(b"GraniteServiceVersion20100801.DescribeAlarms").served
    assert served.bound is None
    assert served.check is None
