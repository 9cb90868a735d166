"""AWS_IAM methods through a whole gateway: the signature, the policies, and what the client is told."""

from __future__ import annotations

import base64
import json
import logging

import pytest

from gatepost.awsapi.authorization import Authorizer
from gatepost.gateway.guards.signature import SignatureParts
from gatepost.security.sealing import Seal
from gatepost.security.sigv4 import sign
from gatepost.services.apigateway.deployment import Integration, Method
from gatepost.services.iam.directory import SECRET_PURPOSE, Directory
from gatepost.services.iam.model import USER, AccessKey, HeldPolicies, User, to_json
from tests.support.gateways import ACCOUNT, API, HOST, LAMBDA, MOCK, TestGateway, a_request, header, json_of

ARN = f"arn:aws:execute-api:us-east-1:{ACCOUNT}:{API}"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEYS = {"alice": "AKIAALICE0000000000X", "bob": "AKIABOB000000000000X"}


def a_document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def a_statement(effect="Allow", resource=f"{ARN}/*", **more):
    return {"Effect": effect, "Action": "execute-api:Invoke", "Resource": resource, **more}


EVERYONE = {"Principal": "*"}


def signature_parts(policies, *, bob_account="999988887777"):
    seal = Seal(b"k" * 32)
    directory = Directory(seal)
    for name, account in (("alice", ACCOUNT), ("bob", bob_account)):
        secret = base64.b64encode(seal.seal(SECRET.encode(), purpose=SECRET_PURPOSE)).decode()
        key = AccessKey(KEYS[name], secret, "Active", 0)
        documents = {"p": policies} if policies else {}
        user = User(account, name, "/", f"AIDA{name.upper()}", 0, HeldPolicies(documents), (key,))
        directory.apply(USER, account, name, to_json(user), 1)
    return SignatureParts(directory, Authorizer(directory))


def a_gateway(policies=None, **deployment):
    gateway = TestGateway(signatures=signature_parts(policies))
    method = Method("ANY", "AWS_IAM", integration=LAMBDA)
    compiled = gateway.deploy({"/orders/{id}": (method,), "/open": (Method("ANY", integration=MOCK),)}, **deployment)
    assert compiled.problems == ()
    return gateway


def signed(gateway, target="/prod/orders/5", method="GET", body=b"", *, who="alice", **changes):
    path, _, query = target.partition("?")
    settings = {
        "access_key_id": KEYS[who],
        "secret_access_key": SECRET,
        "region": "us-east-1",
        "service": "execute-api",
        "now_ms": gateway.clock.now_ms(),
    } | changes
    headers = sign(method, path, query, [("Host", HOST)], body, **settings)
    return a_request(method, target, tuple(headers[1:]), body)


ALLOWED = a_document(a_statement())


def test_a_signed_request_of_someone_who_may_is_answered_with_its_identity():
    gateway = a_gateway(ALLOWED)
    response = gateway.answer(signed(gateway, "/prod/orders/5?a=b", "POST", b'{"x":1}'))
    assert response.status == 200
    identity = gateway.functions.event["requestContext"]["identity"]
    assert identity["userArn"] == f"arn:aws:iam::{ACCOUNT}:user/alice"
    assert identity["accessKey"] == KEYS["alice"]
    assert identity["user"] == "AIDAALICE"


def refused(response):
    told = json_of(response)
    return response.status, told.get("Message") or told["message"], header(response, "x-amzn-ErrorType")[0]


def test_a_request_without_a_signature_has_no_authentication_token():
    response = a_gateway(ALLOWED).get("/prod/orders/5")
    assert refused(response) == (403, "Missing Authentication Token", "MissingAuthenticationTokenException")


@pytest.mark.parametrize(
    ("changes", "error_type"),
    [
        ({"secret_access_key": "wrong"}, "InvalidSignatureException"),
        ({"region": "eu-west-1"}, "InvalidSignatureException"),
        ({"service": "dynamodb"}, "InvalidSignatureException"),
        ({"now_ms": 1_760_000_000_000 - 6 * 60 * 1000}, "InvalidSignatureException"),
        ({"access_key_id": "AKIANOBODY000000000X"}, "UnrecognizedClientException"),
        ({"session_token": "forged"}, "UnrecognizedClientException"),
    ],
)
def test_a_signature_that_proves_nothing_is_refused_by_its_reason(changes, error_type):
    gateway = a_gateway(ALLOWED)
    response = gateway.answer(signed(gateway, **changes))
    assert (response.status, header(response, "x-amzn-ErrorType")) == (403, [error_type])
    assert gateway.functions.invocations == []


def test_a_method_that_a_header_names_must_be_signed():
    """Who was handed a signature for POST must not make it a DELETE."""
    gateway = a_gateway(ALLOWED)
    given = [(n.decode(), v.decode()) for n, v in signed(gateway, method="POST").headers if n != b"Host"]
    request = a_request("POST", "/prod/orders/5", (*given, ("X-HTTP-Method-Override", "DELETE")))
    assert refused(gateway.answer(request))[2] == "InvalidSignatureException"
    assert gateway.functions.invocations == []
    headers = sign(
        "POST",
        "/prod/orders/5",
        "",
        [("Host", HOST), ("X-HTTP-Method-Override", "DELETE")],
        b"",
        access_key_id=KEYS["alice"],
        secret_access_key=SECRET,
        region="us-east-1",
        service="execute-api",
        now_ms=gateway.clock.now_ms(),
    )
    assert gateway.answer(a_request("POST", "/prod/orders/5", tuple(headers[1:]))).status == 200
    assert gateway.functions.event["httpMethod"] == "DELETE"


