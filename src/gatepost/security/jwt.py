"""JSON Web Tokens: signed by RS256, and verified so strictly that there is one way to read each token.

A verification is for one issuer and its keys:

1. Form: three segments of canonical base64url, within bounds; header and claims are JSON objects in which no name comes
   twice. Two readers can then not see different claims in one token.
2. Key: by `kid`, exactly, from the keys that the issuer published. The algorithm is the *key's*; the token's `alg` has
   to name that one, so that there is no `none`, no HMAC with a public key for its secret, and nothing to negotiate.
   Keys in the header (`jwk`, `jku`, `x5c`, `x5u`) are never looked at; `crit` is refused.
3. Signature.
4. Claims: `iss` exactly, `exp` (required), `nbf` and `iat` by the clock that was handed in.

What a token is *for* (`token_use`, `aud`, `client_id`, scopes) is the caller's question, and so is revocation.

Tokens whose signature was verified are kept by the SHA-256 of the token, at most `kept_max`, the oldest goes first;
only the times are looked at again. Strangers cannot fill that cache: nothing enters it without a valid signature.

Sources: RFC 7515, RFC 7519, RFC 8725 (best current practices),
https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
"""

from __future__ import annotations

import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gatepost.kernel.clock import Clock

TOKEN_CHARACTERS_MAX: Final = 16_384
HEADER_CHARACTERS_MAX: Final = 2_048
KEYS_MAX: Final = 64
KID_CHARACTERS_MAX: Final = 256
RSA_BITS_MIN: Final = 2_048
RSA_BITS_MAX: Final = 8_192  # what is larger makes each verification a burden
TIME_MAX: Final = 1 << 40  # seconds: the year 36812; no issuer means more
DEFAULT_ALGORITHM: Final = "RS256"  # of an RSA key that names none
ALGORITHMS: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"})
_KEY_TYPES: Final = {"R": "RSA", "P": "RSA", "E": "EC"}
_CURVES: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_TYPES: Final = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_TO_STANDARD: Final = str.maketrans("-_", "+/")


class BadToken(Exception):
    """A token proves nothing. `reason` is `malformed`, `key`, `signature`, `issuer`, `expired` or `early`.

    The text is for logs and `gatepost explain`: it never holds the token.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class BadKey(ValueError):
    """A JWK is nothing that we verify with."""


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key with the one algorithm that it is used with."""

    kid: str
    algorithm: str
    _key: Any = field(repr=False)
    _verify: Callable[[bytes, bytes, Any], bool] = field(repr=False)

    def verifies(self, content: bytes, signature: bytes) -> bool:
        """Say whether `signature` is this key's over `content`."""
        return self._verify(content, signature, self._key)


@dataclass(frozen=True, slots=True)
class Token:
    """A verified token."""

    claims: Mapping[str, Any]
    kid: str
    expires_at_s: int


