"""The second factor: codes by SMS and e-mail, authenticator apps, and setting one up on the way in.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-mfa.html
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.services.cognito_idp.challenges import Challenge
from gatepost.services.cognito_idp.codes import new_code, simulated_details
from gatepost.services.cognito_idp.errors import (
    ExpiredCodeException,
    InvalidParameterException,
    LimitExceededException,
    MFAMethodNotFoundException,
    NotAuthorizedException,
    SoftwareTokenMFANotFoundException,
)
from gatepost.services.cognito_idp.lockout import Pace
from gatepost.services.cognito_idp.messages import Messages
from gatepost.services.cognito_idp.pretence import Pretence
from gatepost.services.cognito_idp.sign_in import Answer, Attempt, SignIn
from gatepost.services.cognito_idp.user import User

STEP_S: Final = 30
STEPS_AROUND: Final = 1
SENT_PER_HOUR_MAX: Final = 30
_ATTRIBUTES: Final[Mapping[str, str]] = {"SMS_MFA": "phone_number", "EMAIL_OTP": "email", "SMS_OTP": "phone_number"}
_CODES: Final = {
    "SMS_MFA": "SMS_MFA_CODE",
    "EMAIL_OTP": "EMAIL_OTP_CODE",
    "SMS_OTP": "SMS_OTP_CODE",
    "SOFTWARE_TOKEN_MFA": "SOFTWARE_TOKEN_MFA_CODE",
}


class SecondFactors:
    """Asks for second factors and checks the responses; codes as a first factor go the same way."""

    def __init__(self, sign_in: SignIn, messages: Messages, pretence: Pretence) -> None:
        self._sign_in = sign_in
        self._messages = messages
        self._pretence = pretence
        self._pace = Pace(sign_in.clock, count_max=SENT_PER_HOUR_MAX)

    async def challenge_for(self, attempt: Attempt, user: User, source: str) -> Answer | None:
        """Give the challenge for a user's second factor; None where none is needed."""
        pool = attempt.pool
        if pool.mfa == "OFF":
            return None
        usable = user.usable_factors(pool)
        if not usable and pool.mfa == "ON":
            usable = self._by_address(attempt, user)
            if not usable:
                return self._set_up(attempt, user, source)
        if not usable:
            return None
        if user.preferred_factor in usable:
            return await self.ask(attempt, user, user.preferred_factor, source=source)
        if len(usable) == 1:
            return await self.ask(attempt, user, usable[0], source=source)
        shown = {
            "MFAS_CAN_CHOOSE": json.dumps(usable, separators=(",", ":")),
            **_destinations(user, usable),
            "USER_ID_FOR_SRP": user.name,
        }
        return self._sign_in.challenge(attempt, user.name, "SELECT_MFA_TYPE", shown, source=source)

    def _by_address(self, attempt: Attempt, user: User) -> list[str]:
        """Where MFA is a must, an address that the user has is a factor without being set up."""
        offered = attempt.pool.second_factors
        factors: tuple[str, ...] = ("SMS_MFA", "EMAIL_OTP")
        return [one for one in factors if one in offered and user.attributes.get(_ATTRIBUTES[one])][:1]

    def _set_up(self, attempt: Attempt, user: User, source: str) -> Answer:
        can = sorted(attempt.pool.second_factors)
        shown = {"MFAS_CAN_SETUP": json.dumps(can, separators=(",", ":")), "USER_ID_FOR_SRP": user.name}
        return self._sign_in.challenge(attempt, user.name, "MFA_SETUP", shown, source=source)

    async def ask(self, attempt: Attempt, user: User, factor: str, *, source: str, is_first: bool = False) -> Answer:
        """Send a code, or ask for an app's. Raises: LimitExceededException, CodeDeliveryFailureException."""
        self._sign_in.lockout.check(attempt.pool.id, f"code {user.name}")
        if factor == "SOFTWARE_TOKEN_MFA":
            shown = {"USER_ID_FOR_SRP": user.name}
            if user.secrets.totp_name:
                shown["FRIENDLY_DEVICE_NAME"] = user.secrets.totp_name
            return self._sign_in.challenge(attempt, user.name, factor, shown, source=source, by_password=not is_first)
        attribute = _ATTRIBUTES[factor]
        if not self._pace.take(attempt.pool.id, user.name):
            raise LimitExceededException("Attempt limit exceeded, please try after some time.")
        code, begun_ns = new_code(), self._pretence.begin()
        details = await self._messages.send(
            attempt.pool,
            user,
            "CustomMessage_Authentication",
            attribute=attribute,
            code=code,
            client_id=attempt.client.id,
            client_metadata=attempt.metadata,
        )
        self._pretence.note(attempt.pool.id, factor, begun_ns)
        shown = {
            "CODE_DELIVERY_DELIVERY_MEDIUM": details["DeliveryMedium"],
            "CODE_DELIVERY_DESTINATION": details["Destination"],
        }
        return self._sign_in.challenge(
            attempt, user.name, factor, shown, source=source, code=code, by_password=not is_first, is_first=is_first
        )

    async def seem_to_ask(self, attempt: Attempt, name: str, factor: str) -> Answer:
        """Ask somebody who does not exist for a code that was sent nowhere. Raises: LimitExceededException."""
        begun_ns = self._pretence.begin()
        self._sign_in.lockout.check(attempt.pool.id, f"code {name}")
        if not self._pace.take(attempt.pool.id, name):
            raise LimitExceededException("Attempt limit exceeded, please try after some time.")
        details = simulated_details(attempt.pool, attempt.login, attribute=_ATTRIBUTES[factor])
        await self._sign_in.users.seem_to_change(attempt.pool)  # the mailbox keeps a message
        await self._pretence.wait(attempt.pool.id, factor, begun_ns)
        shown = {
            "CODE_DELIVERY_DELIVERY_MEDIUM": details["DeliveryMedium"],
            "CODE_DELIVERY_DESTINATION": details["Destination"],
        }
        return self._sign_in.challenge(attempt, name, factor, shown, is_real=False, is_first=True)

    async def chosen(self, attempt: Attempt, session: str) -> Answer:
        """Answer SELECT_MFA_TYPE. Raises: NotAuthorizedException, InvalidParameterException."""
        attempt, challenge, user = await self._sign_in.responding(attempt, session, "SELECT_MFA_TYPE")
        factor = attempt.parameters.get("ANSWER", "")
        if factor not in user.usable_factors(attempt.pool):
            self._sign_in.challenges.keep(session, challenge)
            raise InvalidParameterException("ANSWER is none of the second factors that the user can choose")
        return await self.ask(attempt, user, factor, source=challenge.state["source"])

    async def code_given(self, attempt: Attempt, session: str, name: str) -> Answer:
        """Answer SMS_MFA, EMAIL_OTP, SMS_OTP or SOFTWARE_TOKEN_MFA.

        Raises: CodeMismatchException, ExpiredCodeException, NotAuthorizedException.
        """
        sign_in = self._sign_in
        given = attempt.parameters.get(_CODES[name], "")
        if not sign_in.challenges.peek(session).is_real:
            await self._given_by_nobody(attempt, session, name, given)
        attempt, challenge, user = await sign_in.responding(attempt, session, name)
        if not given:
            sign_in.challenges.keep(session, challenge)
            raise InvalidParameterException(f"Missing required parameter {_CODES[name]}")
        sign_in.lockout.check(attempt.pool.id, f"code {user.name}")
        if name == "SOFTWARE_TOKEN_MFA":
            user = await self._checked_app(attempt, session, challenge, user, given)
        elif not hmac.compare_digest(str(challenge.state["code"]).encode(), given.encode("utf-8", "surrogatepass")):
            raise sign_in.wrong_code(session, challenge)
        if challenge.state.get("is_first"):
            user = await self._verified(attempt, user, _ATTRIBUTES[name])
            return await sign_in.passed_first_factor(attempt, user, by_password=False)
        return await sign_in.finish(attempt, user, source=challenge.state["source"])

    async def _given_by_nobody(self, attempt: Attempt, session: str, name: str, given: str) -> None:
        """Refuse a response of somebody who does not exist as a wrong one of somebody who does. Always raises."""
        sign_in = self._sign_in
        unreal = sign_in.challenges.take(session, client_id=attempt.client.id, name=name)
        pool, asked = attempt.pool, str(unreal.state.get("login"))
        is_theirs = pool.canonical(attempt.login) in ("", pool.canonical(unreal.user_name), pool.canonical(asked))
        if not is_theirs or bool(unreal.state.get("is_hosted")) != attempt.is_hosted:
            raise NotAuthorizedException("Invalid session for the user.")
        if not given:
            sign_in.challenges.keep(session, unreal)
            raise InvalidParameterException(f"Missing required parameter {_CODES[name]}")
        sign_in.lockout.check(pool.id, f"code {unreal.user_name}")
        raise sign_in.wrong_code(session, unreal)

    async def _verified(self, attempt: Attempt, user: User, attribute: str) -> User:
        if user.is_verified(attribute):
            return user
        now_ms = self._sign_in.clock.now_ms()
        return await self._sign_in.users.change(
            attempt.pool, user.name, lambda user: user.with_attributes({f"{attribute}_verified": "true"}, now_ms=now_ms)
        )

    async def _checked_app(self, attempt: Attempt, session: str, challenge: Challenge, user: User, given: str) -> User:
        step = matching_step(user.secrets.totp_secret, given, self._sign_in.clock.now_ms())
        if step is None:
            raise self._sign_in.wrong_code(session, challenge)

        def use(user: User) -> User:
            if user.secrets.totp_last >= step:
                raise ExpiredCodeException("Your software token has already been used once.")
            return user.with_secrets(totp_last=step)

        return await self._sign_in.users.change(attempt.pool, user.name, use)

    async def set_up(self, attempt: Attempt, session: str) -> Answer:
        """Answer MFA_SETUP, once VerifySoftwareToken has given its session. Raises: NotAuthorizedException."""
        challenge = self._sign_in.challenges.peek(session)
        if challenge.name == "MFA_SETUP" and not challenge.state.get("is_set_up"):
            raise NotAuthorizedException("Invalid session for the user: verify the software token first.")
        attempt, challenge, user = await self._sign_in.responding(attempt, session, "MFA_SETUP")
        return await self._sign_in.finish(attempt, user, source=challenge.state["source"])


