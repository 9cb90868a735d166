"""Tokens for codes, refresh tokens and clients' own credentials: to whom, how often, and what is refused."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from gatepost.services.cognito_idp.hosted.authorization_codes import CODE_MS
from gatepost.services.cognito_idp.hosted.token_endpoint import WRONG_PROOFS_PER_MINUTE_MAX
from tests.support.hosted_pages import CALLBACK, CHALLENGE, VERIFIER, Browser, a_hosted_shop, an_app
from tests.support.user_pools import Aws, Run, claims_of


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


async def a_code(aws: Aws, browser: Browser, **changes: str | None) -> str:
    await aws.a_user()
    code: str = (await browser.signs_in(**changes)).told["code"]
    return code


def test_a_code_is_good_once_and_when_it_comes_again_its_tokens_are_revoked(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        code = await a_code(aws, browser)
        tokens = (await browser.redeem(code)).json
        assert (await browser.redeem(code)).json == {"error": "invalid_grant"}
        refreshed = await browser.post(
            "/oauth2/token",
            {
                "grant_type": "refresh_token",
                "client_id": aws.client_id,
                "refresh_token": tokens["refresh_token"],
            },
        )
        assert refreshed.json == {"error": "invalid_grant"}
        info = await browser.get("/oauth2/userInfo", authorization=f"Bearer {tokens['access_token']}")
        assert (info.status, info.json["error"]) == (401, "invalid_token")
        key = ("revocations", f"{claims_of(tokens['access_token'])['iss']}")
        assert any(topic == key[0] for topic, _ in aws.changes.held)

    pools(scenario)


def test_of_two_at_once_with_one_code_nobody_keeps_tokens(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        code = await a_code(aws, browser)
        answers = await asyncio.gather(*(browser.redeem(code) for _ in range(4)))
        good = [one.json for one in answers if one.status == 200]
        assert len(good) <= 1
        for tokens in good:
            info = await browser.get("/oauth2/userInfo", authorization=f"Bearer {tokens['access_token']}")
            assert info.status == 401

    pools(scenario)


@pytest.mark.parametrize(("waited_ms", "status"), [(CODE_MS - 1, 200), (CODE_MS, 400)])
def test_a_code_is_good_for_five_minutes(pools: Run, waited_ms: int, status: int) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        code = await a_code(aws, browser)
        aws.clock.advance(ms=waited_ms)
        assert (await browser.redeem(code)).status == status

    pools(scenario)


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "https://shop.example/other"},
        {"redirect_uri": None},
        {"code_verifier": None},
        {"code_verifier": "w" * 43},
        {"code_verifier": CHALLENGE},
        {"code_verifier": VERIFIER + "="},
        {"code": "guessed"},
    ],
)
def test_a_code_is_bound_to_redirect_uri_and_verifier(pools: Run, changes: dict[str, str | None]) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        code = await a_code(aws, browser, code_challenge=CHALLENGE, code_challenge_method="S256")
        given: dict[str, str | None] = {"code": code, "code_verifier": VERIFIER, **changes}
        assert (await browser.redeem(**given)).json == {"error": "invalid_grant"}  # type: ignore[arg-type]

    pools(scenario)


def test_a_verifier_for_a_code_without_challenge_is_a_downgrade(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        code = await a_code(aws, browser)
        assert (await browser.redeem(code, code_verifier=VERIFIER)).json == {"error": "invalid_grant"}

    pools(scenario)


def test_a_code_is_worth_nothing_to_another_client_and_nothing_afterwards(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        code, owner = await a_code(aws, browser), aws.client_id
        other = await an_app(aws, ClientName="other")
        assert (await browser.redeem(code, client_id=other["ClientId"])).json == {"error": "invalid_grant"}
        assert (await browser.redeem(code, client_id=owner)).json == {"error": "invalid_grant"}

    pools(scenario)


def test_a_client_with_a_secret_shows_it_in_one_of_two_ways(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        await aws.a_user()
        client = await an_app(aws, ClientName="server", GenerateSecret=True)
        client_id, secret = client["ClientId"], client["ClientSecret"]
        await browser.signs_in()

        async def answer(header: str = "", **changes: str | None) -> tuple[int, str]:
            code = (await browser.asks()).told["code"]
            headers = {"authorization": header} if header else {}
            shown = await browser.redeem(code, headers=headers, **changes)
            return shown.status, shown.json.get("error", "")

        assert await answer(basic(client_id, secret)) == (200, "")
        assert await answer(basic(client_id, secret), client_id=None) == (200, "")
        assert await answer(client_secret=secret) == (200, "")
        wrong = (400, "invalid_client")
        assert await answer() == wrong
        assert await answer(client_secret="x") == wrong
        assert await answer(basic(client_id, "")) == wrong
        assert await answer(basic(client_id, secret + "x")) == wrong
        assert await answer("Basic !") == wrong
        assert await answer("Bearer x") == wrong
        assert await answer(basic(client_id, secret), client_secret=secret) == (400, "invalid_request")
        assert await answer(basic(client_id, secret), client_id="other") == (400, "invalid_request")

    pools(scenario)


def test_wrong_secrets_from_one_address_are_bounded(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws, GenerateSecret=True)
        form = {"grant_type": "refresh_token", "client_id": aws.client_id, "client_secret": "x"}
        for _ in range(WRONG_PROOFS_PER_MINUTE_MAX):
            assert (await browser.post("/oauth2/token", form)).status == 400
        assert (await browser.post("/oauth2/token", form)).status == 429
        aws.clock.advance(ms=60_000)
        assert (await browser.post("/oauth2/token", form)).status == 400

    pools(scenario)


async def a_machine(aws: Aws) -> tuple[Browser, dict[str, Any]]:
    browser = await a_hosted_shop(aws)
    scopes = [{"ScopeName": name, "ScopeDescription": name} for name in ("read", "write")]
    await aws("CreateResourceServer", UserPoolId=aws.pool_id, Identifier="orders", Name="orders", Scopes=scopes)
    client = await an_app(
        aws,
        ClientName="partner",
        GenerateSecret=True,
        AllowedOAuthFlows=["client_credentials"],
        AllowedOAuthScopes=["orders/read", "orders/write"],
        CallbackURLs=[],
        LogoutURLs=[],
    )
    return browser, client


def test_a_client_gets_an_access_token_for_itself(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser, client = await a_machine(aws)
        header = {"authorization": basic(client["ClientId"], client["ClientSecret"])}
        form = {"grant_type": "client_credentials", "scope": "orders/read"}
        answer = await browser.post("/oauth2/token", form, **header)
        assert set(answer.json) == {"access_token", "expires_in", "token_type"}
        claims = claims_of(answer.json["access_token"])
        assert (claims["scope"], claims["sub"], claims["token_use"]) == ("orders/read", client["ClientId"], "access")
        every = await browser.post("/oauth2/token", {"grant_type": "client_credentials"}, **header)
        assert claims_of(every.json["access_token"])["scope"] == "orders/read orders/write"
        for scope in ("orders/delete", "openid", "orders/read openid"):
            refused = await browser.post("/oauth2/token", {**form, "scope": scope}, **header)
            assert refused.json == {"error": "invalid_scope"}
        metadata = await browser.post("/oauth2/token", {**form, "aws_client_metadata": "[1]"}, **header)
        assert metadata.json["error"] == "invalid_request"
        codes = await browser.post("/oauth2/token", {"grant_type": "authorization_code", "code": "x"}, **header)
        assert codes.json == {"error": "unauthorized_client"}
        info = await browser.get("/oauth2/userInfo", authorization=f"Bearer {answer.json['access_token']}")
        assert info.status == 401

    pools(scenario)


def test_clients_of_people_get_no_tokens_for_themselves(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        form = {"grant_type": "client_credentials", "client_id": aws.client_id}
        assert (await browser.post("/oauth2/token", form)).json == {"error": "unauthorized_client"}
        for grant_type, error in (("password", "unsupported_grant_type"), ("", "invalid_request")):
            told = (await browser.post("/oauth2/token", {**form, "grant_type": grant_type})).json
            assert told["error"] == error

    pools(scenario)


def test_refresh_tokens_rotate_and_one_that_was_replaced_is_refused(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        rotation = {"Feature": "ENABLED", "RetryGracePeriodSeconds": 0}
        browser = await a_hosted_shop(aws, RefreshTokenRotation=rotation, ExplicitAuthFlows=["ALLOW_USER_SRP_AUTH"])
        first = (await browser.redeem(await a_code(aws, browser))).json["refresh_token"]
        form = {"grant_type": "refresh_token", "client_id": aws.client_id, "refresh_token": first}
        told = (await browser.post("/oauth2/token", form)).json
        assert told["refresh_token"] != first
        assert claims_of(told["access_token"])["scope"] == "openid email"
        assert (await browser.post("/oauth2/token", form)).json["error"] == "invalid_grant"
        wider = {**form, "refresh_token": told["refresh_token"], "scope": "openid profile"}
        assert (await browser.post("/oauth2/token", wider)).json == {"error": "invalid_scope"}

    pools(scenario)


def test_revoking_a_refresh_token_ends_what_came_of_it(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        tokens = (await browser.redeem(await a_code(aws, browser))).json
        form = {"client_id": aws.client_id, "token": tokens["access_token"]}
        assert (await browser.post("/oauth2/revoke", form)).json == {"error": "unsupported_token_type"}
        assert (await browser.post("/oauth2/revoke", {"client_id": aws.client_id})).json["error"] == "invalid_request"
        shown = await browser.post("/oauth2/revoke", {**form, "token": tokens["refresh_token"]})
        assert (shown.status, shown.body) == (200, "")
        info = await browser.get("/oauth2/userInfo", authorization=f"Bearer {tokens['access_token']}")
        assert info.status == 401

    pools(scenario)


def test_user_info_takes_only_access_tokens_with_openid_of_its_own_pool(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        tokens = (await browser.redeem(await a_code(aws, browser))).json
        shown = await browser.get("/oauth2/userInfo", authorization=f"Bearer {tokens['id_token']}")
        assert (shown.status, shown.json["error"]) == (401, "invalid_token")
        assert "invalid_token" in shown.headers["www-authenticate"]
        assert (await browser.get("/oauth2/userInfo")).json["error"] == "invalid_request"
        code = (await browser.asks(scope="email")).told["code"]
        without = (await browser.redeem(code)).json
        assert "id_token" not in without
        refused = await browser.get("/oauth2/userInfo", authorization=f"Bearer {without['access_token']}")
        assert refused.status == 401
        await aws.a_pool(PoolName="other")
        await aws("CreateUserPoolDomain", UserPoolId=aws.pool_id, Domain="other")
        other = Browser(aws, base="/_aws/auth/other")
        elsewhere = await other.get("/oauth2/userInfo", authorization=f"Bearer {tokens['access_token']}")
        assert elsewhere.status == 401

    pools(scenario)


def test_pages_of_every_origin_may_ask_for_tokens_but_without_cookies(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        asked = await browser.send("OPTIONS", f"{browser.base}/oauth2/token", origin="https://shop.example")
        assert asked.headers["access-control-allow-origin"] == "*"
        assert "authorization" in asked.headers["access-control-allow-headers"]
        code = await a_code(aws, browser)
        shown = await browser.redeem(code, headers={"origin": "https://shop.example"})
        assert shown.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in shown.headers
        assert "no-store" in shown.headers["cache-control"]
        assert "access-control-allow-origin" not in (await browser.get("/login", browser.request())).headers

    pools(scenario)


def test_a_trigger_that_refuses_is_told_to_the_app(pools: Run) -> None:
    def refuse(event: dict[str, Any]) -> None:
        raise ValueError("not today")

    async def scenario(aws: Aws) -> None:
        config = {"PreTokenGeneration": aws.functions.arn("PreTokenGeneration")}
        browser = await a_hosted_shop(aws, pool={"LambdaConfig": config})
        code = await a_code(aws, browser)
        told = (await browser.redeem(code)).json
        assert told["error"] == "invalid_grant"
        assert "not today" in told["error_description"]
        assert aws.functions.sources() == ["TokenGeneration_HostedAuth"]
        implicit = await browser.asks(response_type="token")
        assert implicit.location.startswith(f"{CALLBACK}#error=invalid_request")

    pools(scenario, functions={"PreTokenGeneration": refuse})
