"""Identity pools' types: made, changed in place and deleted by stacks over the real service."""
# ruff: noqa: E501 - templates are wide

import asyncio

import pytest

from gatepost.templates.ledger_entries.cognito_identity import entries
from gatepost.templates.resources.cognito_identity import handlers
from tests.support.stacks import a_stack_world
from tests.support.user_pools import ready_keys

POOL = """
Resources:
  Users:
    Type: AWS::Cognito::UserPool
    Properties: {UserPoolName: shop}
  Client:
    Type: AWS::Cognito::UserPoolClient
    Properties: {UserPoolId: !Ref Users, ClientName: web}
  Pool:
    Type: AWS::Cognito::IdentityPool
    Properties:
      IdentityPoolName: shop
      AllowUnauthenticatedIdentities: false
      CognitoIdentityProviders: [{ClientId: !Ref Client, ProviderName: !GetAtt Users.ProviderName, ServerSideTokenCheck: true}]
      IdentityPoolTags: [{Key: team, Value: shop}]
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement:
          - Effect: Allow
            Principal: {Federated: cognito-identity.amazonaws.com}
            Action: sts:AssumeRoleWithWebIdentity
            Condition: {StringEquals: {'cognito-identity.amazonaws.com:aud': !Ref Pool}}
  Roles:
    Type: AWS::Cognito::IdentityPoolRoleAttachment
    Properties:
      IdentityPoolId: !Ref Pool
      Roles: {authenticated: !GetAtt Role.Arn}
      RoleMappings:
        users:
          IdentityProvider: !Sub '${Users.ProviderName}:${Client}'
          Type: Token
          AmbiguousRoleResolution: Deny
  Tags:
    Type: AWS::Cognito::IdentityPoolPrincipalTag
    Properties: {IdentityPoolId: !Ref Pool, IdentityProviderName: !GetAtt Users.ProviderName, PrincipalTags: {name: cognito:username}}
Outputs:
  PoolId: {Value: !Ref Pool}
  Name: {Value: !GetAtt Pool.Name}
  Provider: {Value: !GetAtt Users.ProviderName}
  Client: {Value: !Ref Client}
"""


def run(tmp_path, scenario):
    async def whole():
        async with a_stack_world(tmp_path) as world:
            await scenario(world)

    with ready_keys():
        asyncio.run(whole())


def test_every_type_that_is_made_stands_in_the_ledger():
    assert {entry.type for entry in entries()} == set(handlers())


def test_an_identity_pool_is_made_changed_and_deleted_with_its_roles(tmp_path):
    async def scenario(world):
        async def ask(operation, **params):
            return await world.do("cognito-identity", operation, **params)

        stack = await world.deploy(POOL)
        assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
        told = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        pool_id, mapping = told["PoolId"], f"{told['Provider']}:{told['Client']}"
        assert told["Name"] == "shop"
        pool = await ask("DescribeIdentityPool", IdentityPoolId=pool_id)
        assert (pool["IdentityPoolTags"], pool["AllowUnauthenticatedIdentities"]) == ({"team": "shop"}, False)
        assert pool["CognitoIdentityProviders"][0]["ServerSideTokenCheck"] is True
        roles = await ask("GetIdentityPoolRoles", IdentityPoolId=pool_id)
        assert roles["RoleMappings"] == {mapping: {"Type": "Token", "AmbiguousRoleResolution": "Deny"}}
        tags = await ask("GetPrincipalTagAttributeMap", IdentityPoolId=pool_id, IdentityProviderName=told["Provider"])
        assert tags["PrincipalTags"] == {"name": "cognito:username"}
        stack = await world.deploy(
            POOL.replace("Identities: false", "Identities: true")
            .replace("Resolution: Deny", "Resolution: AuthenticatedRole")
            .replace("{name: cognito:username}", "{name: sub}")
        )
        assert stack["StackStatus"] == "UPDATE_COMPLETE", await world.events()
        assert (await ask("DescribeIdentityPool", IdentityPoolId=pool_id))["AllowUnauthenticatedIdentities"] is True
        roles = await ask("GetIdentityPoolRoles", IdentityPoolId=pool_id)
        assert roles["RoleMappings"][mapping]["AmbiguousRoleResolution"] == "AuthenticatedRole"
        without = POOL[: POOL.index("  Roles:")] + POOL[POOL.index("Outputs:") :]
        stack = await world.deploy(without)
        assert stack["StackStatus"] == "UPDATE_COMPLETE", await world.events()
        assert (await ask("GetIdentityPoolRoles", IdentityPoolId=pool_id))["Roles"] == {}
        await world.cfn("DeleteStack", StackName="shop")
        assert (await world.settled(stack["StackId"]))["StackStatus"] == "DELETE_COMPLETE"
        assert (await ask("ListIdentityPools", MaxResults=10))["IdentityPools"] == []

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    "line", ["PushSync: {ApplicationArns: [a]}", "SupportedLoginProviders: {graph.facebook.com: '1'}"]
)
def test_what_is_not_done_is_refused_before_anything_is_made(tmp_path, line):
    async def scenario(world):
        with pytest.raises(Exception, match=line.partition(":")[0]):
            await world.deploy(POOL.replace("IdentityPoolName: shop", f"IdentityPoolName: shop\n      {line}"))

    run(tmp_path, scenario)
