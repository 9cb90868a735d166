"""Passkeys: registered by a user who is signed in, and then a first factor (WEB_AUTHN).

We verify what proves possession: challenge, origin, relying party, the user's presence and the signature. Who made the
authenticator (attestation) is not asked, as Cognito does not ("none").

Sources: https://www.w3.org/TR/webauthn-3/ (§7.1, §7.2);
https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-authentication-flow-methods.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

from gatepost.services.cognito_idp.errors import (
    InvalidParameterException,
    LimitExceededException,
    NotAuthorizedException,
    ResourceNotFoundException,
    WebAuthnChallengeNotFoundException,
    WebAuthnClientMismatchException,
    WebAuthnConfigurationMissingException,
    WebAuthnCredentialNotSupportedException,
    WebAuthnNotEnabledException,
    WebAuthnOriginNotAllowedException,
    WebAuthnRelyingPartyMismatchException,
)
from gatepost.services.cognito_idp.pool import UserPool
from gatepost.services.cognito_idp.sign_in import BAD_LOGIN, Answer, Attempt, SignIn
from gatepost.services.cognito_idp.signed_in import SignedIn
from gatepost.services.cognito_idp.user import User

PASSKEYS_MAX: Final = 20  # of one user, https://docs.aws.amazon.com/cognito/latest/developerguide/quotas.html
REGISTRATIONS_MAX: Final = 10_000
REGISTRATION_MS: Final = 5 * 60 * 1000
PART_BYTES_MAX: Final = 16_384
_PRESENT: Final = 0x01
_VERIFIED: Final = 0x04
_ATTESTED: Final = 0x40
_ES256: Final = -7
_RS256: Final = -257


_REFUSALS: Final = (
    WebAuthnChallengeNotFoundException,
    WebAuthnCredentialNotSupportedException,
    WebAuthnOriginNotAllowedException,
    WebAuthnRelyingPartyMismatchException,
)


@dataclass(frozen=True, slots=True)
class _Registration:
    challenge: str
    client_id: str
    ends_ms: int


class Passkeys:
    """Registers passkeys and checks their assertions."""

    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in
        self._open: OrderedDict[tuple[str, str], _Registration] = OrderedDict()  # by pool and user

    # --- registering -------------------------------------------------------------------------------------------

    def start(self, who: SignedIn) -> dict[str, Any]:
        """Give what a browser's `navigator.credentials.create` needs. Raises: WebAuthnNotEnabled… and others."""
        relying_party = _relying_party(who.pool)
        if len(who.user.passkeys) >= PASSKEYS_MAX:
            raise LimitExceededException(f"A user has at most {PASSKEYS_MAX} passkeys.")
        challenge = _encoded(secrets.token_bytes(32))
        ends_ms = self._sign_in.clock.now_ms() + REGISTRATION_MS
        self._open[who.pool.id, who.user.name] = _Registration(challenge, who.client.id, ends_ms)
        while len(self._open) > REGISTRATIONS_MAX:
            self._open.popitem(last=False)
        login = next(
            (who.user.attributes[name] for name in ("email", "phone_number") if name in who.user.attributes),
            who.user.name,
        )
        return {
            "rp": {"id": relying_party, "name": relying_party},
            "user": {"id": _encoded(who.user.sub.encode()), "name": login, "displayName": login},
            "challenge": challenge,
            "pubKeyCredParams": [{"type": "public-key", "alg": alg} for alg in (_ES256, _RS256)],
            "timeout": REGISTRATION_MS,
            "excludeCredentials": [_descriptor(passkey) for passkey in who.user.passkeys],
            "authenticatorSelection": {
                "requireResidentKey": True,
                "residentKey": "required",
                "userVerification": _verification(who.pool),
            },
            "attestation": "none",
        }

    async def complete(self, who: SignedIn, credential: Any) -> None:
        """Keep a new passkey. Raises: WebAuthnChallengeNotFoundException and its siblings."""
        relying_party = _relying_party(who.pool)
        registration = self._open.pop((who.pool.id, who.user.name), None)
        if registration is None or registration.ends_ms <= self._sign_in.clock.now_ms():
            raise WebAuthnChallengeNotFoundException("No registration was begun, or it is too old.")
        if registration.client_id != who.client.id:
            raise WebAuthnClientMismatchException("Another app client began the registration.")
        response = _response(credential)
        client_data = _part(response, "clientDataJSON")
        _check_client_data(client_data, "webauthn.create", registration.challenge, relying_party)
        passkey = _attested(_part(response, "attestationObject"), relying_party, _verification(who.pool))
        if credential.get("id") != passkey["id"]:
            raise WebAuthnCredentialNotSupportedException("The credential's id is not that of its key.")
        transports = response.get("transports")
        now_ms = self._sign_in.clock.now_ms()
        passkey |= {
            "relying_party": relying_party,
            "transports": [str(one)[:32] for one in transports[:8]] if isinstance(transports, list) else [],
            "attachment": str(credential.get("authenticatorAttachment") or "platform"),
            "created_at_ms": now_ms,
        }

        def keep(user: User) -> User:
            if any(one["id"] == passkey["id"] for one in user.passkeys):
                raise InvalidParameterException("The passkey is registered already.")
            if len(user.passkeys) >= PASSKEYS_MAX:
                raise LimitExceededException(f"A user has at most {PASSKEYS_MAX} passkeys.")
            return replace(user, passkeys=[*user.passkeys, passkey])

        await self._sign_in.users.change(who.pool, who.user.name, keep)

    async def delete(self, who: SignedIn, credential_id: str) -> None:
        """Take a passkey away. Raises: ResourceNotFoundException."""

        def leave(user: User) -> User:
            kept = [one for one in user.passkeys if one["id"] != credential_id]
            if len(kept) == len(user.passkeys):
                raise ResourceNotFoundException("The requested credential does not exist.")
            return replace(user, passkeys=kept)

        await self._sign_in.users.change(who.pool, who.user.name, leave)

    # --- signing in --------------------------------------------------------------------------------------------

    def ask(self, attempt: Attempt, user: User) -> Answer:
        """Give the WEB_AUTHN challenge."""
        return self._ask(attempt, user.name, [_descriptor(passkey) for passkey in user.passkeys])

    def _ask(self, attempt: Attempt, name: str, passkeys: list[dict[str, Any]], *, is_real: bool = True) -> Answer:
        challenge = _encoded(secrets.token_bytes(32))
        options = {
            "challenge": challenge,
            "timeout": attempt.client.session_ms,
            "rpId": _relying_party(attempt.pool),
            "allowCredentials": passkeys,
            "userVerification": _verification(attempt.pool),
        }
        shown = {"CREDENTIAL_REQUEST_OPTIONS": json.dumps(options, separators=(",", ":"))}
        return self._sign_in.challenge(attempt, name, "WEB_AUTHN", shown, is_real=is_real, challenge=challenge)

    def seem_to_ask(self, attempt: Attempt, name: str) -> Answer:
        """Give somebody who does not exist the challenge of a passkey that there is not, the same each time."""
        made_up = self._sign_in.invented(attempt.pool, attempt.login, "passkey-id", 32)
        passkey = {"id": _encoded(made_up), "transports": ["internal", "hybrid"]}
        return self._ask(attempt, name, [_descriptor(passkey)], is_real=False)

    async def answered(self, attempt: Attempt, session: str) -> Answer:
        """Answer WEB_AUTHN. Raises: NotAuthorizedException."""
        if not self._sign_in.challenges.peek(session).is_real:
            self._sign_in.challenges.take(session, client_id=attempt.client.id, name="WEB_AUTHN")
            _parsed(attempt)
            raise NotAuthorizedException(BAD_LOGIN)
        attempt, challenge, user = await self._sign_in.responding(attempt, session, "WEB_AUTHN")
        credential = _parsed(attempt)
        try:
            index, count = _asserted(credential, user, attempt.pool, challenge.state["challenge"])
        except _REFUSALS as error:
            raise NotAuthorizedException(BAD_LOGIN, detail=error.message) from error
        user = await self._sign_in.users.change(attempt.pool, user.name, lambda user: _counted(user, index, count))
        return await self._sign_in.passed_first_factor(attempt, user, by_password=False)


