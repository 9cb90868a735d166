"""What tokens say, how long they last, how they are refreshed, rotated and revoked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gatepost.kernel.clock import FixedClock
from gatepost.security.jwt import SigningKey, Verifier, verifying_keys
from gatepost.services.cognito_idp.claims import ACCESS_RESERVED, ID_RESERVED, with_claims, with_scopes
from gatepost.services.cognito_idp.discovery import is_discovery_path
from gatepost.services.cognito_idp.errors import InvalidLambdaResponseException
from gatepost.services.cognito_idp.signed_in import AccessTokens
from gatepost.services.cognito_idp.tokens import Grant, made_at_ms
from tests.support.user_pools import ISSUER, PASSWORD, Aws, Run, claims_of, with_pools

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


async def a_shop(aws: Aws, **client: Any) -> None:
    await aws.a_pool()
    await aws.a_client(**client)
    await aws.a_user(email="ann@example.com", email_verified="true")


async def refresh(aws: Aws, token: str) -> dict[str, Any]:
    told = await aws(
        "InitiateAuth",
        ClientId=aws.client_id,
        AuthFlow="REFRESH_TOKEN_AUTH",
        AuthParameters={"REFRESH_TOKEN": token},
    )
    result: dict[str, Any] = told["AuthenticationResult"]
    return result


async def refuses_refresh(aws: Aws, token: str) -> str:
    given = {"REFRESH_TOKEN": token}
    call = {"ClientId": aws.client_id, "AuthFlow": "REFRESH_TOKEN_AUTH", "AuthParameters": given}
    return await aws.fails("NotAuthorizedException", "InitiateAuth", **call)


async def refuses_access(aws: Aws, token: str) -> str:
    return await aws.fails("NotAuthorizedException", "GetUser", AccessToken=token)


def test_tokens_have_exactly_cognitos_claims(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        for name, precedence in (("staff", 2), ("admin", 1), ("all", None)):
            params = {"UserPoolId": aws.pool_id, "GroupName": name, "RoleArn": f"arn:aws:iam::000000000000:role/{name}"}
            await aws("CreateGroup", **params, **({} if precedence is None else {"Precedence": precedence}))
            await aws("AdminAddUserToGroup", UserPoolId=aws.pool_id, GroupName=name, Username="ann")
        result = await aws.sign_in()
        now_s = aws.clock.now_ms() // 1000
        access, identity = claims_of(result["AccessToken"]), claims_of(result["IdToken"])
        shared = {"iss": f"{ISSUER}/{aws.pool_id}", "auth_time": now_s, "iat": now_s, "exp": now_s + 3600}
        sub = identity["sub"]
        assert access == {
            **shared,
            "sub": sub,
            "cognito:groups": ["admin", "staff", "all"],
            "client_id": aws.client_id,
            "token_use": "access",
            "scope": "aws.cognito.signin.user.admin",
            "username": "ann",
            "origin_jti": access["origin_jti"],
            "event_id": access["event_id"],
            "jti": access["jti"],
        }
        role = "arn:aws:iam::000000000000:role/"
        assert identity == {
            **shared,
            "sub": sub,
            "email": "ann@example.com",
            "email_verified": True,
            "cognito:groups": ["admin", "staff", "all"],
            "cognito:roles": [f"{role}admin", f"{role}staff", f"{role}all"],
            "cognito:preferred_role": f"{role}admin",
            "cognito:username": "ann",
            "aud": aws.client_id,
            "token_use": "id",
            "origin_jti": access["origin_jti"],
            "event_id": access["event_id"],
            "jti": identity["jti"],
        }
        assert len({access["jti"], identity["jti"], access["origin_jti"]}) == 3
        assert result["ExpiresIn"] == 3600

    pools(scenario)


def test_the_published_keys_verify_tokens_each_kind_by_its_own(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        result = await aws.sign_in()
        pool = await aws("DescribeUserPool", UserPoolId=aws.pool_id)
        arn = pool["UserPool"]["Arn"]
        told = aws.changes.held["jwks", arn]
        assert told["issuer"] == f"{ISSUER}/{aws.pool_id}"
        document = aws.provider.discovery.document(f"/{aws.pool_id}/.well-known/jwks.json")
        assert document == {"keys": told["keys"]}
        verifier = Verifier(told["issuer"], verifying_keys(told), FixedClock(aws.clock.now_ms()))
        kids = {verifier.verify(result[name]).kid for name in ("AccessToken", "IdToken")}
        assert kids == {key["kid"] for key in told["keys"]}
        assert [change.topic for change in await aws.provider.published()] == ["jwks"]
        await aws("DeleteUserPool", UserPoolId=aws.pool_id)
        assert ("jwks", arn) not in aws.changes.held
        assert aws.provider.discovery.document(f"/{aws.pool_id}/.well-known/jwks.json") is None

    pools(scenario)


def test_tokens_last_as_long_as_the_client_says(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        units = {"AccessToken": "minutes", "IdToken": "hours", "RefreshToken": "minutes"}
        await a_shop(aws, AccessTokenValidity=5, IdTokenValidity=1, RefreshTokenValidity=60, TokenValidityUnits=units)
        result = await aws.sign_in()
        assert result["ExpiresIn"] == 300
        access = claims_of(result["AccessToken"])
        assert access["exp"] - access["iat"] == 300
        aws.clock.advance(ms=299_999)
        await aws("GetUser", AccessToken=result["AccessToken"])
        aws.clock.advance(ms=1)
        assert await refuses_access(aws, result["AccessToken"]) == "Access Token has expired"
        aws.clock.advance(ms=55 * 60_000 - 1)
        again = await refresh(aws, result["RefreshToken"])
        assert claims_of(again["AccessToken"])["auth_time"] == access["auth_time"]
        assert "RefreshToken" not in again
        aws.clock.advance(ms=1)
        assert await refuses_refresh(aws, result["RefreshToken"]) == "Refresh Token has expired"

    pools(scenario)


def test_a_refresh_keeps_the_session_and_shows_what_changed(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        result = await aws.sign_in()
        await aws("CreateGroup", UserPoolId=aws.pool_id, GroupName="vendor")
        await aws("AdminAddUserToGroup", UserPoolId=aws.pool_id, GroupName="vendor", Username="ann")
        again = await refresh(aws, result["RefreshToken"])
        before, after = claims_of(result["IdToken"]), claims_of(again["IdToken"])
        assert after["origin_jti"] == before["origin_jti"]
        assert after["jti"] != before["jti"]
        assert after["cognito:groups"] == ["vendor"]

    pools(scenario)


@pytest.mark.parametrize("change", ["", "x", "{}x", "x{}", "{}=", "{}.", "AAAA" * 2000])
def test_a_refresh_token_that_is_none_of_ours_is_refused(pools: Run, change: str) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        result = await aws.sign_in()
        given = {"REFRESH_TOKEN": change.format(result["RefreshToken"])}
        call = {"ClientId": aws.client_id, "AuthFlow": "REFRESH_TOKEN_AUTH", "AuthParameters": given}
        code = "NotAuthorizedException" if change else "InvalidParameterException"
        await aws.fails(code, "InitiateAuth", **call)
        middle = result["RefreshToken"]
        flipped = middle[:50] + ("A" if middle[50] != "A" else "B") + middle[51:]
        assert await refuses_refresh(aws, flipped) == "Invalid Refresh Token"
        assert await refuses_refresh(aws, result["AccessToken"]) == "Invalid Refresh Token"

    pools(scenario)


def test_a_refresh_token_is_for_its_client_alone_and_not_for_a_later_one_of_the_same_name(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        first = aws.client_id
        result = await aws.sign_in()
        await aws.a_client(ClientName="other")
        assert await refuses_refresh(aws, result["RefreshToken"]) == "Invalid Refresh Token"
        await aws("DeleteUserPoolClient", UserPoolId=aws.pool_id, ClientId=first)
        aws.clock.advance(ms=1)
        assert await aws.a_client() == first
        assert await refuses_refresh(aws, result["RefreshToken"]) == "Invalid Refresh Token"
        assert await refuses_access(aws, result["AccessToken"]) == "Invalid Access Token"

    pools(scenario)


def test_revoking_a_refresh_token_ends_its_session_and_no_other(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        one, other = await aws.sign_in(), await aws.sign_in()
        await aws("RevokeToken", Token=one["RefreshToken"], ClientId=aws.client_id)
        assert await refuses_refresh(aws, one["RefreshToken"]) == "Refresh Token has been revoked"
        assert await refuses_access(aws, one["AccessToken"]) == "Access Token has been revoked"
        await aws("GetUser", AccessToken=other["AccessToken"])
        await refresh(aws, other["RefreshToken"])
        jti = claims_of(one["AccessToken"])["origin_jti"]
        keys = [key for topic, key in aws.changes.held if topic == "revocations"]
        assert [key.rpartition("/")[2] for key in keys] == [jti]
        wrong = {"Token": one["AccessToken"], "ClientId": aws.client_id}
        await aws.fails("UnsupportedTokenTypeException", "RevokeToken", **wrong)
        await aws.a_client(ClientName="other")
        await aws("RevokeToken", Token=other["RefreshToken"], ClientId=aws.client_id)  # does nothing, tells nothing
        await aws("GetUser", AccessToken=other["AccessToken"])
        await aws.a_client(ClientName="fixed", EnableTokenRevocation=False)
        fixed = await aws.sign_in()
        assert {"jti", "origin_jti"} & claims_of(fixed["AccessToken"]).keys() == set()
        params = {"Token": fixed["RefreshToken"], "ClientId": aws.client_id}
        await aws.fails("UnsupportedOperationException", "RevokeToken", **params)

    pools(scenario)


def test_signing_out_everywhere_ends_all_tokens_until_then_and_no_later_one(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        one, other = await aws.sign_in(), await aws.sign_in()
        aws.clock.advance(ms=1)
        await aws("GlobalSignOut", AccessToken=one["AccessToken"])
        for result in (one, other):
            assert await refuses_access(aws, result["AccessToken"]) == "Access Token has been revoked"
            assert await refuses_refresh(aws, result["RefreshToken"]) == "Refresh Token has been revoked"
        aws.clock.advance(ms=1)  # in the same second
        later = await aws.sign_in()
        await aws("GetUser", AccessToken=later["AccessToken"])
        (key,) = [key for topic, key in aws.changes.held if topic == "revocations"]
        assert key.endswith(f"/sub/{claims_of(one['AccessToken'])['sub']}")
        aws.clock.advance(ms=1)
        await aws("AdminUserGlobalSignOut", UserPoolId=aws.pool_id, Username="ann")
        await refuses_access(aws, later["AccessToken"])

    pools(scenario)


def test_a_user_who_is_disabled_or_gone_has_no_tokens(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        result = await aws.sign_in()
        aws.clock.advance(ms=1)
        await aws("AdminDisableUser", UserPoolId=aws.pool_id, Username="ann")
        await refuses_access(aws, result["AccessToken"])
        assert await refuses_refresh(aws, result["RefreshToken"]) == "User is disabled."
        await aws("AdminEnableUser", UserPoolId=aws.pool_id, Username="ann")
        await refuses_access(aws, result["AccessToken"])
        aws.clock.advance(ms=1)
        result = await aws.sign_in()
        await aws("AdminDeleteUser", UserPoolId=aws.pool_id, Username="ann")
        await aws.a_user()  # of the same name, and somebody else
        assert await refuses_access(aws, result["AccessToken"]) == "Invalid Access Token"
        assert await refuses_refresh(aws, result["RefreshToken"]) == "Invalid Refresh Token"

    pools(scenario)


def test_of_many_who_use_a_rotating_refresh_token_at_once_one_gets_the_next(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        rotation = {"Feature": "ENABLED", "RetryGracePeriodSeconds": 0}
        await aws.a_client("ALLOW_USER_PASSWORD_AUTH", RefreshTokenRotation=rotation)
        await aws.a_user()
        token = (await aws.sign_in())["RefreshToken"]
        call = {"ClientId": aws.client_id, "RefreshToken": token}
        answers = await asyncio.gather(
            *(aws("GetTokensFromRefreshToken", **call) for _ in range(8)), return_exceptions=True
        )
        assert sum(isinstance(answer, dict) for answer in answers) == 1
        assert {type(answer).__name__ for answer in answers if not isinstance(answer, dict)} == {
            "RefreshTokenReuseException"
        }

    pools(scenario)


def test_refresh_tokens_rotate_and_an_old_one_is_good_for_the_grace_only(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool()
        rotation = {"Feature": "ENABLED", "RetryGracePeriodSeconds": 10}
        await aws.a_client("ALLOW_USER_PASSWORD_AUTH", RefreshTokenRotation=rotation)
        await aws.a_user()
        first = await aws.sign_in()
        params = {"ClientId": aws.client_id, "RefreshToken": first["RefreshToken"]}
        second = (await aws("GetTokensFromRefreshToken", **params))["AuthenticationResult"]
        assert second["RefreshToken"] != first["RefreshToken"]
        aws.clock.advance(ms=9_999)
        await aws("GetTokensFromRefreshToken", **params)
        aws.clock.advance(ms=1)
        await aws.fails("RefreshTokenReuseException", "GetTokensFromRefreshToken", **params)
        params["RefreshToken"] = second["RefreshToken"]
        third = (await aws("GetTokensFromRefreshToken", **params))["AuthenticationResult"]
        sessions = {claims_of(result["AccessToken"])["origin_jti"] for result in (first, second, third)}
        assert len(sessions) == 1
        aws.clock.advance(ms=30 * 86_400_000)  # the new one ends when the first one would have
        params["RefreshToken"] = third["RefreshToken"]
        await aws.fails("NotAuthorizedException", "GetTokensFromRefreshToken", **params)
        flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
        client = {"UserPoolId": aws.pool_id, "ClientName": "both", "RefreshTokenRotation": rotation}
        await aws.fails("InvalidParameterException", "CreateUserPoolClient", **client, ExplicitAuthFlows=flows)

    pools(scenario)


def test_only_access_tokens_of_the_pool_open_the_users_own_operations(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        result = await aws.sign_in()
        good = claims_of(result["AccessToken"])
        forged = SigningKey.generate("forged")
        assert await refuses_access(aws, forged.sign(good)) == "Invalid Access Token"
        for token in (result["IdToken"], result["RefreshToken"][:100], "a.b.c", result["AccessToken"][:-6] + "AAAAAA"):
            assert await refuses_access(aws, token) == "Invalid Access Token"
        pools_ = aws.provider._pools
        pool = pools_.find(aws.pool_id)
        assert pool is not None
        key = pools_.signing_key(pool, is_access=True)
        await aws("GetUser", AccessToken=key.sign(good))
        for change in (
            {"token_use": "id"},
            {"client_id": "other"},
            {"username": "bob"},
            {"sub": "other"},
            {"iss": f"{ISSUER}/us-east-1_Other1234"},
            {"scope": "openid email"},
            {"scope": ""},
        ):
            await refuses_access(aws, key.sign({**good, **change}))
        await aws.a_pool(PoolName="other")
        await aws.a_client()
        await aws.a_user()
        theirs = pools_.find(aws.pool_id)
        assert theirs is not None
        crossed = pools_.signing_key(theirs, is_access=True).sign(good)
        await refuses_access(aws, crossed)

    pools(scenario)


def test_a_client_sees_the_attributes_that_it_may_read(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await aws.a_pool(Schema=[{"Name": "tier"}, {"Name": "note", "DeveloperOnlyAttribute": True}])
        await aws.a_client(ReadAttributes=["email"])
        await aws.a_user(email="a@example.com", given_name="Ann", **{"custom:tier": "1", "dev:custom:note": "x"})
        result = await aws.sign_in()
        told = await aws("GetUser", AccessToken=result["AccessToken"])
        assert {one["Name"] for one in told["UserAttributes"]} == {"sub", "email"}
        assert {"given_name", "custom:tier", "dev:custom:note"} & claims_of(result["IdToken"]).keys() == set()
        await aws.a_client(ClientName="all")
        identity = claims_of((await aws.sign_in())["IdToken"])
        assert (identity["given_name"], identity["custom:tier"]) == ("Ann", "1")
        assert "dev:custom:note" not in identity

    pools(scenario)


def test_a_tokens_id_tells_the_millisecond_that_it_was_made_in() -> None:
    assert made_at_ms({"jti": "01ac7289-96a0-4fca-9152-01a20cf6b186", "iat": 1}) == 0x01A20CF6B186
    assert made_at_ms({"iat": 7}) == 7_999
    assert made_at_ms({"jti": "not one of ours", "iat": 7}) == 7_000


def test_nothing_secret_lies_open_in_the_store(pools: Run, tmp_path: Any) -> None:
    async def scenario(aws: Aws) -> list[str]:
        await aws.a_pool(AutoVerifiedAttributes=["email"])
        await aws.a_client(GenerateSecret=False, ClientSecret="a" * 30)
        await aws.a_user(email="ann@example.com")
        told = await aws("DescribeUserPoolClient", UserPoolId=aws.pool_id, ClientId=aws.client_id)
        held = await aws.provider._users.by_name(aws.provider._pools.find(aws.pool_id), "ann")
        return [told["UserPoolClient"]["ClientSecret"], held.user.secrets.srp_verifier, held.user.secrets.password_hash]

    secrets = [*pools(scenario), PASSWORD, "PRIVATE KEY"]
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("store.db*"))
    assert b"ann@example.com" in kept
    assert [secret for secret in secrets if secret.encode() in kept] == []


def test_pools_users_keys_and_revocations_are_the_same_after_a_restart(tmp_path: Any) -> None:
    async def before(aws: Aws) -> Any:
        await a_shop(aws, GenerateSecret=False)
        result, revoked = await aws.sign_in(), await aws.sign_in()
        await aws("RevokeToken", Token=revoked["RefreshToken"], ClientId=aws.client_id)
        await aws("CreateUserPoolDomain", UserPoolId=aws.pool_id, Domain="shop")
        return aws.pool_id, aws.client_id, result, revoked

    told = with_pools(tmp_path, before)

    async def after(aws: Aws) -> None:
        aws.pool_id, aws.client_id, result, revoked = told
        assert (await aws("GetUser", AccessToken=result["AccessToken"]))["Username"] == "ann"
        await refresh(aws, result["RefreshToken"])
        await aws.sign_in()
        assert await refuses_access(aws, revoked["AccessToken"]) == "Access Token has been revoked"
        assert await refuses_refresh(aws, revoked["RefreshToken"]) == "Refresh Token has been revoked"
        assert (await aws("DescribeUserPoolDomain", Domain="shop"))["DomainDescription"]["UserPoolId"] == aws.pool_id
        topics = sorted(change.topic for change in await aws.provider.published())
        assert topics == ["jwks", "revocations"]
        aws.clock.advance(ms=31 * 86_400_000)

    with_pools(tmp_path, after)


def test_revocations_are_forgotten_once_no_token_can_be_meant(tmp_path: Any) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        result = await aws.sign_in()
        await aws("RevokeToken", Token=result["RefreshToken"], ClientId=aws.client_id)
        revocations = aws.provider._revocations
        aws.clock.advance(ms=30 * 86_400_000 - 1)
        await revocations.load()
        assert len(revocations.published()) == 1
        aws.clock.advance(ms=1)
        await revocations.load()
        assert revocations.published() == []
        assert [key for topic, key in aws.changes.held if topic == "revocations"] == []

    with_pools(tmp_path, scenario)


# --- for the OAuth endpoints -----------------------------------------------------------------------------------


def test_tokens_of_the_hosted_pages_say_so_and_show_what_the_scopes_ask_for(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        found = aws.provider._pools.find(aws.pool_id)
        client = aws.provider._pools.client(aws.client_id)
        assert found is not None
        assert client is not None
        held = await aws.provider._users.get(found, "ann")
        grant = Grant(found, client, held.user, scopes=("openid", "email"), is_hosted=True, nonce="n")
        result = await aws.provider._tokens.issue(grant)
        identity, access = claims_of(result["IdToken"]), claims_of(result["AccessToken"])
        assert (access["scope"], access["version"]) == ("openid email", 2)
        assert (identity["nonce"], identity["email"]) == ("n", "ann@example.com")
        assert len(identity["at_hash"]) == 22
        reader: AccessTokens = aws.provider._access_tokens
        assert (await reader.read(result["AccessToken"], scope="openid")).user.name == "ann"
        await refuses_access(aws, result["AccessToken"])  # without aws.cognito.signin.user.admin
        again = await refresh(aws, result["RefreshToken"])
        assert claims_of(again["AccessToken"])["scope"] == "openid email"
        plain = await aws.provider._tokens.issue(
            Grant(found, client, held.user, scopes=("orders/read",), is_hosted=True)
        )
        assert "IdToken" not in plain
        own = await aws.provider._tokens.issue_to_client(found, client, ["orders/read"])
        told = claims_of(own["AccessToken"])
        assert (told["sub"], told["scope"], told["token_use"]) == (aws.client_id, "orders/read", "access")
        assert {"username", "origin_jti"} & told.keys() == set()

    pools(scenario)


def test_what_is_reserved_cannot_be_claimed() -> None:
    told = {
        "claimsToAddOrOverride": dict.fromkeys((*ID_RESERVED, *ACCESS_RESERVED, "cognito:groups", "aws:x"), "forged")
    }
    forged = with_claims({"sub": "s"}, told, reserved=ID_RESERVED | ACCESS_RESERVED, texts_only=False)
    assert forged == {"sub": "s"}
    gone = with_claims({"sub": "s"}, {"claimsToSuppress": ["sub", 7, None]}, reserved=ID_RESERVED, texts_only=False)
    assert gone == {"sub": "s"}
    for nonsense in ({"claimsToAddOrOverride": "x"}, {"claimsToSuppress": "x"}, {"claimsToAddOrOverride": {"a": {}}}):
        with pytest.raises(InvalidLambdaResponseException):
            with_claims({}, nonsense, reserved=ID_RESERVED, texts_only=True)
    assert with_scopes(["a", "b"], {"scopesToAdd": ["c", "c", "d e", 7, " "], "scopesToSuppress": ["a"]}) == ["b", "c"]


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("/us-east-1_Abc/.well-known/jwks.json", True),
        ("/us-east-1_Abc/.well-known/openid-configuration", True),
        ("/us-east-1_Abc/.well-known/", False),
        ("/us-east-1_A-c/.well-known/jwks.json", False),
        ("/x/us-east-1_Abc/.well-known/jwks.json", False),
        ("/us-east-1_Abc/.well-known/jwks.json/", False),
    ],
)
def test_discovery_paths_are_exact(path: str, is_one: bool) -> None:
    assert is_discovery_path(path) is is_one
