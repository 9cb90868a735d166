"""Signing in with a password: sent as it is, or proved by SRP; and the new one that an invited user has to choose."""

from __future__ import annotations

import base64
import binascii
import calendar
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from gatepost.security.sealing import NotSealed
from gatepost.security.session_tokens import Sealing
from gatepost.security.srp import (
    SALT_BYTES,
    BadSrp,
    PasswordVerifier,
    ServerTurn,
    invented_salt,
    parse_public,
    proves,
)
from gatepost.services.cognito_idp.errors import (
    InvalidParameterException,
    NotAuthorizedException,
    UserLambdaValidationException,
    UserNotFoundException,
)
from gatepost.services.cognito_idp.migration import Migration
from gatepost.services.cognito_idp.password_policy import check_policy, verifier_of
from gatepost.services.cognito_idp.pool import UserPool
from gatepost.services.cognito_idp.schema import check_attributes
from gatepost.services.cognito_idp.sign_in import BAD_LOGIN, Answer, Attempt, SignIn
from gatepost.services.cognito_idp.user import CONFIRMED, RESET_REQUIRED, User

BLOCKS_USED_MAX: Final = 50_000
TIMESTAMP_SKEW_MS: Final = 10 * 60 * 1000
_BLOCK: Final = "user-pool-srp"
_TIMESTAMP: Final = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([A-Z][a-z]{2}) ([0-9]{1,2}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) UTC ([0-9]{4})",
    re.ASCII,
)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class PasswordFlows:
    """USER_PASSWORD_AUTH, ADMIN_USER_PASSWORD_AUTH, USER_SRP_AUTH and NEW_PASSWORD_REQUIRED."""

    def __init__(self, sign_in: SignIn, migration: Migration, seal: Sealing) -> None:
        self._sign_in = sign_in
        self._migration = migration
        self._seal = seal
        self._used_blocks: OrderedDict[bytes, int] = OrderedDict()

    # --- as it is ----------------------------------------------------------------------------------------------

    async def with_password(self, attempt: Attempt, password: str) -> Answer:
        """Check a password and go on. Raises: NotAuthorizedException, UserNotFound…, and by the user's state."""
        sign_in = self._sign_in
        held = await sign_in.users.find(attempt.pool, attempt.login)
        user = held.user if held is not None else None
        who = user.name if user is not None else attempt.pool.canonical(attempt.login)
        sign_in.lockout.check(attempt.pool.id, who)
        if user is None:
            migrated = await self._migrated(attempt, password, who)
            if migrated is not None:
                return await sign_in.passed_first_factor(attempt, migrated)
            if not attempt.client.hides_users and not attempt.is_hosted:
                raise UserNotFoundException("User does not exist.")
        await sign_in.ask_before(attempt, user)
        is_right = await sign_in.passwords.matches(user, password)
        sign_in.lockout.check(attempt.pool.id, who)  # again: hundreds of guesses at once wait here for their turn
        if not is_right or user is None:
            sign_in.lockout.failed(attempt.pool.id, who)
            if user is not None and not user.has_password():
                hides = attempt.client.hides_users or attempt.is_hosted
                if not hides or user.status == RESET_REQUIRED:  # who came by migration has to be told, as on AWS
                    sign_in.check_state(user)
            raise NotAuthorizedException(BAD_LOGIN)
        sign_in.lockout.succeeded(attempt.pool.id, who)
        return await sign_in.passed_first_factor(attempt, await self._renewed(attempt, user, password))

    async def _renewed(self, attempt: Attempt, user: User, password: str) -> User:
        """Keep the password at today's costs, where they have changed since it was set."""
        renewed = await self._sign_in.passwords.renewed_hash(user, password)
        if not renewed:
            return user
        before = user.secrets.password_hash

        def keep(user: User) -> User:
            return user.with_secrets(password_hash=renewed) if user.secrets.password_hash == before else user

        return await self._sign_in.users.change(attempt.pool, user.name, keep)

    async def _migrated(self, attempt: Attempt, password: str, who: str) -> User | None:
        """Ask the UserMigration trigger; what it refuses counts as a wrong password: it may know the user."""
        lockout = self._sign_in.lockout
        try:
            held = await self._migration.migrated(
                attempt.pool,
                attempt.client,
                attempt.login,
                "UserMigration_Authentication",
                attempt.metadata,
                password,
            )
        except UserLambdaValidationException:
            lockout.failed(attempt.pool.id, who)
            raise
        return held.user if held is not None else None

    # --- by SRP ------------------------------------------------------------------------------------------------

    async def begin_srp(self, attempt: Attempt, *, session: str = "") -> Answer:
        """Give the salt, B and a block that holds our side of it, sealed. Somebody who does not exist gets the like."""
        sign_in = self._sign_in
        try:
            client_public = parse_public(attempt.parameters.get("SRP_A", ""))
        except BadSrp as error:
            raise InvalidParameterException(f"{error}") from error
        user = await sign_in.user_of(attempt)
        name = user.name if user is not None else sign_in.invented_name(attempt.pool, attempt.login)
        sign_in.lockout.check(attempt.pool.id, name)
        await sign_in.ask_before(attempt, user)
        if user is not None and user.has_password():
            verifier = verifier_of(user)
        else:
            salt = invented_salt(sign_in.invented(attempt.pool, attempt.login, "salt", SALT_BYTES + 1))
            guess = int.from_bytes(sign_in.invented(attempt.pool, attempt.login, "verifier", 64), "big")
            verifier = PasswordVerifier(salt, guess)
        turn: ServerTurn = await sign_in.passwords.run(lambda: ServerTurn.begin(verifier))
        block = {
            "pool_id": attempt.pool.id,
            "client_id": attempt.client.id,
            "name": name,
            "is_real": user is not None and user.has_password(),
            "a": f"{client_public:x}",
            "b": f"{turn.exponent:x}",
            "B": f"{turn.public:x}",
            "ends_ms": sign_in.clock.now_ms() + attempt.client.session_ms,
            "login": attempt.login,
            "flow": attempt.flow,
            "device_key": attempt.device_key,
        }
        sealed = base64.b64encode(self._seal.seal(orjson.dumps(block), purpose=_BLOCK)).decode()
        shown = {
            "SALT": verifier.salt.hex(),
            "SECRET_BLOCK": sealed,
            "SRP_B": f"{turn.public:x}",
            "USERNAME": name,
            "USER_ID_FOR_SRP": name,
        }
        answer: Answer = {"ChallengeName": "PASSWORD_VERIFIER", "ChallengeParameters": shown}
        if session:
            answer["Session"] = session
        return answer

    async def end_srp(self, attempt: Attempt) -> tuple[Attempt, User]:
        """Check the proof of PASSWORD_VERIFIER; gives who it is. Raises: NotAuthorizedException."""
        sign_in = self._sign_in
        given = attempt.parameters
        text = given.get("PASSWORD_CLAIM_SECRET_BLOCK", "")
        block, raw = self._block(text, attempt)
        name = str(block["name"])
        sign_in.lockout.check(attempt.pool.id, name)
        timestamp = given.get("TIMESTAMP", "")
        _check_timestamp(timestamp, sign_in.clock.now_ms())
        held = await sign_in.users.by_name(attempt.pool, name) if block["is_real"] else None
        right = False
        if held is not None and held.user.has_password():
            verifier = verifier_of(held.user)
            turn = ServerTurn(int(block["b"], 16), int(block["B"], 16))
            try:
                key = await sign_in.passwords.run(lambda: turn.key(verifier, int(block["a"], 16)))
            except BadSrp as error:
                raise NotAuthorizedException(BAD_LOGIN, detail=str(error)) from error
            signature = given.get("PASSWORD_CLAIM_SIGNATURE", "")
            right = proves(signature, key, attempt.pool.short_name, name, raw, timestamp)
        else:  # as much work, for nobody
            base = int(block["B"], 16)
            await sign_in.passwords.run(
                lambda: ServerTurn(int(block["b"], 16), base).key(_nobody(base), int(block["a"], 16))
            )
        self._use_up(raw, int(block["ends_ms"]))
        sign_in.lockout.check(attempt.pool.id, name)  # again: others may have been wrong in the meantime
        if not right or held is None:
            sign_in.lockout.failed(attempt.pool.id, name)
            raise NotAuthorizedException(BAD_LOGIN)
        sign_in.lockout.succeeded(attempt.pool.id, name)
        going_on = replace(
            attempt,
            login=str(block["login"]),
            flow=str(block["flow"]),
            device_key=given.get("DEVICE_KEY") or str(block["device_key"]),
        )
        return going_on, held.user

    def _block(self, text: str, attempt: Attempt) -> tuple[Mapping[str, Any], bytes]:
        try:
            raw = base64.b64decode(text, validate=True)
            block: dict[str, Any] = orjson.loads(self._seal.open(raw, purpose=_BLOCK))
        except (NotSealed, binascii.Error, ValueError):
            raise NotAuthorizedException(BAD_LOGIN, detail="the secret block is none of ours") from None
        if block["pool_id"] != attempt.pool.id or block["client_id"] != attempt.client.id:
            raise NotAuthorizedException(BAD_LOGIN, detail="the secret block is another client's")
        if block["ends_ms"] <= self._sign_in.clock.now_ms() or raw in self._used_blocks:
            raise NotAuthorizedException("Invalid session for the user, session is expired.")
        return block, raw

    def _use_up(self, block: bytes, ends_ms: int) -> None:
        """Let no proof be shown twice."""
        now_ms = self._sign_in.clock.now_ms()
        self._used_blocks[block] = ends_ms
        while self._used_blocks and (
            len(self._used_blocks) > BLOCKS_USED_MAX or next(iter(self._used_blocks.values())) <= now_ms
        ):
            self._used_blocks.popitem(last=False)

    # --- a new one ---------------------------------------------------------------------------------------------

    async def new_password(self, attempt: Attempt, session: str) -> Answer:
        """Answer NEW_PASSWORD_REQUIRED. Raises: NotAuthorizedException, InvalidPasswordException, InvalidParameter…."""
        sign_in = self._sign_in
        challenge = sign_in.challenges.peek(session)
        password = attempt.parameters.get("NEW_PASSWORD", "")
        given = {
            name.removeprefix("userAttributes."): value
            for name, value in attempt.parameters.items()
            if name.startswith("userAttributes.")
        }
        if challenge.name == "NEW_PASSWORD_REQUIRED" and challenge.client_id == attempt.client.id:
            check_policy(attempt.pool, password)  # a password that breaks the policy may be chosen anew
            held = await sign_in.users.by_name(attempt.pool, challenge.user_name)
            check_attributes(
                attempt.pool,
                given,
                is_new=False,
                is_admin=False,
                client=attempt.client,
                held=held.user.attributes if held else {},
            )
            missing = [name for name in _missing(attempt.pool, held.user if held else None) if not given.get(name)]
            if missing:
                raise InvalidParameterException(f"Invalid attributes given, {missing[0]} is missing")
        attempt, _, user = await sign_in.responding(attempt, session, "NEW_PASSWORD_REQUIRED")
        new = await sign_in.passwords.with_password(attempt.pool, user, password)
        now_ms = sign_in.clock.now_ms()
        user = await sign_in.users.change(
            attempt.pool,
            user.name,
            lambda user: replace(
                user.with_attributes(given, now_ms=now_ms).with_secrets(
                    password_hash=new.secrets.password_hash,
                    srp_salt=new.secrets.srp_salt,
                    srp_verifier=new.secrets.srp_verifier,
                    history=new.secrets.history,
                ),
                status=CONFIRMED,
                temporary_until_ms=0,
            ),
        )
        return await sign_in.passed_first_factor(attempt, user, source="TokenGeneration_NewPasswordChallenge")


def _missing(pool: UserPool, user: User | None) -> list[str]:
    held = user.attributes if user is not None else {}
    return [name for name in pool.required_attributes if not held.get(name)]


def _nobody(base: int) -> PasswordVerifier:
    return PasswordVerifier(b"\x01", base or 2)


def _check_timestamp(text: str, now_ms: int) -> None:
    """Refuse a time that is no time, or far from ours. Raises: InvalidParameterException, NotAuthorizedException."""
    found = _TIMESTAMP.fullmatch(text)
    if found is None or found[1] not in _MONTHS:
        raise InvalidParameterException("TIMESTAMP format should be EEE MMM d HH:mm:ss z yyyy in english.")
    month, day, hour, minute, second, year = (
        _MONTHS.index(found[1]) + 1,
        int(found[2]),
        int(found[3]),
        int(found[4]),
        int(found[5]),
        int(found[6]),
    )
    at_ms = calendar.timegm((year, month, day, hour, minute, second)) * 1000
    if abs(at_ms - now_ms) > TIMESTAMP_SKEW_MS:
        raise NotAuthorizedException("Invalid timestamp: the clock of the client differs too much")