def test_neither_signatures_nor_tokens_reach_the_log(caplog):
    caplog.set_level(logging.DEBUG)
    gateway = a_gateway(ALLOWED)
    request = signed(gateway, secret_access_key="wrong", session_token="SECRET-TOKEN")
    response = gateway.answer(request)
    found = gateway.request_log.find(header(response, "x-amzn-RequestId")[0])
    told = caplog.text + repr([vars(record) for record in caplog.records]) + repr(found) + repr(gateway.lines)
    assert "SECRET-TOKEN" not in told
    assert "Signature=" not in told


def test_a_changed_body_path_or_query_breaks_the_signature():
    gateway = a_gateway(ALLOWED)
    request = signed(gateway, method="POST", body=b"1")
    request.body = b"2"
    assert gateway.answer(request).status == 403
    original = signed(gateway)
    for target in ("/prod/orders/6", "/prod/orders/5?x=1"):
        moved = a_request("GET", target, tuple((k.decode(), v.decode()) for k, v in original.headers[1:]))
        assert gateway.answer(moved).status == 403


def test_a_malformed_authorization_header_is_an_incomplete_signature():
    gateway = a_gateway(ALLOWED)
    request = a_request("GET", "/prod/orders/5", (("Authorization", "AWS4-HMAC-SHA256 Credential=x"),))
    assert header(gateway.answer(request), "x-amzn-ErrorType") == ["IncompleteSignatureException"]


def test_someone_who_may_not_is_told_in_awss_words_with_the_account_hidden():
    gateway = a_gateway()
    status, message, error_type = refused(gateway.answer(signed(gateway)))
    assert (status, error_type) == (403, "AccessDeniedException")
    hidden = f"arn:aws:execute-api:us-east-1:********9012:{API}/prod/GET/orders/5"
    who = f"User: arn:aws:iam::{ACCOUNT}:user/alice"
    assert message.startswith(f"{who} is not authorized to perform: execute-api:Invoke on resource: {hidden}")


@pytest.mark.parametrize(
    ("resource", "target", "method", "expected"),
    [
        (f"{ARN}/prod/GET/orders/*", "/prod/orders/5", "GET", 200),
        (f"{ARN}/prod/GET/orders/*", "/prod/orders/5", "POST", 403),
        (f"{ARN}/test/GET/orders/*", "/prod/orders/5", "GET", 403),
        (f"{ARN}/prod/GET/orders/5", "/prod/orders/%35", "GET", 200),  # however it is spelt
        (f"{ARN}/prod/GET/orders/5", "/prod/orders/5/", "GET", 200),
    ],
)
def test_policies_see_stage_method_and_the_path_that_was_matched(resource, target, method, expected):
    gateway = a_gateway(a_document(a_statement(resource=resource)))
    assert gateway.answer(signed(gateway, target, method)).status == expected


def test_no_spelling_of_a_path_gets_round_a_deny():
    gateway = a_gateway(a_document(a_statement(), a_statement("Deny", f"{ARN}/prod/*/orders/secret*")))
    for spelling in ("secret", "%73ecret", "s%65cret/"):
        assert gateway.answer(signed(gateway, f"/prod/orders/{spelling}")).status == 403
    assert gateway.answer(signed(gateway, "/prod/orders/public")).status == 200


# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html, tables A and B
ALLOW, SILENT, DENY = "allow", "silent", "deny"
TABLES = [
    # caller, IAM policy, resource policy, allowed
    ("alice", ALLOW, ALLOW, True),
    ("alice", ALLOW, SILENT, True),
    ("alice", ALLOW, DENY, False),
    ("alice", SILENT, ALLOW, True),
    ("alice", SILENT, SILENT, False),
    ("alice", SILENT, DENY, False),
    ("alice", DENY, ALLOW, False),
    ("alice", DENY, SILENT, False),
    ("alice", DENY, DENY, False),
    ("bob", ALLOW, ALLOW, True),
    ("bob", ALLOW, SILENT, False),
    ("bob", ALLOW, DENY, False),
    ("bob", SILENT, ALLOW, False),
    ("bob", SILENT, SILENT, False),
    ("bob", SILENT, DENY, False),
    ("bob", DENY, ALLOW, False),
    ("bob", DENY, SILENT, False),
    ("bob", DENY, DENY, False),
]


@pytest.mark.parametrize(("who", "own", "resource", "allowed"), TABLES)
def test_iam_and_resource_policies_decide_together_as_the_tables_say(who, own, resource, allowed):
    elsewhere = a_statement(resource=f"{ARN}/other/*")
    own_statement = {ALLOW: a_statement(), SILENT: elsewhere, DENY: a_statement("Deny")}[own]
    whole = {
        ALLOW: a_statement(resource="execute-api:/*", **EVERYONE),
        SILENT: a_statement(resource="execute-api:/other/*", **EVERYONE),
        DENY: a_statement("Deny", resource="execute-api:/*", **EVERYONE),
    }[resource]
    gateway = a_gateway(a_document(own_statement), resource_policy=a_document(whole))
    assert (gateway.answer(signed(gateway, who=who)).status == 200) is allowed


def test_without_identities_a_method_with_iam_answers_a_configuration_error():
    gateway = TestGateway()
    compiled = gateway.deploy({"/orders": (Method("GET", "AWS_IAM", integration=MOCK),)})
    assert "AWS_IAM" in compiled.problems[0]
    assert gateway.get().status == 500


def test_http_proxies_never_see_the_signature_of_a_method_with_iam():
    gateway = TestGateway(signatures=signature_parts(ALLOWED))
    upstream = Integration("HTTP_PROXY", http_method="GET", uri="http://backend.example/")
    gateway.deploy({"/orders/{id}": (Method("GET", "AWS_IAM", integration=upstream),)})
    assert gateway.answer(signed(gateway)).status == 200
    assert gateway.upstreams.header("Authorization") == []
