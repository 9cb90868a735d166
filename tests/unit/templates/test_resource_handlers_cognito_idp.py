"""AWS::Cognito types: made, changed in place and deleted by stacks over the real user pools."""
# ruff: noqa: E501 - templates are wide

import asyncio

import pytest

from gatepost.templates.ledger_entries.cognito_idp import entries
from gatepost.templates.resources.cognito_idp import handlers
from tests.support.stacks import ACCOUNT, a_stack_world
from tests.support.user_pools import ready_keys

POOL = """
Resources:
  Pool:
    Type: AWS::Cognito::UserPool
    Properties:
      UserPoolName: shop
      AutoVerifiedAttributes: [email]
      UsernameAttributes: [email]
      UsernameConfiguration: {CaseSensitive: false}
      MfaConfiguration: OPTIONAL
      EnabledMfas: [SOFTWARE_TOKEN_MFA, EMAIL_OTP]
      EmailAuthenticationMessage: 'Use {####}'
      EmailAuthenticationSubject: Hi
      Policies: {PasswordPolicy: {MinimumLength: 10, RequireUppercase: true}}
      Schema: [{Name: email, Required: true, Mutable: true}, {Name: tier, AttributeDataType: String, Mutable: true}]
      UserPoolTags: {team: shop}
  Client:
    Type: AWS::Cognito::UserPoolClient
    Properties:
      UserPoolId: !Ref Pool
      ClientName: web
      ExplicitAuthFlows: [ALLOW_USER_SRP_AUTH, ALLOW_REFRESH_TOKEN_AUTH]
      AllowedOAuthFlowsUserPoolClient: true
      AllowedOAuthFlows: [code]
      AllowedOAuthScopes: [openid, !Sub '${Api}/read']
      CallbackURLs: ['http://localhost:3000/']
      SupportedIdentityProviders: [COGNITO, !Ref Login]
      AccessTokenValidity: 30
      TokenValidityUnits: {AccessToken: minutes}
  Api:
    Type: AWS::Cognito::UserPoolResourceServer
    Properties: {UserPoolId: !Ref Pool, Identifier: orders, Name: Orders, Scopes: [{ScopeName: read, ScopeDescription: Read orders}]}
  Login:
    Type: AWS::Cognito::UserPoolIdentityProvider
    Properties:
      UserPoolId: !Ref Pool
      ProviderName: corp
      ProviderType: OIDC
      ProviderDetails: {client_id: a, client_secret: b, attributes_request_method: GET, oidc_issuer: 'https://login.example.com', authorize_scopes: openid}
      AttributeMapping: {email: email}
  Pages:
    Type: AWS::Cognito::UserPoolDomain
    Properties: {UserPoolId: !Ref Pool, Domain: shop-login}
  Admins:
    Type: AWS::Cognito::UserPoolGroup
    Properties: {UserPoolId: !Ref Pool, GroupName: admin, Precedence: 1, Description: all}
  Ann:
    Type: AWS::Cognito::UserPoolUser
    Properties: {UserPoolId: !Ref Pool, Username: ann@example.com, DesiredDeliveryMediums: [EMAIL], UserAttributes: [{Name: 'custom:tier', Value: gold}]}
  AnnIsAdmin:
    Type: AWS::Cognito::UserPoolUserToGroupAttachment
    Properties: {UserPoolId: !Ref Pool, GroupName: !Ref Admins, Username: !Ref Ann}
Outputs:
  PoolId: {Value: !Ref Pool}
  ClientId: {Value: !Ref Client}
  Arn: {Value: !GetAtt Pool.Arn}
  Url: {Value: !GetAtt Pool.ProviderURL}
  Group: {Value: !Ref Admins}
  Domain: {Value: !Ref Pages}
"""


def run(tmp_path, scenario):
    async def whole():
        async with a_stack_world(tmp_path) as world:
            await scenario(world)

    with ready_keys():
        asyncio.run(whole())


def outputs_of(stack):
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


async def cognito(world, operation, **params):
    return await world.do("cognito-idp", operation, **params)


def test_every_type_that_is_made_stands_in_the_ledger():
    assert {entry.type for entry in entries()} == set(handlers())


