"""Access advisor: which policies grant a service, and who used it when."""

import asyncio
from pathlib import Path

import pytest

from gatepost.languages.iam_policy import parse_policy
from gatepost.services.iam.service_access import grants
from tests.support.identities import an_identity_world
from tests.support.policies import a_document, a_statement


@pytest.mark.parametrize(
    ("statement", "granted"),
    [
        (a_statement(action="dynamodb:GetItem"), True),
        (a_statement(action="dynamodb:Get*"), True),
        (a_statement(action="*"), True),
        (a_statement(action="s3:*"), False),
        ({"Effect": "Deny", "Action": "*", "Resource": "*"}, False),
        ({"Effect": "Allow", "NotAction": "dynamodb:*", "Resource": "*"}, False),
        ({"Effect": "Allow", "NotAction": "dynamodb:PutItem", "Resource": "*"}, True),
    ],
)
def test_a_policy_grants_a_service_when_it_allows_anything_of_it(statement: dict, granted: bool) -> None:
    assert grants(parse_policy(a_document(statement), "identity"), "dynamodb") is granted


def test_a_users_policies_are_listed_by_the_services_that_they_grant(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.do("CreateUser", UserName="ana")
            await world.do("CreateGroup", GroupName="g")
            await world.do("AddUserToGroup", GroupName="g", UserName="ana")
            arn = await world.a_policy("managed", a_statement(action="dynamodb:*", resource="*"))
            await world.do("AttachGroupPolicy", GroupName="g", PolicyArn=arn)
            await world.allow_user("ana", a_statement(action="lambda:InvokeFunction", resource="*"), policy="own")
            user = (await world.do("GetUser", UserName="ana"))["User"]["Arn"]
            names = ["lambda", "dynamodb", "s3"]
            told = await world.do("ListPoliciesGrantingServiceAccess", Arn=user, ServiceNamespaces=names)
            assert told["PoliciesGrantingServiceAccess"] == [
                {
                    "ServiceNamespace": "dynamodb",
                    "Policies": [{"PolicyName": "managed", "PolicyType": "MANAGED", "PolicyArn": arn}],
                },
                {
                    "ServiceNamespace": "lambda",
                    "Policies": [
                        {"PolicyName": "own", "PolicyType": "INLINE", "EntityType": "USER", "EntityName": "ana"}
                    ],
                },
                {"ServiceNamespace": "s3", "Policies": []},
            ]
            other = user + "x"
            await world.refused(
                "NoSuchEntity", "ListPoliciesGrantingServiceAccess", Arn=other, ServiceNamespaces=["s3"]
            )

    asyncio.run(scenario())


def test_a_job_tells_who_used_what_a_policy_grants(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana, ben = await world.a_user("ana"), await world.a_user("ben")
            await world.do("CreateGroup", GroupName="g")
            await world.do("AddUserToGroup", GroupName="g", UserName="ben")
            arn = await world.a_policy("managed", a_statement(action=["lambda:*", "dynamodb:*"], resource="*"))
            await world.do("AttachUserPolicy", UserName="ana", PolicyArn=arn)
            await world.do("AttachGroupPolicy", GroupName="g", PolicyArn=arn)
            now_ms = world.clock.now_ms()
            world.iam.uses.note(ana, "lambda", "us-east-1", now_ms)
            world.iam.uses.note(ben, "lambda", "eu-west-1", now_ms + 1_000)
            job = await world.do("GenerateServiceLastAccessedDetails", Arn=arn)
            told = await world.do("GetServiceLastAccessedDetails", **job)
            assert (told["JobStatus"], told["JobType"]) == ("COMPLETED", "SERVICE_LEVEL")
            unused, used = told["ServicesLastAccessed"]
            assert (unused["ServiceNamespace"], unused["TotalAuthenticatedEntities"]) == ("dynamodb", 0)
            assert used["LastAuthenticatedEntity"] == ben.arn
            assert (used["TotalAuthenticatedEntities"], used["LastAuthenticatedRegion"]) == (2, "eu-west-1")
            with_entities = "GetServiceLastAccessedDetailsWithEntities"
            found = (await world.do(with_entities, **job, ServiceNamespace="lambda"))["EntityDetailsList"]
            assert [one["EntityInfo"]["Name"] for one in found] == ["ben", "ana"]
            await world.refused("NoSuchEntity", with_entities, **job, ServiceNamespace="s3")
            await world.refused("NoSuchEntity", "GetServiceLastAccessedDetails", JobId=36 * "0")
            await world.refused(
                "InvalidInput", "GenerateServiceLastAccessedDetails", Arn=arn, Granularity="ACTION_LEVEL"
            )

    asyncio.run(scenario())
