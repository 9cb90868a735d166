"""AWS::IAM types that stand beside their holders: inline policies of users and groups, OpenID Connect providers."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import unquote

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


def test_a_provider_elsewhere_fails_its_stack(tmp_path):
    async def scenario(world):
        stack = await world.deploy(a_provider(Url="https://token.actions.githubusercontent.com"))
        assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
        assert "user pools only" in " ".join(await world.events())

    with_world(tmp_path, scenario)
