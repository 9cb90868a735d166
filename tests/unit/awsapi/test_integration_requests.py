from __future__ import annotations

import asyncio

import orjson
import pytest

from gatepost.awsapi.integration_requests import IntegrationRequests, wording_of
from gatepost.kernel.clock import SystemClock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ports import ServiceRequest
from tests.support.aws_endpoints import an_endpoint
from tests.support.toys import KnownIdentities, a_provider

CALLS: list = []


def listed(call, params):
    CALLS.append((call, params))
    return {"TableNames": ["orders"]}


def topics(call, params):
    CALLS.append((call, params))
    return {"Arn": "x", "UserId": "u", "Account": call.region}


def an_adapter():
    CALLS.clear()
    endpoint = an_endpoint(
        a_provider("dynamodb", ListTables=listed),
        a_provider("sts", GetCallerIdentity=topics),
        a_provider("apigateway", GetRestApis=lambda call, _params: {"items": [{"name": call.source_ip}]}),
    )
    return IntegrationRequests(endpoint, KnownIdentities(), SystemClock(), endpoint._dispatcher.models.index)


def sent(adapter, service, *, key="AKIATESTADMIN", token="", action="", path="/", body=b"", query="", headers=()):
    request = ServiceRequest(service, "eu-west-1", "GET", path, query, headers, body, key, token, action)
    return asyncio.run(adapter.send(request))


def test_an_action_of_a_json_service_is_its_target():
    answer = sent(
        an_adapter(), "dynamodb", action="ListTables", body=b'{"Limit": 1}', headers=((b"Content-Type", b"a/b"),)
    )
    assert (answer.status, orjson.loads(answer.body)) == (200, {"TableNames": ["orders"]})
    ((call, params),) = CALLS
    assert (call.region, call.source_ip, params) == ("eu-west-1", "apigateway.amazonaws.com", {"Limit": 1})
    assert (b"Content-Type", b"application/x-amz-json-1.0") in answer.headers


def test_an_action_of_a_query_service_is_a_form():
    answer = sent(an_adapter(), "sts", action="GetCallerIdentity", query="X=1")
    assert answer.status == 200
    assert b"<Account>eu-west-1</Account>" in answer.body


def test_a_path_is_routed_as_anyones():
    answer = sent(an_adapter(), "apigateway", path="/restapis")
    assert b"apigateway.amazonaws.com" in answer.body


def test_whom_the_policies_do_not_allow_gets_the_services_own_refusal():
    answer = sent(an_adapter(), "dynamodb", key="AKIATESTSTRANGER", action="ListTables", body=b"{}")
    assert answer.status == 400
    assert orjson.loads(answer.body)["__type"].endswith("AccessDeniedException")
    assert CALLS == []


@pytest.mark.parametrize(("key", "token"), [("AKIANOBODY", ""), ("ASIATESTSESSION", "wrong"), ("AKIATESTADMIN", "t")])
def test_a_session_that_proves_nobody_is_refused(key, token):
    with pytest.raises(ServiceError) as refused:
        sent(an_adapter(), "dynamodb", key=key, token=token, action="ListTables")
    assert refused.value.code == "UnrecognizedClientException"


def test_what_does_not_exist_is_an_answer_and_no_failure():
    adapter = an_adapter()
    assert sent(adapter, "dynamodb", action="Nothing", body=b"{}").status == 400
    assert sent(adapter, "sqs", action="SendMessage").status in (400, 501)
    assert sent(adapter, "dynamodb", action="CreateTable", body=b"{").status in (400, 501)
    foreign = ((b"X-Amz-Target", b"DynamoDB_20120810.ListTables"),)
    assert sent(adapter, "apigateway", path="/", headers=foreign, body=b"{}").status in (400, 404)
    assert CALLS == []


def test_an_action_of_a_service_with_paths_is_refused():
    with pytest.raises(ServiceError):
        sent(an_adapter(), "apigateway", action="GetRestApis")


def test_services_with_both_protocols_are_told_actions_by_query():
    both = {
        "protocols": ["json", "query"],
        "apiVersion": "2012-11-05",
        "targetPrefix": "AmazonSQS",
        "jsonVersion": "1.0",
    }
    wording = wording_of(both)
    assert wording is not None
    assert (wording.api_version, wording.target_prefix) == ("2012-11-05", "")
    assert wording_of({"protocol": "rest-json"}) is None


@pytest.mark.parametrize(
    "body", [b"Action=AssumeRole&X=1", b"%41ction=AssumeRole&Versio%6e=1", b"X=1;Action=AssumeRole"]
)
def test_a_client_that_sends_a_form_chooses_no_other_action(body):
    form = ((b"Content-Type", b"application/x-www-form-urlencoded"),)
    answer = sent(an_adapter(), "sts", action="GetCallerIdentity", body=body, query="Action=AssumeRole", headers=form)
    assert answer.status == 200
    ((call, _params),) = CALLS
    assert call.operation == "GetCallerIdentity"
