from __future__ import annotations

import json

import pytest

from gatepost.gateway.guards.resource_policy import invocation_arn, policy_document
from gatepost.gateway.mapping import MappingError
from gatepost.services.apigateway.deployment import Method
from tests.support.gateways import (
    ACCOUNT,
    API,
    MOCK,
    TestGateway,
    a_request,
    a_route,
    a_stage,
    an_exchange,
    header,
    json_of,
)
from tests.unit.gateway.guards.test_signature import a_document, a_statement, signature_parts

ARN = f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{API}"


def a_gateway(*statements):
    gateway = TestGateway(signatures=signature_parts(None))
    compiled = gateway.deploy(
        {"/orders": (Method("ANY", integration=MOCK),), "/admin": (Method("ANY", integration=MOCK),)},
        resource_policy=a_document(*statements),
    )
    assert compiled.problems == ()
    return gateway


def allow(resource="execute-api:/*", **more):
    return a_statement(resource=resource, Principal="*", **more)


def deny(resource="execute-api:/*", **more):
    return a_statement("Deny", resource, Principal="*", **more)


OFFICE = {"Condition": {"IpAddress": {"aws:SourceIp": ["192.0.2.0/24"]}}}
NOT_OFFICE = {"Condition": {"NotIpAddress": {"aws:SourceIp": ["192.0.2.0/24"]}}}


@pytest.mark.parametrize(
    ("statements", "client_ip", "expected"),
    [
        ((allow(),), "198.51.100.7", 200),
        ((allow(**OFFICE),), "192.0.2.9", 200),
        ((allow(**OFFICE),), "198.51.100.7", 403),
        ((allow(), deny(**NOT_OFFICE)), "192.0.2.9", 200),
        ((allow(), deny(**NOT_OFFICE)), "198.51.100.7", 403),
        ((allow("execute-api:/prod/GET/orders"),), "198.51.100.7", 200),
        ((allow("execute-api:/prod/POST/orders"),), "198.51.100.7", 403),
        ((allow(f"{ARN}/prod/GET/orders"),), "198.51.100.7", 200),
        ((allow(["execute-api:/prod/GET/admin", "execute-api:/prod/GET/orders"]),), "198.51.100.7", 200),
        ((a_statement(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"}),), "198.51.100.7", 403),
        ((deny("execute-api:/prod/*/admin"),), "198.51.100.7", 403),
    ],
)
def test_without_an_authorizer_the_policy_must_allow_and_nothing_in_it_may_deny(statements, client_ip, expected):
    assert a_gateway(*statements).get(client_ip=client_ip).status == expected


def test_a_refusal_is_told_in_the_words_of_iam():
    response = a_gateway(deny()).get()
    assert header(response, "x-amzn-ErrorType") == ["AccessDeniedException"]
    hidden = f"arn:aws:execute-api:us-east-1:********9012:{API}/prod/GET/orders"
    assert json_of(response)["Message"] == (
        f"User: anonymous is not authorized to perform: execute-api:Invoke on resource: {hidden} "
        "with an explicit deny in a resource-based policy"
    )


def test_unknown_paths_are_unknown_whatever_the_policy_says():
    assert json_of(a_gateway(deny()).get("/prod/none"))["message"] == "Missing Authentication Token"


@pytest.mark.parametrize(
    ("path", "values", "expected"),
    [
        ("/", (), "GET/"),
        ("/orders", (), "GET/orders"),
        ("/a/{b}", ("%61%20c",), "GET/a/a c"),
        ("/a/{b}", ("x%2Fy",), "GET/a/x%2Fy"),
        ("/a/{b+}", ("x/%2e%2e/y",), "GET/a/x/../y"),
        ("/a/{b+}", ("/x//y/",), "GET/a/x/y"),
    ],
)
def test_the_arn_names_the_path_that_was_matched(path, values, expected):
    exchange = an_exchange(a_request(), route=a_route(path), values=values)
    assert invocation_arn(exchange, a_stage()) == f"{ARN}/prod/{expected}"


@pytest.mark.parametrize("text", ["nonsense", "[]", "{}", '{"Statement": [1]}', a_document({"Effect": "Maybe"})])
def test_a_policy_that_cannot_be_read_is_refused_when_it_is_compiled(text):
    with pytest.raises(MappingError, match="resource policy"):
        policy_document(text, a_stage())


def test_short_resources_become_arns():
    document = json.loads(policy_document(a_document(allow("execute-api:/prod/*")), a_stage()))
    assert document["Statement"][0]["Resource"] == f"{ARN}/prod/*"


def test_an_api_with_a_policy_answers_nothing_when_nobody_can_enforce_it():
    gateway = TestGateway()
    compiled = gateway.deploy({"/orders": (Method("GET", integration=MOCK),)}, resource_policy=a_document(allow()))
    assert "resource policy" in compiled.problems[0]
    assert gateway.get().status == 500
