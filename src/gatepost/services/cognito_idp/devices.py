"""Devices that users sign in on: offered, confirmed, remembered, and proved by SRP with a secret of their own.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-device-tracking.html
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.ids import request_id as random_uuid
from gatepost.security.srp import BadSrp, N, PasswordVerifier, ServerTurn, parse_public, proves
from gatepost.services.cognito_idp.errors import (
    InvalidParameterException,
    InvalidUserPoolConfigurationException,
    NotAuthorizedException,
    ResourceNotFoundException,
)
from gatepost.services.cognito_idp.pool import UserPool
from gatepost.services.cognito_idp.sign_in import Answer, Attempt, SignIn
from gatepost.services.cognito_idp.signed_in import SignedIn
from gatepost.services.cognito_idp.user import User

DEVICES_MAX: Final = 100  # of one user; the longest unused goes first
_NAME_CHARACTERS_MAX: Final = 1_024


class Devices:
    """Devices of users."""

    def __init__(self, sign_in: SignIn) -> None:
        self._sign_in = sign_in

    # --- on the way in -----------------------------------------------------------------------------------------

    async def new_for(self, attempt: Attempt, user: User) -> dict[str, str]:
        """Give NewDeviceMetadata where devices are tracked and this one is not known; else an empty dict."""
        if attempt.pool.device_configuration is None or attempt.is_hosted or self.known_key(attempt, user):
            return {}
        key = f"{attempt.pool.region}_{random_uuid()}"
        return {"DeviceKey": key, "DeviceGroupKey": self.group_key(attempt.pool, key)}

    def known_key(self, attempt: Attempt, user: User) -> str:
        """Give the key of the device in use when it is one of the user's."""
        return attempt.device_key if attempt.device_key and user.device(attempt.device_key) else ""

    @staticmethod
    def group_key(pool: UserPool, device_key: str) -> str:
        """Give a device's group key: derived, so that nothing is kept for devices that nobody confirms."""
        mac = hmac.new(pool.secret, f"device-group\x00{device_key}".encode(), hashlib.sha256).digest()
        return "-" + base64.b32encode(mac).decode()[:8].lower()

    async def begin_srp(self, attempt: Attempt, session: str) -> Answer:
        """Answer DEVICE_SRP_AUTH. Raises: NotAuthorizedException, InvalidParameterException."""
        sign_in = self._sign_in
        attempt, challenge, user = await sign_in.responding(attempt, session, "DEVICE_SRP_AUTH")
        try:
            client_public = parse_public(attempt.parameters.get("SRP_A", ""))
        except BadSrp as error:
            raise InvalidParameterException(f"{error}") from error
        key = str(challenge.state["device_key"])
        verifier = self._verifier(user, key)
        turn: ServerTurn = await sign_in.passwords.run(lambda: ServerTurn.begin(verifier))
        block = base64.b64encode(hashlib.sha256(random_uuid().encode()).digest()).decode()
        shown = {
            "SALT": verifier.salt.hex(),
            "SECRET_BLOCK": block,
            "SRP_B": f"{turn.public:x}",
            "USERNAME": user.name,
            "DEVICE_KEY": key,
        }
        state = {name: value for name, value in challenge.state.items() if name not in _OF_CHALLENGE}
        return sign_in.challenge(
            attempt,
            user.name,
            "DEVICE_PASSWORD_VERIFIER",
            shown,
            **{**state, "block": block, "a": client_public, "b": turn.exponent, "B": turn.public},
        )

    async def end_srp(self, attempt: Attempt, session: str) -> Answer:
        """Answer DEVICE_PASSWORD_VERIFIER. Raises: NotAuthorizedException."""
        sign_in = self._sign_in
        attempt, challenge, user = await sign_in.responding(attempt, session, "DEVICE_PASSWORD_VERIFIER")
        key, state, given = attempt.device_key, challenge.state, attempt.parameters
        verifier = self._verifier(user, key)
        block = str(state["block"])
        turn = ServerTurn(state["b"], state["B"])
        shared = await sign_in.passwords.run(lambda: turn.key(verifier, state["a"]))
        is_right = given.get("PASSWORD_CLAIM_SECRET_BLOCK", "") == block and proves(
            given.get("PASSWORD_CLAIM_SIGNATURE", ""),
            shared,
            self.group_key(attempt.pool, key),
            key,
            base64.b64decode(block),
            given.get("TIMESTAMP", ""),
        )
        if not is_right:
            raise NotAuthorizedException("Incorrect username or password.")
        now_ms = sign_in.clock.now_ms()
        user = await sign_in.users.change(
            attempt.pool, user.name, lambda user: _with_device(user, key, {"last_used_at_ms": now_ms})
        )
        source = "TokenGeneration_AuthenticateDevice"
        if (attempt.pool.device_configuration or {}).get("ChallengeRequiredOnNewDevice"):
            return await sign_in.finish(attempt, user, source=source)
        return await sign_in.asked_second_factor(
            attempt, user, source=source, by_password=bool(state.get("by_password", True))
        )

    def _verifier(self, user: User, key: str) -> PasswordVerifier:
        found = user.secrets.device_verifiers.get(key)
        if found is None or user.device(key) is None:
            raise NotAuthorizedException("Device does not exist.")
        return PasswordVerifier(bytes.fromhex(found[0]), int(found[1], 16))

    # --- by the signed-in user ---------------------------------------------------------------------------------

    async def confirm(self, who: SignedIn, params: Mapping[str, Any], source_ip: str) -> bool:
        """Keep a new device; says whether the user has to be asked before it is remembered.

        Raises: InvalidParameterException, InvalidUserPoolConfigurationException, NotAuthorizedException.
        """
        configuration = who.pool.device_configuration
        if configuration is None:
            raise InvalidUserPoolConfigurationException("Devices are not tracked in this user pool.")
        key = params["DeviceKey"]
        if key != who.device_key:
            raise NotAuthorizedException("Invalid device key given.")
        salt, verifier = _checked_config(params.get("DeviceSecretVerifierConfig") or {})
        is_asked = bool(configuration.get("DeviceOnlyRememberedOnUserPrompt"))
        now_ms = self._sign_in.clock.now_ms()
        device = {
            "key": key,
            "name": str(params.get("DeviceName") or "")[:_NAME_CHARACTERS_MAX],
            "ip": source_ip,
            "is_remembered": not is_asked,
            "created_at_ms": now_ms,
            "changed_at_ms": now_ms,
            "last_used_at_ms": now_ms,
        }

        def keep(user: User) -> User:
            others = sorted((one for one in user.devices if one["key"] != key), key=lambda one: one["last_used_at_ms"])
            kept = [*others[-(DEVICES_MAX - 1) :], device]
            names = {one["key"] for one in kept}
            verifiers = {name: pair for name, pair in user.secrets.device_verifiers.items() if name in names}
            return replace(user, devices=kept).with_secrets(device_verifiers={**verifiers, key: [salt, verifier]})

        await self._sign_in.users.change(who.pool, who.user.name, keep)
        return is_asked

    async def forget(self, pool: UserPool, user: User, key: str) -> None:
        """Let a device go. Raises: ResourceNotFoundException."""
        device_of(user, key)

        def leave(user: User) -> User:
            kept = [one for one in user.devices if one["key"] != key]
            verifiers = {name: pair for name, pair in user.secrets.device_verifiers.items() if name != key}
            return replace(user, devices=kept).with_secrets(device_verifiers=verifiers)

        await self._sign_in.users.change(pool, user.name, leave)

    async def set_status(self, pool: UserPool, user: User, key: str, status: str | None) -> None:
        """Remember a device or do not. Raises: ResourceNotFoundException."""
        device_of(user, key)
        change = {"is_remembered": status == "remembered", "changed_at_ms": self._sign_in.clock.now_ms()}
        await self._sign_in.users.change(pool, user.name, lambda user: _with_device(user, key, change))


