"""The pages for people: signing up, confirming, a forgotten password, second factors; and what they do not tell."""

from __future__ import annotations

from typing import Any

import pyotp
import pytest

from gatepost.services.cognito_idp.hosted.html import Field, Page
from tests.support.hosted_pages import CALLBACK, Browser, Shown, a_hosted_shop
from tests.support.user_pools import OTHER_PASSWORD, PASSWORD, Aws, Run, claims_of

BY_EMAIL = {"UsernameAttributes": ["email"], "AutoVerifiedAttributes": ["email"]}


async def to(browser: Browser, path: str, **changes: str | None) -> Shown:
    return await browser.get(path, browser.request(**changes))


def accessible(shown: Shown) -> None:
    """Every field that is shown has a label, and each link in the summary leads to a field."""
    visible = {name for name in shown.fields if name not in ("_csrf", "step")}
    assert visible <= shown.labels, shown.body
    for name in shown.body.split('<a href="#')[1:]:
        assert name.partition('"')[0] in shown.ids
    assert '<html lang="en">' in shown.body
    assert shown.body.count("<h1>") == 1


def test_somebody_signs_up_confirms_and_is_signed_in(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws, pool=BY_EMAIL, GenerateSecret=True)
        page = await to(browser, "/signup")
        accessible(page)
        assert 'type="email"' in page.body
        assert 'autocomplete="new-password"' in page.body
        weak = await browser.submit(page, username="ann@example.com", password="weak")
        assert weak.status == 400
        assert 'aria-invalid="true"' in weak.body
        accessible(weak)
        confirm = await browser.submit(weak, username="ann@example.com", password=PASSWORD)
        assert "a***@e***" in confirm.text
        accessible(confirm)
        wrong = await browser.submit(confirm, code="000000" if aws.mail.code != "000000" else "000001")
        assert "This code is not right" in wrong.text
        old = aws.mail.code
        again = await browser.submit(wrong, action="resend", code="")
        assert "sent a code" in again.text
        assert len(aws.mail.messages) == 2
        assert old
        done = await browser.submit(again, code=f" {aws.mail.code[:3]} {aws.mail.code[3:]} ")
        assert done.location.startswith(f"{CALLBACK}?code=")
        taken = await browser.submit(await to(browser, "/signup"), username="ann@example.com", password=PASSWORD)
        assert taken.status == 400

    pools(scenario)


def test_the_step_of_one_browser_is_nothing_in_another(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser, other = await a_hosted_shop(aws, pool=BY_EMAIL), Browser(aws)
        confirm = await browser.submit(await to(browser, "/signup"), username="ann@example.com", password=PASSWORD)
        theirs = await to(other, "/confirmUser")
        stolen = {"step": confirm.fields["step"], "code": aws.mail.code}
        shown = await other.submit(theirs, **stolen)
        assert shown.status == 400
        assert "too old" in shown.text
        assert "code" in (await browser.submit(confirm, code=aws.mail.code)).told

    pools(scenario)


def test_who_has_not_confirmed_is_asked_to_once_the_password_is_right(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws, pool=BY_EMAIL)
        await aws("SignUp", ClientId=aws.client_id, Username="ann@example.com", Password=PASSWORD)
        wrong = await browser.signs_in("ann@example.com", OTHER_PASSWORD)
        assert "Incorrect username or password." in wrong.text
        page = await browser.submit(wrong, username="ann@example.com", password=PASSWORD)
        assert "Confirm your account" in page.text
        shown = await browser.submit(page, code=aws.mail.code)
        assert "Your account is confirmed." in shown.text
        assert (await browser.submit(shown, username="ann@example.com", password=PASSWORD)).status == 302

    pools(scenario)


@pytest.mark.parametrize("hides", ["ENABLED", "LEGACY"])
def test_no_page_tells_who_has_an_account(pools: Run, hides: str) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws, PreventUserExistenceErrors=hides)
        await aws.a_user(email="ann@example.com", email_verified="true")
        told = []
        for name in ("ann", "bob"):
            first = await browser.signs_in(name, "Wr0ng-Password")
            forgot = await browser.submit(await to(browser, "/forgotPassword"), username=name)
            reset = await browser.submit(forgot, code="123456", password=OTHER_PASSWORD)
            told.append([(one.status, one.text.replace(name, "")) for one in (first, forgot, reset)])
        ours, theirs = told
        assert ours[0] == theirs[0]
        assert ours[2] == theirs[2]
        if hides == "LEGACY":
            assert ours[1] == theirs[1]
        else:  # a destination is invented, in the form of a real one
            assert ours[1][0] == theirs[1][0] == 200

    pools(scenario)


