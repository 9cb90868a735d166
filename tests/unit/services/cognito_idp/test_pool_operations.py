"""Pools: made with AWS's defaults, set anew by each update, refused where we do not do what is asked."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest

from gatepost.services.cognito_idp.domains import Domains
from gatepost.services.cognito_idp.pool import PASSWORD_POLICY
from gatepost.services.cognito_idp.pool_operations import CUSTOM_ID_TAG
from gatepost.services.cognito_idp.pool_settings import TRIGGERS
from gatepost.services.cognito_idp.pool_things import PoolThings
from tests.support.user_pools import CERTIFICATE_ARN, ISSUER, PASSWORD, Aws, Run

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"


def test_a_pool_that_says_nothing_has_awss_defaults(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        made = (await aws("CreateUserPool", PoolName="shop"))["UserPool"]
        assert (await aws("DescribeUserPool", UserPoolId=made["Id"]))["UserPool"] == made
        assert made["Policies"]["PasswordPolicy"] == PASSWORD_POLICY
        assert made["Policies"]["SignInPolicy"] == {"AllowedFirstAuthFactors": ["PASSWORD"]}
        assert (made["MfaConfiguration"], made["DeletionProtection"]) == ("OFF", "INACTIVE")
        assert made["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": False, "UnusedAccountValidityDays": 7}
        assert made["Arn"] == f"arn:aws:cognito-idp:us-east-1:000000000000:userpool/{made['Id']}"
        assert len([one for one in made["SchemaAttributes"] if one["Required"]]) == 1
        assert len(made["SchemaAttributes"]) == 20
        listed = await aws("ListUserPools", MaxResults=1)
        assert [pool["Id"] for pool in listed["UserPools"]] == [made["Id"]]

    pools(scenario)


def test_an_update_sets_everything_anew_but_what_cannot_change(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool(
            UsernameAttributes=["email"],
            AutoVerifiedAttributes=["email"],
            UserPoolTags={"a": "1"},
            SmsVerificationMessage="Code {####}",
        )
        await aws("UpdateUserPool", UserPoolId=aws.pool_id, PoolName="new", DeletionProtection="ACTIVE")
        pool = (await aws("DescribeUserPool", UserPoolId=aws.pool_id))["UserPool"]
        assert (pool["Name"], pool["UsernameAttributes"], pool["UserPoolTags"]) == ("new", ["email"], {"a": "1"})
        assert "AutoVerifiedAttributes" not in pool
        assert "SmsVerificationMessage" not in pool
        await aws.fails("InvalidParameterException", "DeleteUserPool", UserPoolId=aws.pool_id)
        await aws("UpdateUserPool", UserPoolId=aws.pool_id)
        await aws("DeleteUserPool", UserPoolId=aws.pool_id)
        await aws.fails("ResourceNotFoundException", "DescribeUserPool", UserPoolId=aws.pool_id)

    pools(scenario)


@pytest.mark.parametrize(
    ("code", "settings"),
    [
        ("InvalidParameterException", {"KeyConfiguration": {"KeyType": "CUSTOMER_MANAGED_KEY"}}),
        ("InvalidParameterException", {"UserPoolAddOns": {"AdvancedSecurityMode": "ENFORCED"}}),
        ("InvalidParameterException", {"LambdaConfig": {"KMSKeyID": FUNCTION}}),
        ("InvalidParameterException", {"LambdaConfig": {"PreSignUp": "arn:aws:s3:::bucket"}}),
        ("InvalidParameterException", {"AliasAttributes": ["email"], "UsernameAttributes": ["email"]}),
        ("InvalidParameterException", {"MfaConfiguration": "ON"}),
        ("InvalidParameterException", {"VerificationMessageTemplate": {"EmailMessageByLink": "no link"}}),
        ("InvalidParameterException", {"Policies": {"SignInPolicy": {"AllowedFirstAuthFactors": ["EMAIL_OTP"]}}}),
        ("InvalidParameterException", {"Schema": [{"Name": "email", "AttributeDataType": "Number"}]}),
        ("InvalidParameterException", {"Schema": [{"Name": "tier", "Required": True}]}),
        ("InvalidParameterException", {"Schema": [{"Name": "tier"}, {"Name": "tier"}]}),
        (
            "InvalidParameterException",
            {
                "AccountRecoverySetting": {
                    "RecoveryMechanisms": [
                        {"Name": "admin_only", "Priority": 1},
                        {"Name": "verified_email", "Priority": 2},
                    ]
                }
            },
        ),
        (
            "InvalidParameterException",
            {"UserAttributeUpdateSettings": {"AttributesRequireVerificationBeforeUpdate": ["email"]}},
        ),
        ("UserPoolTaggingException", {"UserPoolTags": {"aws:x": "1"}}),
        ("InvalidParameterException", {"UserPoolTags": {CUSTOM_ID_TAG: "us-west-2_abc"}}),
        ("InvalidParameterException", {"PoolName": ""}),
        ("InvalidParameterException", {"Policies": {"PasswordPolicy": {"MinimumLength": 5}}}),
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(pools: Run, code: str, settings: dict[str, Any]) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.fails(code, "CreateUserPool", **{"PoolName": "shop", **settings})

    pools(scenario)


def test_every_trigger_can_be_set(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        config = dict.fromkeys(TRIGGERS, FUNCTION)
        await aws.a_pool(LambdaConfig=config)
        pool = (await aws("DescribeUserPool", UserPoolId=aws.pool_id))["UserPool"]
        version = {"LambdaVersion": "V1_0", "LambdaArn": FUNCTION}
        assert pool["LambdaConfig"] == {**config, "PreTokenGenerationConfig": version}

    pools(scenario)


def test_attributes_are_added_and_stay(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        number = {"Name": "level", "AttributeDataType": "Number", "NumberAttributeConstraints": {"MaxValue": "9"}}
        await aws(
            "AddCustomAttributes",
            UserPoolId=aws.pool_id,
            CustomAttributes=[number, {"Name": "born", "AttributeDataType": "DateTime"}],
        )
        params = {"UserPoolId": aws.pool_id, "CustomAttributes": [number]}
        await aws.fails("InvalidParameterException", "AddCustomAttributes", **params)
        await aws.a_user()
        for name, value, is_good in (
            ("custom:level", "9", True),
            ("custom:level", "10", False),
            ("custom:level", "nine", False),
            ("custom:level", "1e5", False),
            ("custom:born", "2026-11-24T09:00:00Z", True),
            ("custom:born", "today", False),
            ("custom:level", "", True),
        ):
            change = {"Username": "ann", "UserPoolId": aws.pool_id, "UserAttributes": [{"Name": name, "Value": value}]}
            if is_good:
                await aws("AdminUpdateUserAttributes", **change)
            else:
                await aws.fails("InvalidParameterException", "AdminUpdateUserAttributes", **change)

    pools(scenario)


def test_tags_are_added_and_taken_away(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool(UserPoolTags={"a": "1", CUSTOM_ID_TAG: "us-east-1_Pinned"})
        assert aws.pool_id == "us-east-1_Pinned"
        arn = f"arn:aws:cognito-idp:us-east-1:000000000000:userpool/{aws.pool_id}"
        await aws("TagResource", ResourceArn=arn, Tags={"b": "2"})
        await aws("UntagResource", ResourceArn=arn, TagKeys=["a"])
        assert await aws("ListTagsForResource", ResourceArn=arn) == {"Tags": {"b": "2"}}
        again = {"PoolName": "x", "UserPoolTags": {CUSTOM_ID_TAG: "Pinned"}}
        await aws.fails("InvalidParameterException", "CreateUserPool", **again)
        await aws.fails("ResourceNotFoundException", "ListTagsForResource", ResourceArn=arn.replace("Pinned", "Other"))

    pools(scenario)


def test_a_pool_goes_with_everything_in_it(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool(UserPoolTags={CUSTOM_ID_TAG: "us-east-1_Again"})
        await aws.a_client()
        await aws.a_user(email="ann@example.com")
        await aws("CreateGroup", UserPoolId=aws.pool_id, GroupName="g")
        await aws("AdminAddUserToGroup", UserPoolId=aws.pool_id, GroupName="g", Username="ann")
        result = await aws.sign_in()
        await aws("DeleteUserPool", UserPoolId=aws.pool_id)
        await aws.fails("NotAuthorizedException", "GetUser", AccessToken=result["AccessToken"])
        await aws.a_pool(UserPoolTags={CUSTOM_ID_TAG: "us-east-1_Again"})
        await aws.a_client()
        assert (await aws("ListUsers", UserPoolId=aws.pool_id))["Users"] == []
        assert (await aws("ListGroups", UserPoolId=aws.pool_id))["Groups"] == []
        assert (await aws("DescribeUserPool", UserPoolId=aws.pool_id))["UserPool"]["EstimatedNumberOfUsers"] == 0
        await aws.fails("NotAuthorizedException", "GetUser", AccessToken=result["AccessToken"])
        await aws.a_user(password=PASSWORD)
        await aws.fails("NotAuthorizedException", "GetUser", AccessToken=result["AccessToken"])

    pools(scenario)


def test_of_two_domains_asked_for_at_once_a_pool_has_one_and_none_comes_back_that_was_deleted(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        asked = [aws("CreateUserPoolDomain", UserPoolId=aws.pool_id, Domain=name) for name in ("shop", "other")]
        ended = await asyncio.gather(*asked, return_exceptions=True)
        assert [isinstance(one, Exception) for one in ended] == [False, True]
        pool_domain = {"UserPoolId": aws.pool_id, "Domain": "shop"}
        deleted, updated = await asyncio.gather(
            aws("DeleteUserPoolDomain", **pool_domain),
            aws("UpdateUserPoolDomain", **pool_domain, ManagedLoginVersion=2),
            return_exceptions=True,
        )
        assert deleted == {}
        assert isinstance(updated, Exception)
        assert await aws("DescribeUserPoolDomain", Domain="shop") == {"DomainDescription": {}}

    pools(scenario)


def test_domains_are_one_pools_and_shown_in_the_configuration(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        params = {"UserPoolId": aws.pool_id, "Domain": "shop"}
        for domain in ("aws-shop", "mycognito", "Shop", "-x", "a.b"):
            await aws.fails("InvalidParameterException", "CreateUserPoolDomain", **{**params, "Domain": domain})
        await aws("CreateUserPoolDomain", **params)
        await aws.fails("InvalidParameterException", "CreateUserPoolDomain", **{**params, "Domain": "other"})
        told = (await aws("DescribeUserPoolDomain", Domain="shop"))["DomainDescription"]
        assert (told["UserPoolId"], told["Status"]) == (aws.pool_id, "ACTIVE")
        assert await aws("DescribeUserPoolDomain", Domain="nobodys") == {"DomainDescription": {}}
        document = aws.provider.discovery.document(f"/{aws.pool_id}/.well-known/openid-configuration")
        assert document is not None
        assert document["authorization_endpoint"] == f"{ISSUER}/_aws/auth/shop/oauth2/authorize"
        assert document["jwks_uri"] == f"{document['issuer']}/.well-known/jwks.json"
        await aws.fails("InvalidParameterException", "DeleteUserPool", UserPoolId=aws.pool_id)
        first = aws.pool_id
        await aws.a_pool()
        await aws.fails("InvalidParameterException", "CreateUserPoolDomain", UserPoolId=aws.pool_id, Domain="shop")
        await aws.fails("ResourceNotFoundException", "DeleteUserPoolDomain", UserPoolId=aws.pool_id, Domain="shop")
        custom = {
            "UserPoolId": aws.pool_id,
            "Domain": "login.shop.test",
            "CustomDomainConfig": {"CertificateArn": CERTIFICATE_ARN},
        }
        assert await aws("CreateUserPoolDomain", **custom) == {
            "ManagedLoginVersion": 1,
            "CloudFrontDomain": "login.shop.test",
        }
        assert aws.changes.held["pool_domain", "login.shop.test"]["certificate_arn"] == CERTIFICATE_ARN
        assert await aws.provider.certificate_uses() == {CERTIFICATE_ARN: ["login.shop.test"]}
        for change in (
            {"CertificateArn": "arn:aws:acm:us-east-1:000000000000:certificate/nobodys"},
            {"CertificateArn": CERTIFICATE_ARN, "SecurityPolicy": "TLS_V1"} if not ssl.HAS_TLSv1 else {},
        ):
            if change:
                changed = {**custom, "CustomDomainConfig": change}
                await aws.fails("InvalidParameterException", "UpdateUserPoolDomain", **changed)
        for name in (
            "shop.auth.us-east-1.localhost",
            "shop.amazoncognito.com",
            "login.elsewhere.test",
            "127.0.0.1",
        ):
            await aws.fails("InvalidParameterException", "CreateUserPoolDomain", **{**custom, "Domain": name})
        await aws("DeleteUserPoolDomain", UserPoolId=aws.pool_id, Domain="login.shop.test")
        assert ("pool_domain", "login.shop.test") not in aws.changes.held
        await aws("DeleteUserPoolDomain", UserPoolId=first, Domain="shop")

    pools(scenario)
    assert Domains
    assert PoolThings
