"""Codes that prove that someone reads a mailbox or a phone: made, sent, and redeemed once."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from gatepost.kernel.clock import Clock
from gatepost.services.cognito_idp.errors import (
    CodeMismatchException,
    ExpiredCodeException,
    InvalidParameterException,
    LimitExceededException,
)
from gatepost.services.cognito_idp.lockout import Pace
from gatepost.services.cognito_idp.messages import MEDIA, Messages, masked
from gatepost.services.cognito_idp.pool import DAY_MS, HOUR_MS, UserPool
from gatepost.services.cognito_idp.pretence import UnsentCodes
from gatepost.services.cognito_idp.schema import is_email, is_phone_number
from gatepost.services.cognito_idp.user import VERIFIABLE, Code, User
from gatepost.services.cognito_idp.users import Users

SIGN_UP: Final = "sign-up"
FORGOT_PASSWORD: Final = "forgot-password"  # noqa: S105 a purpose
USED_MAX: Final = 10_000
WRONG_MAX: Final = 5  # wrong codes, then a new one must be asked for
SENT_PER_HOUR_MAX: Final = 20  # AWS: 5 to 20, by the risk that it sees
LIVES_MS: Final[Mapping[str, int]] = {SIGN_UP: DAY_MS, FORGOT_PASSWORD: HOUR_MS}
_HAS_FORM: Final = {"email": is_email, "phone_number": is_phone_number}
_LIMIT: Final = "Attempt limit exceeded, please try after some time."
_MISMATCH: Final = "Invalid verification code provided, please try again."
_EXPIRED: Final = "Invalid code provided, please request a code again."


def new_code() -> str:
    """Make six digits that cannot be guessed."""
    return f"{secrets.randbelow(1_000_000):06d}"


def verifying(attribute: str) -> str:
    """Give the purpose of a code that verifies an attribute."""
    return f"verify:{attribute}"


class Codes:
    """Sends codes and redeems them."""

    def __init__(self, users: Users, messages: Messages, clock: Clock) -> None:
        self._users = users
        self._messages = messages
        self._clock = clock
        self._pace = Pace(clock, count_max=SENT_PER_HOUR_MAX)
        self._unsent = UnsentCodes()
        self._used: OrderedDict[tuple[str, str, str], str] = OrderedDict()  # the last code of a name that was right

    async def send(
        self,
        pool: UserPool,
        user: User,
        purpose: str,
        source: str,
        *,
        attribute: str,
        client_id: str,
        pending: str = "",
        client_metadata: Mapping[str, str] | None = None,
    ) -> dict[str, str]:
        """Send a new code for a purpose; the one before is void. Gives CodeDeliveryDetails.

        Raises: LimitExceededException, CodeDeliveryFailureException, and what the trigger raises.
        """
        self.check_pace(pool, user.name, purpose)
        code = Code(
            new_code(), self._clock.now_ms() + LIVES_MS.get(purpose, DAY_MS), attribute=attribute, pending=pending
        )
        user = await self._users.change(pool, user.name, lambda user: user.with_code(purpose, code))
        return await self._messages.send(
            pool,
            user,
            source,
            attribute=attribute,
            code=code.text,
            client_id=client_id,
            to=pending,
            client_metadata=client_metadata,
        )

    async def seem_to_send(self, pool: UserPool, login: str, purpose: str) -> dict[str, str]:
        """Note that nobody asked for a code, and work as for somebody. Gives CodeDeliveryDetails.

        Raises: LimitExceededException.
        """
        login = pool.canonical(login)
        self.check_pace(pool, login, purpose)
        self._unsent.keep(pool.id, login, purpose, self._clock.now_ms() + LIVES_MS.get(purpose, DAY_MS))
        await self._users.seem_to_change(pool)
        await self._users.seem_to_change(pool)  # the mailbox keeps the message
        return simulated_details(pool, login, attribute=_usual_attribute(pool, login, purpose))

    async def fault_for_nobody(self, pool: UserPool, login: str, purpose: str) -> str:
        """Say what is wrong with a code that nobody was sent: "" (none was asked for), or as `check` does."""
        now_ms = self._clock.now_ms()
        fault = self._unsent.fault(pool.id, pool.canonical(login), purpose, now_ms=now_ms, wrong_max=WRONG_MAX)
        if fault == "mismatch":
            await self._users.seem_to_change(pool)  # wrong guesses are counted
        return fault

    def check_pace(self, pool: UserPool, name: str, purpose: str) -> None:
        """Refuse when codes are asked for too often, also for names of nobody. Raises: LimitExceededException."""
        if not self._pace.take(pool.id, name, purpose):
            raise LimitExceededException(_LIMIT)

    def check(self, user: User, purpose: str, text: str) -> str:
        """Say what is wrong with a code: "" (nothing), "expired", "limit" or "mismatch"."""
        code = user.secrets.codes.get(purpose)
        if code is None or code.expires_at_ms <= self._clock.now_ms():
            return "expired"
        if code.wrong_count >= WRONG_MAX:
            return "limit"
        is_right = hmac.compare_digest(code.text.encode(), text.encode("utf-8", "surrogatepass"))
        return "" if is_right else "mismatch"

    async def redeem(
        self,
        pool: UserPool,
        name: str,
        purpose: str,
        text: str,
        then: Callable[[User, Code], User],
        *,
        force_alias: bool = False,
    ) -> User:
        """Change a user who has sent the right code back; the code is used up. A wrong one is counted.

        Raises: CodeMismatchException, ExpiredCodeException, LimitExceededException, AliasExistsException.
        """
        fault = ""

        def change(user: User) -> User:
            nonlocal fault
            fault = self.check(user, purpose, text)
            if fault == "mismatch":
                code = user.secrets.codes[purpose]
                return user.with_code(purpose, replace(code, wrong_count=code.wrong_count + 1))
            if fault:
                return user
            return then(user.without_code(purpose), user.secrets.codes[purpose])

        user = await self._users.change(pool, name, change, force_alias=force_alias)
        raise_fault(fault)
        self._used.pop((pool.id, user.name, purpose), None)
        self._used[pool.id, user.name, purpose] = text
        if len(self._used) > USED_MAX:
            self._used.popitem(last=False)
        return user

    def was_used(self, pool: UserPool, name: str, purpose: str, text: str) -> bool:
        """Say whether this very code was redeemed: only who had it may learn that."""
        used = self._used.get((pool.id, name, purpose), "")
        return bool(used) and hmac.compare_digest(used.encode(), text.encode("utf-8", "surrogatepass"))


def raise_fault(fault: str) -> None:
    """Raise what `Codes.check` found."""
    if fault == "mismatch":
        raise CodeMismatchException(_MISMATCH)
    if fault == "limit":
        raise LimitExceededException(_LIMIT)
    if fault == "expired":
        raise ExpiredCodeException(_EXPIRED)


def recovery_attribute(pool: UserPool, user: User) -> str:
    """Give the address that a reset code goes to: by the pool's recovery settings, verified.

    Raises: InvalidParameterException.
    """
    for way in pool.recovery:
        attribute = way.removeprefix("verified_")
        if attribute in VERIFIABLE and user.is_verified(attribute):
            return attribute
    raise InvalidParameterException(
        "Cannot reset password for the user as there is no registered/verified email or phone_number"
    )


def _usual_attribute(pool: UserPool, login: str, purpose: str) -> str:
    """Give where a code would go, of what users of this pool are signed up with; "" where that cannot be told."""
    ways = [way.removeprefix("verified_") for way in pool.recovery]
    if purpose != FORGOT_PASSWORD:
        ways = [attribute for attribute in reversed(VERIFIABLE) if attribute in pool.auto_verified]
    usual = [way for way in ways if way in {*pool.auto_verified, *pool.username_attributes}]
    named = [way for way in usual if way in pool.username_attributes and _HAS_FORM[way](login)]
    return next(iter([*named, *usual]), "")


def simulated_details(pool: UserPool, login: str, *, attribute: str = "") -> dict[str, str]:
    """Give CodeDeliveryDetails for somebody who does not exist, the same each time (PreventUserExistenceErrors).

    Who typed an address that users are named by is told that address, masked: that is where a code would have gone.
    """
    login = pool.canonical(login)
    is_phone = "phone_number" in pool.auto_verified and "email" not in pool.auto_verified
    attribute = attribute or ("phone_number" if is_phone else "email")
    is_phone = attribute == "phone_number"
    if attribute in (*pool.username_attributes, *pool.alias_attributes) and _HAS_FORM[attribute](login):
        return {"Destination": masked(login), "DeliveryMedium": MEDIA[attribute], "AttributeName": attribute}
    digits = f"{sum(login.encode('utf-8', 'surrogatepass')) * 7919 % 10_000:04d}"
    letter = chr(97 + sum(pool.id.encode() + login.encode("utf-8", "surrogatepass")) % 26)
    told = f"+1555000{digits}" if is_phone else f"{login[:1] or letter}@{letter}"
    return {"Destination": masked(told), "DeliveryMedium": MEDIA[attribute], "AttributeName": attribute}
