from __future__ import annotations

import pytest

from gatepost.services.apigateway.mapping import (
    PARAMETERS_MAX,
    check_gateway_response,
    check_integration_request,
    check_integration_response,
    check_method_parameters,
    check_response_parameters,
)
from gatepost.services.apigateway.model import BadRequestException

AWS_WORDS = "Invalid mapping expression specified: Validation Result: warnings : [], errors : "


@pytest.mark.parametrize("place", ["path", "querystring", "header", "multivaluequerystring", "multivalueheader"])
def test_a_method_declares_parameters_of_every_place(place: str) -> None:
    check_method_parameters([f"method.request.{place}.a-b_c.d$"])


@pytest.mark.parametrize(
    "name",
    [
        "id",
        "method.request.id",
        "method.request.body.x",
        "method.request.querystring.",
        "method.request.querystring.a[]",
    ],
)
def test_a_parameter_that_is_none_is_refused_in_awss_words(name: str) -> None:
    with pytest.raises(BadRequestException) as refused:
        check_method_parameters([name])
    assert refused.value.message == f"{AWS_WORDS}[Invalid mapping expression specified: {name}]"


def test_a_method_response_declares_headers() -> None:
    check_response_parameters(["method.response.header.X-A"])
    with pytest.raises(BadRequestException):
        check_response_parameters(["method.response.body.x"])


@pytest.mark.parametrize(
    "source",
    [
        "'static'",
        "''",
        "method.request.path.id",
        "method.request.body",
        "method.request.body.order.lines[0].id",
        "context.requestId",
        "context.identity.sourceIp",
        "stageVariables.name",
    ],
)
def test_an_integration_takes_its_parameters_from(source: str) -> None:
    check_integration_request({"integration.request.header.X": source}, {"method.request.path.id": True})


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("method.request.path.other", "Invalid mapping expression parameter specified: method.request.path.other"),
        ("request.path.id", "Invalid mapping expression specified: request.path.id"),
        ("'it's'", "Invalid mapping expression specified: 'it's'"),
        ("integration.response.body", "Invalid mapping expression specified: integration.response.body"),
        ("context.nothing.claims", "Gatepost does not support context.nothing.claims yet"),
        ("method.request.body.items[*].id", "Gatepost does not support the JSONPath"),
        ("method.request.body.$..x", "Gatepost does not support the JSONPath"),
    ],
)
def test_an_integration_does_not_take_its_parameters_from(source: str, words: str) -> None:
    with pytest.raises(BadRequestException) as refused:
        check_integration_request({"integration.request.header.X": source}, {"method.request.path.id": True})
    assert words in refused.value.message


def test_an_integrations_target_must_be_in_its_request() -> None:
    with pytest.raises(BadRequestException, match=r"integration\.request\.body"):
        check_integration_request({"integration.request.body.x": "'a'"}, {})
    with pytest.raises(BadRequestException, match="multivalueheader"):
        check_integration_request({"integration.request.multivalueheader.x": "'a'"}, {})


@pytest.mark.parametrize(
    "source",
    ["'*'", "context.stage", "stageVariables.x", "integration.response.header.X", "integration.response.body.a"],
)
def test_a_response_takes_its_headers_from(source: str) -> None:
    check_integration_response({"method.response.header.X": source}, {"method.response.header.X": False})


@pytest.mark.parametrize("source", ["*", "method.request.header.X", "method.request.body"])
def test_a_response_does_not_take_its_headers_from(source: str) -> None:
    with pytest.raises(BadRequestException, match="Invalid mapping expression specified"):
        check_integration_response({"method.response.header.X": source}, {"method.response.header.X": False})


def test_a_header_that_the_method_response_does_not_declare_is_refused() -> None:
    with pytest.raises(BadRequestException) as refused:
        check_integration_response({"method.response.header.X": "'*'"}, {})
    assert refused.value.message == (
        f"{AWS_WORDS}[Invalid mapping expression parameter specified: method.response.header.X]"
    )


def test_a_gateway_response_has_headers_and_simple_variables() -> None:
    check_gateway_response(
        {
            "gatewayresponse.header.A": "'*'",
            "gatewayresponse.header.B": "method.request.header.Origin",
            "gatewayresponse.header.C": "context.error.responseType",
        },
        {"application/json": '{"m":$context.error.messageString,"r":"$context.requestId."}'},
    )


@pytest.mark.parametrize(
    ("parameters", "template"),
    [
        ({"header.A": "'*'"}, ""),
        ({"gatewayresponse.header.A": "*"}, ""),
        ({"gatewayresponse.header.A": "context.error.nothing"}, ""),
        ({}, "$context.error.nothing"),
        ({}, "${context.nothing.principalId}"),
    ],
)
def test_a_gateway_response_with_anything_else_is_refused(parameters: dict, template: str) -> None:
    with pytest.raises(BadRequestException):
        check_gateway_response(parameters, {"application/json": template})


def test_the_number_of_parameters_is_bounded() -> None:
    names = {f"method.request.header.h{i}": True for i in range(PARAMETERS_MAX)}
    check_method_parameters(names)
    with pytest.raises(BadRequestException, match="At most 1000"):
        check_method_parameters({**names, "method.request.header.more": True})
