"""Tokens are verified in one way only; each known attack on JWTs is refused, with its reason."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.jws import JWSRegistry

from gatepost.kernel.clock import FixedClock
from gatepost.security.jwt import (
    TOKEN_CHARACTERS_MAX,
    BadKey,
    BadToken,
    SigningKey,
    Verifier,
    unverified_claims,
    verifying_key,
    verifying_keys,
)

ISSUER = "http://localhost:4566/us-east-1_Abc123456"
NOW_S = 1_760_000_000


@cache
def a_key(kid: str = "first") -> SigningKey:
    return SigningKey.generate(kid)


def a_verifier(clock: FixedClock | None = None, *keys: SigningKey, **options: Any) -> Verifier:
    found = [verifying_key(key.public_jwk()) for key in keys or (a_key(),)]
    return Verifier(ISSUER, found, clock or FixedClock(NOW_S * 1000), **options)


def claims(**changes: Any) -> dict[str, Any]:
    return {"iss": ISSUER, "sub": "someone", "iat": NOW_S, "exp": NOW_S + 3600, **changes}


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def raw_token(header: bytes, content: bytes, key: SigningKey | None = None) -> str:
    """Sign whatever bytes as they are."""
    signed = f"{encoded(header)}.{encoded(content)}"
    signature = JWSRegistry.algorithms["RS256"].sign(signed.encode(), RSAKey.import_key((key or a_key()).pem))
    return f"{signed}.{encoded(signature)}"


def a_token(header: Mapping[str, Any] | None = None, **changes: Any) -> str:
    told = {"alg": "RS256", "kid": "first", **(header or {})}
    return raw_token(json.dumps(told).encode(), json.dumps(claims(**changes)).encode())


def reason(token: str, verifier: Verifier | None = None) -> str:
    with pytest.raises(BadToken) as refused:
        (verifier or a_verifier()).verify(token)
    assert len(token) < 20 or token not in str(refused.value)
    return refused.value.reason


def test_what_was_signed_verifies_with_its_claims() -> None:
    token = a_verifier().verify(a_key().sign(claims(scope="a b", **{"cognito:groups": ["admin"]})))
    assert token.claims == claims(scope="a b", **{"cognito:groups": ["admin"]})
    assert (token.kid, token.expires_at_s) == ("first", NOW_S + 3600)


def test_a_signing_key_is_the_same_after_it_was_kept_as_pem_and_never_shows_itself() -> None:
    again = SigningKey("first", a_key().pem)
    assert a_verifier().verify(again.sign(claims())).claims["sub"] == "someone"
    assert repr(again) == "SigningKey('first')"
    assert set(again.public_jwk()) == {"alg", "e", "kid", "kty", "n", "use"}


@pytest.mark.parametrize(("exp", "is_good"), [(NOW_S - 1, False), (NOW_S, False), (NOW_S + 1, True)])
def test_a_token_ends_at_the_second_of_its_exp(exp: int, is_good: bool) -> None:
    if is_good:
        a_verifier().verify(a_token(exp=exp))
    else:
        assert reason(a_token(exp=exp)) == "expired"


def test_a_kept_token_ends_at_its_time_too() -> None:
    clock = FixedClock(NOW_S * 1000)
    verifier, token = a_verifier(clock), a_token(exp=NOW_S + 10)
    verifier.verify(token)
    clock.advance(ms=9_999)
    verifier.verify(token)
    clock.advance(ms=1)
    assert reason(token, verifier) == "expired"


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_token_of_the_future_is_refused_beyond_the_leeway(claim: str) -> None:
    assert reason(a_token(**{claim: NOW_S + 1})) == "early"
    a_verifier(None, leeway_s=1).verify(a_token(**{claim: NOW_S + 1}))
    assert reason(a_token(**{claim: NOW_S + 2}), a_verifier(None, leeway_s=1)) == "early"


@pytest.mark.parametrize("exp", [None, "9999999999", True, -1, 1e300, [], {}, float("inf")])
def test_an_exp_that_is_no_time_is_refused(exp: Any) -> None:
    assert reason(a_token(exp=exp)) == "malformed"


def test_a_token_without_exp_is_refused() -> None:
    told = claims()
    del told["exp"]
    assert reason(a_key().sign(told)) == "malformed"


@pytest.mark.parametrize("issuer", [ISSUER + "/", ISSUER.upper(), "", None, [ISSUER], ISSUER[:-1]])
def test_another_issuer_is_refused_though_our_key_signed(issuer: Any) -> None:
    assert reason(a_token(iss=issuer)) == "issuer"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
def test_an_unsigned_token_is_refused(alg: str) -> None:
    header = encoded(json.dumps({"alg": alg, "kid": "first"}).encode())
    content = encoded(json.dumps(claims()).encode())
    assert reason(f"{header}.{content}.") == "key"
    assert reason(f"{header}.{content}.AAAA") == "key"


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_the_public_key_as_hmac_secret_is_refused(alg: str) -> None:
    header = encoded(json.dumps({"alg": alg, "kid": "first"}).encode())
    signed = f"{header}.{encoded(json.dumps(claims()).encode())}"
    public = RSAKey.import_key(a_key().pem).as_pem(private=False)
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[alg]
    mac = hmac.new(public, signed.encode(), digest).digest()
    assert reason(f"{signed}.{encoded(mac)}") == "key"


@pytest.mark.parametrize("alg", ["RS384", "PS256", "ES256", "rs256"])
def test_an_algorithm_other_than_the_keys_is_refused(alg: str) -> None:
    assert reason(a_token({"alg": alg})) == "key"


@pytest.mark.parametrize("kid", ["First", "first ", "", "../first", "first\x00", "' OR 1=1", "/dev/null"])
def test_a_kid_is_matched_exactly(kid: str) -> None:
    assert reason(a_token({"kid": kid})) == "key"


@pytest.mark.parametrize("kid", [None, 1, ["first"], {"a": 1}])
def test_a_kid_that_is_no_text_is_refused(kid: Any) -> None:
    assert reason(a_token({"kid": kid})) == "malformed"


def test_a_key_in_the_header_is_never_used() -> None:
    mine = a_key("attacker")
    for member in ({"jwk": mine.public_jwk()}, {"jku": "http://127.0.0.1/jwks"}, {"x5c": ["MIIB"]}):
        header = json.dumps({"alg": "RS256", "kid": "first", **member}).encode()
        assert reason(raw_token(header, json.dumps(claims()).encode(), mine)) == "signature"


@pytest.mark.parametrize("member", [{"crit": ["exp"]}, {"crit": []}, {"b64": False}, {"typ": "logout+jwt"}, {"typ": 1}])
def test_extensions_and_other_kinds_of_tokens_are_refused(member: dict[str, Any]) -> None:
    assert reason(a_token(member)) == "malformed"


@pytest.mark.parametrize(
    "content",
    [
        b'{"iss":"%s","exp":9999999999,"sub":"a","sub":"b"}' % ISSUER.encode(),
        b'{"iss":"%s","exp":9999999999,"exp":9999999998}' % ISSUER.encode(),
        b'{"iss":"%s","exp":9999999999,"a":{"b":1,"b":2}}' % ISSUER.encode(),
        b'{"iss":"%s","exp":9999999999,"a":NaN}' % ISSUER.encode(),
        b'{"iss":"%s","exp":9999999999}{}' % ISSUER.encode(),
        b'\xef\xbb\xbf{"iss":"%s","exp":9999999999}' % ISSUER.encode(),
        b'{"iss":"%s","exp":9999999999,"a":"\xff"}' % ISSUER.encode(),
        b"[]",
        b'"text"',
        b"null",
        b"[" * 10_000,
        b'{"a":' * 2_000,
    ],
    ids=range(12),
)
def test_claims_that_can_be_read_in_two_ways_or_none_are_refused(content: bytes) -> None:
    assert reason(raw_token(b'{"alg":"RS256","kid":"first"}', content)) == "malformed"


def test_a_header_with_a_name_twice_is_refused() -> None:
    header = b'{"alg":"RS256","kid":"first","kid":"first"}'
    assert reason(raw_token(header, json.dumps(claims()).encode())) == "malformed"


@pytest.mark.parametrize("segment", [0, 1, 2])
def test_a_changed_segment_is_refused(segment: int) -> None:
    parts = a_token().split(".")
    place = len(parts[segment]) // 2
    old = parts[segment][place]
    parts[segment] = parts[segment][:place] + ("A" if old != "A" else "B") + parts[segment][place + 1 :]
    assert reason(".".join(parts)) in {"malformed", "signature", "key"}


@pytest.mark.parametrize("change", ["{}=", "{}==", " {}", "{}\n", "{}.", ".{}", "{}.x", "+{}", "{}é", "{}\ud800"])
def test_another_spelling_of_a_good_token_is_refused(change: str) -> None:
    assert reason(change.format(a_token())) == "malformed"


def test_bits_that_base64_leaves_over_must_be_zero() -> None:
    token = a_token()
    assert len(token.rpartition(".")[2]) % 4 == 2  # 256 bytes
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + alphabet[alphabet.index(token[-1]) + 1]
    assert reason(twin) == "malformed"


@pytest.mark.parametrize("token", ["", ".", "..", "...", "a.b", "a.b.c", "a.b.c.d.e", "e30.e30.e30"])
def test_texts_that_are_no_tokens_are_refused(token: str) -> None:
    assert reason(token) == "malformed"


def test_a_token_of_the_longest_length_verifies_and_a_longer_one_does_not() -> None:
    verifier = a_verifier()
    pad = TOKEN_CHARACTERS_MAX - len(a_token(pad=""))
    longest = next(token for cut in range(8) if len(token := a_token(pad="x" * (pad * 3 // 4 - cut))) <= 16_384)
    verifier.verify(longest)
    assert reason(a_token(pad="x" * (pad * 3 // 4 + 4)), verifier) == "malformed"


def test_after_a_rotation_old_tokens_are_refused_though_they_were_kept() -> None:
    verifier, token = a_verifier(), a_token()
    verifier.verify(token)
    verifier.replace_keys([verifying_key(a_key("second").public_jwk())])
    assert reason(token, verifier) == "key"
    verifier.verify(a_key("second").sign(claims()))
    assert verifier.knows("second")
    assert not verifier.knows("first")


def test_a_key_of_the_same_kid_replaces_the_old_one() -> None:
    verifier, token = a_verifier(), a_token()
    verifier.verify(token)
    verifier.replace_keys([verifying_key({**a_key("second").public_jwk(), "kid": "first"})])
    assert reason(token, verifier) == "signature"


def test_no_more_tokens_are_kept_than_said_and_a_bad_one_never() -> None:
    verifier = a_verifier(None, kept_max=2)
    for number in range(5):
        verifier.verify(a_token(jti=str(number)))
        reason(a_token(jti=str(number))[:-8] + "AAAAAAAA", verifier)
    assert len(verifier._kept) == 2


def test_claims_can_be_read_before_they_are_trusted() -> None:
    assert unverified_claims(a_token(iss="x"))["iss"] == "x"


def test_elliptic_curve_keys_of_other_issuers_verify() -> None:
    key = ECKey.generate_key("P-256")
    jwk = {**key.as_dict(private=False), "kid": "ec", "alg": "ES256"}
    signed = f"{encoded(json.dumps({'alg': 'ES256', 'kid': 'ec'}).encode())}.{encoded(json.dumps(claims()).encode())}"
    signature = JWSRegistry.algorithms["ES256"].sign(signed.encode(), key)
    verifier = Verifier(ISSUER, verifying_keys({"keys": [jwk]}), FixedClock(NOW_S * 1000))
    assert verifier.verify(f"{signed}.{encoded(signature)}").kid == "ec"
    assert reason(f"{signed}.{encoded(bytes(64))}", verifier) == "signature"  # r = s = 0, "psychic"


@pytest.mark.parametrize(
    "change",
    [
        {"kid": ""},
        {"kid": None},
        {"kid": "x" * 257},
        {"alg": "HS256"},
        {"alg": "none"},
        {"alg": "ES256"},
        {"use": "enc"},
        {"d": "AQAB"},
        {"n": "AQAB"},
        {"n": "!"},
        {"e": None},
        {"kty": "oct"},
        {"crv": "P-256"},
    ],
    ids=str,
)
def test_keys_that_must_not_verify_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadKey):
        verifying_key({**a_key().public_jwk(), **change})


def test_a_symmetric_key_and_a_weak_key_are_left_out_of_a_jwks() -> None:
    secret = {**OctKey.generate_key(256).as_dict(), "kid": "secret", "alg": "HS256"}
    jwks = {"keys": [secret, "text", {}, a_key().public_jwk()]}
    assert [key.kid for key in verifying_keys(jwks)] == ["first"]
    with pytest.raises(BadKey):
        verifying_keys({"keys": {}})
