"""AssumeRoleWithWebIdentity by tokens of real keys: whom it lets in, and each thing that keeps out."""

from __future__ import annotations

import asyncio
import base64
import json
from functools import cache

import pytest

from gatepost.awsapi.dispatch import Dispatcher
from gatepost.kernel.errors import ServiceUnavailable
from gatepost.kernel.operations import Principal
from gatepost.security.jwt import SigningKey
from gatepost.services.iam.oidc_providers import CLIENTS_MAX
from gatepost.services.iam.provider import IamProvider
from gatepost.services.sts.provider import StsProvider
from gatepost.services.sts.web_identity import WebIdentities
from tests.support.identities import IdentityWorld
from tests.support.policies import ACCOUNT, a_statement
from tests.support.stores import some_records

ISSUER = "http://localhost:4566/us-east-1_Shop"
OTHER = "http://localhost:4566/us-east-1_Other"
NAME = ISSUER.partition("://")[2]
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{NAME}"
POOLS = "https://cognito-identity.amazonaws.com"
NOBODY = Principal("anonymous", ACCOUNT, "", "anonymous")


@cache
def a_key(issuer):
    return SigningKey.generate(f"key of {issuer}")


class Issuers:
    def keys(self, url):
        return {"issuer": url, "keys": [a_key(url).public_jwk()]} if url in (ISSUER, OTHER, POOLS) else None


