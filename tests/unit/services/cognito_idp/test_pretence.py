"""Strangers tell nobody from somebody neither by what is answered nor by when."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from gatepost.kernel.clock import FixedClock, SystemClock
from gatepost.services.cognito_idp.pool import USER
from gatepost.services.cognito_idp.pretence import NAMES_MAX, Pretence, UnsentCodes
from gatepost.services.cognito_idp.users import NOBODY
from tests.support.user_pools import OTHER_PASSWORD, PASSWORD, Aws, Run


def test_an_answer_to_nobody_takes_as_long_as_one_to_somebody() -> None:
    async def scenario() -> list[float]:
        clock = SystemClock()
        pretence = Pretence(clock)
        waits = []
        for pool in ("known", "unknown"):
            pretence.note("known", "code", clock.monotonic_ns() - 40_000_000)
            begun = time.perf_counter()
            await pretence.wait(pool, "code", clock.monotonic_ns())
            waits.append(time.perf_counter() - begun)
        return waits

    waited, at_once = asyncio.run(scenario())
    assert 0.035 < waited < 0.5
    assert at_once < 0.01


def test_only_the_last_durations_count_and_there_is_a_bound_to_kinds() -> None:
    clock = FixedClock()
    pretence = Pretence(clock)
    for kind in range(1_100):
        pretence.note(f"{kind}", "code", clock.monotonic_ns())
    for _ in range(100):
        pretence.note("1099", "code", clock.monotonic_ns())
    assert len(pretence._took) == 1_000
    assert len(pretence._took["1099", "code"]) == 64


def test_a_code_that_nobody_was_sent_expires_and_runs_out_of_guesses_like_one_that_was() -> None:
    codes = UnsentCodes()
    ask = {"now_ms": 999, "wrong_max": 2}
    assert codes.fault("p", "nobody", "reset", **ask) == ""
    codes.keep("p", "nobody", "reset", 1_000)
    assert [codes.fault("p", "nobody", "reset", **ask) for _ in range(3)] == ["mismatch", "mismatch", "limit"]
    assert codes.fault("p", "nobody", "reset", now_ms=1_000, wrong_max=2) == "expired"
    codes.keep("p", "nobody", "reset", 2_000)
    assert codes.fault("p", "nobody", "reset", **ask) == "mismatch"
    for number in range(NAMES_MAX):
        codes.keep("p", f"{number}", "reset", 2_000)
    assert codes.fault("p", "nobody", "reset", **ask) == ""


async def told(aws: Aws, operation: str, **params: Any) -> tuple[str, str]:
    """Give the code and the message of an answer's refusal, or its keys."""
    from gatepost.kernel.errors import ServiceError

    try:
        answer = await aws(operation, **params)
    except ServiceError as error:
        return error.code, error.message
    return "", " ".join(sorted(answer))


@pytest.mark.parametrize("has_asked", [False, True])
def test_a_reset_by_guesses_goes_the_same_way_for_nobody_and_for_somebody(pools: Run, has_asked: bool) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool(AutoVerifiedAttributes=["email"])
        await aws.a_client()
        await aws.a_user("ann", email="ann@example.com", email_verified="true")
        seen: dict[str, list[tuple[str, str]]] = {}
        for name in ("ann", "nobody"):
            params = {"ClientId": aws.client_id, "Username": name}
            if has_asked:
                await aws("ForgotPassword", **params)
            wrong = {**params, "ConfirmationCode": "000000", "Password": OTHER_PASSWORD}
            seen[name] = [await told(aws, "ConfirmForgotPassword", **{**wrong, "Password": "weak"})]
            seen[name] += [await told(aws, "ConfirmForgotPassword", **wrong) for _ in range(7)]
        aws.clock.advance(ms=3_600_001)
        for name in ("ann", "nobody"):
            params = {"ClientId": aws.client_id, "Username": name, "ConfirmationCode": "000000"}
            seen[name].append(await told(aws, "ConfirmForgotPassword", **params, Password=OTHER_PASSWORD))
        assert seen["ann"] == seen["nobody"]
        assert seen["ann"][0][0] == "InvalidPasswordException"
        expected = "LimitExceededException" if has_asked else "CodeMismatchException"
        assert seen["ann"][-2][0] == expected
        assert seen["ann"][-1][0] == ("ExpiredCodeException" if has_asked else "CodeMismatchException")

    pools(scenario)