def test_a_forgotten_password_is_set_anew(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        await aws.a_user(email="ann@example.com", email_verified="true")
        page = await to(browser, "/forgotPassword")
        accessible(page)
        reset = await browser.submit(page, username="ann")
        accessible(reset)
        weak = await browser.submit(reset, code=aws.mail.code, password="weak")
        assert weak.status == 400
        done = await browser.submit(weak, code=aws.mail.code, password=OTHER_PASSWORD)
        assert "Your new password is set." in done.text
        assert (await browser.submit(done, username="ann", password=OTHER_PASSWORD)).status == 302

    pools(scenario)


def test_an_invited_user_chooses_a_password(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        await aws("AdminCreateUser", UserPoolId=aws.pool_id, Username="ann", TemporaryPassword=PASSWORD)
        page = await browser.signs_in()
        assert "Choose a new password" in page.text
        accessible(page)
        weak = await browser.submit(page, password="weak")
        assert (weak.status, "Choose a new password" in weak.text) == (400, True)
        assert (await browser.submit(weak, password=OTHER_PASSWORD)).status == 302

    pools(scenario)


async def with_apps(aws: Aws, mfa: str) -> Browser:
    browser = await a_hosted_shop(aws)
    apps = {"SoftwareTokenMfaConfiguration": {"Enabled": True}}
    await aws("SetUserPoolMfaConfig", UserPoolId=aws.pool_id, MfaConfiguration=mfa, **apps)
    await aws.a_user()
    return browser


def test_an_authenticator_app_is_set_up_by_a_qr_code_and_asked_from_then_on(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await with_apps(aws, "ON")
        page = await browser.signs_in()
        assert "Set up an authenticator app" in page.text
        assert "<svg" in page.body
        accessible(page)
        secret = page.body.partition('<p class="secret">')[2].partition("<")[0].replace(" ", "")
        app = pyotp.TOTP(secret)
        wrong = await browser.submit(page, code="abc")
        assert secret in wrong.body.replace(" ", "")
        done = await browser.submit(wrong, code=app.at(aws.clock.now_ms() // 1000))
        assert "code" in done.told
        aws.clock.advance(ms=60_000)
        asked = await browser.signs_in(prompt="login")
        assert "authenticator app shows" in asked.text
        assert 'autocomplete="one-time-code"' in asked.body
        code = app.at(aws.clock.now_ms() // 1000)
        assert "code" in (await browser.submit(asked, code=code)).told
        again = await browser.signs_in(prompt="login")
        assert "already been used" in (await browser.submit(again, code=code)).text

    pools(scenario)


def test_three_wrong_codes_end_the_sign_in(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await with_apps(aws, "ON")
        page = await browser.signs_in()
        secret = page.body.partition('<p class="secret">')[2].partition("<")[0].replace(" ", "")
        app = pyotp.TOTP(secret)
        await browser.submit(page, code=app.at(aws.clock.now_ms() // 1000))
        aws.clock.advance(ms=60_000)
        page = await browser.signs_in(prompt="login")
        for _ in range(3):
            page = await browser.submit(page, code="x")
        right = await browser.submit(page, code=app.at(aws.clock.now_ms() // 1000))
        assert right.status == 400
        assert 'name="password"' in right.body

    pools(scenario)


def test_what_comes_from_outside_is_text_on_a_page(pools: Run) -> None:
    evil = '"><script>alert(1)</script>'

    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        for shown in (
            await to(browser, "/login", login_hint=evil, state=evil),
            await browser.signs_in(evil, "x", state=evil),
            await to(browser, "/confirmUser", state=evil),
        ):
            assert "<script" not in shown.body
        page = Page(evil, evil, evil, action=evil, fields=(Field(evil, evil, value=evil),), errors={evil: evil})
        assert "<script" not in page.render()

    pools(scenario)


def test_passwords_and_names_have_bounds(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_hosted_shop(aws)
        for name, password in (("a" * 129, "x"), ("a b", "x"), ("", "x"), ("ann", ""), ("ann", "x" * 257)):
            shown = await browser.signs_in(name, password)
            assert shown.status == 400
            accessible(shown)

    pools(scenario)


def test_pools_without_sign_up_have_no_page_for_it(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        only = {"AdminCreateUserConfig": {"AllowAdminCreateUserOnly": True}}
        browser = await a_hosted_shop(aws, pool=only)
        assert "Create an account" not in (await to(browser, "/login")).text
        assert (await to(browser, "/signup")).action == ""

    pools(scenario)


def test_a_trigger_of_the_sign_in_is_asked_and_its_refusal_shown(pools: Run) -> None:
    def refuse(event: dict[str, Any]) -> None:
        raise ValueError("closed on Sundays")

    async def scenario(aws: Aws) -> None:
        config = {"PreAuthentication": aws.functions.arn("PreAuthentication")}
        browser = await a_hosted_shop(aws, pool={"LambdaConfig": config})
        await aws.a_user()
        assert "closed on Sundays" in (await browser.signs_in()).text

    pools(scenario, functions={"PreAuthentication": refuse})


def test_a_code_by_email_takes_the_place_of_the_password_where_the_pool_lets_it(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        factors = {"Policies": {"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "EMAIL_OTP"]}}}
        browser = await a_hosted_shop(aws, pool=factors)
        await aws.a_user(email="ann@example.com", email_verified="true")
        page = await to(browser, "/login")
        assert "Email me a code instead" in page.text
        asked = await browser.submit(page, username="ann", method="EMAIL_OTP")
        shown = await browser.submit(asked, code=aws.mail.code)
        tokens = (await browser.redeem(shown.told["code"])).json
        assert claims_of(tokens["access_token"])["username"] == "ann"

    pools(scenario)
