"""Users of another OpenID Connect provider: a second user pool, which is asked over the wire's own requests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from gatepost.services.cognito_idp.hosted.federation import AWAY_MS, mapped
from gatepost.services.cognito_idp.link_operations import LINKS_MAX
from gatepost.wire.messages import HeaderBlock, Request
from gatepost.wire.outgoing import ConnectFailed, IncomingResponse, OutgoingRequest
from tests.support.hosted_pages import CALLBACK, Browser, Shown, a_hosted_shop, an_app, queried
from tests.support.user_pools import ISSUER, PASSWORD, Aws, Run, attributes_of, claims_of

BACK = "http://127.0.0.1:4566/_aws/auth/shop/oauth2/idpresponse"


class Wire:
    """Answers requests to the provider as the platform does, and can change what is answered."""

    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.asked: list[str] = []
        self.changes: dict[str, Any] = {}
        self.is_down = False

    async def send(self, request: OutgoingRequest) -> IncomingResponse:
        path = request.target.partition("?")[0]
        self.asked.append(path)
        if self.is_down:
            raise ConnectFailed("nobody listens")
        answer = IncomingResponse(200, HeaderBlock(b"\r\n\r\n", b"\r\n\r\n", ""))
        document = self.aws.provider.discovery.document(path)
        if document is not None:
            answer.body = json.dumps(document).encode()
        else:
            headers = [(b"host", b"localhost:4566"), *request.headers]
            incoming = Request(request.method, request.target, headers, request.body)
            response = await self.aws.provider.pages.answer(incoming, "r")
            answer.status, answer.body = response.status, response.body
        for end, change in self.changes.items():
            if path.endswith(end):
                answer.body = json.dumps({**json.loads(answer.body), **change}).encode()
        return answer


class Two:
    """A shop whose users come from a company's pool, which is the provider `Corp`."""

    def __init__(self, aws: Aws, browser: Browser, corp: Browser, wire: Wire) -> None:
        self.aws, self.browser, self.corp, self.wire = aws, browser, corp, wire
        self.shop = self.company = ""

    async def to_provider(self, **changes: str | None) -> Shown:
        return await self.browser.asks(identity_provider="Corp", **changes)

    async def through(self, name: str = "ann") -> Shown:
        """Go to the provider, sign in there, come back; gives the shop's answer."""
        sent = await self.to_provider()
        return await self.browser.send("GET", await self.at_provider(sent, name))

    async def at_provider(self, sent: Shown, name: str = "ann") -> str:
        page = await self.corp.get("/login", queried(sent.location))
        shown = await self.corp.submit(page, username=name, password=PASSWORD)
        assert shown.location.startswith(BACK), shown.text
        parts = urlsplit(shown.location)
        return f"{parts.path}?{parts.query}"


async def two_pools(aws: Aws, mapping: Mapping[str, str] | None = None, **details: str) -> Two:
    company = await aws.a_pool(PoolName="company")
    await aws("CreateUserPoolDomain", UserPoolId=company, Domain="corp")
    partner = await an_app(
        aws,
        ClientName="partner",
        GenerateSecret=True,
        CallbackURLs=[BACK],
        LogoutURLs=[],
        AllowedOAuthFlows=["code"],
    )
    await aws.a_user(email="ann@corp.example", email_verified="true")
    browser = await a_hosted_shop(aws)
    await aws(
        "CreateIdentityProvider",
        UserPoolId=aws.pool_id,
        ProviderName="Corp",
        ProviderType="OIDC",
        IdpIdentifiers=["corp.example"],
        ProviderDetails={
            "client_id": partner["ClientId"],
            "client_secret": partner["ClientSecret"],
            "attributes_request_method": "GET",
            "oidc_issuer": f"{ISSUER}/{company}",
            "authorize_scopes": "openid email",
            **details,
        },
        AttributeMapping={"email": "email", **(mapping or {})},
    )
    await an_app(aws, ClientName="federated", SupportedIdentityProviders=["COGNITO", "Corp"])
    wire = Wire(aws)
    aws.provider.pages.federation.requests.send = wire.send
    two = Two(aws, browser, Browser(aws, base="/_aws/auth/corp"), wire)
    two.shop, two.company = aws.pool_id, company
    return two


