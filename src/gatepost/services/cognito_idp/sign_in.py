"""What every way of signing in shares: who it is about, the steps after the first factor, and the tokens at the end.

    first factor (password_flows, custom_flow, choice_flow) -> `passed_first_factor`
        -> a new password, where the one there is temporary: NEW_PASSWORD_REQUIRED
        -> a device that is remembered: DEVICE_SRP_AUTH
        -> a second factor: SMS_MFA, SOFTWARE_TOKEN_MFA, EMAIL_OTP, SELECT_MFA_TYPE, MFA_SETUP
        -> `finish`: the PostAuthentication trigger, tokens

Each step either gives a challenge, whose session stands for all that is known so far, or goes on to the next.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/authentication-flows-public-server-side.html
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.services.cognito_idp.challenges import Challenge, Challenges
from gatepost.services.cognito_idp.errors import (
    CodeMismatchException,
    NotAuthorizedException,
    PasswordResetRequiredException,
    UserNotConfirmedException,
    UserNotFoundException,
)
from gatepost.services.cognito_idp.lockout import Lockout
from gatepost.services.cognito_idp.password_policy import PasswordSetting
from gatepost.services.cognito_idp.pool import AppClient, UserPool
from gatepost.services.cognito_idp.pools import Pools
from gatepost.services.cognito_idp.schema import schema_of
from gatepost.services.cognito_idp.tokens import Grant, Tokens
from gatepost.services.cognito_idp.triggers import Triggers, user_attributes
from gatepost.services.cognito_idp.user import FORCE_CHANGE_PASSWORD, RESET_REQUIRED, UNCONFIRMED, User
from gatepost.services.cognito_idp.users import Users

Answer = dict[str, Any]

WRONG_MAX: Final = 3  # wrong responses to one challenge
BAD_LOGIN: Final = "Incorrect username or password."


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to sign in: pool, client, what the client sent. `login` is as it was typed."""

    pool: UserPool
    client: AppClient
    login: str
    parameters: Mapping[str, str] = field(repr=False)
    metadata: Mapping[str, str] = field(default_factory=dict)
    flow: str = ""
    device_key: str = ""
    is_hosted: bool = False  # by the hosted pages: `finish` gives no tokens but the user, see `SignIn.finish`