class SigningKey:
    """An RSA key pair that signs with RS256."""

    __slots__ = ("_key", "_sign", "kid")

    def __init__(self, kid: str, pem: bytes) -> None:
        """Take a private key in PEM. Raises: ValueError when it is none."""
        from joserfc.jwk import RSAKey
        from joserfc.jws import JWSRegistry

        self.kid = kid
        self._key = RSAKey.import_key(pem)
        self._sign = JWSRegistry.algorithms[DEFAULT_ALGORITHM].sign

    def __repr__(self) -> str:
        return f"SigningKey({self.kid!r})"

    @classmethod
    def generate(cls, kid: str, *, bits: int = RSA_BITS_MIN) -> SigningKey:
        """Make a new key pair. It takes 50 ms to 1 s: call it in a thread."""
        from joserfc.jwk import RSAKey

        return cls(kid, RSAKey.generate_key(bits).as_pem(private=True))

    @property
    def pem(self) -> bytes:
        """Give the private key in PEM, to be sealed."""
        return bytes(self._key.as_pem(private=True))

    def public_jwk(self) -> dict[str, str]:
        """Give the public key as AWS lists it in a JWKS."""
        told = self._key.as_dict(private=False)
        return {
            "alg": DEFAULT_ALGORITHM,
            "e": str(told["e"]),
            "kid": self.kid,
            "kty": "RSA",
            "n": str(told["n"]),
            "use": "sig",
        }

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Give a token with `claims` as they are."""
        header = {"kid": self.kid, "alg": DEFAULT_ALGORITHM}
        content = b".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
        return (content + b"." + _encoded(self._sign(content, self._key))).decode()


class Verifier:
    """Verifies one issuer's tokens. `keys` may be replaced at any time: what was verified is then forgotten."""

    def __init__(
        self,
        issuer: str,
        keys: Iterable[VerifyingKey],
        clock: Clock,
        *,
        kept_max: int = 4_096,
        leeway_s: int = 0,
    ) -> None:
        """Take the issuer as its tokens name it, its keys, and the tolerance for clocks that differ, in seconds."""
        self._issuer = issuer
        self._clock = clock
        self._kept_max = kept_max
        self._leeway_s = leeway_s
        self._kept: dict[bytes, Token] = {}
        self._keys: dict[str, VerifyingKey] = {}
        self.replace_keys(keys)

    def replace_keys(self, keys: Iterable[VerifyingKey]) -> None:
        """Verify by these keys from now on."""
        self._keys = {key.kid: key for key in keys}
        self._kept.clear()

    def knows(self, kid: str) -> bool:
        """Say whether there is a key of this name: an unknown one may be newer than our copy of the issuer's keys."""
        return kid in self._keys

    def verify(self, token: str) -> Token:
        """Give what a token says, once its signature, issuer and times have been checked. Never waits.

        Raises: BadToken.
        """
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise BadToken("malformed", f"the token has more than {TOKEN_CHARACTERS_MAX} characters")
        name = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        found = self._kept.get(name)
        if found is not None:
            self._check_times(found.claims)
            return found
        found = self._verified(token)
        self._check_times(found.claims)
        if len(self._kept) >= self._kept_max:
            del self._kept[next(iter(self._kept))]
        self._kept[name] = found
        return found

    def _verified(self, token: str) -> Token:
        header_text, claims_text, signature_text = segments(token)
        header = header_of(header_text)
        key = self._keys.get(header["kid"])
        if key is None:
            raise BadToken("key", "the issuer has no key of the token's kid")
        if header["alg"] != key.algorithm:
            raise BadToken("key", f"the token's alg is not {key.algorithm}, its key's")
        signature = _decoded(signature_text)
        if not key.verifies(f"{header_text}.{claims_text}".encode("ascii"), signature):
            raise BadToken("signature", "the signature is not by the key that the token names")
        claims = _object(_decoded(claims_text))
        if claims.get("iss") != self._issuer:
            raise BadToken("issuer", "the token's iss is not the issuer whose key it was signed with")
        return Token(claims, key.kid, _time(claims, "exp", required=True))

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now_s = self._clock.now_ms() // 1000
        if now_s - self._leeway_s >= _time(claims, "exp", required=True):
            raise BadToken("expired", "the token has expired")
        for claim in ("nbf", "iat"):
            if _time(claims, claim) > now_s + self._leeway_s:
                raise BadToken("early", f"the token's {claim} is in the future")


def verifying_key(jwk: Mapping[str, Any]) -> VerifyingKey:
    """Make a key of a member of a JWKS. An RSA key without `alg` is used with RS256.

    Raises: BadKey for symmetric and private keys, weak or huge ones, other uses and unknown algorithms.
    """
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, RSAKey
    from joserfc.jws import JWSRegistry

    kid, kind = jwk.get("kid"), jwk.get("kty")
    if not isinstance(kid, str) or not 0 < len(kid) <= KID_CHARACTERS_MAX:
        raise BadKey("a key has no kid, or a very long one")
    algorithm = jwk.get("alg", DEFAULT_ALGORITHM if kind == "RSA" else None)
    if algorithm not in ALGORITHMS:
        raise BadKey(f"key {kid}: alg {algorithm!r} is not one of {', '.join(sorted(ALGORITHMS))}")
    if kind != _KEY_TYPES[algorithm[0]] or jwk.get("crv") != _CURVES.get(algorithm):
        raise BadKey(f"key {kid}: its kty or crv does not fit alg {algorithm}")
    if jwk.get("use", "sig") != "sig" or "d" in jwk:
        raise BadKey(f"key {kid} is not a public key for signatures")
    names = ("kty", "n", "e") if kind == "RSA" else ("kty", "crv", "x", "y")
    try:
        members: dict[str, str | list[str]] = {name: str(jwk[name]) for name in names}
        key = (RSAKey if kind == "RSA" else ECKey).import_key(members)
        if kind == "RSA" and not RSA_BITS_MIN <= key.public_key.key_size <= RSA_BITS_MAX:
            raise BadKey(f"key {kid} has {key.public_key.key_size} bits: use {RSA_BITS_MIN} to {RSA_BITS_MAX}")
    except BadKey:
        raise
    except (JoseError, KeyError, ValueError, TypeError) as error:
        raise BadKey(f"key {kid} cannot be read: {error}") from error
    return VerifyingKey(kid, algorithm, key, JWSRegistry.algorithms[algorithm].verify)