def test_a_user_of_a_second_pool_signs_in_to_the_first(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        two = await two_pools(aws)
        page = await two.browser.follow(await two.browser.asks())
        assert "Continue with Corp" in page.text
        shown = await two.through()
        assert shown.location.startswith(f"{CALLBACK}?code=")
        assert shown.told["state"] == "state-1"
        claims = claims_of((await two.browser.redeem(shown.told["code"])).json["id_token"])
        name = claims["cognito:username"]
        assert name.startswith("Corp_")
        assert claims["email"] == "ann@corp.example"
        identity = claims["identities"][0]
        assert (identity["providerName"], identity["providerType"], identity["primary"]) == ("Corp", "OIDC", "true")
        assert name == f"Corp_{identity['userId']}"
        user = await aws("AdminGetUser", UserPoolId=two.shop, Username=name)
        assert user["UserStatus"] == "EXTERNAL_PROVIDER"
        assert (await two.to_provider()).location.startswith(CALLBACK)  # the browser is signed in

    pools(scenario)


def test_attributes_are_those_of_the_last_sign_in(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        two = await two_pools(aws)
        shown = await two.through()
        name = claims_of((await two.browser.redeem(shown.told["code"])).json["id_token"])["cognito:username"]
        changed = [{"Name": "email", "Value": "ann@new.example"}]
        await aws("AdminUpdateUserAttributes", UserPoolId=two.company, Username="ann", UserAttributes=changed)
        two.browser.cookies.pop("cognito")
        assert "code" in (await two.through()).told
        user = await aws("AdminGetUser", UserPoolId=two.shop, Username=name)
        assert attributes_of(user)["email"] == "ann@new.example"
        await aws("AdminDisableUser", UserPoolId=two.shop, Username=name)
        two.browser.cookies.pop("cognito")
        assert (await two.through()).told["error"] == "invalid_request"

    pools(scenario)


def test_a_local_user_with_the_name_of_somebody_at_the_provider_is_not_taken_over(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        two = await two_pools(aws)
        sub = attributes_of(await aws("AdminGetUser", UserPoolId=two.company, Username="ann"))["sub"]
        await aws.a_user(f"Corp_{sub}")
        shown = await two.through()
        assert (shown.told["error"], "code" in shown.told) == ("invalid_request", False)

    pools(scenario)


def test_a_linked_user_signs_in_as_before_and_until_the_link_ends(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        two = await two_pools(aws)
        await aws.a_user("local")
        sub = attributes_of(await aws("AdminGetUser", UserPoolId=two.company, Username="ann"))["sub"]
        source = {"ProviderName": "Corp", "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": sub}
        own = {"ProviderName": "Cognito", "ProviderAttributeValue": "local"}
        link = {"UserPoolId": two.shop, "DestinationUser": own, "SourceUser": source}
        await aws("AdminLinkProviderForUser", **link)
        await aws.fails("AliasExistsException", "AdminLinkProviderForUser", **link)
        code = (await two.through()).told["code"]
        claims = claims_of((await two.browser.redeem(code)).json["id_token"])
        assert (claims["cognito:username"], claims["identities"][0]["userId"]) == ("local", sub)
        assert (await aws("AdminGetUser", UserPoolId=two.shop, Username="local"))["UserStatus"] == "CONFIRMED"
        await aws("AdminDisableProviderForUser", UserPoolId=two.shop, User=source)
        two.browser.cookies.pop("cognito")
        code = (await two.through()).told["code"]
        own_name = claims_of((await two.browser.redeem(code)).json["id_token"])["cognito:username"]
        assert own_name == f"Corp_{sub}"
        await aws.fails("AliasExistsException", "AdminLinkProviderForUser", **link)
        await aws("AdminDisableProviderForUser", UserPoolId=two.shop, User=source)
        two.browser.cookies.pop("cognito")
        assert (await two.through()).told["error"] == "invalid_request"

    pools(scenario)


@pytest.mark.parametrize(
    ("source", "destination", "code"),
    [
        ({"ProviderName": "Nobody"}, {}, "InvalidParameterException"),
        ({"ProviderAttributeName": "email"}, {}, "InvalidParameterException"),
        ({"ProviderAttributeValue": "x" * 256}, {}, "InvalidParameterException"),
        ({"ProviderAttributeValue": "a\x1fb"}, {}, "InvalidParameterException"),
        ({}, {"ProviderName": "Corp"}, "InvalidParameterException"),
        ({}, {"ProviderAttributeValue": "nobody"}, "UserNotFoundException"),
    ],
)
def test_links_are_from_a_subject_to_a_user_of_the_pool(
    pools: Run, source: dict[str, str], destination: dict[str, str], code: str
) -> None:
    async def scenario(aws: Aws) -> None:
        two = await two_pools(aws)
        await aws.a_user("local")
        given = {"ProviderName": "Corp", "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": "1"}
        own = {"ProviderName": "Cognito", "ProviderAttributeValue": "local"}
        params = {
            "UserPoolId": two.shop,
            "DestinationUser": {**own, **destination},
            "SourceUser": {**given, **source},
        }
        await aws.fails(code, "AdminLinkProviderForUser", **params)
        user = {"UserPoolId": two.shop, "User": {**given, **source}}
        if not destination:
            await aws.fails("InvalidParameterException", "AdminDisableProviderForUser", **user)
        else:
            await aws.fails("UserNotFoundException", "AdminDisableProviderForUser", **user)
        await aws.fails("InvalidParameterException", "AdminDisableProviderForUser", UserPoolId=two.shop, User=own)

    pools(scenario)


def test_a_user_has_at_most_five_links_and_one_to_each_provider(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        await aws.a_user("local")
        details = {
            "client_id": "x",
            "attributes_request_method": "GET",
            "oidc_issuer": "https://corp.example",
            "authorize_scopes": "openid",
        }
        own = {"ProviderName": "Cognito", "ProviderAttributeValue": "local"}

        def link(name: str, subject: str) -> dict[str, Any]:
            source = {"ProviderName": name, "ProviderAttributeName": "Cognito_Subject"}
            source["ProviderAttributeValue"] = subject
            return {"UserPoolId": aws.pool_id, "DestinationUser": own, "SourceUser": source}

        for number in range(LINKS_MAX + 1):
            provider = {"ProviderName": f"Corp{number}", "ProviderType": "OIDC", "ProviderDetails": details}
            await aws("CreateIdentityProvider", UserPoolId=aws.pool_id, AttributeMapping={}, **provider)
            if number < LINKS_MAX:
                await aws("AdminLinkProviderForUser", **link(f"Corp{number}", "1"))
        await aws.fails("InvalidParameterException", "AdminLinkProviderForUser", **link("Corp0", "2"))
        await aws.fails("LimitExceededException", "AdminLinkProviderForUser", **link(f"Corp{LINKS_MAX}", "1"))

    pools(scenario)


def test_only_the_browser_that_was_sent_comes_back_and_once(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        two = await two_pools(aws)
        back = await two.at_provider(await two.to_provider())
        thief = Browser(aws)
        refused = await thief.send("GET", back)
        assert refused.location.startswith("/_aws/auth/shop/error?error=invalid_request")
        assert "code" in (await two.browser.send("GET", back)).told
        assert "error" in (await two.browser.send("GET", back)).location
        forged = await two.browser.get("/oauth2/idpresponse", {"code": "x", "state": "y"})
        assert forged.location.startswith("/_aws/auth/shop/error?")

    pools(scenario)


@pytest.mark.parametrize(("waited_ms", "is_good"), [(AWAY_MS - 1, True), (AWAY_MS, False)])
def test_who_is_away_for_too_long_begins_again(pools: Run, waited_ms: int, is_good: bool) -> None:
    async def scenario(aws: Aws) -> None:
        two = await two_pools(aws)
        sent = await two.to_provider()
        aws.clock.advance(ms=waited_ms)
        shown = await two.browser.send("GET", await two.at_provider(sent))
        assert ("code" in shown.told) is is_good

    pools(scenario)


@pytest.mark.parametrize(
    ("end", "change"),
    [
        ("/oauth2/token", {"id_token": "a.b.c"}),
        ("/oauth2/token", {"id_token": None}),
        ("/jwks.json", {"keys": []}),
        ("/oauth2/userInfo", {"sub": "somebody-else"}),
    ],
)
def test_what_a_provider_cannot_prove_is_not_believed(pools: Run, end: str, change: dict[str, Any]) -> None:
    async def scenario(aws: Aws) -> None:
        two = await two_pools(aws)
        two.wire.changes[end] = change
        shown = await two.through()
        assert (shown.told["error"], "code" in shown.told) == ("invalid_request", False)

    pools(scenario)


def test_a_token_that_was_made_for_another_sign_in_is_refused(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        two = await two_pools(aws)
        sent = await two.to_provider()
        asked = {**queried(sent.location), "nonce": "another"}
        page = await two.corp.get("/login", asked)
        shown = await two.corp.submit(page, username="ann", password=PASSWORD)
        parts = urlsplit(shown.location)
        back = await two.browser.send("GET", f"{parts.path}?{parts.query}")
        assert back.told["error"] == "invalid_request"

    pools(scenario)


def test_a_provider_that_is_down_or_lies_about_its_name_is_told_to_the_app(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        two = await two_pools(aws)
        two.wire.changes["/openid-configuration"] = {"issuer": "https://evil.example"}
        assert (await two.to_provider()).told["error"] == "server_error"
        two.wire.changes["/openid-configuration"] = {"token_endpoint": "http://evil.example/token"}
        assert (await two.to_provider()).told["error"] == "server_error"
        two.wire.is_down = True
        assert (await two.to_provider()).told["error"] == "server_error"

    pools(scenario)


def test_somebody_who_says_no_at_the_provider_is_told_to_the_app(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        two = await two_pools(aws)
        state = queried((await two.to_provider()).location)["state"]
        shown = await two.browser.get("/oauth2/idpresponse", {"error": "access_denied", "state": state})
        assert (shown.told["error"], shown.told["state"]) == ("access_denied", "state-1")

    pools(scenario)


def test_a_provider_is_found_by_its_identifier_and_only_for_clients_that_have_it(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        two = await two_pools(aws)
        sent = await two.browser.asks(idp_identifier="corp.example")
        assert "/_aws/auth/corp/oauth2/authorize" in sent.location
        await an_app(aws, ClientName="own users only")
        assert (await two.to_provider()).told["error"] == "invalid_request"
        await an_app(aws, ClientName="corp only", SupportedIdentityProviders=["Corp"])
        page = await two.browser.get("/login", two.browser.request())
        assert "Continue with Corp" in page.text
        assert page.action == ""

    pools(scenario)


def test_the_triggers_hear_of_federated_users(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        two = await two_pools(aws)
        config = {name: aws.functions.arn(name) for name in ("PreSignUp", "PostConfirmation", "PostAuthentication")}
        await aws("UpdateUserPool", UserPoolId=two.shop, LambdaConfig=config)
        await two.through()
        two.browser.cookies.pop("cognito")
        await two.through()
        assert aws.functions.sources() == [
            "PreSignUp_ExternalProvider",
            "PostConfirmation_ConfirmSignUp",
            "PostAuthentication_Authentication",
        ]

    functions = {name: lambda event: event for name in ("PreSignUp", "PostConfirmation", "PostAuthentication")}
    pools(scenario, functions=functions)


def test_claims_become_texts_and_the_name_is_never_mapped() -> None:
    claims = {"sub": "1", "email": "a@b.c", "email_verified": True, "groups": ["x"], "none": None}
    mapping = {
        "username": "email",
        "email": "email",
        "email_verified": "email_verified",
        "custom:groups": "groups",
        "name": "none",
        "nickname": "missing",
    }
    assert mapped(mapping, claims) == {"email": "a@b.c", "email_verified": "true", "custom:groups": '["x"]'}