def test_asking_under_many_spellings_of_a_name_runs_into_the_same_limit(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool(UsernameConfiguration={"CaseSensitive": False}, AutoVerifiedAttributes=["email"])
        await aws.a_client()
        await aws.a_user("annabel", email="ann@example.com", email_verified="true")
        for name in ("annabel", "nobodys"):
            spellings = [name[:at] + name[at:].upper() for at in range(7)] * 3
            answers = [await told(aws, "ForgotPassword", ClientId=aws.client_id, Username=one) for one in spellings]
            assert [code for code, _ in answers] == [""] * 20 + ["LimitExceededException"]

    pools(scenario)


def test_a_salt_of_nobody_is_distributed_as_salts_are_and_the_same_for_all_spellings(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool(UsernameConfiguration={"CaseSensitive": False})
        await aws.a_client()

        async def shown(name: str) -> dict[str, str]:
            challenge = await aws.start("USER_SRP_AUTH", name, SRP_A="abc123")
            parameters: dict[str, str] = challenge["ChallengeParameters"]
            return parameters

        first, again = await shown("nobody"), await shown("NoBody")
        assert (first["SALT"], first["USERNAME"]) == (again["SALT"], again["USERNAME"])
        salts = [(await shown(f"nobody-{number}"))["SALT"] for number in range(40)]
        assert len({salt[:2] for salt in salts}) > 20
        assert all(len(salt) == 32 and salt[:2] != "00" for salt in salts)

    pools(scenario)


def test_who_typed_an_address_is_told_that_address_whether_somebody_has_it_or_not(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool(UsernameAttributes=["email"], AutoVerifiedAttributes=["email"])
        await aws.a_client()
        await aws.a_user("ann@example.com", email_verified="true")
        for name, masked in (("ann@example.com", "a***@e***"), ("Zed@shop.example", "Z***@s***")):
            details = (await aws("ForgotPassword", ClientId=aws.client_id, Username=name))["CodeDeliveryDetails"]
            assert details == {"Destination": masked, "DeliveryMedium": "EMAIL", "AttributeName": "email"}

    pools(scenario)


async def a_choice(aws: Aws) -> None:
    await aws.a_pool(
        UsernameAttributes=["email"],
        Policies={"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "EMAIL_OTP", "WEB_AUTHN"]}},
        AutoVerifiedAttributes=["email"],
    )
    await aws("SetUserPoolMfaConfig", UserPoolId=aws.pool_id, WebAuthnConfiguration={"RelyingPartyId": "shop.example"})
    await aws.a_client("ALLOW_USER_AUTH")


def test_a_code_by_mail_is_asked_of_nobody_as_of_somebody_and_of_who_has_not_confirmed(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_choice(aws)
        await aws.a_user("ann@example.com", email_verified="true")
        await aws("SignUp", ClientId=aws.client_id, Username="uma@example.com", Password=PASSWORD)
        sent = len(aws.mail.messages)
        seen: dict[str, list[Any]] = {}
        for name in ("ann@example.com", "nobody@example.com", "uma@example.com"):
            challenge = await aws.start("USER_AUTH", name, PREFERRED_CHALLENGE="EMAIL_OTP")
            shown = challenge["ChallengeParameters"]
            seen[name] = [challenge["ChallengeName"], sorted(shown), shown["CODE_DELIVERY_DESTINATION"][1:]]
            base = {"ClientId": aws.client_id, "ChallengeName": "EMAIL_OTP", "Session": challenge["Session"]}
            for responses in ({}, {"EMAIL_OTP_CODE": "000000"}, {"EMAIL_OTP_CODE": "000001"}):
                given = {"USERNAME": name, **responses}
                seen[name].append(await told(aws, "RespondToAuthChallenge", **base, ChallengeResponses=given))
            given = {"USERNAME": "else@example.com", "EMAIL_OTP_CODE": "000000"}
            seen[name].append(await told(aws, "RespondToAuthChallenge", **base, ChallengeResponses=given))
        assert seen["ann@example.com"] == seen["nobody@example.com"] == seen["uma@example.com"]
        assert len(aws.mail.messages) == sent + 1

    pools(scenario)


def test_some_who_do_not_exist_seem_to_have_a_passkey_and_it_signs_nobody_in(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_choice(aws)
        names = [f"nobody-{number}@example.com" for number in range(24)]
        offered = {name: (await aws.start("USER_AUTH", name))["AvailableChallenges"] for name in names}
        having = [name for name in names if "WEB_AUTHN" in offered[name]]
        assert 2 < len(having) < 22
        shown = []
        for _ in range(2):
            challenge = await aws.start("USER_AUTH", having[0], PREFERRED_CHALLENGE="WEB_AUTHN")
            shown.append(
                challenge["ChallengeParameters"]["CREDENTIAL_REQUEST_OPTIONS"].partition("allowCredentials")[2]
            )
        assert shown[0] == shown[1]
        await aws.refuses_answer("NotAuthorizedException", challenge, having[0], CREDENTIAL="{}")

    pools(scenario)


def test_a_user_without_a_password_refuses_every_password_in_the_same_words(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_choice(aws)
        await aws.a_client("ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_AUTH")
        await aws("SignUp", ClientId=aws.client_id, Username="uma@example.com")
        answers = {}
        for name in ("uma@example.com", "nobody@example.com"):
            given = {"USERNAME": name, "PASSWORD": PASSWORD}
            call = {"ClientId": aws.client_id, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": given}
            answers[name] = await told(aws, "InitiateAuth", **call)
        assert len(set(answers.values())) == 1

    pools(scenario)


def test_as_much_is_written_for_nobody_as_for_somebody_and_it_goes_with_the_pool(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool(AutoVerifiedAttributes=["email"])
        await aws.a_client()
        await aws.a_user("ann", email="ann@example.com", email_verified="true")
        records = aws.provider._users._records
        assert await records.scan(NOBODY) == []
        await aws("ForgotPassword", ClientId=aws.client_id, Username="nobody")
        (record,) = await records.scan(NOBODY)
        (somebody,) = await records.scan(USER)
        assert 0.8 < len(f"{record.value}") / len(f"{somebody.value}") < 1.2
        listed = await aws("ListUsers", UserPoolId=aws.pool_id)
        assert [user["Username"] for user in listed["Users"]] == ["ann"]
        await aws("DeleteUserPool", UserPoolId=aws.pool_id)
        assert await records.scan(NOBODY) == []

    pools(scenario)