class SignIn:
    """The steps that all flows share. Each gives AWS's answer of InitiateAuth and RespondToAuthChallenge."""

    def __init__(
        self,
        pools: Pools,
        users: Users,
        triggers: Triggers,
        tokens: Tokens,
        challenges: Challenges,
        password_setting: PasswordSetting,
        clock: Clock,
    ) -> None:
        self.pools = pools
        self.users = users
        self.triggers = triggers
        self.tokens = tokens
        self.challenges = challenges
        self.passwords = password_setting
        self.clock = clock
        self.lockout = Lockout(clock)
        self.second_factor: Any = None  # second_factors.SecondFactors, which needs this object
        self.devices: Any = None  # devices.Devices

    # --- who ---------------------------------------------------------------------------------------------------

    async def user_of(self, attempt: Attempt) -> User | None:
        """Give the user who signs in; None: nobody, which the client must not learn.

        Raises: UserNotFoundException for clients that may.
        """
        held = await self.users.find(attempt.pool, attempt.login)
        if held is None and not attempt.client.hides_users and not attempt.is_hosted:
            raise UserNotFoundException("User does not exist.")
        return held.user if held is not None else None

    def invented(self, pool: UserPool, login: str, what: str, length: int) -> bytes:
        """Give bytes that stand for somebody who does not exist: the same for the same name."""
        text = f"invented\x00{pool.canonical(login)}\x00{what}".encode("utf-8", "surrogatepass")
        return hmac.new(pool.secret, text, hashlib.sha512).digest()[:length]

    def invented_name(self, pool: UserPool, login: str) -> str:
        """Give a user name for somebody who does not exist, in the form that the pool's names have."""
        if not pool.username_attributes:
            return pool.canonical(login)
        text = self.invented(pool, login, "name", 16).hex()
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) & 3]}{text[17:20]}-{text[20:]}"

    async def ask_before(self, attempt: Attempt, user: User | None) -> None:
        """Ask the PreAuthentication trigger. Raises: what it raises."""
        if user is None and not attempt.client.hides_users and not attempt.is_hosted:
            return
        await self.triggers.fire(
            attempt.pool,
            "PreAuthentication",
            "PreAuthentication_Authentication",
            user_name=user.name if user is not None else attempt.login,
            client_id=attempt.client.id,
            request={
                "userAttributes": user_attributes(user),
                "validationData": dict(attempt.metadata) or None,
                "userNotFound": user is None,
            },
        )

    def check_state(self, user: User) -> None:
        """Refuse users who may not sign in now. Raises: NotAuthorized…, UserNotConfirmed…, PasswordResetRequired…."""
        if not user.is_enabled:
            raise NotAuthorizedException("User is disabled.")
        if user.status == UNCONFIRMED:
            raise UserNotConfirmedException("User is not confirmed.")
        if user.status == RESET_REQUIRED:
            raise PasswordResetRequiredException("Password reset required for the user")

    # --- challenges --------------------------------------------------------------------------------------------

    def challenge(
        self,
        attempt: Attempt,
        user_name: str,
        name: str,
        shown: Mapping[str, str],
        *,
        is_real: bool = True,
        **state: Any,
    ) -> Answer:
        """Give a challenge, with a session for its response."""
        session = self.challenges.open(
            Challenge(
                attempt.pool.id,
                attempt.client.id,
                user_name,
                name,
                self.clock.now_ms() + attempt.client.session_ms,
                flow=attempt.flow,
                is_real=is_real,
                state={
                    "login": attempt.login,
                    "device_key": attempt.device_key,
                    "is_hosted": attempt.is_hosted,
                    **state,
                },
            )
        )
        return {"ChallengeName": name, "Session": session, "ChallengeParameters": dict(shown)}

    async def responding(self, attempt: Attempt, session: str, name: str) -> tuple[Attempt, Challenge, User]:
        """Give what a response belongs to; the session is used up. Raises: NotAuthorizedException."""
        challenge = self.challenges.take(session, client_id=attempt.client.id, name=name)
        held = await self.users.by_name(attempt.pool, challenge.user_name) if challenge.is_real else None
        if held is None or bool(challenge.state.get("is_hosted")) != attempt.is_hosted:
            raise NotAuthorizedException("Invalid session for the user.")  # pages and API do not finish each other's
        if attempt.login not in ("", challenge.user_name, challenge.state.get("login")):
            named = await self.users.find(attempt.pool, attempt.login)
            if named is None or named.user.name != challenge.user_name:
                raise NotAuthorizedException("Invalid session for the user.")
        if not held.user.is_enabled:
            raise NotAuthorizedException("User is disabled.")
        going_on = replace(
            attempt,
            login=challenge.state.get("login", challenge.user_name),
            flow=challenge.flow,
            device_key=attempt.parameters.get("DEVICE_KEY") or challenge.state.get("device_key", ""),
        )
        return going_on, challenge, held.user

    def wrong_code(self, session: str, challenge: Challenge) -> CodeMismatchException:
        """Count a wrong response; a few may follow on the same session. Gives the error to raise."""
        self.lockout.failed(challenge.pool_id, f"code {challenge.user_name}")
        wrong_count = challenge.wrong_count + 1
        if wrong_count < WRONG_MAX:
            self.challenges.keep(session, replace(challenge, wrong_count=wrong_count))
        return CodeMismatchException("Invalid code received for user")

    # --- after the first factor --------------------------------------------------------------------------------

    async def passed_first_factor(
        self, attempt: Attempt, user: User, *, source: str = "TokenGeneration_Authentication", by_password: bool = True
    ) -> Answer:
        """Go on once the first factor has been shown."""
        self.check_state(user)
        if by_password and user.status == FORCE_CHANGE_PASSWORD:
            return self._ask_for_new_password(attempt, user)
        device = user.device(attempt.device_key) or {}
        if attempt.pool.device_configuration is not None and device.get("is_remembered"):
            shown = {"USERNAME": user.name, "DEVICE_KEY": attempt.device_key}
            return self.challenge(attempt, user.name, "DEVICE_SRP_AUTH", shown, source=source, by_password=by_password)
        return await self.asked_second_factor(attempt, user, source=source, by_password=by_password)

    async def asked_second_factor(
        self, attempt: Attempt, user: User, *, source: str, by_password: bool = True
    ) -> Answer:
        """Ask for a second factor where one is needed, or finish."""
        if by_password and (challenge := await self.second_factor.challenge_for(attempt, user, source)) is not None:
            answer: Answer = challenge
            return answer
        return await self.finish(attempt, user, source=source)

    def _ask_for_new_password(self, attempt: Attempt, user: User) -> Answer:
        if user.temporary_until_ms and user.temporary_until_ms <= self.clock.now_ms():
            raise NotAuthorizedException("Temporary password has expired and must be reset by an administrator.")
        schema = schema_of(attempt.pool)
        missing = [
            f"userAttributes.{name}"
            for name, attribute in schema.items()
            if attribute["Required"] and not user.attributes.get(name)
        ]
        shown = {
            "USER_ID_FOR_SRP": user.name,
            "requiredAttributes": json.dumps(missing, separators=(",", ":")),
            "userAttributes": json.dumps(
                {name: value for name, value in user.attributes.items() if name != "sub"}, separators=(",", ":")
            ),
        }
        return self.challenge(attempt, user.name, "NEW_PASSWORD_REQUIRED", shown)

    async def finish(self, attempt: Attempt, user: User, *, source: str) -> Answer:
        """Ask the PostAuthentication trigger and give the tokens.

        The hosted pages get `{"User": user, "Source": source}` instead: they make tokens when the code is redeemed.
        """
        new_device = await self.devices.new_for(attempt, user)
        await self.triggers.fire(
            attempt.pool,
            "PostAuthentication",
            "PostAuthentication_Authentication",
            user_name=user.name,
            client_id=attempt.client.id,
            request={
                "userAttributes": user_attributes(user),
                "newDeviceUsed": bool(new_device),
                "clientMetadata": dict(attempt.metadata),
            },
        )
        self.lockout.succeeded(attempt.pool.id, user.name)
        self.lockout.succeeded(attempt.pool.id, f"code {user.name}")
        if attempt.is_hosted:
            return {"User": user, "Source": source}
        device_key = new_device.get("DeviceKey", "") or self.devices.known_key(attempt, user)
        result = await self.tokens.issue(
            Grant(
                attempt.pool,
                attempt.client,
                user,
                source=source,
                device_key=device_key,
                client_metadata=attempt.metadata,
            )
        )
        if new_device:
            result["NewDeviceMetadata"] = new_device
        return {"AuthenticationResult": result, "ChallengeParameters": {}}