def test_a_user_pool_with_all_that_belongs_to_it_is_made_changed_and_deleted(tmp_path):
    async def scenario(world):
        stack = await world.deploy(POOL)
        assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
        told = outputs_of(stack)
        pool_id = told["PoolId"]
        assert told["Arn"] == f"arn:aws:cognito-idp:us-east-1:{ACCOUNT}:userpool/{pool_id}"
        assert told["Url"] == f"https://cognito-idp.us-east-1.amazonaws.com/{pool_id}"
        assert (told["Group"], told["Domain"]) == ("admin", "shop-login")
        pool = (await cognito(world, "DescribeUserPool", UserPoolId=pool_id))["UserPool"]
        assert (pool["MfaConfiguration"], pool["UserPoolTags"], pool["Domain"]) == (
            "OPTIONAL",
            {"team": "shop"},
            "shop-login",
        )
        mfa = await cognito(world, "GetUserPoolMfaConfig", UserPoolId=pool_id)
        assert mfa["EmailMfaConfiguration"] == {"Message": "Use {####}", "Subject": "Hi"}
        user = await cognito(world, "AdminGetUser", UserPoolId=pool_id, Username="ann@example.com")
        groups = await cognito(world, "AdminListGroupsForUser", UserPoolId=pool_id, Username=user["Username"])
        assert [group["GroupName"] for group in groups["Groups"]] == ["admin"]
        (invitation,) = await world.user_pools.outbox.newest()
        assert invitation["to"] == "ann@example.com"
        changed = (
            POOL.replace("MinimumLength: 10", "MinimumLength: 12")
            .replace("Mutable: true}]", "Mutable: true}, {Name: level, AttributeDataType: Number}]")
            .replace("AccessTokenValidity: 30", "AccessTokenValidity: 15")
            .replace("Description: all", "RoleArn: 'arn:aws:iam::000000000000:role/admin'")
            .replace("Name: Orders", "Name: All orders")
            .replace("client_secret: b", "client_secret: c")
            .replace("{team: shop}", "{team: web}")
        )
        stack = await world.deploy(changed)
        assert stack["StackStatus"] == "UPDATE_COMPLETE", await world.events()
        assert outputs_of(stack) == told
        pool = (await cognito(world, "DescribeUserPool", UserPoolId=pool_id))["UserPool"]
        assert pool["Policies"]["PasswordPolicy"]["MinimumLength"] == 12
        assert "custom:level" in {one["Name"] for one in pool["SchemaAttributes"]}
        assert (pool["MfaConfiguration"], pool["UserPoolTags"]) == ("OPTIONAL", {"team": "web"})
        group = (await cognito(world, "GetGroup", UserPoolId=pool_id, GroupName="admin"))["Group"]
        assert (group.get("Description"), group["RoleArn"]) == (None, "arn:aws:iam::000000000000:role/admin")
        client = await cognito(world, "DescribeUserPoolClient", UserPoolId=pool_id, ClientId=told["ClientId"])
        assert client["UserPoolClient"]["AccessTokenValidity"] == 15
        await world.cfn("DeleteStack", StackName="shop")
        assert (await world.settled(stack["StackId"]))["StackStatus"] == "DELETE_COMPLETE"
        assert (await cognito(world, "ListUserPools", MaxResults=10))["UserPools"] == []

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("UsernameAttributes: [email]", "UsernameAttributes: [phone_number]", "cannot change"),
        (
            "{Name: tier, AttributeDataType: String, Mutable: true}",
            "{Name: tier, AttributeDataType: Number}",
            "cannot be modified",
        ),
    ],
)
def test_what_cannot_change_rolls_back(tmp_path, old, new, words):
    async def scenario(world):
        await world.deploy(POOL)
        stack = await world.deploy(POOL.replace(old, new))
        assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
        assert any(words in line for line in await world.events())

    run(tmp_path, scenario)


def test_a_pools_id_is_the_templates_where_a_tag_says_so(tmp_path):
    async def scenario(world):
        pinned = "Resources: {Pool: {Type: AWS::Cognito::UserPool, Properties: {UserPoolTags: {_custom_id_: us-east-1_Shop}}}}"
        stack = await world.deploy(pinned)
        assert stack["StackStatus"] == "CREATE_COMPLETE", await world.events()
        assert (await world.resources())["Pool"] == "us-east-1_Shop"
        pool = await cognito(world, "DescribeUserPool", UserPoolId="us-east-1_Shop")
        assert pool["UserPool"]["UserPoolTags"] == {}

    run(tmp_path, scenario)
