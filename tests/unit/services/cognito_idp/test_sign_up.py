"""Signing up, confirming, and getting back in with a forgotten password."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.services.cognito_idp.codes import LIVES_MS, SENT_PER_HOUR_MAX, SIGN_UP, WRONG_MAX
from gatepost.services.cognito_idp.migration import Migration
from gatepost.services.cognito_idp.sign_up import SignUpOperations
from tests.support.user_pools import OTHER_PASSWORD, PASSWORD, Aws, Run, attributes_of


async def a_shop(aws: Aws, **settings: Any) -> None:
    await aws.a_pool(**{"AutoVerifiedAttributes": ["email"], **settings})
    await aws.a_client()


async def sign_up(aws: Aws, name: str = "ann", email: str = "ann@example.com", **more: Any) -> dict[str, Any]:
    attributes = [{"Name": "email", "Value": email}] if email else []
    return await aws(
        "SignUp",
        **{"ClientId": aws.client_id, "Username": name, "Password": PASSWORD, "UserAttributes": attributes, **more},
    )


async def confirm(aws: Aws, name: str = "ann", code: str = "", **more: Any) -> dict[str, Any]:
    return await aws(
        "ConfirmSignUp", ClientId=aws.client_id, Username=name, ConfirmationCode=code or aws.mail.code, **more
    )


def test_a_user_signs_up_confirms_and_signs_in(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        told = await sign_up(aws)
        assert told["UserConfirmed"] is False
        details = {"Destination": "a***@e***", "DeliveryMedium": "EMAIL", "AttributeName": "email"}
        assert told["CodeDeliveryDetails"] == details
        assert (await aws.user())["UserStatus"] == "UNCONFIRMED"
        refusal = {"ClientId": aws.client_id, "AuthFlow": "USER_PASSWORD_AUTH"}
        given = {"USERNAME": "ann", "PASSWORD": PASSWORD}
        await aws.fails("UserNotConfirmedException", "InitiateAuth", **refusal, AuthParameters=given)
        await confirm(aws)
        user = await aws.user()
        assert user["UserStatus"] == "CONFIRMED"
        assert attributes_of(user) == {
            "sub": told["UserSub"],
            "email": "ann@example.com",
            "email_verified": "true",
        }
        assert (await aws.sign_in())["TokenType"] == "Bearer"

    pools(scenario)


def test_a_code_is_good_once_and_a_wrong_one_five_times_at_most(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await sign_up(aws)
        right = aws.mail.code
        wrong = "000000" if right != "000000" else "000001"
        params = {"ClientId": aws.client_id, "Username": "ann"}
        for _ in range(WRONG_MAX):
            await aws.fails("CodeMismatchException", "ConfirmSignUp", **params, ConfirmationCode=wrong)
        await aws.fails("LimitExceededException", "ConfirmSignUp", **params, ConfirmationCode=right)
        await aws("ResendConfirmationCode", **params)
        await aws.fails("CodeMismatchException", "ConfirmSignUp", **params, ConfirmationCode="x" * 2048)
        await confirm(aws)
        message = await aws.fails("NotAuthorizedException", "ConfirmSignUp", **params, ConfirmationCode=aws.mail.code)
        assert message == "User cannot be confirmed. Current status is CONFIRMED"
        await aws.fails("InvalidParameterException", "ResendConfirmationCode", **params)

    pools(scenario)


@pytest.mark.parametrize(("hours", "is_good"), [(24 * 3600 - 1, True), (24 * 3600, False)])
def test_a_sign_ups_code_is_good_for_a_day(pools: Run, hours: int, is_good: bool) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await sign_up(aws)
        aws.clock.advance(ms=hours * 1000)
        params = {"ClientId": aws.client_id, "Username": "ann", "ConfirmationCode": aws.mail.code}
        if is_good:
            await aws("ConfirmSignUp", **params)
        else:
            await aws.fails("ExpiredCodeException", "ConfirmSignUp", **params)

    pools(scenario)


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("Aa1!aaa", "Password not long enough"),
        ("aaaa1111!", "Password must have uppercase characters"),
        ("AAAA1111!", "Password must have lowercase characters"),
        ("AAAAaaaa!", "Password must have numeric characters"),
        ("AAAAaaaa1", "Password must have symbol characters"),
        ("ÄÖÜäöü12!", "Password must have uppercase characters"),
    ],
)
def test_a_password_has_to_keep_the_policy(pools: Run, password: str, words: str) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        params = {"ClientId": aws.client_id, "Username": "ann", "Password": password}
        message = await aws.fails("InvalidPasswordException", "SignUp", **params)
        assert message == f"Password did not conform with policy: {words}"

    pools(scenario)


def test_names_are_taken_once_whatever_their_case_where_the_pool_says_so(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws, UsernameConfiguration={"CaseSensitive": False})
        await sign_up(aws, "Ann")
        params = {"ClientId": aws.client_id, "Username": "aNN", "Password": PASSWORD}
        await aws.fails("UsernameExistsException", "SignUp", **params)
        assert (await aws.user("ANN"))["Username"] == "Ann"
        await a_shop(aws)
        await sign_up(aws, "Ann")
        await sign_up(aws, "ann", "other@example.com")

    pools(scenario)


def test_an_address_stands_for_the_name_where_the_pool_says_so(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws, UsernameAttributes=["email"])
        told = await sign_up(aws, "ann@example.com", "")
        user = await aws.user("ann@example.com")
        assert user["Username"] == told["UserSub"]
        assert attributes_of(user)["email"] == "ann@example.com"
        params = {"ClientId": aws.client_id, "Password": PASSWORD}
        await aws.fails("UsernameExistsException", "SignUp", **params, Username="ann@example.com")
        assert await aws.fails("InvalidParameterException", "SignUp", **params, Username="ann") == (
            "Username should be an email."
        )
        await confirm(aws, "ann@example.com")
        await aws.sign_in("ann@example.com")

    pools(scenario)


def test_an_alias_works_once_it_is_verified_and_belongs_to_the_last_who_verified_it(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws, AliasAttributes=["email", "preferred_username"])
        params = {"ClientId": aws.client_id, "Password": PASSWORD}
        await aws.fails("InvalidParameterException", "SignUp", **params, Username="ann@example.com")
        await sign_up(aws)
        await aws.fails("UserNotFoundException", "AdminGetUser", UserPoolId=aws.pool_id, Username="ann@example.com")
        await confirm(aws)
        await aws.sign_in("ann@example.com")
        await sign_up(aws, "eve")
        code = {"ClientId": aws.client_id, "Username": "eve", "ConfirmationCode": aws.mail.code}
        await aws.fails("AliasExistsException", "ConfirmSignUp", **code)
        await aws("ConfirmSignUp", **code, ForceAliasCreation=True)
        assert (await aws.user("ann@example.com"))["Username"] == "eve"
        assert attributes_of(await aws.user("ann"))["email_verified"] == "false"

    pools(scenario)


@pytest.mark.parametrize("case", [True, False])
def test_a_name_that_is_somebodys_sub_is_taken(pools: Run, case: bool) -> None:
    """Servers name users by the sub of a token: they must not mean one who has signed up under it."""

    async def scenario(aws: Aws) -> None:
        await a_shop(aws, UsernameConfiguration={"CaseSensitive": case})
        await aws.a_user()
        sub = attributes_of(await aws.user("ann"))["sub"]
        params = {"ClientId": aws.client_id, "Password": PASSWORD}
        for name in (sub,) if case else (sub, sub.upper()):
            await aws.fails("UsernameExistsException", "SignUp", **params, Username=name)
            await aws.fails("UsernameExistsException", "AdminCreateUser", UserPoolId=aws.pool_id, Username=name)
        assert (await aws.user(sub))["Username"] == "ann"

    pools(scenario)


def test_required_attributes_are_required_and_unknown_ones_refused(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws, Schema=[{"Name": "name", "Required": True}, {"Name": "tier", "Mutable": False}])
        params = {"ClientId": aws.client_id, "Username": "ann", "Password": PASSWORD}
        message = await aws.fails("InvalidParameterException", "SignUp", **params)
        assert message == "Attributes did not conform to the schema: name: The attribute is required\n"
        for name, value, code in (
            ("custom:other", "x", "InvalidParameterException"),
            ("sub", "x", "InvalidParameterException"),
            ("email", "not an address", "InvalidParameterException"),
            ("phone_number", "0123", "InvalidParameterException"),
            ("birthdate", "1990", "InvalidParameterException"),
            ("email_verified", "true", "NotAuthorizedException"),
            ("identities", "[]", "InvalidParameterException"),
        ):
            attributes = [{"Name": "name", "Value": "Ann"}, {"Name": name, "Value": value}]
            await aws.fails(code, "SignUp", **params, UserAttributes=attributes)
        twice = [{"Name": "name", "Value": "Ann"}] * 2
        await aws.fails("InvalidParameterException", "SignUp", **params, UserAttributes=twice)
        await aws(
            "SignUp", **params, UserAttributes=[{"Name": "name", "Value": "Ann"}, {"Name": "custom:tier", "Value": "1"}]
        )

    pools(scenario)


def test_only_administrators_make_users_where_the_pool_says_so(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws, AdminCreateUserConfig={"AllowAdminCreateUserOnly": True})
        params = {"ClientId": aws.client_id, "Username": "ann", "Password": PASSWORD}
        await aws.fails("NotAuthorizedException", "SignUp", **params)

    pools(scenario)


def test_a_forgotten_password_is_replaced_by_a_code(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws.a_user("ann", email="ann@example.com", email_verified="true")
        params = {"ClientId": aws.client_id, "Username": "ann"}
        details = (await aws("ForgotPassword", **params))["CodeDeliveryDetails"]
        assert details["AttributeName"] == "email"
        new = {**params, "Password": OTHER_PASSWORD}
        await aws.fails("CodeMismatchException", "ConfirmForgotPassword", **new, ConfirmationCode="nope")
        weak = {**params, "Password": "weak"}
        await aws.fails("InvalidPasswordException", "ConfirmForgotPassword", **weak, ConfirmationCode=aws.mail.code)
        await aws("ConfirmForgotPassword", **new, ConfirmationCode=aws.mail.code)
        await aws.sign_in(password=OTHER_PASSWORD)
        await aws.fails("ExpiredCodeException", "ConfirmForgotPassword", **new, ConfirmationCode=aws.mail.code)
        given = {"USERNAME": "ann", "PASSWORD": PASSWORD}
        await aws.fails(
            "NotAuthorizedException",
            "InitiateAuth",
            ClientId=aws.client_id,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters=given,
        )

    pools(scenario)


def test_codes_can_be_asked_for_only_so_often_an_hour(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws.a_user("ann", email="ann@example.com", email_verified="true")
        for name in ("ann", "nobody"):
            params = {"ClientId": aws.client_id, "Username": name}
            for _ in range(SENT_PER_HOUR_MAX):
                await aws("ForgotPassword", **params)
            await aws.fails("LimitExceededException", "ForgotPassword", **params)
        aws.clock.advance(ms=3_600_000)
        await aws("ForgotPassword", ClientId=aws.client_id, Username="ann")

    pools(scenario)


def test_a_client_that_hides_users_answers_for_nobody_as_for_somebody(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws.a_user("ann", email="ann@example.com", email_verified="true")
        params = {"ClientId": aws.client_id, "Username": "nobody"}
        first = await aws("ForgotPassword", **params)
        assert first == await aws("ForgotPassword", **params)
        real = await aws("ForgotPassword", ClientId=aws.client_id, Username="ann")
        assert first["CodeDeliveryDetails"].keys() == real["CodeDeliveryDetails"].keys()
        assert "CodeDeliveryDetails" in await aws("ResendConfirmationCode", **params)
        await aws.fails("ExpiredCodeException", "ConfirmSignUp", **params, ConfirmationCode="123456")
        new = {**params, "ConfirmationCode": "123456", "Password": PASSWORD}
        await aws.fails("CodeMismatchException", "ConfirmForgotPassword", **new)
        await aws.fails("CodeMismatchException", "ConfirmForgotPassword", **{**new, "Username": "ann"})
        messages = set()
        for name in ("nobody", "ann"):
            given = {"USERNAME": name, "PASSWORD": OTHER_PASSWORD}
            call = {"ClientId": aws.client_id, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": given}
            messages.add(await aws.fails("NotAuthorizedException", "InitiateAuth", **call))
        assert messages == {"Incorrect username or password."}

    pools(scenario)


def test_a_client_with_legacy_errors_says_who_exists(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool(AutoVerifiedAttributes=["email"])
        await aws.a_client(PreventUserExistenceErrors="LEGACY")
        params = {"ClientId": aws.client_id, "Username": "nobody"}
        await aws.fails("UserNotFoundException", "ForgotPassword", **params)
        await aws.fails("UserNotFoundException", "ConfirmSignUp", **params, ConfirmationCode="1")
        given = {"USERNAME": "nobody", "PASSWORD": PASSWORD}
        call = {"ClientId": aws.client_id, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": given}
        assert await aws.fails("UserNotFoundException", "InitiateAuth", **call) == "User does not exist."

    pools(scenario)


def test_a_sign_ups_code_lives_a_day_and_migration_is_a_part_of_the_way_in() -> None:
    assert LIVES_MS[SIGN_UP] == 86_400_000
    assert issubclass(SignUpOperations, Migration)
