"""Whatever is sent to a pool's domain, it answers; and it sends nobody anywhere but to registered addresses."""

from __future__ import annotations

import random
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.support.hosted_pages import CALLBACK, LOGOUT, Browser, a_hosted_shop
from tests.support.user_pools import PASSWORD, Aws, with_pools

PATHS = [
    "/oauth2/authorize",
    "/oauth2/token",
    "/oauth2/userInfo",
    "/oauth2/revoke",
    "/oauth2/idpresponse",
    "/login",
    "/logout",
    "/signup",
    "/confirmUser",
    "/forgotPassword",
    "/resetPassword",
    "/error",
    "/",
    "//evil.example",
    "/../login",
    "/%2e%2e/login",
]
NAMES = [
    "client_id",
    "client_secret",
    "redirect_uri",
    "logout_uri",
    "response_type",
    "scope",
    "state",
    "nonce",
    "prompt",
    "code",
    "code_verifier",
    "code_challenge",
    "code_challenge_method",
    "grant_type",
    "refresh_token",
    "token",
    "identity_provider",
    "idp_identifier",
    "username",
    "password",
    "step",
    "action",
    "method",
    "answer",
    "email",
    "error",
    "aws_client_metadata",
]
VALUES = [
    "",
    "code",
    "token",
    "S256",
    "none",
    "openid",
    "ann",
    PASSWORD,
    CALLBACK,
    LOGOUT,
    "https://evil.example",
    "//evil.example",
    "authorization_code",
    "refresh_token",
    "client_credentials",
    "EMAIL_OTP",
    "resend",
    "a" * 3_000,
    "\x1f",
    "\x00",
    "é\r\nset-cookie: a=b",
    "<script>alert(1)</script>",
    "{}",
    "[]",
    "eyJhbGciOiJub25lIn0.e30.",
    "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
]


async def _send(chance: random.Random, browser: Browser, own_form: str) -> None:
    def some(count_max: int) -> dict[str, str]:
        names = chance.sample(NAMES, chance.randint(0, count_max))
        return {name: chance.choice(VALUES) for name in names}

    query = {**(browser.request() if chance.random() < 0.7 else {}), **some(4)}
    target = f"{browser.base}{chance.choice(PATHS)}?{urlencode(query)}"
    headers = {}
    if chance.random() < 0.3:
        headers["authorization"] = chance.choice(["Bearer x", "Basic eDp5", "Basic !", "Bearer ", "\x80"])
    form = {**({"client_id": browser.aws.client_id} if chance.random() < 0.7 else {}), **some(6)}
    if chance.random() < 0.8:
        form["_csrf"] = own_form
    method = chance.choice(["GET", "POST", "POST", "OPTIONS", "PUT", "HEAD"])
    if method == "POST":
        shown = await browser.send("POST", target, urlencode(form).encode(), **headers)
    else:
        shown = await browser.send(method, target, **headers)
    assert 200 <= shown.status < 500, (target, form)
    assert "<script" not in shown.body
    assert "\r" not in shown.location
    if shown.location:
        assert (
            shown.location.startswith((CALLBACK, f"{browser.base}/"))
            or shown.location == LOGOUT
            or (shown.location.startswith(f"{LOGOUT}?state="))
        ), (target, shown.location)


@pytest.mark.parametrize("seed", range(4))
def test_strangers_nonsense_is_answered_and_sent_nowhere(tmp_path: Path, seed: int) -> None:
    async def scenario(aws: Aws) -> None:
        chance = random.Random(seed)
        browser = await a_hosted_shop(aws, GenerateSecret=bool(seed % 2))
        await aws.a_user(email="ann@example.com", email_verified="true")
        for number in range(250):
            if number % 50 == 0:
                page = await browser.get("/login", browser.request())
                own_form = page.fields["_csrf"]
                aws.clock.advance(ms=60_000)
            await _send(chance, browser, own_form)

    with_pools(tmp_path, scenario)