def verifying_keys(jwks: Mapping[str, Any]) -> list[VerifyingKey]:
    """Make the keys of a JWKS that we can verify with, at most 64; those for other purposes are left out.

    Raises: BadKey when it is no JWKS at all.
    """
    told = jwks.get("keys")
    if not isinstance(told, list):
        raise BadKey("a JWKS has a list of keys")
    found = []
    for jwk in told[:KEYS_MAX]:
        try:
            found.append(verifying_key(jwk if isinstance(jwk, Mapping) else {}))
        except BadKey:
            continue
    return found


def segments(token: str) -> tuple[str, str, str]:
    """Take a token apart into header, claims and signature, not yet decoded. Raises: BadToken."""
    parts = token.split(".", 3)
    if len(parts) != 3 or len(token) > TOKEN_CHARACTERS_MAX:
        raise BadToken("malformed", "a token has three segments")
    header, claims, signature = parts
    return header, claims, signature


def header_of(segment: str) -> dict[str, Any]:
    """Decode a header that names an algorithm and a key. Raises: BadToken."""
    if len(segment) > HEADER_CHARACTERS_MAX:
        raise BadToken("malformed", f"the header has more than {HEADER_CHARACTERS_MAX} characters")
    header = _object(_decoded(segment))
    if not isinstance(header.get("alg"), str) or not isinstance(header.get("kid"), str):
        raise BadToken("malformed", "the header names no alg and kid")
    if "crit" in header or "b64" in header:
        raise BadToken("malformed", "the header asks for extensions that are not understood")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise BadToken("malformed", "the header's typ is that of another kind of token")
    return header


def unverified_claims(token: str) -> dict[str, Any]:
    """Read a token's claims to find out whose it claims to be; nothing in them is to be trusted. Raises: BadToken."""
    return _object(_decoded(segments(token)[1]))


def _time(claims: Mapping[str, Any], name: str, *, required: bool = False) -> int:
    value = claims.get(name)
    if value is None and name not in claims and not required:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < TIME_MAX:
        raise BadToken("malformed", f"the token's {name} is no time")
    return int(value)


def _encoded(content: bytes) -> bytes:
    return binascii.b2a_base64(content, newline=False).translate(_TO_URL).rstrip(b"=")


_TO_URL: Final = bytes.maketrans(b"+/", b"-_")


def _decoded(segment: str) -> bytes:
    """Decode base64url that is the only spelling of its content."""
    if _SEGMENT.fullmatch(segment) is None or len(segment) % 4 == 1:
        raise BadToken("malformed", "a segment is not base64url")
    content = binascii.a2b_base64(segment.translate(_TO_STANDARD) + "=" * (-len(segment) % 4))
    if len(segment) % 4 and _encoded(content[-(len(content) % 3) :]).decode() != segment[-(len(segment) % 4) :]:
        raise BadToken("malformed", "a segment is not canonical base64url")
    return content


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refused)
    except (ValueError, RecursionError):
        raise BadToken("malformed", "a segment is not JSON with each name once") from None
    if not isinstance(found, dict):
        raise BadToken("malformed", "a segment is not a JSON object")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _refused(constant: str) -> None:
    raise ValueError(constant)
