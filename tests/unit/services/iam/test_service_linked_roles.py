"""Service-linked roles: made by their own operation, changed by nobody, deleted by a task."""

import asyncio
from pathlib import Path

import pytest

from gatepost.services.iam.service_linked_roles import name_of
from tests.support.identities import an_identity_world
from tests.support.policies import a_document, a_statement, a_trust_document

SERVICE = "ops.apigateway.amazonaws.com"
NAME = "AWSServiceRoleForAPIGateway"


@pytest.mark.parametrize(
    ("service", "suffix", "name"),
    [
        (SERVICE, "", NAME),
        ("autoscaling.amazonaws.com", "blue", "AWSServiceRoleForAutoScaling_blue"),
        ("dynamodb.application-autoscaling.amazonaws.com", "", "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable"),
        ("some-thing.amazonaws.com", "", "AWSServiceRoleForSomeThing"),
    ],
)
def test_a_role_is_named_for_its_service(service: str, suffix: str, name: str) -> None:
    assert name_of(service, suffix) == name


def test_a_services_role_is_made_once_and_deleted_by_a_task(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            role = (await world.do("CreateServiceLinkedRole", AWSServiceName=SERVICE, Description="d"))["Role"]
            assert role["Arn"].endswith(f":role/aws-service-role/{SERVICE}/{NAME}")
            message = await world.refused("InvalidInput", "CreateServiceLinkedRole", AWSServiceName=SERVICE)
            assert message.startswith(f"Service role name {NAME} has been taken in this account")
            await world.refused("InvalidInput", "CreateServiceLinkedRole", AWSServiceName="apigateway")
            task = (await world.do("DeleteServiceLinkedRole", RoleName=NAME))["DeletionTaskId"]
            assert task.startswith(f"task/aws-service-role/{SERVICE}/{NAME}/")
            await world.iam.load()
            assert await world.do("GetServiceLinkedRoleDeletionStatus", DeletionTaskId=task) == {"Status": "SUCCEEDED"}
            other = task[:-4] + "0000"
            await world.refused("NoSuchEntity", "GetServiceLinkedRoleDeletionStatus", DeletionTaskId=other)
            await world.refused("InvalidInput", "GetServiceLinkedRoleDeletionStatus", DeletionTaskId="mine")
            await world.refused("NoSuchEntity", "GetRole", RoleName=NAME)
            await world.a_role("app")
            await world.refused("NoSuchEntity", "DeleteServiceLinkedRole", RoleName="app")

    asyncio.run(scenario())


def test_nobody_changes_a_services_role(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.do("CreateServiceLinkedRole", AWSServiceName=SERVICE)
            for operation, params in [
                ("PutRolePolicy", {"PolicyName": "p", "PolicyDocument": a_document(a_statement())}),
                ("AttachRolePolicy", {"PolicyArn": await world.a_policy()}),
                ("UpdateAssumeRolePolicy", {"PolicyDocument": a_trust_document(None)}),
                ("DeleteRole", {}),
            ]:
                message = await world.refused("UnmodifiableEntity", operation, RoleName=NAME, **params)
                words = f"Cannot perform the operation on the protected role '{NAME}'"
                assert message == f"{words} - this role is only modifiable by AWS"
            path = f"/aws-service-role/{SERVICE}/"
            trust = a_trust_document(None)
            await world.refused("InvalidInput", "CreateRole", RoleName="x", Path=path, AssumeRolePolicyDocument=trust)

    asyncio.run(scenario())
