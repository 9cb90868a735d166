from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from gatepost.kernel.errors import ServiceError, ServiceUnavailable, remote_error
from gatepost.services.apigateway.deployment import Integration, IntegrationResponse, Method
from tests.support.gateways import (
    ACCOUNT,
    API,
    FUNCTION,
    FUNCTION_URI,
    Functions,
    TestGateway,
    a_request,
    header,
    json_of,
)

PASSED = (IntegrationResponse("200"),)


def a_custom(responses=PASSED, **changes):
    return Integration("AWS", http_method="POST", uri=FUNCTION_URI, responses=responses, **changes)


def sent(integration, request=None, functions=None, **changes):
    gateway = TestGateway(functions or Functions({"id": 7}))
    compiled = gateway.deploy({"/orders/{id}": (Method("ANY", integration=integration),)}, **changes)
    assert compiled.problems == ()
    return gateway, gateway.answer(request or a_request("POST", "/prod/orders/7", body=b'{"a": 1}'))


def test_the_body_is_the_event_and_the_result_the_answer():
    gateway, response = sent(a_custom())
    assert gateway.functions.event == {"a": 1}
    assert gateway.functions.invocations[0].function_arn == FUNCTION
    assert (response.status, json_of(response), header(response, "Content-Type")) == (
        200,
        {"id": 7},
        ["application/json"],
    )


def test_without_a_body_the_event_is_an_empty_object():
    gateway, response = sent(a_custom(), a_request("GET", "/prod/orders/7"))
    assert (gateway.functions.event, response.status) == ({}, 200)


def test_templates_make_the_event_and_the_answer():
    integration = a_custom(
        (
            IntegrationResponse(
                "201",
                response_parameters={"method.response.header.Location": "integration.response.body.id"},
                response_templates={"application/json": '{"made": $input.json("$.id")}'},
            ),
        ),
        request_templates={"application/json": '{"id": "$input.params("id")", "all": $input.json("$")}'},
    )
    gateway, response = sent(integration)
    assert gateway.functions.event == {"id": "7", "all": {"a": 1}}
    assert (response.status, json_of(response), header(response, "Location")) == (201, {"made": 7}, ["7"])


RESPONSES = (
    IntegrationResponse(
        "404", r"NotFound:.*", response_templates={"application/json": '{"m":"$input.path("$.errorMessage")"}'}
    ),
    IntegrationResponse("500", r"(\n|.)+"),
    IntegrationResponse("200"),
)


@pytest.mark.parametrize(
    ("payload", "function_error", "status"),
    [
        ({"errorMessage": "NotFound: 7", "errorType": "KeyError"}, "Unhandled", 404),
        ({"errorMessage": "two\nlines"}, "Unhandled", 500),
        ({"errorMessage": "NotFound: 7"}, "", 200),
        ({"errorMessage": 7}, "Unhandled", 200),
        ([], "Unhandled", 200),
        (b"not JSON", "Unhandled", 200),
    ],
)
def test_the_error_message_of_a_failed_function_chooses_the_response(payload, function_error, status):
    _, response = sent(a_custom(RESPONSES), functions=Functions(payload, function_error=function_error))
    assert response.status == status
    if status == 404:
        assert json_of(response) == {"m": "NotFound: 7"}


def test_headers_of_the_invocation_may_be_mapped():
    begin = "method.response.header."
    parameters = {
        f"{begin}X-Version": "integration.response.header.X-Amz-Executed-Version",
        f"{begin}X-Error": "integration.response.header.x-amz-function-error",
    }
    declared = (IntegrationResponse("200", response_parameters=parameters),)
    _, response = sent(a_custom(declared), functions=Functions({}, function_error="Unhandled"))
    assert [header(response, name) for name in ("X-Version", "X-Error")] == [["$LATEST"], ["Unhandled"]]


@pytest.mark.parametrize("template", [None, "{broken"])
def test_an_event_that_is_no_json_is_a_bad_request(template):
    integration = a_custom(request_templates={"text/plain": template} if template else {})
    request = a_request("POST", "/prod/orders/7", (("Content-Type", "text/plain"),), b"{broken")
    gateway, response = sent(integration, request)
    assert response.status == 400
    assert json_of(response)["message"].startswith("Could not parse request body into json: ")
    assert gateway.functions.invocations == []


def test_without_a_grant_the_function_is_not_invoked():
    gateway = TestGateway(Functions({}))
    gateway.deploy({"/orders": (Method("GET", integration=a_custom()),)})
    gateway.answer(a_request())
    ((function, service, source),) = gateway.grants.asked
    assert (function, service) == (FUNCTION, "apigateway.amazonaws.com")
    gateway.grants.denied.add(source)
    assert gateway.answer(a_request()).status == 500
    assert len(gateway.functions.invocations) == 1


