"""Sign-ups that are confirmed by a link: what the e-mail says, and what opening it does."""

from __future__ import annotations

import html
import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.hosted_pages import Browser, a_hosted_shop
from tests.support.user_pools import PASSWORD, Aws, Run

TEMPLATE = {
    "DefaultEmailOption": "CONFIRM_WITH_LINK",
    "EmailMessageByLink": "Welcome! {##Yes, that is me##}",
    "EmailSubjectByLink": "Is that you?",
}


async def a_shop(aws: Aws, **template: str) -> Browser:
    pool = {"AutoVerifiedAttributes": ["email"], "VerificationMessageTemplate": {**TEMPLATE, **template}}
    return await a_hosted_shop(aws, pool=pool)


async def signed_up(aws: Aws, name: str = "ann") -> str:
    """Sign somebody up; give the target of the link in the e-mail."""
    attributes = [{"Name": "email", "Value": f"{name}@example.com"}]
    given = {"ClientId": aws.client_id, "Username": name, "Password": PASSWORD, "UserAttributes": attributes}
    await aws("SignUp", **given)
    return link_in(aws)


def link_in(aws: Aws) -> str:
    found = re.search(r'href="([^"]*)"', aws.mail.messages[-1].body)
    assert found is not None
    parts = urlsplit(html.unescape(found[1]))
    return f"{parts.path}?{parts.query}"


async def status_of(aws: Aws, name: str = "ann") -> tuple[str, str]:
    told = await aws("AdminGetUser", UserPoolId=aws.pool_id, Username=name)
    verified = {one["Name"]: one["Value"] for one in told["UserAttributes"]}.get("email_verified", "false")
    return told["UserStatus"], verified


def test_a_link_in_the_pools_words_confirms_once(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_shop(aws)
        link = await signed_up(aws)
        message = aws.mail.messages[-1]
        assert message.subject == "Is that you?"
        assert message.body.startswith("Welcome! <a href=")
        assert message.body.endswith(">Yes, that is me</a>")
        assert await status_of(aws) == ("UNCONFIRMED", "false")
        shown = await browser.send("GET", link)
        assert (shown.status, "Your account is confirmed" in shown.text) == (200, True)
        assert await status_of(aws) == ("CONFIRMED", "true")
        assert (await browser.send("GET", link)).status == 400

    pools(scenario)


@pytest.mark.parametrize(
    ("old", "new"),
    [("confirmation_code=", "confirmation_code=9"), ("user_name=ann", "user_name=bob"), ("client_id=", "client_id=x")],
)
def test_a_link_that_was_changed_confirms_nobody_and_does_not_say_why(pools: Run, old: str, new: str) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_shop(aws)
        link = await signed_up(aws)
        shown = await browser.send("GET", link.replace(old, new))
        assert shown.status == 400
        assert "not valid, or it was used already" in shown.text
        assert await status_of(aws) == ("UNCONFIRMED", "false")

    pools(scenario)


def test_guessing_codes_by_links_ends_after_a_few(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_shop(aws)
        link = await signed_up(aws)
        code = aws.mail.code
        for number in range(5):
            guess = f"{(int(code) + number + 1) % 1_000_000:06d}"
            assert (await browser.send("GET", link.replace(code, guess))).status == 400
        assert (await browser.send("GET", link)).status == 400
        await aws("ResendConfirmationCode", ClientId=aws.client_id, Username="ann")
        assert (await browser.send("GET", link_in(aws))).status == 200

    pools(scenario)


def test_other_messages_keep_their_codes_and_a_pool_without_a_domain_cannot_send_links(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_shop(aws)
        await browser.send("GET", await signed_up(aws))
        await aws("ForgotPassword", ClientId=aws.client_id, Username="ann")
        assert aws.mail.code in aws.mail.messages[-1].body
        assert "href" not in aws.mail.messages[-1].body
        await aws("DeleteUserPoolDomain", UserPoolId=aws.pool_id, Domain="shop")
        with pytest.raises(Exception, match="needs the user pool to have a domain"):
            await signed_up(aws, "bob")

    pools(scenario)


def test_a_message_without_a_place_for_the_link_is_refused(pools: Run) -> None:
    async def scenario(aws: Aws) -> Any:
        template = {**TEMPLATE, "EmailMessageByLink": "Welcome!"}
        await aws.fails(
            "InvalidParameterException", "CreateUserPool", PoolName="shop", VerificationMessageTemplate=template
        )

    pools(scenario)


def test_the_sign_up_page_tells_of_the_link_and_signs_in_behind_it(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        browser = await a_shop(aws)
        page = await browser.get("/signup", browser.request())
        told = await browser.submit(page, username="ann", password=PASSWORD, email="ann@example.com")
        assert "We have sent a link to a***@e***." in told.text
        assert (await browser.send("GET", link_in(aws))).status == 200
        assert "code" in (await browser.submit(told, username="ann", password=PASSWORD)).told

    pools(scenario)