def _destinations(user: User, factors: list[str]) -> dict[str, str]:
    from gatepost.services.cognito_idp.messages import masked

    for factor in factors:
        attribute = _ATTRIBUTES.get(factor)
        if attribute and user.attributes.get(attribute):
            return {"CODE_DELIVERY_DESTINATION": masked(user.attributes[attribute])}
    return {}


def matching_step(secret: str, code: str, now_ms: int) -> int | None:
    """Give the time step whose code this is, of now and one before and after; None: of none. Constant time."""
    import pyotp

    if not secret or len(code) != 6 or not code.isascii() or not code.isdigit():
        return None
    app = pyotp.TOTP(secret)
    found = None
    now = now_ms // 1000 // STEP_S
    for step in range(now - STEPS_AROUND, now + STEPS_AROUND + 1):
        if hmac.compare_digest(app.at(step * STEP_S).encode(), code.encode()):
            found = step
    return found


def checked_preference(user: User, settings: dict[str, dict[str, Any] | None]) -> User:
    """Give the user with the factors that SetUserMFAPreference asks for; `settings` by factor, None: as it is.

    Raises: InvalidParameterException, SoftwareTokenMFANotFoundException, MFAMethodNotFoundException.
    """
    chosen, preferred = list(user.second_factors), user.preferred_factor
    asked = [factor for factor, told in settings.items() if told and told.get("PreferredMfa")]
    if len(asked) > 1:
        raise InvalidParameterException("Only one MFA method can be preferred.")
    for factor, told in settings.items():
        if told is None:
            continue
        if not told.get("Enabled"):
            if told.get("PreferredMfa"):
                raise InvalidParameterException("A factor that is preferred has to be enabled.")
            chosen = [one for one in chosen if one != factor]
            preferred = "" if preferred == factor else preferred
            continue
        if factor == "SOFTWARE_TOKEN_MFA" and not user.secrets.totp_secret:
            raise SoftwareTokenMFANotFoundException("User has not verified software token mfa")
        if factor in _ATTRIBUTES and not user.attributes.get(_ATTRIBUTES[factor]):
            raise MFAMethodNotFoundException(f"The user has no {_ATTRIBUTES[factor]}.")
        chosen = [*(one for one in chosen if one != factor), factor]
        preferred = factor if told.get("PreferredMfa") else preferred
    return replace(user, second_factors=chosen, preferred_factor=preferred)
