"""Tokens of user pools on REST APIs, signed by real keys: who gets in, and what the rest is told."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from functools import cache

import pytest

from gatepost.gateway.guards.cognito_authorizer import claim_texts
from gatepost.security.jwt import SigningKey
from gatepost.services.apigateway.deployment import Authorizer, Method
from gatepost.wire.headers import read_block
from gatepost.wire.messages import Request
from tests.support.gateways import ACCOUNT, LAMBDA, TestGateway, a_request, header
from tests.unit.gateway.guards.test_signature import a_document, a_statement, signature_parts

ARN = f"arn:aws:cognito-idp:us-east-1:{ACCOUNT}:userpool/us-east-1_Shop"
OTHER = f"arn:aws:cognito-idp:us-east-1:{ACCOUNT}:userpool/us-east-1_Staff"
ISSUERS = {ARN: "http://localhost:4566/us-east-1_Shop", OTHER: "http://localhost:4566/us-east-1_Staff"}
POOL = Authorizer("au1", "shoppers", "COGNITO_USER_POOLS", provider_arns=(ARN,))


@cache
def a_key(arn: str) -> SigningKey:
    return SigningKey.generate(f"key of {arn}")


def a_gateway(authorizer=POOL, *, scopes=(), pools=(ARN,), **deployment):
    gateway = TestGateway(signatures=signature_parts(None))
    for arn in pools:
        gateway.pools.take_keys(arn, {"issuer": ISSUERS[arn], "keys": [a_key(arn).public_jwk()]})
    method = Method("GET", "COGNITO_USER_POOLS", authorizer_id="au1", authorization_scopes=scopes, integration=LAMBDA)
    assert gateway.deploy({"/orders": (method,)}, authorizers=(authorizer,), **deployment).problems == ()
    return gateway


def an_id_token(gateway, arn=ARN, **changes):
    now_s = gateway.clock.now_ms() // 1000
    claims = {
        "sub": "s-1",
        "iss": ISSUERS[arn],
        "aud": "client-1",
        "origin_jti": "o-1",
        "token_use": "id",
        "iat": now_s,
        "exp": now_s + 3600,
    } | changes
    return a_key(arn).sign({name: value for name, value in claims.items() if value is not None})


def an_access_token(gateway, scope, **changes):
    return an_id_token(
        gateway, **({"token_use": "access", "aud": None, "client_id": "client-1", "scope": scope} | changes)
    )


def with_token(token, name="Authorization"):
    return a_request(headers=((name, token),))


def answered(gateway, token):
    response = gateway.answer(with_token(token))
    return response.status, response.body


UNAUTHORIZED = (401, b'{"message":"Unauthorized"}')


def test_an_id_token_lets_its_holder_in_and_the_function_sees_its_claims_as_texts():
    gateway = a_gateway()
    token = an_id_token(gateway, **{"cognito:groups": ["admin", "vendor"], "email_verified": True, "auth_time": 12})
    assert answered(gateway, token)[0] == 200
    authorizer = gateway.functions.event["requestContext"]["authorizer"]
    assert set(authorizer) == {"claims"}
    claims = authorizer["claims"]
    assert (claims["sub"], claims["cognito:groups"]) == ("s-1", "admin,vendor")
    assert (claims["email_verified"], claims["auth_time"]) == ("true", "12")


def test_times_are_written_as_java_writes_dates():
    assert claim_texts({"exp": 1_795_511_361, "iat": 0}) == {
        "exp": "Tue Nov 24 09:09:21 UTC 2026",
        "iat": "Thu Jan 01 00:00:00 UTC 1970",
    }


@pytest.mark.parametrize("prefix", ["", "Bearer ", "bearer ", "BEARER  "])
def test_the_token_may_come_with_bearer_before_it(prefix):
    gateway = a_gateway()
    assert answered(gateway, prefix + an_id_token(gateway))[0] == 200


def test_the_authorizer_says_in_which_header_the_token_comes():
    gateway = a_gateway(replace(POOL, identity_source="method.request.header.X-Token"))
    token = an_id_token(gateway)
    assert gateway.answer(with_token(token, "x-token")).status == 200
    assert gateway.answer(with_token(token)).status == 401


def none_algorithm(gateway):
    _, claims, _ = an_id_token(gateway).split(".")
    header_ = (
        base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": a_key(ARN).kid}).encode()).rstrip(b"=").decode()
    )
    return f"{header_}.{claims}."


def cut(gateway):
    token = an_id_token(gateway)
    return token[:-8] + ("A" * 8 if token[-8:] != "A" * 8 else "B" * 8)


@pytest.mark.parametrize(
    "token",
    [
        lambda _gateway: "",
        lambda _gateway: "nonsense",
        lambda _gateway: "a.b.c",
        none_algorithm,
        cut,
        lambda gateway: an_id_token(gateway, iss=ISSUERS[OTHER]),
        lambda gateway: an_id_token(gateway, token_use="refresh"),
        lambda gateway: an_id_token(gateway, token_use=None),
        lambda gateway: an_id_token(gateway, arn=OTHER),
        lambda gateway: an_id_token(gateway, nbf=gateway.clock.now_ms() // 1000 + 60),
        lambda gateway: an_access_token(gateway, "openid"),
    ],
)
def test_whoever_proves_nothing_is_unauthorized(token):
    gateway = a_gateway()
    assert answered(gateway, token(gateway)) == UNAUTHORIZED
    assert gateway.functions.invocations == []


def test_a_token_is_good_until_it_expires_though_it_is_remembered():
    gateway = a_gateway()
    token = an_id_token(gateway)
    gateway.clock.advance(ms=3_599_000)
    assert answered(gateway, token)[0] == 200
    gateway.clock.advance(ms=1_000)
    for _ in range(2):
        assert answered(gateway, token) == (401, b'{"message":"The incoming token has expired"}')


@pytest.mark.parametrize(
    ("scopes", "scope", "expected"),
    [
        (("shop/read",), "shop/read", 200),
        (("shop/read",), "openid shop/read shop/write", 200),
        (("shop/read", "shop/write"), "shop/write", 200),
        (("shop/read",), "shop/reader", 401),
        (("shop/read",), "", 401),
        (("shop/read",), ["shop/read"], 401),
    ],
)
def test_a_method_with_scopes_takes_access_tokens_that_have_one_of_them(scopes, scope, expected):
    gateway = a_gateway(scopes=scopes)
    assert answered(gateway, an_access_token(gateway, scope))[0] == expected


def test_a_method_with_scopes_takes_no_id_token_even_one_with_a_scope():
    gateway = a_gateway(scopes=("shop/read",))
    assert answered(gateway, an_id_token(gateway, scope="shop/read")) == UNAUTHORIZED


def test_any_of_several_pools_may_have_issued_the_token():
    gateway = a_gateway(replace(POOL, provider_arns=(ARN, OTHER)), pools=(ARN, OTHER))
    assert answered(gateway, an_id_token(gateway))[0] == 200
    assert answered(gateway, an_id_token(gateway, arn=OTHER))[0] == 200
    # The keys of one pool never vouch for the other.
    assert answered(gateway, an_id_token(gateway, arn=OTHER, iss=ISSUERS[ARN])) == UNAUTHORIZED


@pytest.mark.parametrize(("expression", "expected"), [("client-.*", 200), ("client", 401), ("other|client-1", 200)])
def test_the_audience_must_match_the_validation_expression(expression, expected):
    gateway = a_gateway(replace(POOL, identity_validation_expression=expression))
    assert answered(gateway, an_id_token(gateway))[0] == expected


def test_a_revoked_session_is_out_at_once():
    gateway = a_gateway()
    token, other = an_id_token(gateway), an_id_token(gateway, origin_jti="o-2")
    assert answered(gateway, token)[0] == 200
    gateway.pools.take_revocation(f"{ARN}/o-1", {"expires_at_ms": gateway.clock.now_ms() + 10_000})
    assert answered(gateway, token) == UNAUTHORIZED
    assert answered(gateway, token) == UNAUTHORIZED  # not remembered as good either
    assert answered(gateway, other)[0] == 200


def test_who_signed_out_everywhere_needs_a_token_from_later():
    gateway = a_gateway()
    token = an_id_token(gateway)
    gateway.clock.advance(ms=5_000)
    now_ms = gateway.clock.now_ms()
    gateway.pools.take_revocation(f"{ARN}/sub/s-1", {"before_ms": now_ms, "expires_at_ms": now_ms + 10_000})
    assert answered(gateway, token) == UNAUTHORIZED
    assert answered(gateway, an_id_token(gateway, sub="s-2"))[0] == 200
    gateway.clock.advance(ms=1_000)
    assert answered(gateway, an_id_token(gateway))[0] == 200


def test_in_the_second_of_a_sign_out_the_millisecond_counts():
    gateway = a_gateway()

    def token():
        return an_id_token(gateway, jti=f"0-{gateway.clock.now_ms():012x}")

    gateway.clock.advance(ms=1_000 - gateway.clock.now_ms() % 1_000)
    before = token()
    assert answered(gateway, before)[0] == 200
    gateway.clock.advance(ms=5)
    now_ms = gateway.clock.now_ms()
    gateway.pools.take_revocation(f"{ARN}/sub/s-1", {"before_ms": now_ms, "expires_at_ms": now_ms + 10_000})
    assert answered(gateway, before) == UNAUTHORIZED
    gateway.clock.advance(ms=5)
    assert answered(gateway, token())[0] == 200


def of_one_connection(gateway, token):
    """Give what asks again with the same header lines, as a connection does that is kept."""
    lines = f"\r\nHost: {a_request().host()}\r\nAuthorization: {token}\r\n\r\n".encode()
    block = read_block(lines, is_http_1_0=False, headers_max=100)
    return lambda: gateway.answer(Request("GET", "/prod/orders", block=block)).status


def test_a_connection_that_repeats_its_header_lines_gets_out_with_its_token():
    gateway = a_gateway()
    expiring = of_one_connection(gateway, an_id_token(gateway, exp=gateway.clock.now_ms() // 1000 + 60))
    revoked = of_one_connection(gateway, an_id_token(gateway, origin_jti="o-2"))
    kept = of_one_connection(gateway, an_id_token(gateway))
    assert [each() for each in (expiring, revoked, kept) * 2] == [200] * 6
    gateway.pools.take_revocation(f"{ARN}/o-2", {"expires_at_ms": gateway.clock.now_ms() + 10_000})
    assert [expiring(), revoked(), kept()] == [200, 401, 200]
    gateway.clock.advance(ms=60_000)
    assert [expiring(), revoked(), kept()] == [401, 401, 200]
    gateway.pools.take_keys(ARN, {"issuer": ISSUERS[ARN], "keys": [SigningKey.generate("another").public_jwk()]})
    assert kept() == 401


def test_a_connections_token_is_good_for_its_own_authorizer_only():
    gateway = a_gateway(replace(POOL, identity_validation_expression="client-1"))
    asking = of_one_connection(gateway, an_id_token(gateway))
    assert asking() == 200
    method = Method("GET", "COGNITO_USER_POOLS", authorizer_id="au1", integration=LAMBDA)
    strict = replace(POOL, identity_validation_expression="client-2")
    gateway.deploy({"/orders": (method,)}, authorizers=(strict,))
    assert asking() == 401


def test_when_the_keys_change_old_tokens_are_verified_again():
    gateway = a_gateway()
    token = an_id_token(gateway)
    assert answered(gateway, token)[0] == 200
    gateway.pools.take_keys(ARN, {"issuer": ISSUERS[ARN], "keys": [a_key(OTHER).public_jwk()]})
    assert answered(gateway, token) == UNAUTHORIZED


def test_a_pool_that_is_gone_lets_nobody_in():
    gateway = a_gateway()
    token = an_id_token(gateway)
    assert answered(gateway, token)[0] == 200
    gateway.pools.take_keys(ARN, None)
    response = gateway.answer(with_token(token))
    assert (response.status, response.body) == (500, b'{"message":null}')
    assert header(response, "x-amzn-ErrorType") == ["AuthorizerConfigurationException"]


# Table B of the developer guide's "authorization flow": the pool vouches, and the resource policy must allow.
@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ((a_statement(Principal="*"),), 200),
        ((a_statement(Principal="*", resource="arn:aws:execute-api:*:*:*/prod/POST/*"),), 403),
        ((a_statement(Principal="*"), a_statement("Deny", Principal="*")), 403),
    ],
)
def test_the_resource_policy_must_allow_as_well(statements, expected):
    gateway = a_gateway(resource_policy=a_document(*statements))
    assert answered(gateway, an_id_token(gateway))[0] == expected
    assert answered(gateway, "nonsense") == UNAUTHORIZED  # who calls is asked first


def test_an_authorizer_without_pools_never_works():
    gateway = TestGateway()
    method = Method("GET", "COGNITO_USER_POOLS", authorizer_id="au1", integration=LAMBDA)
    compiled = gateway.deploy({"/orders": (method,)}, authorizers=(replace(POOL, provider_arns=()),))
    assert "names no user pool" in compiled.problems[0]
    assert gateway.get().status == 500


def test_the_token_never_reaches_the_log(caplog):
    caplog.set_level("DEBUG")
    gateway = a_gateway()
    token = cut(gateway)
    answered(gateway, token)
    assert token.split(".")[1] not in str([record.__dict__ for record in caplog.records])
