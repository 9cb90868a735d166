"""USER_AUTH: the user chooses how to sign in, of the first factors that pool, client and user have.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/authentication-flows-selection-sdk.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gatepost.services.cognito_idp.errors import InvalidParameterException, NotAuthorizedException
from gatepost.services.cognito_idp.passkeys import Passkeys
from gatepost.services.cognito_idp.password_flows import PasswordFlows
from gatepost.services.cognito_idp.second_factors import SecondFactors
from gatepost.services.cognito_idp.sign_in import BAD_LOGIN, Answer, Attempt, SignIn
from gatepost.services.cognito_idp.sign_up import SIGNED_UP
from gatepost.services.cognito_idp.user import RESET_REQUIRED, UNCONFIRMED, User

CODES: Final = {"EMAIL_OTP": "email", "SMS_OTP": "phone_number"}


class ChoiceFlow:
    """Lets users choose."""

    def __init__(
        self, sign_in: SignIn, passwords: PasswordFlows, second_factors: SecondFactors, passkeys: Passkeys
    ) -> None:
        self._sign_in = sign_in
        self._passwords = passwords
        self._second_factors = second_factors
        self._passkeys = passkeys

    async def begin(self, attempt: Attempt, session: str) -> Answer:
        """Begin with the factor that is preferred, or let the user select one; right after a sign-up, let them in.

        Raises: NotAuthorizedException, InvalidParameterException, UserNotFoundException.
        """
        if session:
            return await self._signed_up(attempt, session)
        user = await self._sign_in.user_of(attempt)
        available = self.available(attempt, user)
        preferred = attempt.parameters.get("PREFERRED_CHALLENGE", "")
        if preferred in available:
            return {**await self._go(attempt, user, preferred), "AvailableChallenges": available}
        if preferred and preferred not in ("PASSWORD", "PASSWORD_SRP", "WEB_AUTHN", *CODES):
            raise InvalidParameterException("PREFERRED_CHALLENGE is no challenge that there is")
        if user is not None and not attempt.client.hides_users:
            self._sign_in.check_state(user)
        await self._sign_in.ask_before(attempt, user)
        name = user.name if user is not None else self._sign_in.invented_name(attempt.pool, attempt.login)
        answer = self._sign_in.challenge(
            attempt, name, "SELECT_CHALLENGE", {}, is_real=user is not None, available=available
        )
        return {**answer, "AvailableChallenges": available}

    def available(self, attempt: Attempt, user: User | None) -> list[str]:
        """Give the challenges that a user may begin with. A user who needs a second factor begins with a password.

        Somebody who does not exist seems to have a password, what users of this pool are signed up with, and every
        second time a passkey. AWS chooses at random among what the pool allows.
        """
        found = ["PASSWORD", "PASSWORD_SRP"]
        allowed = attempt.pool.first_factors
        if user is None:
            usual = {*attempt.pool.auto_verified, *attempt.pool.username_attributes}
            codes = [factor for factor, attribute in CODES.items() if factor in allowed and attribute in usual]
            if "WEB_AUTHN" in allowed and self._sign_in.invented(attempt.pool, attempt.login, "passkey", 1)[0] % 2:
                codes.append("WEB_AUTHN")
            return [*found, *(codes if attempt.pool.mfa != "ON" else [])]
        if not user.has_password():
            found = []
        if attempt.pool.mfa == "ON" or (attempt.pool.mfa == "OPTIONAL" and user.usable_factors(attempt.pool)):
            return found
        for factor, attribute in CODES.items():
            if factor in allowed and user.attributes.get(attribute):
                found.append(factor)
        if "WEB_AUTHN" in allowed and user.passkeys:
            found.append("WEB_AUTHN")
        return found

    async def selected(self, attempt: Attempt, session: str) -> Answer:
        """Answer SELECT_CHALLENGE. Raises: NotAuthorizedException, InvalidParameterException."""
        challenge = self._sign_in.challenges.take(session, client_id=attempt.client.id, name="SELECT_CHALLENGE")
        held = await self._sign_in.users.by_name(attempt.pool, challenge.user_name) if challenge.is_real else None
        attempt = replace(
            attempt,
            login=challenge.state["login"],
            flow=challenge.flow,
            device_key=attempt.parameters.get("DEVICE_KEY") or challenge.state["device_key"],
        )
        chosen = attempt.parameters.get("ANSWER", "")
        if chosen not in challenge.state["available"]:
            self._sign_in.challenges.keep(session, challenge)
            raise InvalidParameterException("ANSWER is none of the challenges that can be selected")
        return await self._go(attempt, held.user if held else None, chosen)

    async def password(self, attempt: Attempt, session: str) -> Answer:
        """Answer PASSWORD. Raises: NotAuthorizedException."""
        challenge = self._sign_in.challenges.take(session, client_id=attempt.client.id, name="PASSWORD")
        attempt = replace(
            attempt,
            login=challenge.state["login"],
            flow=challenge.flow,
            device_key=attempt.parameters.get("DEVICE_KEY") or challenge.state["device_key"],
        )
        return await self._passwords.with_password(attempt, attempt.parameters.get("PASSWORD", ""))

    async def _go(self, attempt: Attempt, user: User | None, chosen: str) -> Answer:
        name = user.name if user is not None else self._sign_in.invented_name(attempt.pool, attempt.login)
        if chosen == "PASSWORD":
            if attempt.parameters.get("PASSWORD"):
                return await self._passwords.with_password(attempt, attempt.parameters["PASSWORD"])
            return self._sign_in.challenge(attempt, name, "PASSWORD", {"USERNAME": name}, is_real=user is not None)
        if chosen == "PASSWORD_SRP":
            if not attempt.parameters.get("SRP_A"):
                raise InvalidParameterException("Missing required parameter SRP_A")
            opened = self._sign_in.challenge(attempt, name, "PASSWORD_VERIFIER", {}, is_real=user is not None)
            return await self._passwords.begin_srp(attempt, session=opened["Session"])
        hides = attempt.client.hides_users or attempt.is_hosted
        if user is None or (hides and chosen in CODES and not _may_sign_in(user)):
            await self._sign_in.ask_before(attempt, user)
            if chosen == "WEB_AUTHN":
                return self._passkeys.seem_to_ask(attempt, name)
            if chosen not in CODES:
                raise NotAuthorizedException(BAD_LOGIN)
            return await self._second_factors.seem_to_ask(attempt, name, chosen)
        self._sign_in.check_state(user)
        await self._sign_in.ask_before(attempt, user)
        if chosen == "WEB_AUTHN":
            return self._passkeys.ask(attempt, user)
        return await self._second_factors.ask(
            attempt, user, chosen, source="TokenGeneration_Authentication", is_first=True
        )

    async def _signed_up(self, attempt: Attempt, session: str) -> Answer:
        challenge = self._sign_in.challenges.take(session, client_id=attempt.client.id, name=SIGNED_UP)
        held = await self._sign_in.users.by_name(attempt.pool, challenge.user_name)
        by_login = await self._sign_in.users.find(attempt.pool, attempt.login)
        if held is None or by_login is None or by_login.user.name != held.user.name:
            raise NotAuthorizedException("Invalid session for the user.")
        if not challenge.auth_ms:  # the session of SignUp, not of ConfirmSignUp
            self._sign_in.check_state(held.user)
            raise NotAuthorizedException("Invalid session for the user.")
        return await self._sign_in.passed_first_factor(attempt, held.user)


def _may_sign_in(user: User) -> bool:
    return user.is_enabled and user.status not in (UNCONFIRMED, RESET_REQUIRED)
