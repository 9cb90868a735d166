"""AWS::IAM types that stand beside their holders: inline policies of users and groups, OpenID Connect providers."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import unquote

import pytest

from gatepost.kernel.errors import ServiceError
from gatepost.templates.resources import iam, iam_for_services
from tests.support.certificates import a_certificate
from tests.support.stacks import ACCOUNT, a_stack_world

URL = "http://localhost:4566/us-east-1_Shop"
ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/localhost:4566/us-east-1_Shop"


def with_world(tmp_path, scenario):
    async def whole():
        async with a_stack_world(tmp_path) as world:
            await scenario(world)

    asyncio.run(whole())


def a_document(action):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}


def a_template(action):
    document = a_document(action)
    return json.dumps(
        {
            "Resources": {
                "Ana": {"Type": "AWS::IAM::User"},
                "Staff": {"Type": "AWS::IAM::Group"},
                "OfAna": {
                    "Type": "AWS::IAM::UserPolicy",
                    "Properties": {"UserName": {"Ref": "Ana"}, "PolicyName": "own", "PolicyDocument": document},
                },
                "OfStaff": {
                    "Type": "AWS::IAM::GroupPolicy",
                    "Properties": {"GroupName": {"Ref": "Staff"}, "PolicyName": "own", "PolicyDocument": document},
                },
            }
        }
    )


def test_inline_policies_of_users_and_groups_come_change_and_go(tmp_path):
    async def scenario(world):
        for action in ("s3:GetObject", "s3:PutObject"):
            stack = await world.deploy(a_template(action))
            assert stack["StackStatus"].endswith("_COMPLETE"), await world.events()
            names = await world.resources()
            user = await world.do("iam", "GetUserPolicy", UserName=names["Ana"], PolicyName="own")
            group = await world.do("iam", "GetGroupPolicy", GroupName=names["Staff"], PolicyName="own")
            for held in (user, group):
                assert json.loads(unquote(held["PolicyDocument"])) == a_document(action)
        await world.cfn("DeleteStack", StackName="shop")
        assert (await world.settled(stack["StackId"]))["StackStatus"] == "DELETE_COMPLETE"

    with_world(tmp_path, scenario)


class Issuers:
    def keys(self, url):
        return {"issuer": url, "keys": []} if url == URL else None


def a_provider(**properties):
    return json.dumps(
        {"Resources": {"P": {"Type": "AWS::IAM::OIDCProvider", "Properties": {"Url": URL, **properties}}}}
    )


def test_an_openid_connect_provider_comes_changes_and_goes(tmp_path):
    async def scenario(world):
        world.iam._issuers = Issuers()
        stack = await world.deploy(a_provider(ClientIdList=["one"], Tags=[{"Key": "a", "Value": "1"}]))
        assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
        assert (await world.resources())["P"] == ARN
        await world.deploy(a_provider(ClientIdList=["two"], ThumbprintList=["a" * 40]))
        told = await world.do("iam", "GetOpenIDConnectProvider", OpenIDConnectProviderArn=ARN)
        assert (told["ClientIDList"], told["ThumbprintList"]) == (["two"], ["a" * 40])
        await world.cfn("DeleteStack", StackName="shop")
        await world.settled(stack["StackId"])
        assert (await world.do("iam", "ListOpenIDConnectProviders"))["OpenIDConnectProviderList"] == []

    with_world(tmp_path, scenario)


def test_a_provider_may_be_elsewhere_but_not_without_tls(tmp_path):
    async def scenario(world):
        stack = await world.deploy(a_provider(Url="https://token.actions.githubusercontent.com"))
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        stack = await world.deploy(a_provider(Url="http://token.actions.githubusercontent.com"))
        assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
        assert "use https://" in " ".join(await world.events())

    with_world(tmp_path, scenario)


SERVICE = "ops.apigateway.amazonaws.com"


def of_services(body, key, **role):
    return json.dumps(
        {
            "Resources": {
                "Linked": {"Type": "AWS::IAM::ServiceLinkedRole", "Properties": {"AWSServiceName": SERVICE, **role}},
                "Certificate": {
                    "Type": "AWS::IAM::ServerCertificate",
                    "Properties": {
                        "CertificateBody": body,
                        "PrivateKey": key,
                        "Tags": [{"Key": key, "Value": value} for key, value in role.items()],
                    },
                },
            },
            "Outputs": {
                "Role": {"Value": {"Fn::GetAtt": ["Linked", "RoleName"]}},
                "Arn": {"Value": {"Fn::GetAtt": ["Certificate", "Arn"]}},
            },
        }
    )


def test_a_services_role_and_a_server_certificate_come_change_and_go(tmp_path):
    async def scenario(world):
        body, key = (path.read_text() for path in a_certificate(tmp_path))
        for description in ("one", "two"):
            stack = await world.deploy(of_services(body, key, Description=description))
            assert stack["StackStatus"].endswith("_COMPLETE"), await world.events()
            shown = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
            assert shown["Role"] == "AWSServiceRoleForAPIGateway"
            role = (await world.do("iam", "GetRole", RoleName=shown["Role"]))["Role"]
            assert role["Description"] == description
            name = (await world.resources())["Certificate"]
            assert shown["Arn"] == f"arn:aws:iam::{ACCOUNT}:server-certificate/{name}"
            tags = (await world.do("iam", "ListServerCertificateTags", ServerCertificateName=name))["Tags"]
            assert tags == [{"Key": "Description", "Value": description}]
        await world.cfn("DeleteStack", StackName="shop")
        assert (await world.settled(stack["StackId"]))["StackStatus"] == "DELETE_COMPLETE"
        assert (await world.do("iam", "ListServerCertificates"))["ServerCertificateMetadataList"] == []

    with_world(tmp_path, scenario)


def test_a_users_password_comes_changes_and_goes(tmp_path):
    async def scenario(world):
        def template(**properties):
            return json.dumps({"Resources": {"Ana": {"Type": "AWS::IAM::User", "Properties": properties}}})

        weak = await world.deploy(template(LoginProfile={"Password": "weak"}))
        assert weak["StackStatus"] == "ROLLBACK_COMPLETE"
        await world.cfn("DeleteStack", StackName="shop")
        await world.settled(weak["StackId"])
        for required in (True, False):
            profile = {"Password": "Correct-Horse-1", "PasswordResetRequired": required}
            stack = await world.deploy(template(LoginProfile=profile))
            assert stack["StackStatus"].endswith("_COMPLETE"), await world.events()
            name = (await world.resources())["Ana"]
            told = (await world.do("iam", "GetLoginProfile", UserName=name))["LoginProfile"]
            assert told["PasswordResetRequired"] is required
        await world.deploy(template())
        with pytest.raises(ServiceError, match="cannot be found"):
            await world.do("iam", "GetLoginProfile", UserName=name)
        await world.deploy(template(LoginProfile=profile))
        await world.cfn("DeleteStack", StackName="shop")
        assert (await world.settled(stack["StackId"]))["StackStatus"] == "DELETE_COMPLETE"

    with_world(tmp_path, scenario)


def test_what_iam_keeps_for_services_is_among_its_handlers():
    handlers = iam.handlers()
    assert isinstance(handlers["AWS::IAM::ServiceLinkedRole"], iam_for_services.ServiceLinkedRole)
    assert isinstance(handlers["AWS::IAM::ServerCertificate"], iam_for_services.ServerCertificate)