class WebWorld(IdentityWorld):
    def __post_init__(self):
        super().__post_init__()
        self.iam = IamProvider(self.records, self.directory, self.heard, self.seal, self.clock, Issuers())
        self.sts = StsProvider(self.directory, self.sessions, WebIdentities(self.directory, Issuers(), self.clock))
        self.dispatcher = Dispatcher(
            (self.iam, self.sts),
            authorization=self.authorizer,
            clock=self.clock,
            account_id=ACCOUNT,
            region="us-east-1",
        )

    async def trusted(self, **condition):
        """A provider, and a role that trusts it; give the role's ARN."""
        await self.do("CreateOpenIDConnectProvider", Url=ISSUER, ClientIDList=["client-1"], ThumbprintList=[])
        statement = {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": PROVIDER}}
        if condition:
            statement["Condition"] = condition
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        role = await self.do("CreateRole", RoleName="web", AssumeRolePolicyDocument=document)
        await self.allow_role("web", a_statement(action="s3:*"))
        return role["Role"]["Arn"]

    def token(self, issuer=ISSUER, key=None, **changes):
        now_s = self.clock.now_ms() // 1000
        claims = {"iss": issuer, "aud": "client-1", "sub": "s-1", "iat": now_s, "exp": now_s + 3600} | changes
        return a_key(key or issuer).sign({name: value for name, value in claims.items() if value is not None})

    async def assume(self, role, token, **params):
        params = {"RoleArn": role, "RoleSessionName": "web", "WebIdentityToken": token} | params
        return await self.do("AssumeRoleWithWebIdentity", NOBODY, service="sts", **params)

    async def no(self, code, role, token, **params):
        params = {"RoleArn": role, "RoleSessionName": "web", "WebIdentityToken": token} | params
        return await self.refused(code, "AssumeRoleWithWebIdentity", NOBODY, service="sts", **params)


def with_world(tmp_path, scenario):
    async def whole():
        async with some_records(tmp_path) as records:
            world = WebWorld(records)
            await world.iam.load()
            await scenario(world)

    asyncio.run(whole())


def test_a_token_of_a_trusted_pool_gives_credentials_of_the_role(tmp_path):
    async def scenario(world):
        role = await world.trusted(StringEquals={f"{NAME}:aud": "client-1", f"{NAME}:sub": "s-1"})
        answer = await world.assume(role, world.token())
        assert answer["SubjectFromWebIdentityToken"] == "s-1"
        assert (answer["Provider"], answer["Audience"]) == (PROVIDER, "client-1")
        session = world.session_principal(answer["Credentials"])
        assert session.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/web/web"
        assert world.may(session, "s3:GetObject", "arn:aws:s3:::b/k")
        assert not world.may(session, "sqs:SendMessage")

    with_world(tmp_path, scenario)


def test_an_access_token_is_for_servers_and_gives_no_role(tmp_path):
    async def scenario(world):
        role = await world.trusted()
        token = world.token(aud=None, client_id="client-1", token_use="access")
        await world.no("InvalidIdentityToken", role, token)

    with_world(tmp_path, scenario)


def unsigned(world):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return (
        f"{part({'alg': 'none', 'kid': a_key(ISSUER).kid})}.{part({'iss': ISSUER, 'aud': 'client-1', 'sub': 's-1'})}."
    )


@pytest.mark.parametrize(
    ("token", "code"),
    [
        (lambda world: "nonsense", "InvalidIdentityToken"),
        (unsigned, "InvalidIdentityToken"),
        (lambda world: world.token(OTHER), "InvalidIdentityToken"),  # not a provider of the account
        (lambda world: world.token("https://evil.example"), "InvalidIdentityToken"),
        (lambda world: world.token(key=OTHER), "InvalidIdentityToken"),  # another's signature
        (lambda world: world.token(aud="client-2"), "InvalidIdentityToken"),
        (lambda world: world.token(aud=["client-1", "client-2"]), "InvalidIdentityToken"),
        (lambda world: world.token(aud=None), "InvalidIdentityToken"),
        (lambda world: world.token(sub=None), "InvalidIdentityToken"),
        (lambda world: world.token(exp=world.clock.now_ms() // 1000), "ExpiredTokenException"),
        (lambda world: world.token(nbf=world.clock.now_ms() // 1000 + 9), "InvalidIdentityToken"),
    ],
)
def test_a_token_that_proves_nothing_gives_nothing(tmp_path, token, code):
    async def scenario(world):
        await world.no(code, await world.trusted(), token(world))

    with_world(tmp_path, scenario)


def test_the_trust_policy_decides_about_the_provider_and_the_claims(tmp_path):
    async def scenario(world):
        role = await world.trusted(StringEquals={f"{NAME}:sub": "s-1"})
        await world.no("AccessDeniedException", role, world.token(sub="s-2"))
        for trusts in ({"AWS": "*"}, {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, {"Federated": f"{PROVIDER}x"}):
            statement = {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": trusts}
            document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            await world.do("UpdateAssumeRolePolicy", RoleName="web", PolicyDocument=document)
            await world.no("AccessDeniedException", role, world.token())
        await world.no("AccessDeniedException", f"{role}-none", world.token())

    with_world(tmp_path, scenario)


def test_a_session_policy_narrows_and_durations_are_bounded(tmp_path):
    async def scenario(world):
        role = await world.trusted()
        policy = json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
        )
        session = world.session_principal((await world.assume(role, world.token(), Policy=policy))["Credentials"])
        assert world.may(session, "s3:GetObject", "arn:aws:s3:::b/k")
        assert not world.may(session, "s3:PutObject", "arn:aws:s3:::b/k")
        await world.no("ValidationError", role, world.token(), DurationSeconds=7200)
        await world.no("ValidationError", role, world.token(), ProviderId="www.amazon.com")

    with_world(tmp_path, scenario)


def test_providers_are_kept_changed_and_deleted(tmp_path):
    async def scenario(world):
        role = await world.trusted()
        on = {"OpenIDConnectProviderArn": PROVIDER}
        await world.do("AddClientIDToOpenIDConnectProvider", ClientID="client-2", **on)
        await world.assume(role, world.token(aud="client-2"))
        await world.do("RemoveClientIDFromOpenIDConnectProvider", ClientID="client-1", **on)
        await world.no("InvalidIdentityToken", role, world.token())
        await world.do("UpdateOpenIDConnectProviderThumbprint", ThumbprintList=["a" * 40], **on)
        await world.do("TagOpenIDConnectProvider", Tags=[{"Key": "team", "Value": "shop"}], **on)
        told = await world.do("GetOpenIDConnectProvider", **on)
        assert (told["Url"], told["ClientIDList"], told["ThumbprintList"]) == (NAME, ["client-2"], ["a" * 40])
        assert (await world.do("ListOpenIDConnectProviderTags", **on))["Tags"] == [{"Key": "team", "Value": "shop"}]
        await world.do("UntagOpenIDConnectProvider", TagKeys=["team"], **on)
        listed = await world.do("ListOpenIDConnectProviders")
        assert listed["OpenIDConnectProviderList"] == [{"Arn": PROVIDER}]
        await world.refused("EntityAlreadyExists", "CreateOpenIDConnectProvider", Url=ISSUER)
        for _ in range(2):
            await world.do("DeleteOpenIDConnectProvider", **on)
        await world.refused("NoSuchEntity", "GetOpenIDConnectProvider", **on)
        await world.no("InvalidIdentityToken", role, world.token(aud="client-2"))

    with_world(tmp_path, scenario)


def test_a_provider_has_a_bound_of_clients(tmp_path):
    async def scenario(world):
        clients = [f"c{number}" for number in range(CLIENTS_MAX + 1)]
        await world.refused("LimitExceeded", "CreateOpenIDConnectProvider", Url=ISSUER, ClientIDList=clients)
        await world.do("CreateOpenIDConnectProvider", Url=ISSUER, ClientIDList=clients[1:])
        one_more = {"OpenIDConnectProviderArn": PROVIDER, "ClientID": "one-more"}
        await world.refused("LimitExceeded", "AddClientIDToOpenIDConnectProvider", **one_more)

    with_world(tmp_path, scenario)


async def a_pools_role(world, *actions):
    condition = {
        "StringEquals": {"cognito-identity.amazonaws.com:aud": "us-east-1:pool"},
        "ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": "authenticated"},
    }
    principal = {"Federated": "cognito-identity.amazonaws.com"}
    statement = {"Effect": "Allow", "Action": list(actions), "Principal": principal, "Condition": condition}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return (await world.do("CreateRole", RoleName="pool", AssumeRolePolicyDocument=document))["Role"]["Arn"]


def test_identity_pools_tokens_need_no_provider_and_the_trust_policy_names_the_pool(tmp_path):
    async def scenario(world):
        role = await a_pools_role(world, "sts:AssumeRoleWithWebIdentity")
        good = {"aud": "us-east-1:pool", "sub": "us-east-1:id", "amr": ["authenticated"]}
        answer = await world.assume(role, world.token(POOLS, **good))
        assert answer["Provider"] == "cognito-identity.amazonaws.com"
        for change in ({"aud": "us-east-1:other"}, {"amr": ["unauthenticated"]}, {"amr": None}):
            await world.no("AccessDeniedException", role, world.token(POOLS, **(good | change)))
        await world.no("InvalidIdentityToken", role, world.token(POOLS, key=OTHER, **good))
        tagged = good | {"https://aws.amazon.com/tags": {"principal_tags": {"team": ["shop"]}}}
        await world.no("AccessDeniedException", role, world.token(POOLS, **tagged))  # nobody allows sts:TagSession

    with_world(tmp_path, scenario)


def test_tags_in_a_token_are_the_sessions(tmp_path):
    async def scenario(world):
        role = await a_pools_role(world, "sts:AssumeRoleWithWebIdentity", "sts:TagSession")
        good = {"aud": "us-east-1:pool", "sub": "us-east-1:id", "amr": ["authenticated"]}

        def tagged(told):
            return world.token(POOLS, **good, **{"https://aws.amazon.com/tags": told})

        answer = await world.assume(role, tagged({"principal_tags": {"team": ["shop"]}}))
        assert dict(world.session_principal(answer["Credentials"]).tags) == {"team": "shop"}
        for wrong in (
            [],
            {"principal_tags": []},
            {"principal_tags": {"team": "shop"}},
            {"principal_tags": {"team": ["a", "b"]}},
            {"principal_tags": {"team": ["a"], "TEAM": ["b"]}},
            {"principal_tags": {}, "transitive_tag_keys": ["team"]},
            {"principal_tags": {f"k{number}": [""] for number in range(51)}},
        ):
            await world.no("InvalidIdentityToken", role, tagged(wrong))

    with_world(tmp_path, scenario)


BUILDS = "https://token.builds.example"


class Elsewhere:
    """An issuer elsewhere; `is_away` while it cannot be reached."""

    is_away = False

    async def keys(self, issuer, kid):
        if self.is_away or issuer != BUILDS:
            raise ServiceUnavailable(f"{issuer} does not answer")
        assert kid
        return {"keys": [a_key(BUILDS).public_jwk()]}


async def a_builders_role(world):
    await world.do("CreateOpenIDConnectProvider", Url=BUILDS, ClientIDList=["sts.amazonaws.com"])
    name = BUILDS.partition("://")[2]
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{name}"},
        "Condition": {
            "StringLike": {f"{name}:sub": "repo:shop/*"},
            "StringEquals": {f"{name}:aud": "sts.amazonaws.com"},
        },
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return (await world.do("CreateRole", RoleName="builds", AssumeRolePolicyDocument=document))["Role"]["Arn"]


def test_tokens_of_issuers_elsewhere_are_taken_by_the_keys_that_these_publish(tmp_path):
    async def scenario(world):
        world.sts._web_identities._elsewhere = elsewhere = Elsewhere()
        role = await a_builders_role(world)
        good = {"issuer": BUILDS, "aud": "sts.amazonaws.com", "sub": "repo:shop/cart:ref:main"}
        told = await world.assume(role, world.token(**good))
        assert (told["Audience"], told["Provider"]) == (
            "sts.amazonaws.com",
            f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.builds.example",
        )
        several = {**good, "aud": ["sts.amazonaws.com", "other"], "azp": "sts.amazonaws.com"}
        assert (await world.assume(role, world.token(**several)))["Audience"] == "sts.amazonaws.com"
        await world.no("AccessDeniedException", role, world.token(**{**good, "sub": "repo:other/cart"}))
        for wrong in (
            {"aud": "another"},
            {"aud": ["sts.amazonaws.com", "other"]},
            {"aud": ["another", "other"], "azp": "other"},
            {"key": OTHER},
            {"issuer": "https://token.other.example"},
        ):
            await world.no("InvalidIdentityToken", role, world.token(**{**good, **wrong}))
        await world.no("ExpiredTokenException", role, world.token(**good, exp=1))
        elsewhere.is_away = True
        await world.no("IDPCommunicationError", role, world.token(**good))
        world.sts._web_identities._elsewhere = None
        await world.no("InvalidIdentityToken", role, world.token(**good))

    with_world(tmp_path, scenario)


@pytest.mark.parametrize(
    "url",
    [
        "http://token.builds.example",
        "https://token.builds.example:8443",
        "https://token.builds.example?a=1",
        "https://someone@token.builds.example",
        "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Nobodys",
        "https://",
    ],
)
def test_a_url_that_is_no_issuers_is_refused(tmp_path, url):
    async def scenario(world):
        await world.refused("InvalidInput", "CreateOpenIDConnectProvider", Url=url)

    with_world(tmp_path, scenario)
