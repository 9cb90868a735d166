from __future__ import annotations

import pytest

from gatepost.gateway.server import refuse
from gatepost.services.apigateway.deployment import Method, StageSettings
from gatepost.wire.limits import WireRefusal
from gatepost.wire.messages import Response
from tests.support.gateways import API, LAMBDA, MOCK, TestGateway, a_request, header, json_of

ROUTES = {
    "/": (Method("GET", integration=MOCK),),
    "/orders": (Method("GET", integration=MOCK), Method("POST", integration=LAMBDA)),
    "/orders/{id}": (Method("ANY", integration=LAMBDA), Method("DELETE", integration=MOCK)),
}


def a_gateway():
    gateway = TestGateway()
    gateway.deploy(ROUTES)
    return gateway


@pytest.mark.parametrize(
    ("host", "target"),
    [
        (f"{API}.execute-api.us-east-1.localhost:8080", "/prod/orders"),
        (f"{API.upper()}.EXECUTE-API.us-east-1.localhost", "/prod/orders"),
        (f"{API}.execute-api.localhost:8080", "/prod/orders"),
        (f"{API}.execute-api.us-east-1.amazonaws.com", "/prod/orders"),
        ("127.0.0.1:8080", f"/_aws/execute-api/{API}/prod/orders"),
        ("localhost:8080", f"/restapis/{API}/prod/_user_request_/orders"),
        ("127.0.0.1:8080", f"/_aws/execute-api/{API}/prod"),
        (f"{API}.execute-api.us-east-1.localhost", "/prod"),
        (f"{API}.execute-api.us-east-1.localhost", "/prod/"),
    ],
)
def test_an_api_is_reached_by_every_form_of_address(host, target):
    response = a_gateway().answer(a_request(target=target, host=host))
    assert (response.status, json_of(response)) == (200, {"hello": "world"})


@pytest.mark.parametrize(
    ("host", "target"),
    [
        ("other12345.execute-api.us-east-1.localhost", "/prod/orders"),
        (f"{API}.execute-api.us-east-1.localhost", "/test/orders"),
        (f"{API}.execute-api.us-east-1.localhost", "/"),
        (f"{API}.execute-api.eu-west-1.localhost", "/prod/orders"),
        ("127.0.0.1:8080", "/prod/orders"),
        ("127.0.0.1:8080", f"/_aws/execute-api/{API}"),
        ("127.0.0.1:8080", f"/_aws/execute-api/{API}/other/orders"),
        ("127.0.0.1:8080", f"/restapis/{API}/prod/orders"),
    ],
)
def test_an_unknown_api_stage_or_region_is_forbidden(host, target):
    response = a_gateway().answer(a_request(target=target, host=host))
    assert (response.status, response.body) == (403, b'{"message":"Forbidden"}')
    assert header(response, "x-amzn-ErrorType") == ["ForbiddenException"]


@pytest.mark.parametrize(
    ("method", "target"), [("GET", "/prod/none"), ("PUT", "/prod/orders"), ("GET", "/prod/orders/1/2")]
)
def test_an_unknown_path_or_method_lacks_an_authentication_token(method, target):
    response = a_gateway().answer(a_request(method, target))
    assert (response.status, response.body) == (403, b'{"message":"Missing Authentication Token"}')
    assert header(response, "x-amzn-ErrorType") == ["MissingAuthenticationTokenException"]


def test_a_method_of_its_own_comes_before_any():
    gateway = a_gateway()
    assert json_of(gateway.answer(a_request("DELETE", "/prod/orders/1"))) == {"hello": "world"}
    gateway.answer(a_request("PUT", "/prod/orders/1"))
    assert gateway.functions.event["httpMethod"] == "PUT"


