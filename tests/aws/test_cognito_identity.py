"""Identity pools by boto3 on a running platform: who gets which role's credentials, and who does not."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from gatepost.security.jwt import SigningKey
from tests.support.issuers import an_issuer
from tests.support.platform import ask

PASSWORD = "Passw0rd!"
ISSUER = "cognito-identity.amazonaws.com"


class Shop:
    """A user pool with groups, an identity pool, and roles."""

    def __init__(self, platform: Any) -> None:
        self.platform = platform
        self.users = platform.client("cognito-idp")
        self.pools = platform.client("cognito-identity")
        self.iam = platform.client("iam")
        config = Config(signature_version=UNSIGNED, retries={"max_attempts": 1})
        self.anyone = boto3.client(
            "cognito-identity", endpoint_url=platform.aws, region_name="us-east-1", config=config
        )
        self.sts = boto3.client("sts", endpoint_url=platform.aws, region_name="us-east-1", config=config)
        self.user_pool = self.users.create_user_pool(PoolName="people")["UserPool"]["Id"]
        self.client = self.a_client()
        self.provider = f"cognito-idp.us-east-1.amazonaws.com/{self.user_pool}"
        self.pool = self.a_pool()
        self.signed_in = self.a_role("signed-in", "authenticated")
        self.guest = self.a_role("guest", "unauthenticated")
        self.admin = self.a_role("admin", "authenticated")
        self.vendor = self.a_role("vendor", "authenticated")
        for name, role in (("admins", self.admin), ("vendors", self.vendor)):
            self.users.create_group(UserPoolId=self.user_pool, GroupName=name, RoleArn=role)
        self.roles()

    def a_client(self) -> str:
        made = self.users.create_user_pool_client(
            UserPoolId=self.user_pool, ClientName="web", ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH"]
        )
        return str(made["UserPoolClient"]["ClientId"])

    def a_pool(self, **more: Any) -> str:
        provider = {"ProviderName": self.provider, "ClientId": self.client, "ServerSideTokenCheck": True}
        settings = {"AllowUnauthenticatedIdentities": True, "CognitoIdentityProviders": [provider], **more}
        return str(self.pools.create_identity_pool(IdentityPoolName="shop", **settings)["IdentityPoolId"])

    def a_role(self, name: str, amr: str, *actions: str, pool: str = "") -> str:
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": ISSUER},
            "Action": ["sts:AssumeRoleWithWebIdentity", *actions],
            "Condition": {
                "StringEquals": {f"{ISSUER}:aud": pool or self.pool},
                "ForAnyValue:StringLike": {f"{ISSUER}:amr": amr},
            },
        }
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        name = f"{name}-{(pool or self.pool)[-12:]}"
        return str(self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"])

    def may_everything(self, role: str) -> None:
        document = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}'
        self.iam.put_role_policy(RoleName=role.rpartition("/")[2], PolicyName="own", PolicyDocument=document)

    def roles(self, mapping: dict[str, Any] | None = None, pool: str = "") -> None:
        self.pools.set_identity_pool_roles(
            IdentityPoolId=pool or self.pool,
            Roles={"authenticated": self.signed_in, "unauthenticated": self.guest},
            RoleMappings={f"{self.provider}:{self.client}": mapping} if mapping else {},
        )

    def a_user(self, name: str, *groups: str) -> dict[str, str]:
        pool = {"UserPoolId": self.user_pool, "Username": name}
        self.users.admin_create_user(**pool, MessageAction="SUPPRESS")
        self.users.admin_set_user_password(**pool, Password=PASSWORD, Permanent=True)
        for group in groups:
            self.users.admin_add_user_to_group(**pool, GroupName=group)
        return self.logins(name)

    def tokens(self, name: str, client: str = "") -> dict[str, str]:
        given = {"USERNAME": name, "PASSWORD": PASSWORD}
        told = self.users.initiate_auth(
            ClientId=client or self.client, AuthFlow="USER_PASSWORD_AUTH", AuthParameters=given
        )
        tokens: dict[str, str] = told["AuthenticationResult"]
        return tokens

    def logins(self, name: str, token: str = "IdToken", client: str = "") -> dict[str, str]:
        return {self.provider: self.tokens(name, client)[token]}

    def identity(self, logins: dict[str, str] | None = None, pool: str = "") -> str:
        return str(self.anyone.get_id(IdentityPoolId=pool or self.pool, Logins=logins or {})["IdentityId"])

    def credentials(self, logins: dict[str, str] | None = None, **more: Any) -> Any:
        told = self.anyone.get_credentials_for_identity(IdentityId=self.identity(logins), Logins=logins or {}, **more)
        return told["Credentials"]

    def role(self, logins: dict[str, str] | None = None, **more: Any) -> str:
        """Give the name of the role whose credentials these logins get."""
        who = self.as_holder(self.credentials(logins, **more), "sts").get_caller_identity()["Arn"]
        name, session = str(who).split("/")[1:]
        assert session == "CognitoIdentityCredentials"
        return name.rpartition("-")[0]

    def as_holder(self, credentials: Any, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.platform.aws,
            region_name="us-east-1",
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials.get("SecretKey") or credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )


@pytest.fixture(scope="module")
def shop(platform: Any) -> Shop:
    return Shop(platform)


def refused(code: str, call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(ClientError) as told:
        call(*arguments, **named)
    assert told.value.response["Error"]["Code"] == code, told.value
    return str(told.value.response["Error"]["Message"])


def test_a_user_has_one_identity_and_gets_the_authenticated_role(shop: Shop) -> None:
    logins = shop.a_user("ann")
    identity = shop.identity(logins)
    assert shop.identity(shop.logins("ann")) == identity
    assert shop.role(logins) == "signed-in"
    told = shop.pools.describe_identity(IdentityId=identity)
    assert told["Logins"] == [shop.provider]
    listed = shop.pools.list_identities(IdentityPoolId=shop.pool, MaxResults=60)["Identities"]
    assert identity in {one["IdentityId"] for one in listed}


def test_guests_get_an_identity_each_and_the_unauthenticated_role(shop: Shop) -> None:
    assert shop.identity() != shop.identity()
    assert shop.role() == "guest"
    closed = shop.a_pool(AllowUnauthenticatedIdentities=False)
    words = refused("NotAuthorizedException", shop.identity, pool=closed)
    assert words == "Unauthenticated access is not supported for this identity pool."


def test_guests_are_held_to_few_services_whatever_their_role_allows(shop: Shop) -> None:
    shop.may_everything(shop.guest)
    credentials = shop.credentials()
    assert "TableNames" in shop.as_holder(credentials, "dynamodb").list_tables()
    refused("AccessDenied", shop.as_holder(credentials, "iam").list_users)
    refused("AccessDeniedException", shop.as_holder(credentials, "secretsmanager").list_secrets)


def test_tokens_choose_roles_by_groups(shop: Shop) -> None:
    shop.roles({"Type": "Token", "AmbiguousRoleResolution": "Deny"})
    vendor, both, nobody = shop.a_user("vic", "vendors"), shop.a_user("bob", "vendors", "admins"), shop.a_user("nora")
    assert shop.role(vendor) == "vendor"
    refused("NotAuthorizedException", shop.role, both)  # two roles, none preferred
    assert shop.role(both, CustomRoleArn=shop.admin) == "admin"
    refused("NotAuthorizedException", shop.role, vendor, CustomRoleArn=shop.admin)
    refused("NotAuthorizedException", shop.role, nobody)
    shop.roles({"Type": "Token", "AmbiguousRoleResolution": "AuthenticatedRole"})
    assert shop.role(both) == "signed-in"
    shop.roles()
    refused("InvalidParameterException", shop.role, both, CustomRoleArn=shop.admin)


def test_rules_choose_roles_by_claims_in_order(shop: Shop) -> None:
    claim = {"Claim": "cognito:username", "MatchType": "StartsWith", "Value": "root-", "RoleARN": shop.admin}
    group = {"Claim": "cognito:groups", "MatchType": "Contains", "Value": "vendors", "RoleARN": shop.vendor}
    rules = {"Rules": [claim, group]}
    shop.roles({"Type": "Rules", "AmbiguousRoleResolution": "Deny", "RulesConfiguration": rules})
    assert shop.role(shop.a_user("root-1", "vendors")) == "admin"
    assert shop.role(shop.logins("root-1"), CustomRoleArn=shop.vendor) == "vendor"
    assert shop.role(shop.a_user("vera", "vendors")) == "vendor"
    refused("NotAuthorizedException", shop.role, shop.a_user("not-root-1"))
    refused("NotAuthorizedException", shop.role, shop.logins("vera"), CustomRoleArn=shop.admin)
    told = shop.pools.get_identity_pool_roles(IdentityPoolId=shop.pool)
    assert told["RoleMappings"][f"{shop.provider}:{shop.client}"]["RulesConfiguration"] == rules
    shop.roles()


def test_no_claim_is_believed_unverified(shop: Shop, platform: Any) -> None:
    shop.a_user("eve")
    good = shop.tokens("eve")["IdToken"]
    head, claims, signature = good.split(".")
    other = platform.client("cognito-idp")
    other_pool = other.create_user_pool(PoolName="other")["UserPool"]["Id"]
    stranger = shop.a_client()
    wrong = [
        {shop.provider: f"{head}.{claims}.{signature[::-1]}"},
        {shop.provider: f"eyJhbGciOiJub25lIiwia2lkIjoiYSJ9.{claims}.{signature}"},
        {shop.provider: "no token"},
        shop.logins("eve", "AccessToken"),
        shop.logins("eve", client=stranger),
        {f"cognito-idp.us-east-1.amazonaws.com/{other_pool}": good},
        {"graph.facebook.com": good},
        {ISSUER: good},
    ]
    identity = shop.identity({shop.provider: good})
    for logins in wrong:
        if ISSUER not in logins:
            refused("NotAuthorizedException", shop.identity, logins)
        refused("NotAuthorizedException", shop.anyone.get_credentials_for_identity, IdentityId=identity, Logins=logins)


def test_an_identity_is_only_its_owners(shop: Shop) -> None:
    ann = shop.identity(shop.a_user("anna"))
    mallory = shop.a_user("mallory")
    mallorys = shop.identity(mallory)
    get = shop.anyone.get_credentials_for_identity
    refused("NotAuthorizedException", get, IdentityId=ann)
    refused("NotAuthorizedException", get, IdentityId=ann, Logins=mallory)
    refused(
        "ResourceConflictException", get, IdentityId=shop.identity(), Logins=mallory
    )  # a guest's cannot become hers
    refused("ResourceNotFoundException", get, IdentityId="us-east-1:00000000-0000-4000-8000-000000000000")
    refused("NotAuthorizedException", shop.anyone.unlink_identity, IdentityId=ann, Logins=mallory, LoginsToRemove=[])
    shop.anyone.unlink_identity(IdentityId=mallorys, Logins=mallory, LoginsToRemove=[shop.provider])
    assert shop.identity(mallory) != mallorys


def test_a_user_who_signed_out_gets_nothing_where_the_pool_asks(shop: Shop) -> None:
    shop.a_user("otto")
    tokens = shop.tokens("otto")
    logins = {shop.provider: tokens["IdToken"]}
    assert shop.role(logins) == "signed-in"
    shop.users.admin_user_global_sign_out(UserPoolId=shop.user_pool, Username="otto")
    refused("NotAuthorizedException", shop.identity, logins)
    again = shop.logins("otto")
    shop.users.admin_disable_user(UserPoolId=shop.user_pool, Username="otto")
    refused("NotAuthorizedException", shop.identity, again)


def test_a_role_that_trusts_another_pool_is_not_handed_out(shop: Shop) -> None:
    logins = shop.a_user("olga")
    other = shop.a_pool()
    for role in (shop.a_role("elsewhere", "authenticated", pool=other), shop.guest):
        shop.pools.set_identity_pool_roles(IdentityPoolId=shop.pool, Roles={"authenticated": role})
        refused("InvalidIdentityPoolConfigurationException", shop.credentials, logins)
    shop.pools.set_identity_pool_roles(IdentityPoolId=shop.pool, Roles={})
    refused("InvalidIdentityPoolConfigurationException", shop.credentials, logins)
    shop.roles()


def test_the_basic_flow_assumes_a_role_with_the_pools_token(shop: Shop) -> None:
    pool = shop.a_pool(AllowClassicFlow=True)
    role = shop.a_role("basic", "authenticated", pool=pool)
    logins = shop.a_user("basil")
    identity = shop.identity(logins, pool)
    token = shop.anyone.get_open_id_token(IdentityId=identity, Logins=logins)["Token"]
    assume = shop.sts.assume_role_with_web_identity
    told = assume(RoleArn=role, RoleSessionName="basil", WebIdentityToken=token)
    assert (told["Provider"], told["Audience"], told["SubjectFromWebIdentityToken"]) == (ISSUER, pool, identity)
    refused("AccessDenied", assume, RoleArn=shop.signed_in, RoleSessionName="basil", WebIdentityToken=token)
    short = shop.pools.get_open_id_token_for_developer_identity  # only to make a token that ends soon
    shop.pools.update_identity_pool(**{**_settings(shop, pool), "DeveloperProviderName": "login.shop"})
    mine = short(IdentityPoolId=pool, Logins={"login.shop": "basil"}, TokenDuration=60)
    renewed = shop.anyone.get_open_id_token(IdentityId=mine["IdentityId"], Logins={ISSUER: mine["Token"]})["Token"]
    assert _ends(renewed) <= _ends(mine["Token"])  # a stolen token does not renew itself for ever
    guest = shop.anyone.get_open_id_token(IdentityId=shop.identity(pool=pool))["Token"]
    refused("AccessDenied", assume, RoleArn=role, RoleSessionName="guest", WebIdentityToken=guest)
    words = refused("InvalidParameterException", shop.anyone.get_open_id_token, IdentityId=shop.identity())
    assert words == "Basic (classic) flow is not enabled, please use enhanced flow."


def _settings(shop: Shop, pool: str) -> dict[str, Any]:
    told = shop.pools.describe_identity_pool(IdentityPoolId=pool)
    return {name: value for name, value in told.items() if name not in ("ResponseMetadata", "IdentityPoolTags")}


def _ends(token: str) -> int:
    part = token.split(".")[1]
    return int(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["exp"])


def test_policies_know_the_identity_behind_a_session(shop: Shop) -> None:
    paul, petra = shop.a_user("paul"), shop.a_user("petra")
    statement = {
        "Effect": "Allow",
        "Action": "dynamodb:ListTables",
        "Resource": "*",
        "Condition": {
            "StringEquals": {f"{ISSUER}:sub": shop.identity(paul), f"{ISSUER}:aud": shop.pool},
            "ForAnyValue:StringEquals": {f"{ISSUER}:amr": "authenticated"},
        },
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    shop.iam.put_role_policy(RoleName=shop.signed_in.rpartition("/")[2], PolicyName="own", PolicyDocument=document)
    assert "TableNames" in shop.as_holder(shop.credentials(paul), "dynamodb").list_tables()
    refused("AccessDeniedException", shop.as_holder(shop.credentials(petra), "dynamodb").list_tables)


def test_claims_become_tags_of_the_session(shop: Shop) -> None:
    pool = shop.a_pool()
    tagging = shop.a_role("tagging", "authenticated", "sts:TagSession", pool=pool)
    plain = shop.a_role("plain", "authenticated", pool=pool)
    statement = {
        "Effect": "Allow",
        "Action": "dynamodb:ListTables",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:PrincipalTag/username": "tina"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    shop.iam.put_role_policy(RoleName=tagging.rpartition("/")[2], PolicyName="own", PolicyDocument=document)
    tags = {"username": "cognito:username"}
    told = shop.pools.set_principal_tag_attribute_map(
        IdentityPoolId=pool, IdentityProviderName=shop.provider, PrincipalTags=tags
    )
    assert told["PrincipalTags"] == tags
    for name, allowed in (("tina", True), ("tom", False)):
        logins = shop.a_user(name)
        shop.pools.set_identity_pool_roles(IdentityPoolId=pool, Roles={"authenticated": tagging})
        identity = shop.identity(logins, pool)
        get = shop.anyone.get_credentials_for_identity
        aws = shop.as_holder(get(IdentityId=identity, Logins=logins)["Credentials"], "dynamodb")
        if allowed:
            aws.list_tables()
        else:
            refused("AccessDeniedException", aws.list_tables)
        shop.pools.set_identity_pool_roles(IdentityPoolId=pool, Roles={"authenticated": plain})
        refused("InvalidIdentityPoolConfigurationException", get, IdentityId=identity, Logins=logins)
    told = shop.pools.set_principal_tag_attribute_map(
        IdentityPoolId=pool, IdentityProviderName=shop.provider, UseDefaults=True
    )
    assert told["PrincipalTags"] == {"client": "aud", "username": "sub"}


def test_developers_sign_their_own_users_in(shop: Shop) -> None:
    pool = shop.a_pool(DeveloperProviderName="login.shop")
    role = shop.a_role("developed", "authenticated", pool=pool)
    shop.pools.set_identity_pool_roles(IdentityPoolId=pool, Roles={"authenticated": role})
    get = shop.pools.get_open_id_token_for_developer_identity
    made = get(IdentityPoolId=pool, Logins={"login.shop": "u1"}, TokenDuration=60)
    assert get(IdentityPoolId=pool, Logins={"login.shop": "u1"})["IdentityId"] == made["IdentityId"]
    identity = made["IdentityId"]
    credentials = shop.anyone.get_credentials_for_identity(IdentityId=identity, Logins={ISSUER: made["Token"]})
    assert "developed" in shop.as_holder(credentials["Credentials"], "sts").get_caller_identity()["Arn"]
    other = get(IdentityPoolId=pool, Logins={"login.shop": "u2"})
    refused(
        "NotAuthorizedException",
        shop.anyone.get_credentials_for_identity,
        IdentityId=identity,
        Logins={ISSUER: other["Token"]},
    )
    refused(
        "DeveloperUserAlreadyRegisteredException",
        get,
        IdentityPoolId=pool,
        IdentityId=identity,
        Logins={"login.shop": "u2"},
    )
    names = {"DeveloperProviderName": "login.shop", "IdentityPoolId": pool}
    merged = shop.pools.merge_developer_identities(SourceUserIdentifier="u2", DestinationUserIdentifier="u1", **names)
    assert merged["IdentityId"] == identity
    found = shop.pools.lookup_developer_identity(IdentityPoolId=pool, IdentityId=identity)
    assert found["DeveloperUserIdentifierList"] == ["u1", "u2"]
    refused("ResourceNotFoundException", shop.pools.describe_identity, IdentityId=other["IdentityId"])
    shop.pools.unlink_developer_identity(IdentityId=identity, DeveloperUserIdentifier="u2", **names)
    refused(
        "ResourceNotFoundException",
        shop.pools.lookup_developer_identity,
        IdentityPoolId=pool,
        DeveloperUserIdentifier="u2",
    )


def test_pools_are_listed_changed_tagged_and_deleted(shop: Shop) -> None:
    pool = shop.a_pool(IdentityPoolTags={"team": "shop"})
    arn = f"arn:aws:cognito-identity:us-east-1:000000000000:identitypool/{pool}"
    shop.pools.tag_resource(ResourceArn=arn, Tags={"stage": "test"})
    shop.pools.untag_resource(ResourceArn=arn, TagKeys=["team"])
    assert shop.pools.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"stage": "test"}
    told = shop.pools.update_identity_pool(
        IdentityPoolId=pool, IdentityPoolName="renamed", AllowUnauthenticatedIdentities=False
    )
    assert told["IdentityPoolName"] == "renamed"
    assert "CognitoIdentityProviders" not in told
    found, more = [], {}
    while True:
        page = shop.pools.list_identity_pools(MaxResults=1, **more)
        found += [one["IdentityPoolId"] for one in page["IdentityPools"]]
        if "NextToken" not in page:
            break
        more = {"NextToken": page["NextToken"]}
    assert pool in found
    assert len(found) == len(set(found))
    shop.pools.delete_identity_pool(IdentityPoolId=pool)
    refused("ResourceNotFoundException", shop.pools.describe_identity_pool, IdentityPoolId=pool)


def test_identities_are_deleted(shop: Shop) -> None:
    logins = shop.a_user("dora")
    identity = shop.identity(logins)
    told = shop.pools.delete_identities(IdentityIdsToDelete=[identity])
    assert told["UnprocessedIdentityIds"] == []
    assert shop.identity(logins) != identity


def test_users_of_an_issuer_elsewhere_get_credentials_too(shop: Shop) -> None:
    with an_issuer() as issuer:
        key = SigningKey.generate("k1")
        issuer.documents["/keys"] = lambda: {"keys": [key.public_jwk()]}
        arn = shop.iam.create_open_id_connect_provider(Url=issuer.url, ClientIDList=["app"])["OpenIDConnectProviderArn"]
        pool = shop.a_pool(OpenIdConnectProviderARNs=[arn])
        role = shop.a_role("elsewhere", "authenticated", pool=pool)
        shop.pools.set_identity_pool_roles(IdentityPoolId=pool, Roles={"authenticated": role})
        name, now_s = issuer.url.partition("://")[2], int(time.time())
        good = {"iss": issuer.url, "aud": "app", "sub": "u-1", "iat": now_s, "exp": now_s + 600}
        logins = {name: key.sign(good)}
        identity = shop.identity(logins, pool)
        assert shop.identity({name: key.sign({**good, "iat": now_s - 1})}, pool) == identity
        told = shop.anyone.get_credentials_for_identity(IdentityId=identity, Logins=logins)
        arn = shop.as_holder(told["Credentials"], "sts").get_caller_identity()["Arn"]
        assert role.rpartition("/")[2] in arn
        other = SigningKey.generate("k1")
        for token in (
            key.sign({**good, "aud": "another"}),
            key.sign({**good, "exp": now_s - 1}),
            key.sign({**good, "iss": "https://another.example"}),
            other.sign(good),
            shop.logins("ann")[shop.provider],
        ):
            refused("NotAuthorizedException", shop.identity, {name: token}, pool)
        refused("NotAuthorizedException", shop.identity, logins)  # the first pool does not know the provider
        unheard = SigningKey.generate("k2")
        refused("NotAuthorizedException", shop.identity, {name: unheard.sign(good)}, pool)


def test_what_is_not_done_is_refused(shop: Shop) -> None:
    for settings in (
        {"SupportedLoginProviders": {"graph.facebook.com": "1"}},
        {"SamlProviderARNs": ["arn:aws:iam::000000000000:saml-provider/one"]},
        {"OpenIdConnectProviderARNs": ["arn:aws:iam::000000000000:oidc-provider/one.example"]},
        {"CognitoIdentityProviders": [{"ProviderName": "login.example.com", "ClientId": "a"}]},
        {"CognitoIdentityProviders": [{"ProviderName": shop.provider}]},
    ):
        refused("InvalidParameterException", shop.a_pool, **settings)
    token = {"Type": "Token"}
    rules = {"Type": "Rules", "AmbiguousRoleResolution": "Deny"}
    for mapping in (token, rules):
        refused("InvalidParameterException", shop.roles, mapping)


def test_an_api_knows_the_identity_behind_a_signature(shop: Shop) -> None:
    """AWS_IAM with an identity pool's credentials: in `$context`, and in what a policy may name."""
    aws = shop.platform.client("apigateway")
    api = aws.create_rest_api(name="whoami", endpointConfiguration={"types": ["REGIONAL"]})["id"]
    root = aws.get_resources(restApiId=api)["items"][0]["id"]
    method = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
    aws.put_method(**method, authorizationType="AWS_IAM")
    aws.put_integration(**method, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    aws.put_method_response(**method, statusCode="200")
    names = ("cognitoIdentityId", "cognitoIdentityPoolId", "cognitoAuthenticationType", "cognitoAuthenticationProvider")
    template = json.dumps({name: f"$context.identity.{name}" for name in names})
    aws.put_integration_response(**method, statusCode="200", responseTemplates={"application/json": template})
    aws.create_deployment(restApiId=api, stageName="prod")
    logins = shop.a_user("api-caller")
    sub = shop.users.admin_get_user(UserPoolId=shop.user_pool, Username="api-caller")["UserAttributes"][0]["Value"]
    own = {"StringEquals": {f"{ISSUER}:sub": shop.identity(logins)}}
    statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "*", "Condition": own}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    shop.iam.put_role_policy(RoleName=shop.signed_in.rpartition("/")[2], PolicyName="api", PolicyDocument=document)

    def asked(logins: dict[str, str]) -> Any:
        held = shop.credentials(logins)
        url = shop.platform.stage_url(api, "prod") + "/"
        request = AWSRequest("GET", url)
        keys = Credentials(held["AccessKeyId"], held["SecretKey"], held["SessionToken"])
        SigV4Auth(keys, "execute-api", "us-east-1").add_auth(request)
        return ask("GET", url, headers=dict(request.headers))

    told = asked(logins)
    assert (told.status, told.json()) == (
        200,
        {
            "cognitoIdentityId": shop.identity(logins),
            "cognitoIdentityPoolId": shop.pool,
            "cognitoAuthenticationType": "authenticated",
            "cognitoAuthenticationProvider": f"{shop.provider},{shop.provider}:CognitoSignIn:{sub}",
        },
    )
    assert asked(shop.a_user("another-caller")).status == 403
