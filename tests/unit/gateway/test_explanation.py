"""What `gatepost explain` gives of requests: who passed, who refused, why, and what would have let them in."""

from __future__ import annotations

import asyncio

import orjson

from gatepost.gateway.observers import EXPLAINED_PER_BATCH
from gatepost.gateway.refusal_log import RefusalLog
from tests.support.gateways import MOCK, TestGateway, a_request, header
from tests.unit.gateway.guards.test_lambda_authorizer import ARN, a_gateway, an_output, with_token
from tests.unit.gateway.guards.test_signature import a_document, a_statement, signed
from tests.unit.gateway.guards.test_signature import a_gateway as an_iam_gateway


def explained(gateway, request):
    response = gateway.answer(request)
    told = gateway.request_log.find(header(response, "x-amzn-RequestId")[0])
    assert told is not None
    assert told["status"] == response.status
    return told


OURS = ("LambdaAuthorizerGuard", "AuthorizerPolicyGuard", "ExplicitDenyGuard", "FunctionGrantGuard", "LambdaProxy")


def step_of(told, name):
    return next(step for step in told["guards"] if step.get("guard", "").startswith(name))


def verdicts(told):
    steps = [(step.get("guard", step.get("backend", "")).partition("(")[0], step["verdict"]) for step in told["guards"]]
    return [step for step in steps if step[0] in OURS]


def test_a_request_without_a_token_is_refused_by_its_authorizer():
    told = explained(a_gateway(), a_request())
    assert verdicts(told) == [
        ("LambdaAuthorizerGuard", "refused"),
        ("AuthorizerPolicyGuard", "not reached"),
        ("FunctionGrantGuard", "not reached"),
        ("LambdaProxy", "not reached"),
    ]
    assert told["refusal"] == "UNAUTHORIZED"
    assert step_of(told, "LambdaAuthorizerGuard")["reason"] == "the token is missing or empty"
    assert told["wouldHaveAllowed"]


def test_a_policy_of_an_authorizer_that_does_not_allow_is_shown_statement_by_statement():
    gateway = a_gateway(an_output(resource=f"{ARN}/prod/POST/*", context={"secretish": "v"}))
    told = explained(gateway, with_token("tok-1"))
    assert verdicts(told)[:2] == [("LambdaAuthorizerGuard", "passed"), ("AuthorizerPolicyGuard", "refused")]
    assert step_of(told, "LambdaAuthorizerGuard")["authorizer"]["principalId"] == "ana"
    assert step_of(told, "LambdaAuthorizerGuard")["authorizer"]["contextKeys"] == ["secretish"]
    policies = step_of(told, "AuthorizerPolicyGuard")["policies"]
    assert policies["statements"][0]["failed"] == ["Resource"]
    assert policies["resource"] == f"{ARN}/prod/GET/orders"
    assert "tok-1" not in str(told)
    again = explained(gateway, with_token("tok-1"))
    assert step_of(again, "LambdaAuthorizerGuard")["authorizer"]["fromCache"] is True


def test_a_deny_of_a_resource_policy_names_its_statement_and_the_values_seen():
    office = {"NotIpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    policy = a_document(a_statement(Principal="*"), a_statement("Deny", Principal="*", Sid="Office", Condition=office))
    told = explained(a_gateway(resource_policy=policy), with_token())
    assert step_of(told, "ExplicitDenyGuard")["verdict"] == "refused"
    assert "statement Office" in told["wouldHaveAllowed"]
    assert "198.51.100.7" in told["wouldHaveAllowed"]


def test_a_signed_caller_without_permission_learns_which_policy_is_missing():
    gateway = an_iam_gateway(a_document(a_statement(resource="arn:aws:execute-api:*:*:*/prod/POST/*")))
    told = explained(gateway, signed(gateway))
    step = next(one for one in told["guards"] if one["verdict"] == "refused")
    assert step["policies"]["statements"][0]["failed"] == ["Resource"]
    assert "an Allow for execute-api:Invoke" in told["wouldHaveAllowed"]


def test_a_request_that_was_answered_has_passed_everyone():
    told = explained(a_gateway(), with_token())
    assert [verdict for _, verdict in verdicts(told)] == ["passed", "passed", "passed", "answered"]
    assert "refusal" not in told


def test_requests_without_a_route_are_explained_too():
    gateway = TestGateway()
    gateway.deploy(
        {
            "/orders": (
                __import__("gatepost.services.apigateway.deployment", fromlist=["Method"]).Method(
                    "GET", integration=MOCK
                ),
            )
        }
    )
    told = explained(gateway, a_request(target="/prod/none"))
    assert told["refusal"] == "MISSING_AUTHENTICATION_TOKEN"
    assert "check path and HTTP method" in told["wouldHaveAllowed"]


def test_refusals_are_found_again_in_the_file_when_memory_has_forgotten_them(tmp_path):
    path = tmp_path / "refusals.log"
    gateway = a_gateway()
    lines: list[bytes] = []
    gateway.request_log._write_refusals = lines.append
    first = explained(gateway, a_request())
    path.write_bytes(b"".join(lines))
    gateway.request_log._remembered.clear()

    async def find(request_id):
        return await RefusalLog(path, gateway.request_log).find(request_id)

    assert asyncio.run(find(first["requestId"])) == first
    assert asyncio.run(find("no-such-id")) is None
    assert asyncio.run(find("x" * 100)) is None


def test_a_flood_of_refusals_is_written_down_in_part():
    gateway = a_gateway()
    lines: list[bytes] = []
    gateway.request_log._write_refusals = lines.append

    async def scenario():
        for _ in range(EXPLAINED_PER_BATCH * 3):
            await gateway.send(a_request())

    gateway.run(scenario)
    told = [orjson.loads(line) for line in b"".join(lines).splitlines()]
    assert len(told) == EXPLAINED_PER_BATCH
    assert {one["status"] for one in told} == {401}


def test_a_request_for_no_api_is_refused_once():
    gateway = a_gateway()
    response = gateway.answer(a_request(target="/none", host="127.0.0.1:8080"))
    told = gateway.request_log.find(header(response, "x-amzn-RequestId")[0])
    assert [step["verdict"] for step in told["guards"]] == ["refused"]
    assert told["wouldHaveAllowed"] == (
        "check API id, stage and host: no stage answers there (private APIs do at the private port only)"
    )
