"""The way of an app's user through a pool's domain, and what is refused on it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from gatepost.services.cognito_idp.hosted.server import FORMS_PER_MINUTE_MAX
from tests.support.hosted_pages import CALLBACK, CHALLENGE, LOGOUT, VERIFIER, Browser, a_hosted_shop, an_app
from tests.support.user_pools import PASSWORD, Aws, Run, claims_of


def test_a_user_signs_in_and_the_app_gets_tokens_for_the_code(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        await aws.a_user(email="ann@example.com", email_verified="true")
        shown = await browser.signs_in(nonce="n-1", code_challenge=CHALLENGE, code_challenge_method="S256")
        assert shown.status == 302
        assert shown.location.startswith(f"{CALLBACK}?code=")
        assert shown.told["state"] == "state-1"
        aws.clock.advance(ms=2_000)
        answer = await browser.redeem(shown.told["code"], code_verifier=VERIFIER)
        assert answer.status == 200
        tokens = answer.json
        assert set(tokens) == {"id_token", "access_token", "refresh_token", "expires_in", "token_type"}
        identity, access = claims_of(tokens["id_token"]), claims_of(tokens["access_token"])
        assert identity["nonce"] == "n-1"
        assert identity["auth_time"] == aws.clock.now_ms() // 1000 - 2
        assert access["scope"] == "openid email"
        assert access["version"] == 2
        assert identity["origin_jti"] == access["origin_jti"]
        info = await browser.get("/oauth2/userInfo", authorization=f"Bearer {tokens['access_token']}")
        assert info.json == {
            "sub": identity["sub"],
            "email": "ann@example.com",
            "email_verified": "true",
            "username": "ann",
        }

    pools(scenario)


def test_a_browser_that_is_signed_in_goes_back_at_once_unless_the_app_wants_a_password(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        await aws.a_user()
        assert (await browser.asks(prompt="none")).told == {"error": "login_required", "state": "state-1"}
        await browser.signs_in()
        again = await browser.asks(state=None)
        assert set(again.told) == {"code"}
        assert (await browser.asks(prompt="login")).location.startswith("/_aws/auth/shop/login?")
        assert "code" in (await browser.asks(prompt="none")).told
        aws.clock.advance(ms=60 * 60 * 1000)
        assert (await browser.asks()).location.startswith("/_aws/auth/shop/login?")

    pools(scenario)


@pytest.mark.parametrize("how", ["AdminDisableUser", "AdminUserGlobalSignOut", "AdminDeleteUser"])
def test_a_session_ends_with_its_user(pools: Run, how: str) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        await aws.a_user()
        code = (await browser.signs_in()).told["code"]
        await aws(how, UserPoolId=aws.pool_id, Username="ann")
        assert (await browser.asks()).location.startswith("/_aws/auth/shop/login?")
        if how != "AdminUserGlobalSignOut":
            assert (await browser.redeem(code)).json == {"error": "invalid_grant"}

    pools(scenario)


def test_the_implicit_flow_puts_tokens_behind_the_hash_and_no_refresh_token(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        await aws.a_user()
        shown = await browser.signs_in(response_type="token")
        assert shown.location.startswith(f"{CALLBACK}#")
        assert set(shown.told) == {"access_token", "id_token", "expires_in", "token_type", "state"}
        without = await browser.asks(response_type="token", scope="email")
        assert "id_token" not in without.told

    pools(scenario)


# --- who may have what ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    [
        "https://shop.example/callback/",
        "https://shop.example/callback?x=1",
        "https://shop.example/callback#",
        "https://shop.example/CALLBACK",
        "https://shop.example/callback/../evil",
        "https://shop.example.evil.example/callback",
        "https://shop.example@evil.example/callback",
        "http://shop.example/callback",
        "//evil.example",
        "javascript:alert(1)",
        "https://shop.example/callback\r\nset-cookie: a=b",
    ],
)
@pytest.mark.parametrize("path", ["/oauth2/authorize", "/login", "/signup", "/logout"])
def test_nothing_is_sent_to_an_address_that_is_not_registered_letter_by_letter(pools: Run, uri: str, path: str) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        shown = await browser.get(path, browser.request(redirect_uri=uri))
        assert shown.status == 302
        assert shown.location == f"/_aws/auth/shop/error?error=redirect_mismatch&client_id={aws.client_id}"
        page = await browser.follow(shown)
        assert page.status == 400
        assert "not registered" in page.text

    pools(scenario)


def test_the_error_page_says_nothing_that_its_address_could_make_up(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        shown = await browser.get("/error", {"error": "<script>alert(1)</script> call 555-0100", "client_id": "x"})
        assert "555" not in shown.body
        assert "<script" not in shown.body

    pools(scenario)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "code token"}, "unsupported_response_type"),
        ({"scope": "openid phone"}, "invalid_scope"),
        ({"scope": "openid aws.cognito.signin.user.admin"}, "invalid_scope"),
        ({"code_challenge": CHALLENGE}, "invalid_request"),
        ({"code_challenge": CHALLENGE, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
        ({"code_challenge_method": "S256"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "perhaps"}, "invalid_request"),
        ({"nonce": "n" * 1025}, "invalid_request"),
        ({"identity_provider": "Nobody"}, "invalid_request"),
        ({"resource": "https://api.example"}, "invalid_target"),
    ],
)
def test_the_app_hears_what_is_wrong_with_its_request(pools: Run, changes: dict[str, str | None], error: str) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        shown = await browser.asks(**changes)
        assert shown.location.startswith(f"{CALLBACK}?")
        assert (shown.told["error"], shown.told["state"]) == (error, "state-1")

    pools(scenario)


def test_a_client_gets_only_the_flows_that_it_is_allowed(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws, AllowedOAuthFlows=["code"])
        shown = await browser.asks(response_type="token")
        assert shown.location.startswith(f"{CALLBACK}#")
        assert shown.told["error"] == "unauthorized_client"
        await an_app(aws, AllowedOAuthFlowsUserPoolClient=False, ClientName="other")
        assert (await browser.asks()).told["error"] == "unauthorized_client"

    pools(scenario)


def test_clients_of_other_pools_are_unknown_here(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        await aws.a_pool(PoolName="other")
        await an_app(aws)
        shown = await browser.asks()
        assert shown.location == f"/_aws/auth/shop/error?error=invalid_client&client_id={aws.client_id}"
        token = await browser.post("/oauth2/token", {"grant_type": "refresh_token", "client_id": aws.client_id})
        assert token.json == {"error": "invalid_client"}

    pools(scenario)


def test_without_a_redirect_uri_the_default_one_is_meant(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws, DefaultRedirectURI=CALLBACK)
        await aws.a_user()
        assert (await browser.signs_in(redirect_uri=None)).location.startswith(f"{CALLBACK}?code=")
        await an_app(aws, ClientName="other")
        assert "error=invalid_request" in (await browser.asks(redirect_uri=None)).location

    pools(scenario)


def test_a_parameter_that_comes_twice_is_refused(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        query = urlencode(browser.request()) + "&redirect_uri=https%3A%2F%2Fevil.example"
        shown = await browser.send("GET", f"{browser.base}/oauth2/authorize?{query}")
        assert (shown.status, shown.json["error"], shown.location) == (400, "invalid_request", "")

    pools(scenario)


# --- browsers ------------------------------------------------------------------------------------------------------


def test_every_page_has_the_headers_that_keep_it_out_of_frames_and_caches(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        for path in ("/login", "/signup", "/forgotPassword", "/confirmUser", "/resetPassword", "/error", "/nowhere"):
            shown = await browser.get(path, browser.request())
            policy = shown.headers["content-security-policy"]
            assert "default-src 'none'" in policy, path
            assert "frame-ancestors 'none'" in policy
            assert shown.headers["x-frame-options"] == "DENY"
            assert "no-store" in shown.headers["cache-control"]
            assert shown.headers["x-content-type-options"] == "nosniff"
            assert shown.headers["referrer-policy"] == "same-origin"
            assert "<script" not in shown.body

    pools(scenario)


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        await aws.a_user()
        page = await browser.get("/login", browser.request())
        shown = await browser.submit(page, username="ann", password=PASSWORD)
        for cookie in (*page.cookies, *shown.cookies):
            assert "; Path=/_aws/auth/shop/; HttpOnly; SameSite=Lax" in cookie
        assert len(page.cookies) == len(shown.cookies) == 1

    pools(scenario)


def test_a_form_of_another_site_is_refused(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser, attacker = await a_hosted_shop(aws), Browser(aws)
        await aws.a_user()
        page = await browser.get("/login", browser.request())
        theirs = await attacker.get("/login", browser.request())
        form = {"username": "ann", "password": PASSWORD}
        wrong = [
            await browser.submit(page, **form, _csrf=""),
            await browser.submit(page, **form, _csrf=theirs.fields["_csrf"]),
            await browser.submit(page, **form, headers={"origin": "https://evil.example"}),
            await browser.submit(page, **form, headers={"origin": "null"}),
            await browser.submit(page, **form, headers={"sec_fetch_site": "cross-site"}),
            await Browser(aws).submit(page, **form),
        ]
        assert [one.status for one in wrong] == [403] * 6
        assert (await browser.submit(page, **form, headers={"origin": "http://127.0.0.1:4566"})).status == 302

    pools(scenario)


def test_a_session_is_never_one_that_somebody_else_has_chosen(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        await aws.a_user()
        browser.cookies["cognito"] = "fixed-by-an-attacker"
        await browser.signs_in()
        first = browser.cookies["cognito"]
        assert first != "fixed-by-an-attacker"
        thief = Browser(aws)
        thief.cookies["cognito"] = "fixed-by-an-attacker"
        assert (await thief.asks()).location.startswith("/_aws/auth/shop/login?")
        await browser.signs_in(prompt="login")
        assert browser.cookies["cognito"] != first
        thief.cookies["cognito"] = first
        assert (await thief.asks()).location.startswith("/_aws/auth/shop/login?")

    pools(scenario)


def test_a_session_of_one_pool_is_nothing_at_another(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        await aws.a_user()
        await browser.signs_in()
        await aws.a_pool(PoolName="other")
        await aws("CreateUserPoolDomain", UserPoolId=aws.pool_id, Domain="other")
        await an_app(aws)
        await aws.a_user()
        other = Browser(aws, base="/_aws/auth/other")
        other.cookies = dict(browser.cookies)
        assert (await other.asks()).location.startswith("/_aws/auth/other/login?")

    pools(scenario)


def test_forms_from_one_address_are_bounded(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        page = await browser.get("/forgotPassword", browser.request())
        for _ in range(FORMS_PER_MINUTE_MAX):
            shown = await browser.submit(page, username=" ")
        assert shown.status == 400
        assert (await browser.submit(page, username=" ")).status == 429
        browser.ip = "127.0.0.2"
        assert (await browser.submit(page, username=" ")).status == 400
        browser.ip = "127.0.0.1"
        aws.clock.advance(ms=60_000)
        assert (await browser.submit(page, username=" ")).status == 400

    pools(scenario)


# --- signing out ---------------------------------------------------------------------------------------------------


def test_signing_out_ends_the_session_and_goes_on_to_a_registered_address(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        await aws.a_user()
        await browser.signs_in()
        cookie = browser.cookies["cognito"]
        shown = await browser.get("/logout", {"client_id": aws.client_id, "logout_uri": LOGOUT})
        assert (shown.status, shown.location) == (302, LOGOUT)
        assert "cognito" not in browser.cookies
        browser.cookies["cognito"] = cookie
        assert (await browser.asks()).location.startswith("/_aws/auth/shop/login?")
        again = await browser.get("/logout", browser.request())
        assert again.location.startswith("/_aws/auth/shop/login?")

    pools(scenario)


@pytest.mark.parametrize("uri", ["https://shop.example/bye/", "https://evil.example", "//evil.example", CALLBACK])
def test_signing_out_goes_nowhere_else(pools: Run, uri: str) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        shown = await browser.get("/logout", {"client_id": aws.client_id, "logout_uri": uri})
        assert (shown.status, shown.location) == (400, "")

    pools(scenario)


# --- where it answers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["shop.auth.us-east-1.localhost:4566", "shop.auth.us-east-1.amazoncognito.com", "auth.shop.example"]
)
def test_a_domain_answers_at_its_own_name(pools: Run, host: str) -> None:
    async def scenario(aws: Aws) -> Any:
        await a_hosted_shop(aws)
        arn = "arn:aws:acm:us-east-1:000000000000:certificate/1"
        custom = {"CustomDomainConfig": {"CertificateArn": arn}}
        await aws("CreateUserPoolDomain", UserPoolId=aws.pool_id, Domain="auth.shop.example", **custom)
        assert aws.provider.pages.is_custom_domain("auth.shop.example")
        assert not aws.provider.pages.is_custom_domain("shop")
        await aws.a_user()
        browser = Browser(aws, base="", host=host)
        page = await browser.follow(await browser.asks())
        assert page.action.startswith("/login?")
        assert "Path=/;" in page.cookies[0]
        assert "code" in (await browser.submit(page, username="ann", password=PASSWORD)).told
        nowhere = Browser(aws, base="", host="other.auth.us-east-1.localhost:4566")
        assert (await nowhere.asks()).status == 404

    pools(scenario)


def test_forms_go_to_forms_only(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        assert (await browser.post("/oauth2/authorize", browser.request())).status == 405
        assert (await browser.send("DELETE", f"{browser.base}/login")).status == 405
        assert (await browser.get("/oauth2/token")).status == 405
        assert (await browser.post("/login", {}, content_type="text/plain")).status == 403
        assert (await browser.send("POST", f"{browser.base}/login", b"a=b", content_type="text/plain")).status == 400

    pools(scenario)
