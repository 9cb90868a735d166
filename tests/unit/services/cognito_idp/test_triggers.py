"""Lambda triggers: when each is asked, what it sees, what its answer does, and what its failures are called."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gatepost.kernel.errors import AccessDeniedException
from tests.support.user_pools import ISSUER, OTHER_PASSWORD, PASSWORD, Aws, Run, attributes_of, claims_of


async def a_shop(aws: Aws, *flows: str, **settings: Any) -> None:
    await aws.a_pool(**{"AutoVerifiedAttributes": ["email"], "LambdaConfig": aws.functions.config(), **settings})
    await aws.a_client(*flows)


async def sign_up(aws: Aws, name: str = "ann", **more: Any) -> dict[str, Any]:
    return await aws(
        "SignUp",
        ClientId=aws.client_id,
        Username=name,
        Password=PASSWORD,
        UserAttributes=[{"Name": "email", "Value": f"{name}@example.com"}],
        **more,
    )


def nothing(event: dict[str, Any]) -> None:
    """Give the event back as it came."""


def test_a_sign_up_asks_before_and_after_with_exactly_cognitos_events(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        given = {"ValidationData": [{"Name": "captcha", "Value": "1"}], "ClientMetadata": {"campaign": "x"}}
        told = await sign_up(aws, **given)
        pool_arn = f"arn:aws:cognito-idp:us-east-1:000000000000:userpool/{aws.pool_id}"
        assert aws.functions.calls[0] == (aws.functions.arn("PreSignUp"), "cognito-idp.amazonaws.com", pool_arn)
        assert aws.functions.events[0] == {
            "version": "1",
            "region": "us-east-1",
            "userPoolId": aws.pool_id,
            "userName": "ann",
            "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": aws.client_id},
            "triggerSource": "PreSignUp_SignUp",
            "request": {
                "userAttributes": {"email": "ann@example.com"},
                "validationData": {"captcha": "1"},
                "clientMetadata": {"campaign": "x"},
            },
            "response": {"autoConfirmUser": False, "autoVerifyEmail": False, "autoVerifyPhone": False},
        }
        assert aws.functions.events[1]["triggerSource"] == "CustomMessage_SignUp"
        code = {"ClientId": aws.client_id, "Username": "ann", "ConfirmationCode": aws.mail.code}
        await aws("ConfirmSignUp", **code, ClientMetadata={"a": "b"})
        assert aws.functions.events[-1] == {
            **aws.functions.events[0],
            "triggerSource": "PostConfirmation_ConfirmSignUp",
            "request": {
                "userAttributes": {
                    "sub": told["UserSub"],
                    "cognito:user_status": "CONFIRMED",
                    "email": "ann@example.com",
                    "email_verified": "true",
                },
                "clientMetadata": {"a": "b"},
            },
            "response": {},
        }

    pools(scenario, functions={"PreSignUp": nothing, "PostConfirmation": nothing, "CustomMessage": nothing})


def test_pre_sign_up_confirms_and_verifies_or_refuses(pools: Run) -> None:
    def decide(event: dict[str, Any]) -> None:
        if event["userName"] == "eve":
            raise ValueError("we do not know you")
        event["response"] |= {"autoConfirmUser": True, "autoVerifyEmail": True}

    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        assert (await sign_up(aws))["UserConfirmed"] is True
        assert attributes_of(await aws.user())["email_verified"] == "true"
        assert aws.functions.sources() == ["PreSignUp_SignUp", "PostConfirmation_ConfirmSignUp"]
        assert aws.mail.messages == []
        params = {"ClientId": aws.client_id, "Username": "eve", "Password": PASSWORD}
        message = await aws.fails("UserLambdaValidationException", "SignUp", **params)
        assert message == "PreSignUp failed with error we do not know you."
        await aws.fails("UserNotFoundException", "AdminGetUser", UserPoolId=aws.pool_id, Username="eve")
        bob = {"ClientId": aws.client_id, "Username": "bob", "Password": PASSWORD}
        await aws.fails("InvalidParameterException", "SignUp", **bob)  # there is no e-mail to verify

    pools(scenario, functions={"PreSignUp": decide, "PostConfirmation": nothing})


def test_signing_in_asks_before_and_after_and_for_the_tokens(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws.a_user()
        aws.functions.events.clear()
        await aws.start("USER_PASSWORD_AUTH", PASSWORD=PASSWORD, client_metadata={"from": "web"})
        assert aws.functions.sources() == [
            "PreAuthentication_Authentication",
            "PostAuthentication_Authentication",
            "TokenGeneration_Authentication",
        ]
        before, after, tokens = aws.functions.events
        assert before["request"]["validationData"] == {"from": "web"}
        assert before["request"]["userNotFound"] is False
        assert before["request"]["userAttributes"]["cognito:user_status"] == "CONFIRMED"
        assert after["request"]["newDeviceUsed"] is False
        assert after["request"]["clientMetadata"] == {"from": "web"}
        assert tokens["request"]["groupConfiguration"] == {
            "groupsToOverride": [],
            "iamRolesToOverride": [],
            "preferredRole": None,
        }
        assert tokens["response"] == {"claimsOverrideDetails": None}
        aws.functions.events.clear()
        call = {"ClientId": aws.client_id, "AuthFlow": "USER_PASSWORD_AUTH"}
        given = {"USERNAME": "nobody", "PASSWORD": PASSWORD}
        await aws.fails("NotAuthorizedException", "InitiateAuth", **call, AuthParameters=given)
        (asked,) = aws.functions.events
        assert (asked["userName"], asked["request"]["userNotFound"]) == ("nobody", True)

    functions = {"PreAuthentication": nothing, "PostAuthentication": nothing, "PreTokenGeneration": nothing}
    pools(scenario, functions=functions)


@pytest.mark.parametrize("trigger", ["PreAuthentication", "PostAuthentication", "PreTokenGeneration"])
def test_a_function_that_raises_keeps_the_user_out(pools: Run, trigger: str) -> None:
    def refuse(event: dict[str, Any]) -> None:
        raise PermissionError("not today")

    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws.a_user()
        call = {"ClientId": aws.client_id, "AuthFlow": "USER_PASSWORD_AUTH"}
        given = {"USERNAME": "ann", "PASSWORD": PASSWORD}
        message = await aws.fails("UserLambdaValidationException", "InitiateAuth", **call, AuthParameters=given)
        assert message == f"{trigger} failed with error not today."

    pools(scenario, functions={trigger: refuse})


@pytest.mark.parametrize("answer", ["text", 7, [], {"other": 1}, {"response": "text"}, {"response": None}])
def test_an_answer_that_is_none_is_refused(pools: Run, answer: Any) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        params = {"ClientId": aws.client_id, "Username": "ann", "Password": PASSWORD}
        message = await aws.fails("InvalidLambdaResponseException", "SignUp", **params)
        assert message == "Unrecognizable lambda output"

    pools(scenario, functions={"PreSignUp": lambda event: answer})


def test_a_function_whose_policy_does_not_let_the_pool_in_is_no_function(pools: Run) -> None:
    def denied(event: dict[str, Any]) -> None:
        raise AccessDeniedException("no")

    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        params = {"ClientId": aws.client_id, "Username": "ann", "Password": PASSWORD}
        message = await aws.fails("UnexpectedLambdaException", "SignUp", **params)
        assert message == "PreSignUp invocation failed due to error AccessDeniedException."

    pools(scenario, functions={"PreSignUp": denied})


def test_a_function_that_does_not_answer_is_asked_three_times(pools: Run) -> None:
    async def slow(event: dict[str, Any]) -> None:
        await asyncio.sleep(60)

    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        params = {"ClientId": aws.client_id, "Username": "ann", "Password": PASSWORD}
        await aws.fails("UnexpectedLambdaException", "SignUp", **params)
        assert len(aws.functions.events) == 3

    pools(scenario, functions={"PreSignUp": slow}, answer_within_s=0.02)


def test_claims_are_added_overridden_and_suppressed_but_reserved_ones_stay(pools: Run) -> None:
    def change(event: dict[str, Any]) -> None:
        event["response"]["claimsOverrideDetails"] = {
            "claimsToAddOrOverride": {
                "tier": "gold",
                "email": "x@example.com",
                "sub": "forged",
                "iss": "forged",
                "aud": "x",
            },
            "claimsToSuppress": ["email_verified", "token_use", "exp"],
            "groupOverrideDetails": {
                "groupsToOverride": ["vip"],
                "iamRolesToOverride": ["arn:aws:iam::000000000000:role/vip"],
                "preferredRole": "arn:aws:iam::000000000000:role/vip",
            },
        }

    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        user = await aws.a_user(email="ann@example.com", email_verified="true")
        result = await aws.sign_in()
        identity, access = claims_of(result["IdToken"]), claims_of(result["AccessToken"])
        assert (identity["tier"], identity["email"]) == ("gold", "x@example.com")
        assert "email_verified" not in identity
        assert identity["sub"] == attributes_of(user)["sub"]
        assert (identity["iss"], identity["aud"]) == (f"{ISSUER}/{aws.pool_id}", aws.client_id)
        assert {"token_use", "exp"} <= identity.keys()
        assert identity["cognito:groups"] == access["cognito:groups"] == ["vip"]
        assert identity["cognito:preferred_role"].endswith("/vip")
        assert "tier" not in access

    pools(scenario, functions={"PreTokenGeneration": change})


def test_version_2_changes_access_tokens_and_scopes_too(pools: Run) -> None:
    def change(event: dict[str, Any]) -> None:
        assert event["version"] == "2"
        assert event["request"]["scopes"] == ["aws.cognito.signin.user.admin"]
        assert event["response"] == {"claimsAndScopeOverrideDetails": None}
        event["response"]["claimsAndScopeOverrideDetails"] = {
            "idTokenGeneration": {"claimsToAddOrOverride": {"plan": {"name": "pro", "seats": 3}}},
            "accessTokenGeneration": {
                "claimsToAddOrOverride": {"tenant": "t1", "client_id": "forged", "username": "forged"},
                "scopesToAdd": ["orders/read", "two words", ""],
                "scopesToSuppress": ["aws.cognito.signin.user.admin"],
            },
        }

    async def scenario(aws: Aws) -> None:
        arn = aws.functions.arn("PreTokenGeneration")
        told = {"LambdaVersion": "V2_0", "LambdaArn": arn}
        await a_shop(aws, LambdaConfig={"PreTokenGenerationConfig": told})
        await aws.a_user()
        result = await aws.sign_in()
        access = claims_of(result["AccessToken"])
        assert (access["tenant"], access["scope"]) == ("t1", "orders/read")
        assert (access["client_id"], access["username"]) == (aws.client_id, "ann")
        assert claims_of(result["IdToken"])["plan"] == {"name": "pro", "seats": 3}
        await aws.fails("NotAuthorizedException", "GetUser", AccessToken=result["AccessToken"])  # its scope is gone
        pool = (await aws("DescribeUserPool", UserPoolId=aws.pool_id))["UserPool"]
        assert pool["LambdaConfig"] == {"PreTokenGeneration": arn, "PreTokenGenerationConfig": told}
        lite = {"PoolName": "lite", "UserPoolTier": "LITE", "LambdaConfig": {"PreTokenGenerationConfig": told}}
        await aws.fails("FeatureUnavailableInTierException", "CreateUserPool", **lite)

    pools(scenario, functions={"PreTokenGeneration": change})


def test_refreshing_and_a_new_password_have_sources_of_their_own(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws("AdminCreateUser", UserPoolId=aws.pool_id, Username="ann", TemporaryPassword=PASSWORD)
        challenge = await aws.start("USER_PASSWORD_AUTH", PASSWORD=PASSWORD)
        done = await aws.answer(challenge, NEW_PASSWORD=OTHER_PASSWORD)
        await aws(
            "GetTokensFromRefreshToken",
            ClientId=aws.client_id,
            RefreshToken=done["AuthenticationResult"]["RefreshToken"],
            ClientMetadata={"why": "later"},
        )
        assert aws.functions.sources() == ["TokenGeneration_NewPasswordChallenge", "TokenGeneration_RefreshTokens"]
        assert aws.functions.events[-1]["request"]["clientMetadata"] == {"why": "later"}

    pools(scenario, functions={"PreTokenGeneration": nothing})


def test_custom_messages_replace_the_pools_texts(pools: Run) -> None:
    def write(event: dict[str, Any]) -> None:
        request = event["request"]
        event["response"]["emailSubject"] = event["triggerSource"]
        event["response"]["emailMessage"] = f"Hello, {request['codeParameter']}"

    async def scenario(aws: Aws) -> None:
        await a_shop(aws, EmailVerificationMessage="unused {####}")
        await sign_up(aws)
        message = aws.mail.messages[-1]
        assert (message.subject, message.body) == ("CustomMessage_SignUp", f"Hello, {message.code}")
        await aws("ResendConfirmationCode", ClientId=aws.client_id, Username="ann", ClientMetadata={"a": "b"})
        assert aws.mail.messages[-1].subject == "CustomMessage_ResendCode"
        assert aws.functions.events[-1]["request"]["clientMetadata"] == {"a": "b"}

    pools(scenario, functions={"CustomMessage": write})


def test_users_come_from_elsewhere_when_they_sign_in_or_forget(pools: Run) -> None:
    def migrate(event: dict[str, Any]) -> None:
        if event["userName"] not in ("old", "lost"):
            raise LookupError("Bad user")
        if event["triggerSource"] == "UserMigration_Authentication":
            if event["request"]["password"] != PASSWORD:
                raise PermissionError("Bad password")
            event["response"]["finalUserStatus"] = "CONFIRMED"
        else:
            assert "password" not in event["request"]
        attributes = {"email": f"{event['userName']}@example.com", "email_verified": "true", "username": "x"}
        event["response"] |= {"userAttributes": attributes, "messageAction": "SUPPRESS"}

    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        call = {"ClientId": aws.client_id, "AuthFlow": "USER_PASSWORD_AUTH"}
        wrong = {"USERNAME": "old", "PASSWORD": OTHER_PASSWORD}
        await aws.fails("NotAuthorizedException", "InitiateAuth", **call, AuthParameters=wrong)
        await aws.sign_in("old")
        assert (await aws.user("old"))["UserStatus"] == "CONFIRMED"
        aws.functions.events.clear()
        await aws.sign_in("old")
        assert aws.functions.events == []  # the user is ours now, by the same password
        await aws("ForgotPassword", ClientId=aws.client_id, Username="lost")
        assert (await aws.user("lost"))["UserStatus"] == "RESET_REQUIRED"
        new = {"ClientId": aws.client_id, "Username": "lost", "Password": OTHER_PASSWORD}
        await aws("ConfirmForgotPassword", **new, ConfirmationCode=aws.mail.code)
        await aws.sign_in("lost", OTHER_PASSWORD)
        none = {"USERNAME": "none", "PASSWORD": PASSWORD}
        message = await aws.fails("NotAuthorizedException", "InitiateAuth", **call, AuthParameters=none)
        assert message == "Incorrect username or password."
        assert "CodeDeliveryDetails" in await aws("ForgotPassword", ClientId=aws.client_id, Username="none")

    pools(scenario, functions={"UserMigration": migrate})


@pytest.mark.parametrize("hides", ["ENABLED", "LEGACY"])
def test_what_the_migration_trigger_refuses_counts_as_a_wrong_password(pools: Run, hides: str) -> None:
    def migrate(event: dict[str, Any]) -> None:
        raise PermissionError("Bad password")

    async def scenario(aws: Aws) -> None:
        await aws.a_pool(LambdaConfig=aws.functions.config())
        await aws.a_client(PreventUserExistenceErrors=hides)
        wrong = {"USERNAME": "old", "PASSWORD": OTHER_PASSWORD}
        call = {"ClientId": aws.client_id, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": wrong}
        code = "NotAuthorizedException" if hides == "ENABLED" else "UserLambdaValidationException"
        for _ in range(5):
            await aws.fails(code, "InitiateAuth", **call)
        message = await aws.fails("NotAuthorizedException", "InitiateAuth", **call)
        assert message == "Password attempts exceeded"

    pools(scenario, functions={"UserMigration": migrate})
