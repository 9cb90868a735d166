"""The private listener's door: who reaches which private API, by which name, through which VPC endpoint."""

from __future__ import annotations

import json

import pytest

from gatepost.gateway.custom_domains import CustomDomains
from gatepost.gateway.private_gateway import PrivateGateway
from gatepost.gateway.vpc_endpoints import VpcEndpoints
from gatepost.services.apigateway.deployment import Integration, IntegrationResponse, Method, deployment_to_json
from gatepost.services.apigateway.domain_publication import PublishedDomain, PublishedMapping
from tests.support.gateways import ACCOUNT, API, LAMBDA, TestGateway, a_deployment, a_request
from tests.unit.gateway.guards.test_signature import signature_parts

MINE, OTHER = "vpce-1111aaaa", "vpce-2222bbbb"
HOST = f"{API}.execute-api.us-east-1.localhost"
FORBIDDEN = b'{"message":"Forbidden"}'


def a_policy(vpc_endpoint_id=MINE):
    everything = {"Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*"}
    condition = {"StringNotEquals": {"aws:SourceVpce": vpc_endpoint_id}}
    statements = [{"Effect": "Allow", **everything}, {"Effect": "Deny", **everything, "Condition": condition}]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def a_gateway(*, policy=None, endpoint_type="PRIVATE", method=None, **endpoint):
    gateway = TestGateway(signatures=signature_parts(None))
    method = method or Method("GET", integration=LAMBDA)
    deployment = a_deployment(
        {"/orders": (method,)}, resource_policy=a_policy() if policy is None else policy, endpoint_types=("PRIVATE",)
    )
    gateway.domains = CustomDomains()
    told = {"type": endpoint_type, "vpc_endpoint_ids": [MINE], "security_policy": "", "is_strict": False}
    stage = {"deployment": deployment_to_json(deployment), "stage": {"stage_name": "prod", "deployment_id": "dep123"}}
    gateway.plans.take_endpoint(API, told | endpoint)
    gateway.plans.take(f"{API}/prod", stage)
    gateway.public = gateway.door
    gateway.door = PrivateGateway(
        gateway.plans,
        gateway.parts,
        ids=gateway.ids,
        clock=gateway.clock,
        domains=gateway.domains,
        vpc_endpoints=VpcEndpoints([f"{MINE}=vpc-1,10.0.0.0/8", f"{OTHER}=vpc-2,192.168.0.0/16"]),
    )
    return gateway


def asked(gateway, host=HOST, *, target="/prod/orders", ip="10.1.2.3", headers=()):
    response = gateway.answer(a_request(target=target, headers=headers, host=host, client_ip=ip))
    return response.status, response.body


HEADER = (("x-apigw-api-id", API),)


@pytest.mark.parametrize(
    ("host", "headers"),
    [
        (HOST, ()),
        (f"{API}.execute-api.us-east-1.amazonaws.com", ()),
        (f"{API}-{MINE}.execute-api.us-east-1.amazonaws.com", ()),
        (f"{API}-{MINE}.execute-api.localhost:8081", ()),
        (f"{MINE}.execute-api.us-east-1.vpce.amazonaws.com", HEADER),
        (f"{MINE}-us-east-1a.execute-api.us-east-1.vpce.localhost:8081", HEADER),
        ("localhost:8081", HEADER),
    ],
)
def test_a_private_api_is_reached_by_each_of_awss_names(host, headers):
    assert asked(a_gateway(), host, headers=headers)[0] == 200


@pytest.mark.parametrize(
    ("host", "headers"),
    [
        (f"{API}-{OTHER}.execute-api.us-east-1.amazonaws.com", ()),
        (f"{OTHER}.execute-api.us-east-1.vpce.amazonaws.com", HEADER),
        (f"{MINE}0.execute-api.us-east-1.vpce.amazonaws.com", HEADER),
        (f"{MINE}.execute-api.us-east-1.vpce.amazonaws.com", ()),
        (f"{MINE}.execute-api.us-east-1.vpce.amazonaws.com", (("x-apigw-api-id", "nothere"),)),
        (f"{MINE}.execute-api.us-east-1.vpce.amazonaws.com", (("x-apigw-api-id", "../x"),)),
        ("localhost:8081", ()),
        ("nothere.execute-api.us-east-1.localhost", HEADER),
    ],
)
def test_what_names_another_endpoint_or_no_api_is_forbidden(host, headers):
    assert asked(a_gateway(), host, headers=headers) == (403, FORBIDDEN)


def test_an_alias_needs_the_association():
    gateway = a_gateway(vpc_endpoint_ids=[])
    assert asked(gateway, f"{API}-{MINE}.execute-api.us-east-1.amazonaws.com") == (403, FORBIDDEN)
    assert asked(gateway)[0] == 200