_OF_CHALLENGE: Final = frozenset({"login", "device_key", "is_hosted"})


def device_of(user: User, key: str) -> Mapping[str, Any]:
    """Give a user's device. Raises: ResourceNotFoundException."""
    found = user.device(key)
    if found is None:
        raise ResourceNotFoundException("Device does not exist.")
    return found


def device_to_aws(device: Mapping[str, Any]) -> dict[str, Any]:
    """Give AWS's DeviceType."""
    attributes = {
        "device_status": "valid",
        "device_name": device["name"],
        "dev:device_remembered_status": "remembered" if device["is_remembered"] else "not_remembered",
        "last_ip_used": device["ip"],
    }
    return {
        "DeviceKey": device["key"],
        "DeviceAttributes": [{"Name": name, "Value": value} for name, value in attributes.items() if value],
        "DeviceCreateDate": device["created_at_ms"],
        "DeviceLastModifiedDate": device["changed_at_ms"],
        "DeviceLastAuthenticatedDate": device["last_used_at_ms"],
    }


def _with_device(user: User, key: str, change: Mapping[str, Any]) -> User:
    return replace(user, devices=[{**one, **change} if one["key"] == key else one for one in user.devices])


def _checked_config(config: Mapping[str, str]) -> tuple[str, str]:
    try:
        salt = base64.b64decode(config.get("Salt", ""), validate=True)
        verifier = int.from_bytes(base64.b64decode(config.get("PasswordVerifier", ""), validate=True), "big")
    except (binascii.Error, ValueError):
        raise InvalidParameterException("DeviceSecretVerifierConfig is not base64.") from None
    if not 8 <= len(salt) <= 64 or not 1 < verifier < N:
        raise InvalidParameterException("DeviceSecretVerifierConfig has no salt and verifier that can be used.")
    return salt.hex(), f"{verifier:x}"
