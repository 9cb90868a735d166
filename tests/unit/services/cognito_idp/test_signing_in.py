"""Signing in with a password, as it is and by SRP: who gets in, who is locked out, and what strangers learn."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import pytest
from pycognito.aws_srp import AWSSRP

from gatepost.kernel.errors import ServiceError
from gatepost.security.srp import N
from gatepost.services.cognito_idp.auth_operations import FOR_ADMINISTRATORS
from gatepost.services.cognito_idp.lockout import FORGOTTEN_AFTER_MS, FREE_ATTEMPTS, LOCK_MS_MAX
from gatepost.services.cognito_idp.password_flows import TIMESTAMP_SKEW_MS
from gatepost.services.cognito_idp.sign_in import BAD_LOGIN
from tests.support.user_pools import OTHER_PASSWORD, PASSWORD, Aws, Run, attributes_of, claims_of


async def a_shop(aws: Aws, *flows: str, **settings: Any) -> None:
    await aws.a_pool(**settings)
    await aws.a_client(*flows)


async def refused(aws: Aws, code: str = "NotAuthorizedException", name: str = "ann", password: str = PASSWORD) -> str:
    return await aws.fails(
        code,
        "InitiateAuth",
        ClientId=aws.client_id,
        AuthFlow="USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": name, "PASSWORD": password},
    )


def srp(aws: Aws, name: str = "ann", password: str = PASSWORD) -> AWSSRP:
    return AWSSRP(username=name, password=password, pool_id=aws.pool_id, client_id=aws.client_id, client=object())


def proof_of(aws: Aws, client: AWSSRP, challenge: dict[str, Any]) -> dict[str, str]:
    """Answer PASSWORD_VERIFIER as pycognito does, with the test's clock."""
    shown = challenge["ChallengeParameters"]
    now = datetime.fromtimestamp(aws.clock.now_ms() / 1000, UTC)
    timestamp = client.get_cognito_formatted_timestamp(now)
    key = client.get_password_authentication_key(
        shown["USER_ID_FOR_SRP"], client.password, int(shown["SRP_B"], 16), shown["SALT"]
    )
    block = base64.b64decode(shown["SECRET_BLOCK"])
    told = aws.pool_id.split("_")[1].encode() + shown["USER_ID_FOR_SRP"].encode() + block + timestamp.encode()
    signature = base64.b64encode(hmac.new(key, told, hashlib.sha256).digest()).decode()
    return {
        "USERNAME": shown["USER_ID_FOR_SRP"],
        "TIMESTAMP": timestamp,
        "PASSWORD_CLAIM_SECRET_BLOCK": shown["SECRET_BLOCK"],
        "PASSWORD_CLAIM_SIGNATURE": signature,
    }


async def respond(aws: Aws, responses: dict[str, str]) -> dict[str, Any]:
    return await aws(
        "RespondToAuthChallenge",
        ClientId=aws.client_id,
        ChallengeName="PASSWORD_VERIFIER",
        ChallengeResponses=responses,
    )