def _parsed(attempt: Attempt) -> Any:
    try:
        return json.loads(attempt.parameters.get("CREDENTIAL", ""))
    except (ValueError, RecursionError):
        raise InvalidParameterException("CREDENTIAL is not JSON") from None


def passkey_to_aws(passkey: Mapping[str, Any]) -> dict[str, Any]:
    """Give AWS's WebAuthnCredentialDescription."""
    return {
        "CredentialId": passkey["id"],
        "FriendlyCredentialName": "Passkey",
        "RelyingPartyId": passkey["relying_party"],
        "AuthenticatorAttachment": passkey["attachment"],
        "AuthenticatorTransports": list(passkey["transports"]),
        "CreatedAt": passkey["created_at_ms"],
    }


def _relying_party(pool: UserPool) -> str:
    if "WEB_AUTHN" not in pool.first_factors:
        raise WebAuthnNotEnabledException("Passkeys are not enabled in this user pool.")
    found = pool.mfa_settings.get("WebAuthnConfiguration", {}).get("RelyingPartyId")
    if not found:
        raise WebAuthnConfigurationMissingException("The user pool has no relying party for passkeys.")
    return str(found)


def _verification(pool: UserPool) -> str:
    return str(pool.mfa_settings.get("WebAuthnConfiguration", {}).get("UserVerification", "preferred"))


def _descriptor(passkey: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "public-key", "id": passkey["id"], "transports": list(passkey["transports"])}


def _response(credential: Any) -> Mapping[str, Any]:
    response = credential.get("response") if isinstance(credential, Mapping) else None
    if not isinstance(response, Mapping):
        raise WebAuthnCredentialNotSupportedException("The credential has no response.")
    return response


def _part(response: Mapping[str, Any], name: str) -> bytes:
    text = response.get(name)
    if not isinstance(text, str) or len(text) > PART_BYTES_MAX * 4 // 3:
        raise WebAuthnCredentialNotSupportedException(f"The credential's {name} cannot be read.")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise WebAuthnCredentialNotSupportedException(f"The credential's {name} cannot be read.") from None