@pytest.mark.parametrize("method", ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"])
def test_any_is_each_of_the_seven_methods(method):
    gateway = TestGateway()
    gateway.deploy({"/orders": (Method("ANY", integration=MOCK),)})
    assert gateway.answer(a_request(method, "/prod/orders")).status == 200


@pytest.mark.parametrize("method", ["TRACE", "PROPFIND", "ANY", "get"])
def test_any_is_no_other_method(method):
    gateway = TestGateway()
    gateway.deploy({"/orders": (Method("ANY", integration=MOCK),)})
    response = gateway.answer(a_request(method, "/prod/orders"))
    assert response.body == b'{"message":"Missing Authentication Token"}'
    override = (("X-HTTP-Method-Override", method),)
    assert gateway.answer(a_request("POST", "/prod/orders", override)).status == (200 if method == "get" else 403)


def test_every_answer_carries_ids_by_which_it_is_found():
    gateway = a_gateway()
    ids = set()
    for target in ("/prod/orders", "/prod/none", "/none/x"):
        response = gateway.get(target)
        (request_id,) = header(response, "x-amzn-RequestId")
        (extended_id,) = header(response, "x-amz-apigw-id")
        assert len(extended_id) == 16
        assert gateway.request_log.find(request_id)["status"] == response.status
        ids.add(request_id)
    assert len(ids) == 3


def test_what_needs_no_waiting_is_answered_without_a_coroutine():
    gateway = a_gateway()

    async def scenario():
        return isinstance(gateway.door(a_request(target="/prod/orders")), Response)

    assert gateway.run(scenario)


def test_post_requests_may_override_their_method():
    gateway = a_gateway()
    override = (("X-HTTP-Method-Override", "delete"),)
    assert json_of(gateway.answer(a_request("POST", "/prod/orders/1", override))) == {"hello": "world"}
    gateway.answer(a_request("PUT", "/prod/orders/1", override))
    assert gateway.functions.event["httpMethod"] == "PUT"


def test_by_path_the_event_has_the_path_and_domain_that_aws_would_give():
    gateway = a_gateway()
    gateway.answer(a_request("POST", f"/_aws/execute-api/{API}/prod/orders?a=b", host="127.0.0.1:8080"))
    event = gateway.functions.event
    assert event["path"] == "/orders"
    assert event["requestContext"]["path"] == "/prod/orders"
    assert event["requestContext"]["domainName"] == f"{API}.execute-api.us-east-1.localhost"


@pytest.mark.parametrize(
    ("target", "path", "context_path"),
    [
        ("/prod/orders/7", "/orders/7", "/prod/orders/7"),
        ("/prod/orders/7/", "/orders/7/", "/prod/orders/7/"),
        ("/prod/orders/a%20b", "/orders/a%20b", "/prod/orders/a%20b"),
    ],
)
def test_the_path_of_the_event_is_as_the_client_wrote_it(target, path, context_path):
    gateway = a_gateway()
    gateway.answer(a_request("PUT", target))
    assert gateway.functions.event["path"] == path
    assert gateway.functions.event["requestContext"]["path"] == context_path


def test_a_disabled_endpoint_is_forbidden():
    gateway = TestGateway()
    gateway.deploy(ROUTES, is_execute_api_endpoint_disabled=True)
    assert gateway.get().body == b'{"message":"Forbidden"}'


def test_stages_are_separate():
    gateway = a_gateway()
    gateway.deploy({"/new": (Method("GET", integration=MOCK),)}, stage=StageSettings("test", "dep123"))
    assert gateway.get("/test/new").status == 200
    assert gateway.get("/prod/new").status == 403
    assert gateway.get("/prod/orders").status == 200


@pytest.mark.parametrize(
    ("reason", "status", "message"),
    [
        ("body_too_large", 413, "Request Too Long"),
        ("headers_too_large", 431, "Bad Request"),
        ("malformed", 400, "Bad Request"),
        ("timeout", 408, "Bad Request"),
    ],
)
def test_what_the_wire_refuses_gets_a_body_of_api_gateways_form(reason, status, message):
    response = refuse(WireRefusal(reason, "detail for the log"))
    assert (response.status, json_of(response)) == (status, {"message": message})
    assert b"detail" not in response.body
