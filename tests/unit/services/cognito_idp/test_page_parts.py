"""What hosted pages build on: the same steps as InitiateAuth, with the user instead of tokens at their end."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.kernel.errors import ServiceError
from gatepost.services.cognito_idp.page_parts import Hosted
from gatepost.services.cognito_idp.sign_in import Attempt
from gatepost.services.cognito_idp.tokens import Grant
from tests.support.user_pools import OTHER_PASSWORD, PASSWORD, Aws, Run, claims_of


def an_attempt(aws: Aws, login: str = "ann", **parameters: str) -> Attempt:
    hosted = aws.provider.hosted
    pool, client = hosted.pools.signing_in(aws.client_id)
    return Attempt(pool, client, login, parameters, is_hosted=True)


def test_a_page_gets_the_user_through_every_step_and_then_makes_tokens(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        await aws(
            "SetUserPoolMfaConfig",
            UserPoolId=aws.pool_id,
            MfaConfiguration="ON",
            EmailMfaConfiguration={"Message": "{####}"},
        )
        await aws.a_client("ALLOW_USER_SRP_AUTH")  # pages need no flow of the API's
        email = [{"Name": "email", "Value": "ann@example.com"}]
        await aws(
            "AdminCreateUser", UserPoolId=aws.pool_id, Username="ann", TemporaryPassword=PASSWORD, UserAttributes=email
        )
        hosted: Hosted = aws.provider.hosted
        challenge = await hosted.with_password(an_attempt(aws), PASSWORD)
        given = an_attempt(aws, NEW_PASSWORD=OTHER_PASSWORD)
        challenge = await hosted.answer(given, challenge["ChallengeName"], challenge["Session"])
        assert challenge["ChallengeName"] == "EMAIL_OTP"
        given = an_attempt(aws, EMAIL_OTP_CODE=aws.mail.code)
        done = await hosted.answer(given, "EMAIL_OTP", challenge["Session"])
        assert (done["User"].name, done["Source"]) == ("ann", "TokenGeneration_NewPasswordChallenge")
        grant = Grant(
            given.pool,
            given.client,
            done["User"],
            source="TokenGeneration_HostedAuth",
            scopes=("openid",),
            is_hosted=True,
        )
        assert claims_of((await hosted.tokens.issue(grant))["AccessToken"])["scope"] == "openid"

    pools(scenario)


def test_a_page_never_tells_who_exists(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        await aws.a_client(PreventUserExistenceErrors="LEGACY")
        await aws.a_user()
        told: list[Any] = []
        for name in ("ann", "nobody"):
            with pytest.raises(ServiceError) as refused:
                await aws.provider.hosted.with_password(an_attempt(aws, name), OTHER_PASSWORD)
            told.append((refused.value.code, refused.value.message))
        assert told[0] == told[1]

    pools(scenario)


def test_a_session_of_a_page_gives_no_tokens_through_the_api(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        await aws.a_client()
        await aws("AdminCreateUser", UserPoolId=aws.pool_id, Username="ann", TemporaryPassword=PASSWORD)
        challenge = await aws.provider.hosted.with_password(an_attempt(aws), PASSWORD)
        await aws.refuses_answer("NotAuthorizedException", challenge, NEW_PASSWORD=OTHER_PASSWORD)
        plain = await aws.start("USER_PASSWORD_AUTH", PASSWORD=PASSWORD)
        given = an_attempt(aws, NEW_PASSWORD=OTHER_PASSWORD)
        with pytest.raises(ServiceError, match="Invalid session"):
            await aws.provider.hosted.answer(given, "NEW_PASSWORD_REQUIRED", plain["Session"])

    pools(scenario)