def test_a_function_that_lambda_refuses_is_a_configuration_error():
    _, response = sent(a_custom(RESPONSES), functions=Functions(ServiceError("busy")))
    assert (response.status, response.body) == (500, b'{"message": "Internal server error"}')


def test_a_function_that_takes_too_long_is_a_timeout():
    import asyncio

    gateway = TestGateway(Functions({}))
    gateway.deploy({"/orders": (Method("GET", integration=a_custom(timeout_ms=50)),)})

    async def scenario():
        gateway.functions.gate = asyncio.Event()
        response = await gateway.send(a_request())
        gateway.functions.gate.set()
        return response

    response = gateway.run(scenario)
    assert (response.status, response.body) == (504, b'{"message": "Endpoint request timed out"}')


def test_an_answer_in_base64_becomes_binary():
    declared = (IntegrationResponse("200", content_handling="CONVERT_TO_BINARY"),)
    _, response = sent(a_custom(declared), functions=Functions(orjson.dumps("iVBORw==")))
    assert response.body == b"\x89PNG"


MAPPED = {"integration.request.header.X-Amz-Invocation-Type": "'Event'"}
FROM_CLIENT = {"integration.request.header.X-Amz-Invocation-Type": "method.request.header.Mode"}
OVERRIDDEN = {"application/json": '#set($context.requestOverride.header.x-amz-invocation-type = "Event"){"id": 1}'}


class Triggers:
    """Takes events; or says `refuses`."""

    def __init__(self, refuses=None):
        self.events = []
        self.refuses = refuses

    async def trigger(self, function_arn, payload, *, service, source_arn, request_id):
        if self.refuses is not None:
            raise self.refuses
        self.events.append((function_arn, payload, service, source_arn))


def with_triggers(triggers, integration, *headers):
    gateway = TestGateway(Functions({}))
    gateway.plans._parts = gateway.parts = replace(gateway.parts, triggers=triggers)
    gateway.deploy({"/orders": (Method("GET", integration=integration),)})
    return gateway, gateway.answer(a_request(headers=headers))


@pytest.mark.parametrize(
    ("changes", "payload"),
    [
        ({"request_parameters": MAPPED}, b"{}"),
        ({"request_parameters": FROM_CLIENT}, b"{}"),
        ({"request_templates": OVERRIDDEN}, b'{"id": 1}'),
    ],
)
def test_an_event_is_recorded_and_the_answer_is_that_of_a_function_without_an_error(changes, payload):
    triggers = Triggers()
    gateway, response = with_triggers(triggers, a_custom(**changes), ("Mode", "Event"))
    source = f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{API}/prod/GET/orders"
    assert triggers.events == [(FUNCTION, payload, "apigateway.amazonaws.com", source)]
    assert (response.status, response.body, gateway.functions.invocations) == (200, b"", [])


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ServiceUnavailable("The services role is not connected"), 500),
        (remote_error("AccessDeniedException", 403, "no"), 500),
    ],
)
def test_an_event_that_is_not_taken_is_500(error, status):
    _, response = with_triggers(Triggers(error), a_custom(request_parameters=MAPPED))
    assert response.status == status


def test_other_types_of_invocation_and_events_without_services_are_configuration_errors():
    gateway, response = with_triggers(Triggers(), a_custom(request_parameters=FROM_CLIENT), ("Mode", "DryRun"))
    assert (response.status, gateway.functions.invocations) == (500, [])
    gateway, response = with_triggers(None, a_custom(request_parameters=MAPPED))
    assert (response.status, gateway.functions.invocations) == (500, [])
    gateway, response = with_triggers(Triggers(), a_custom(request_parameters=FROM_CLIENT))
    assert (response.status, len(gateway.functions.invocations)) == (200, 1)


def test_client_context_and_log_tail_go_with_the_invocation():
    parameters = {
        "integration.request.header.X-Amz-Client-Context": "'eyJhIjoxfQ=='",
        "integration.request.header.X-Amz-Log-Type": "'Tail'",
    }
    gateway, _ = with_triggers(None, a_custom(request_parameters=parameters))
    (invocation,) = gateway.functions.invocations
    assert (invocation.client_context, invocation.wants_log_tail) == ("eyJhIjoxfQ==", True)


@pytest.mark.parametrize(
    "integration",
    [
        a_custom(request_templates={"a/b": "#end"}),
        a_custom(request_parameters={"integration.request.querystring.Qualifier": "'1'"}),
        a_custom((IntegrationResponse("200", "(?=a)"),)),
        Integration("AWS", http_method="GET", uri=FUNCTION_URI),
        Integration("AWS", http_method="POST", uri="arn:aws:apigateway:us-east-1:dynamodb:action/Query"),
    ],
)
def test_what_cannot_work_answers_500_and_says_why(integration):
    gateway = TestGateway(Functions({}))
    compiled = gateway.deploy({"/orders": (Method("GET", integration=integration),)})
    assert len(compiled.problems) == 1
    assert gateway.answer(a_request()).status == 500