def test_the_address_says_through_which_endpoint_a_caller_comes_and_the_policy_who_gets_in():
    gateway = a_gateway()
    status, body = asked(gateway, ip="192.168.1.1")
    assert (status, b"with an explicit deny in a resource-based policy" in body) == (403, True)
    assert asked(gateway, ip="172.16.0.1") == (403, FORBIDDEN)
    assert asked(gateway, headers=(("x-forwarded-for", "10.0.0.1"),), ip="172.16.0.1") == (403, FORBIDDEN)
    assert len(gateway.functions.invocations) == 0
    assert asked(gateway)[0] == 200
    identity = gateway.functions.event["requestContext"]["identity"]
    assert (identity["vpceId"], identity["vpcId"], identity["sourceIp"]) == (MINE, "vpc-1", "10.1.2.3")


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ({"StringEquals": {"aws:SourceVpc": "vpc-1"}}, 200),
        ({"StringEquals": {"aws:SourceVpc": "vpc-2"}}, 403),
        ({"IpAddress": {"aws:VpcSourceIp": "10.1.0.0/16"}}, 200),
        ({"IpAddress": {"aws:SourceIp": "10.1.0.0/16"}}, 403),  # the key is not there for who uses a VPC endpoint
    ],
)
def test_conditions_know_the_vpc(condition, status):
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "execute-api:Invoke",
        "Resource": "*",
        "Condition": condition,
    }
    assert asked(a_gateway(policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})))[0] == status


@pytest.mark.parametrize("kind", ["NONE", "AWS_IAM"])
def test_without_a_policy_nobody_gets_in_whatever_the_method_says(kind):
    gateway = a_gateway(policy="", method=Method("GET", kind, integration=LAMBDA))
    assert asked(gateway) == (403, FORBIDDEN)


def test_the_public_door_knows_no_private_api_and_the_private_one_no_other():
    gateway = a_gateway()
    private, gateway.door = gateway.door, gateway.public
    assert asked(gateway) == (403, FORBIDDEN)
    gateway.plans.take_endpoint(API, None)  # it has become REGIONAL
    assert asked(gateway, ip="10.1.2.3")[0] == 403  # its policy asks for a VPC endpoint
    gateway.door = private
    assert asked(gateway) == (403, FORBIDDEN)


def test_an_api_that_becomes_private_leaves_the_public_door_at_once():
    gateway = TestGateway(signatures=signature_parts(None))
    gateway.deploy({"/orders": (Method("GET", integration=LAMBDA),)})
    assert gateway.get().status == 200
    told = {"type": "PRIVATE", "vpc_endpoint_ids": [], "security_policy": "", "is_strict": False}
    gateway.plans.take_endpoint(API, told)
    assert gateway.get().status == 403
    gateway.plans.take_endpoint(API, {"nonsense": True})  # what cannot be read is private
    assert gateway.get().status == 403
    gateway.plans.take_endpoint(API, None)
    assert gateway.get().status == 200


def test_a_strict_api_is_asked_by_its_own_name_only():
    gateway = a_gateway(is_strict=True)
    assert asked(gateway)[0] == 200
    assert asked(gateway, f"{MINE}.execute-api.us-east-1.vpce.amazonaws.com", headers=HEADER) == (403, FORBIDDEN)
    assert asked(gateway, f"{API}-{MINE}.execute-api.us-east-1.amazonaws.com") == (403, FORBIDDEN)


def a_domain(domain_id, *vpc_endpoint_ids, policy=None, api_id=API):
    return PublishedDomain(
        "private.shop.test",
        "arn",
        "TLS_1_2",
        mappings=(PublishedMapping("v1", api_id, "prod"),),
        vpc_endpoint_ids=vpc_endpoint_ids,
        policy=a_policy() if policy is None else policy,
        account_id=ACCOUNT,
        region="us-east-1",
        domain_id=domain_id,
    ).to_json()


def by_domain(gateway, **params):
    return asked(gateway, "private.shop.test:8081", target="/v1/orders", **params)


def test_a_private_domain_name_leads_through_the_endpoints_that_are_associated_with_it():
    gateway = a_gateway()
    gateway.domains.take("a", a_domain("one", OTHER))
    assert by_domain(gateway) == (403, FORBIDDEN)
    gateway.domains.take("b", a_domain("two", MINE))
    assert by_domain(gateway)[0] == 200
    assert gateway.functions.event["requestContext"]["domainName"] == "private.shop.test"
    gateway.domains.take("b", None)
    assert by_domain(gateway) == (403, FORBIDDEN)


@pytest.mark.parametrize("policy", ["", "no policy", a_policy(OTHER)])
def test_the_policy_of_a_domain_name_counts_beside_the_apis(policy):
    gateway = a_gateway()
    gateway.domains.take("a", a_domain("one", MINE, policy=policy))
    status, body = by_domain(gateway)
    assert status == 403
    assert f"arn:aws:execute-api:us-east-1:{'*' * 8}{ACCOUNT[-4:]}:/domainnames/private.shop.test+one".encode() in body
    assert gateway.functions.invocations == []


def test_a_private_domain_name_leads_to_no_public_api():
    gateway = a_gateway(endpoint_type="REGIONAL")
    gateway.domains.take("a", a_domain("one", MINE))
    assert by_domain(gateway) == (403, FORBIDDEN)


def test_templates_know_the_endpoint():
    template = '{"statusCode": 200}'
    integration = Integration(
        "MOCK",
        request_templates={"application/json": template},
        responses=(
            IntegrationResponse(
                "200",
                response_templates={"application/json": "$context.identity.vpceId $context.identity.vpcId"},
            ),
        ),
    )
    assert asked(a_gateway(method=Method("GET", integration=integration)))[1] == f"{MINE} vpc-1".encode()