def test_the_right_password_gets_tokens_and_a_wrong_one_nothing(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws.a_user()
        result = await aws.sign_in()
        assert set(result) == {"AccessToken", "IdToken", "RefreshToken", "ExpiresIn", "TokenType"}
        for password in (OTHER_PASSWORD, PASSWORD + " ", PASSWORD.lower(), "x" * 256):
            assert await refused(aws, password=password) == "Incorrect username or password."
        aws.clock.advance(ms=20 * 60_000)
        await aws("AdminDisableUser", UserPoolId=aws.pool_id, Username="ann")
        assert await refused(aws) == "User is disabled."
        await aws("AdminEnableUser", UserPoolId=aws.pool_id, Username="ann")
        await aws.sign_in()

    pools(scenario)


def test_a_flow_that_the_client_does_not_allow_is_refused(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws, "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH")
        await aws.a_user()
        message = await refused(aws, "InvalidParameterException")
        assert message == "USER_PASSWORD_AUTH flow not enabled for this client"
        params = {"ClientId": aws.client_id, "AuthParameters": {"USERNAME": "ann", "PASSWORD": PASSWORD}}
        for flow in sorted(FOR_ADMINISTRATORS):
            await aws.fails("InvalidParameterException", "InitiateAuth", **params, AuthFlow=flow)
        admin = {**params, "UserPoolId": aws.pool_id, "AuthFlow": "ADMIN_USER_PASSWORD_AUTH"}
        await aws.fails("InvalidParameterException", "AdminInitiateAuth", **admin)
        await aws.a_client("ALLOW_ADMIN_USER_PASSWORD_AUTH", ClientName="server")
        told = await aws("AdminInitiateAuth", **{**admin, "ClientId": aws.client_id})
        assert "AccessToken" in told["AuthenticationResult"]

    pools(scenario)


@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_five_wrong_passwords_lock_out_for_seconds_that_double(pools: Run, name: str) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws.a_user()
        for _ in range(FREE_ATTEMPTS):
            assert await refused(aws, name=name, password="wrong") == BAD_LOGIN
        for lock_s in (1, 2, 4, 8):
            assert await refused(aws, name=name) == "Password attempts exceeded"
            aws.clock.advance(ms=lock_s * 1000 - 1)
            assert await refused(aws, name=name) == "Password attempts exceeded"
            aws.clock.advance(ms=1)
            assert await refused(aws, name=name, password="wrong") == "Incorrect username or password."
        aws.clock.advance(ms=16_000)
        if name == "ann":
            await aws.sign_in()
            for _ in range(4):
                await refused(aws, password="wrong")
            await aws.sign_in()

    pools(scenario)


def test_a_lock_lasts_a_quarter_of_an_hour_at_most_and_is_forgotten_after_another(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws.a_user()
        for _ in range(4):
            await refused(aws, password="wrong")
        for _ in range(20):
            assert await refused(aws, password="wrong") == "Incorrect username or password."
            aws.clock.advance(ms=LOCK_MS_MAX)
        await refused(aws, password="wrong")
        aws.clock.advance(ms=LOCK_MS_MAX - 1)
        assert await refused(aws) == "Password attempts exceeded"
        aws.clock.advance(ms=1)
        assert await refused(aws, password="wrong") == "Incorrect username or password."
        aws.clock.advance(ms=LOCK_MS_MAX + FORGOTTEN_AFTER_MS)
        for _ in range(5):
            assert await refused(aws, password="wrong") == "Incorrect username or password."
        assert await refused(aws) == "Password attempts exceeded"

    pools(scenario)


def test_a_lock_holds_for_srp_as_for_passwords(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws.a_user()
        for _ in range(5):
            await refused(aws, password="wrong")
        client = srp(aws)
        params = {"ClientId": aws.client_id, "AuthFlow": "USER_SRP_AUTH", "AuthParameters": client.get_auth_params()}
        assert await aws.fails("NotAuthorizedException", "InitiateAuth", **params) == "Password attempts exceeded"

    pools(scenario)


def test_a_client_with_a_secret_has_to_prove_it(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        await aws.a_client(GenerateSecret=True)
        await aws.a_user()
        told = await aws("DescribeUserPoolClient", UserPoolId=aws.pool_id, ClientId=aws.client_id)
        secret = told["UserPoolClient"]["ClientSecret"]
        right = AWSSRP.get_secret_hash("ann", aws.client_id, secret)
        result = (await aws.start("USER_PASSWORD_AUTH", PASSWORD=PASSWORD, SECRET_HASH=right))["AuthenticationResult"]
        call = {"ClientId": aws.client_id, "AuthFlow": "USER_PASSWORD_AUTH"}
        given = {"USERNAME": "ann", "PASSWORD": PASSWORD}
        message = await aws.fails("NotAuthorizedException", "InitiateAuth", **call, AuthParameters=given)
        assert message == f"Client {aws.client_id} is configured with secret but SECRET_HASH was not received"
        for wrong in (secret, "x", AWSSRP.get_secret_hash("bob", aws.client_id, secret)):
            more = {**given, "SECRET_HASH": wrong}
            message = await aws.fails("NotAuthorizedException", "InitiateAuth", **call, AuthParameters=more)
            assert message == f"Unable to verify secret hash for client {aws.client_id}"
        refresh = {"REFRESH_TOKEN": result["RefreshToken"]}
        call["AuthFlow"] = "REFRESH_TOKEN_AUTH"
        await aws.fails("NotAuthorizedException", "InitiateAuth", **call, AuthParameters=refresh)
        await aws("InitiateAuth", **call, AuthParameters={**refresh, "SECRET_HASH": right})
        sign_up = {"ClientId": aws.client_id, "Username": "bob", "Password": PASSWORD}
        await aws.fails("NotAuthorizedException", "SignUp", **sign_up)
        await aws("SignUp", **sign_up, SecretHash=AWSSRP.get_secret_hash("bob", aws.client_id, secret))

    pools(scenario)


def test_an_invited_user_chooses_a_password_and_what_is_missing(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws, Schema=[{"Name": "name", "Required": True}])
        await aws(
            "AdminCreateUser",
            UserPoolId=aws.pool_id,
            Username="ann",
            TemporaryPassword=PASSWORD,
            UserAttributes=[{"Name": "email", "Value": "ann@example.com"}],
            DesiredDeliveryMediums=["EMAIL"],
        )
        assert (aws.mail.messages[-1].occasion, aws.mail.code) == ("AdminCreateUser", PASSWORD)
        challenge = await aws.start("USER_PASSWORD_AUTH", PASSWORD=PASSWORD)
        assert challenge["ChallengeName"] == "NEW_PASSWORD_REQUIRED"
        assert challenge["ChallengeParameters"]["requiredAttributes"] == '["userAttributes.name"]'
        assert challenge["ChallengeParameters"]["userAttributes"] == '{"email":"ann@example.com"}'
        await aws.refuses_answer("InvalidPasswordException", challenge, NEW_PASSWORD="weak")
        await aws.refuses_answer("InvalidParameterException", challenge, NEW_PASSWORD=OTHER_PASSWORD)
        verified = {"userAttributes.email_verified": "true", "userAttributes.name": "Ann"}
        await aws.refuses_answer("NotAuthorizedException", challenge, NEW_PASSWORD=OTHER_PASSWORD, **verified)
        done = await aws.answer(challenge, NEW_PASSWORD=OTHER_PASSWORD, **{"userAttributes.name": "Ann"})
        assert claims_of(done["AuthenticationResult"]["IdToken"])["name"] == "Ann"
        assert (await aws.user())["UserStatus"] == "CONFIRMED"
        await aws.refuses_answer("NotAuthorizedException", challenge, NEW_PASSWORD=PASSWORD)
        await refused(aws)
        await aws.sign_in(password=OTHER_PASSWORD)

    pools(scenario)


@pytest.mark.parametrize(("days", "is_good"), [(6.99, True), (7.0, False)])
def test_a_temporary_password_ends_after_the_pools_days(pools: Run, days: float, is_good: bool) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws("AdminCreateUser", UserPoolId=aws.pool_id, Username="ann", TemporaryPassword=PASSWORD)
        aws.clock.advance(ms=int(days * 86_400_000))
        if is_good:
            await aws.start("USER_PASSWORD_AUTH", PASSWORD=PASSWORD)
        else:
            assert (await refused(aws)).startswith("Temporary password has expired")

    pools(scenario)


def test_a_password_is_kept_at_the_costs_of_today_once_it_is_seen(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws.a_user()
        pool = aws.provider._pools.find(aws.pool_id)
        assert pool is not None

        async def kept() -> str:
            return (await aws.provider._users.get(pool, "ann")).user.secrets.password_hash

        before = await kept()
        await aws.sign_in()
        assert await kept() == before
        aws.provider._passwords._costs = (128, 2, 1)
        aws.provider._passwords._hasher = None
        await refused(aws, password=OTHER_PASSWORD)
        assert await kept() == before
        await aws.sign_in()
        assert "m=128,t=2,p=1" in await kept()
        await aws.sign_in()

    pools(scenario)


def test_a_reset_password_has_to_be_set_anew(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws.a_user(email="ann@example.com", email_verified="true")
        await aws("AdminResetUserPassword", UserPoolId=aws.pool_id, Username="ann")
        await refused(aws, "PasswordResetRequiredException")
        await aws(
            "ConfirmForgotPassword",
            ClientId=aws.client_id,
            Username="ann",
            ConfirmationCode=aws.mail.code,
            Password=OTHER_PASSWORD,
        )
        await aws.sign_in(password=OTHER_PASSWORD)

    pools(scenario)


# --- SRP -------------------------------------------------------------------------------------------------------


def test_srp_gets_in_with_the_right_password_only(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws, UsernameAttributes=["email"])
        await aws.a_user("ann@example.com")
        client = srp(aws, "ann@example.com")
        challenge = await aws.start("USER_SRP_AUTH", "ann@example.com", SRP_A=client.get_auth_params()["SRP_A"])
        assert challenge["ChallengeName"] == "PASSWORD_VERIFIER"
        done = await respond(aws, proof_of(aws, client, challenge))
        assert claims_of(done["AuthenticationResult"]["AccessToken"])["token_use"] == "access"
        wrong = srp(aws, "ann@example.com", OTHER_PASSWORD)
        challenge = await aws.start("USER_SRP_AUTH", "ann@example.com", SRP_A=wrong.get_auth_params()["SRP_A"])
        call = {"ClientId": aws.client_id, "ChallengeName": "PASSWORD_VERIFIER"}
        told = await aws.fails(
            "NotAuthorizedException",
            "RespondToAuthChallenge",
            **call,
            ChallengeResponses=proof_of(aws, wrong, challenge),
        )
        assert told == "Incorrect username or password."

    pools(scenario)


def test_a_proof_is_good_once_for_its_client_and_for_a_while(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws.a_user()

        async def a_proof() -> dict[str, str]:
            client = srp(aws)
            challenge = await aws.start("USER_SRP_AUTH", SRP_A=client.get_auth_params()["SRP_A"])
            return proof_of(aws, client, challenge)

        async def refuses(responses: dict[str, str], client_id: str = "") -> str:
            call = {"ClientId": client_id or aws.client_id, "ChallengeName": "PASSWORD_VERIFIER"}
            return await aws.fails(
                "NotAuthorizedException", "RespondToAuthChallenge", **call, ChallengeResponses=responses
            )

        used = await a_proof()
        await respond(aws, used)
        assert "session is expired" in await refuses(used)
        late = await a_proof()
        aws.clock.advance(ms=3 * 60_000)
        assert "session is expired" in await refuses(late)
        fresh = await a_proof()
        assert await refuses({**fresh, "TIMESTAMP": "Mon Jan 1 00:00:00 UTC 2024"})
        assert TIMESTAMP_SKEW_MS == 10 * 60_000
        block = fresh["PASSWORD_CLAIM_SECRET_BLOCK"]
        for broken in ("", "AAAA", block[:-4] + "AAAA", block[4:], "é"):
            await refuses({**fresh, "PASSWORD_CLAIM_SECRET_BLOCK": broken})
        first = aws.client_id
        other = await aws.a_client(ClientName="other")
        await refuses(fresh, other)
        aws.client_id = first
        await respond(aws, fresh)

    pools(scenario)


@pytest.mark.parametrize("public", ["0", f"{N:x}", f"{2 * N:x}", "", "zz", "-1"])
def test_numbers_that_would_give_the_secret_away_are_refused(pools: Run, public: str) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws.a_user()
        given = {"USERNAME": "ann", "SRP_A": public}
        call = {"ClientId": aws.client_id, "AuthFlow": "USER_SRP_AUTH", "AuthParameters": given}
        await aws.fails("InvalidParameterException", "InitiateAuth", **call)

    pools(scenario)


def test_srp_for_nobody_looks_like_srp_for_somebody_each_time(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws, UsernameAttributes=["email"])
        await aws.a_user("ann@example.com")
        client = srp(aws, "nobody@example.com")
        shown = []
        for name in ("nobody@example.com", "nobody@example.com", "ann@example.com"):
            challenge = await aws.start("USER_SRP_AUTH", name, SRP_A=client.get_auth_params()["SRP_A"])
            shown.append(challenge["ChallengeParameters"])
        assert shown[0].keys() == shown[2].keys()
        assert (shown[0]["SALT"], shown[0]["USER_ID_FOR_SRP"]) == (shown[1]["SALT"], shown[1]["USER_ID_FOR_SRP"])
        assert shown[0]["SRP_B"] != shown[1]["SRP_B"]
        assert len(shown[0]["USER_ID_FOR_SRP"]) == len(shown[2]["USER_ID_FOR_SRP"])
        assert len(shown[0]["SALT"]) == len(shown[2]["SALT"])
        told = await aws.fails(
            "NotAuthorizedException",
            "RespondToAuthChallenge",
            ClientId=aws.client_id,
            ChallengeName="PASSWORD_VERIFIER",
            ChallengeResponses=proof_of(aws, client, {"ChallengeParameters": shown[0]}),
        )
        assert told == "Incorrect username or password."

    pools(scenario)


# --- sessions --------------------------------------------------------------------------------------------------


def test_a_session_is_for_its_client_its_challenge_and_its_time(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws("AdminCreateUser", UserPoolId=aws.pool_id, Username="ann", TemporaryPassword=PASSWORD)
        first = aws.client_id
        challenge = await aws.start("USER_PASSWORD_AUTH", PASSWORD=PASSWORD)
        await aws.a_client(ClientName="other")
        await aws.refuses_answer("NotAuthorizedException", challenge, NEW_PASSWORD=OTHER_PASSWORD)
        aws.client_id = first
        renamed = {**challenge, "ChallengeName": "SMS_MFA"}
        await aws.refuses_answer("NotAuthorizedException", renamed, SMS_MFA_CODE="123456")
        challenge = await aws.start("USER_PASSWORD_AUTH", PASSWORD=PASSWORD)
        aws.clock.advance(ms=3 * 60_000)
        message = await aws.refuses_answer("NotAuthorizedException", challenge, NEW_PASSWORD=OTHER_PASSWORD)
        assert message == "Invalid session for the user, session is expired."
        await aws.a_user("bob")
        challenge = await aws.start("USER_PASSWORD_AUTH", PASSWORD=PASSWORD)
        for other in ("bob", "nobody"):
            await aws.refuses_answer("NotAuthorizedException", challenge, USERNAME=other, NEW_PASSWORD=OTHER_PASSWORD)
        forged = {**challenge, "Session": "x" * 64}
        await aws.refuses_answer("NotAuthorizedException", forged, NEW_PASSWORD=OTHER_PASSWORD)

    pools(scenario)


def test_two_answers_to_one_session_get_in_once(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws("AdminCreateUser", UserPoolId=aws.pool_id, Username="ann", TemporaryPassword=PASSWORD)
        challenge = await aws.start("USER_PASSWORD_AUTH", PASSWORD=PASSWORD)
        answers = [aws.answer(challenge, NEW_PASSWORD=OTHER_PASSWORD) for _ in range(5)]
        came = await asyncio.gather(*answers, return_exceptions=True)
        assert sum(isinstance(one, dict) for one in came) == 1

    pools(scenario)


def test_password_history_is_kept_as_long_as_the_policy_says(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        policy = {"MinimumLength": 6, "PasswordHistorySize": 2}
        await a_shop(aws, Policies={"PasswordPolicy": policy})
        await aws.a_user(password="first-1")
        params = {"UserPoolId": aws.pool_id, "Username": "ann", "Permanent": True}
        await aws("AdminSetUserPassword", **params, Password="second")
        for used in ("second", "first-1"):
            await aws.fails("PasswordHistoryPolicyViolationException", "AdminSetUserPassword", **params, Password=used)
        await aws("AdminSetUserPassword", **params, Password="third-3")
        await aws("AdminSetUserPassword", **params, Password="first-1")

    pools(scenario)


def test_aliases_and_phone_numbers_sign_in(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws, AliasAttributes=["phone_number", "preferred_username"])
        await aws.a_user(phone_number="+15555550100", phone_number_verified="true", preferred_username="annie")
        for name in ("ann", "+15555550100", "annie"):
            await aws.sign_in(name)
        change = [{"Name": "phone_number", "Value": "+15555550199"}]
        await aws("AdminUpdateUserAttributes", UserPoolId=aws.pool_id, Username="ann", UserAttributes=change)
        assert attributes_of(await aws.user())["phone_number_verified"] == "false"
        for gone in ("+15555550100", "+15555550199"):
            await refused(aws, name=gone)

    pools(scenario)


def test_many_guesses_at_once_get_no_further_than_one_after_the_other(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws.a_user()

        async def guess(password: str) -> str:
            try:
                await aws(
                    "InitiateAuth",
                    ClientId=aws.client_id,
                    AuthFlow="USER_PASSWORD_AUTH",
                    AuthParameters={"USERNAME": "ann", "PASSWORD": password},
                )
            except ServiceError as error:
                return error.message
            return "in"

        wrong = [f"Guess-{number}" for number in range(30)]
        answers = await asyncio.gather(*(guess(password) for password in [*wrong, PASSWORD]))
        assert answers.count(BAD_LOGIN) == FREE_ATTEMPTS
        assert "in" not in answers

    pools(scenario)


def test_many_proofs_at_once_get_no_further_than_one_after_the_other(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        await aws.a_user()

        async def a_proof(password: str) -> dict[str, str]:
            client = srp(aws, password=password)
            begun = await aws(
                "InitiateAuth",
                ClientId=aws.client_id,
                AuthFlow="USER_SRP_AUTH",
                AuthParameters=client.get_auth_params(),
            )
            return proof_of(aws, client, begun)

        async def show(proof: dict[str, str]) -> str:
            try:
                await respond(aws, proof)
            except ServiceError as error:
                return error.message
            return "in"

        proofs = [await a_proof(password) for password in [*(f"Guess-{n}" for n in range(12)), PASSWORD]]
        answers = await asyncio.gather(*(show(proof) for proof in proofs))
        assert answers.count(BAD_LOGIN) == FREE_ATTEMPTS
        assert "in" not in answers

    pools(scenario)
