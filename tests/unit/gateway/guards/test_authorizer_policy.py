"""AWS's tables of how a resource policy and an authorizer decide together, row by row.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html
"""

from __future__ import annotations

import pytest

from gatepost.awsapi.authorization import Authorizer
from gatepost.gateway.guards.policy_decisions import PolicyDecisions
from gatepost.security.sealing import Seal
from gatepost.services.iam.directory import Directory
from tests.support.gateways import header
from tests.unit.gateway.guards.test_lambda_authorizer import ARN, a_gateway, an_output, with_token
from tests.unit.gateway.guards.test_signature import a_document, a_statement, signed
from tests.unit.gateway.guards.test_signature import a_gateway as an_iam_gateway

ALLOW = a_statement(Principal="*")
DENY = a_statement("Deny", Principal="*")
ELSEWHERE = a_statement(resource=f"{ARN}/prod/GET/nowhere", Principal="*")
RESOURCE = {"allow": a_document(ALLOW), "deny": a_document(ALLOW, DENY), "neither": a_document(ELSEWHERE), "none": ""}
OUTPUT = {"allow": an_output(), "deny": an_output("Deny"), "neither": an_output(resource=f"{ARN}/prod/GET/nowhere")}


def test_the_authorizer_of_aws_operations_answers_what_guards_ask():
    decisions: PolicyDecisions = Authorizer(Directory(Seal(bytes(32))))
    asked = [name for name in vars(PolicyDecisions) if not name.startswith("_")]
    assert all(callable(getattr(decisions, name)) for name in asked)


TABLE_A = [
    ("allow", "allow", 200, 1),
    ("allow", "neither", 200, 1),
    ("allow", "deny", 403, 0),
    ("neither", "allow", 200, 1),
    ("neither", "neither", 403, 1),
    ("neither", "deny", 403, 0),
    ("deny", "allow", 403, 1),
    ("deny", "neither", 403, 1),
    ("deny", "deny", 403, 0),
    ("allow", "none", 200, 1),
    ("neither", "none", 403, 1),
    ("deny", "none", 403, 1),
]


@pytest.mark.parametrize(("authorizer", "resource", "expected", "asked"), TABLE_A)
def test_a_lambda_authorizer_and_a_resource_policy_decide_by_table_a(authorizer, resource, expected, asked):
    gateway = a_gateway(OUTPUT[authorizer], resource_policy=RESOURCE[resource])
    response = gateway.answer(with_token())
    assert response.status == expected
    assert len(gateway.functions.asked) == asked  # an explicit deny is found before the authorizer is called
    if expected == 403:
        assert header(response, "x-amzn-ErrorType") == ["AccessDeniedException"]
        is_explicit = "deny" in (authorizer, resource)
        assert (b"explicit deny" in response.body) == is_explicit


def test_a_resource_policy_for_principals_of_aws_says_nothing_about_a_lambda_authorizers_callers():
    owner = {"AWS": f"arn:aws:iam::{ARN.split(':')[4]}:root"}
    gateway = a_gateway(OUTPUT["neither"], resource_policy=a_document(a_statement(Principal=owner)))
    assert gateway.answer(with_token()).status == 403


def test_conditions_of_the_resource_policy_see_each_request_of_a_remembered_result():
    office = a_statement(Principal="*", Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}})
    gateway = a_gateway(OUTPUT["neither"], resource_policy=a_document(office))
    statuses = [gateway.answer(with_token(client_ip=ip)).status for ip in ("192.0.2.1", "198.51.100.1")]
    assert statuses == [200, 403]
    assert len(gateway.functions.asked) == 1


IAM = {"allow": a_document(a_statement()), "deny": a_document(a_statement("Deny")), "neither": None}
TABLE_B = [
    ("allow", "allow", 200, 200),  # IAM policy, resource policy, same account, other account
    ("allow", "neither", 200, 403),
    ("allow", "deny", 403, 403),
    ("neither", "allow", 200, 403),
    ("neither", "neither", 403, 403),
    ("neither", "deny", 403, 403),
    ("deny", "allow", 403, 403),
    ("deny", "neither", 403, 403),
    ("deny", "deny", 403, 403),
]


@pytest.mark.parametrize(("identity", "resource", "own_account", "other_account"), TABLE_B)
def test_iam_and_a_resource_policy_decide_by_tables_a_and_b(identity, resource, own_account, other_account):
    gateway = an_iam_gateway(IAM[identity], resource_policy=RESOURCE[resource])
    assert gateway.answer(signed(gateway, who="alice")).status == own_account
    assert gateway.answer(signed(gateway, who="bob")).status == other_account