def _check_client_data(content: bytes, kind: str, challenge: str, relying_party: str) -> None:
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or told.get("type") != kind:
        raise WebAuthnCredentialNotSupportedException(f"clientDataJSON is not of type {kind}.")
    if not hmac.compare_digest(str(told.get("challenge")).encode("utf-8", "surrogatepass"), challenge.encode()):
        raise WebAuthnChallengeNotFoundException("The challenge is not the one that was given.")
    parts = urlsplit(str(told.get("origin", "")))
    host = parts.hostname or ""
    is_own = host == relying_party or host.endswith(f".{relying_party}")
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and host == "localhost")
    if not is_own or not is_safe:
        raise WebAuthnOriginNotAllowedException("The origin is not one of the relying party's.")


def _check_authenticator(data: bytes, relying_party: str, verification: str) -> None:
    if len(data) < 37 or data[:32] != hashlib.sha256(relying_party.encode()).digest():
        raise WebAuthnRelyingPartyMismatchException("The passkey is another relying party's.")
    if not data[32] & _PRESENT or (verification == "required" and not data[32] & _VERIFIED):
        raise WebAuthnCredentialNotSupportedException("The user was not present, or not verified.")


def _attested(content: bytes, relying_party: str, verification: str) -> dict[str, Any]:
    """Take a new passkey out of its attestation object."""
    import io

    import cbor2

    try:
        told = cbor2.loads(content)
        data = told["authData"]
        _check_authenticator(data, relying_party, verification)
        if not data[32] & _ATTESTED:
            raise WebAuthnCredentialNotSupportedException("The attestation has no key.")
        length = int.from_bytes(data[53:55], "big")
        credential_id = data[55 : 55 + length]
        cose = cbor2.load(io.BytesIO(data[55 + length :]))
        key = _public_key(cose)
    except (cbor2.CBORDecodeError, KeyError, TypeError, IndexError, ValueError, RecursionError):
        raise WebAuthnCredentialNotSupportedException("The attestation cannot be read.") from None
    if not 16 <= length <= 1023 or len(credential_id) != length:
        raise WebAuthnCredentialNotSupportedException("The attestation cannot be read.")
    count = int.from_bytes(data[33:37], "big")
    return {"id": _encoded(credential_id), "key": key, "count": count}


def _public_key(cose: Mapping[Any, Any]) -> dict[str, str]:
    """Give a COSE key's parts. Raises: WebAuthnCredentialNotSupportedException, KeyError, TypeError, ValueError."""
    if cose[3] == _ES256 and cose[1] == 2 and cose[-1] == 1:
        found = {"kty": "EC", "x": _encoded(cose[-2]), "y": _encoded(cose[-3])}
    elif cose[3] == _RS256 and cose[1] == 3:
        found = {"kty": "RSA", "n": _encoded(cose[-1]), "e": _encoded(cose[-2])}
    else:
        raise WebAuthnCredentialNotSupportedException("Use a passkey with ES256 or RS256.")
    _loaded(found)
    return found


def _loaded(key: Mapping[str, str]) -> Any:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    numbers = {
        name: int.from_bytes(base64.urlsafe_b64decode(text + "=="), "big")
        for name, text in key.items()
        if name != "kty"
    }
    if key["kty"] == "EC":
        return ec.EllipticCurvePublicNumbers(numbers["x"], numbers["y"], ec.SECP256R1()).public_key()
    return rsa.RSAPublicNumbers(numbers["e"], numbers["n"]).public_key()


def _asserted(credential: Any, user: User, pool: UserPool, challenge: str) -> tuple[int, int]:
    """Check an assertion; gives which passkey made it, and its counter. Raises: NotAuthorizedException and others."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding

    relying_party = _relying_party(pool)
    response = _response(credential)
    index = next((at for at, one in enumerate(user.passkeys) if one["id"] == credential.get("id")), None)
    if index is None:
        raise NotAuthorizedException(BAD_LOGIN, detail="the passkey is none of the user's")
    client_data, data = _part(response, "clientDataJSON"), _part(response, "authenticatorData")
    _check_client_data(client_data, "webauthn.get", challenge, relying_party)
    _check_authenticator(data, relying_party, _verification(pool))
    key = _loaded(user.passkeys[index]["key"])
    signed = data + hashlib.sha256(client_data).digest()
    signature = _part(response, "signature")
    try:
        if user.passkeys[index]["key"]["kty"] == "EC":
            key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
        else:
            key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise NotAuthorizedException(BAD_LOGIN, detail="the passkey's signature is wrong") from None
    count = int.from_bytes(data[33:37], "big")
    before = user.passkeys[index]["count"]
    if (count or before) and count <= before:
        raise NotAuthorizedException(BAD_LOGIN, detail="the passkey's counter went back: it may have been copied")
    return index, count


def _counted(user: User, index: int, count: int) -> User:
    changed = [{**one, "count": count} if at == index else one for at, one in enumerate(user.passkeys)]
    return replace(user, passkeys=changed)


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
