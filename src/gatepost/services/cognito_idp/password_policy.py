"""What a pool asks of a password, and how one is set: hash, SRP verifier and history together.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/managing-users-passwords.html
"""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any, Final

from gatepost.security.passwords import Passwords, TooManyPasswords
from gatepost.security.srp import PasswordVerifier
from gatepost.services.cognito_idp.errors import (
    InvalidPasswordException,
    PasswordHistoryPolicyViolationException,
    TooManyRequestsException,
)
from gatepost.services.cognito_idp.pool import UserPool
from gatepost.services.cognito_idp.user import User

SYMBOLS: Final = frozenset("^$*.[]{}()?-\"!@#%&/\\,><':;|_~`+= ")
_CHARACTERS_MAX: Final = 256
_TEMPORARY_SYMBOLS: Final = "!@#%&*-_+"
_LETTERS: Final = "abcdefghijkmnopqrstuvwxyz"  # without l


def check_policy(pool: UserPool, password: str) -> None:
    """Check a new password against the pool's policy. Raises: InvalidPasswordException."""
    policy = pool.password_policy
    problems = (
        (len(password) < int(policy.get("MinimumLength", 8)), "Password not long enough"),
        (len(password) > _CHARACTERS_MAX, "Password is too long"),
        (bool(password) and password != password.strip(" "), "Password must not begin or end with a space"),
        (policy.get("RequireUppercase") and not _has(password, str.isupper), "Password must have uppercase characters"),
        (policy.get("RequireLowercase") and not _has(password, str.islower), "Password must have lowercase characters"),
        (policy.get("RequireNumbers") and not _has(password, str.isdigit), "Password must have numeric characters"),
        (policy.get("RequireSymbols") and not SYMBOLS & set(password), "Password must have symbol characters"),
    )
    for is_broken, words in problems:
        if is_broken:
            raise InvalidPasswordException(f"Password did not conform with policy: {words}")


def _has(password: str, kind: Any) -> bool:
    return any(character.isascii() and kind(character) for character in password)


def temporary_password(pool: UserPool) -> str:
    """Make a password that fits any policy, for a user whom an administrator makes."""
    length = max(8, int(pool.password_policy.get("MinimumLength", 8)))
    kinds = (_LETTERS, _LETTERS.upper(), "23456789", _TEMPORARY_SYMBOLS)
    chosen = [secrets.choice(kinds[index % 4]) for index in range(length)]
    secrets.SystemRandom().shuffle(chosen)
    return "".join(chosen)


class PasswordSetting:
    """Sets and checks users' passwords by Argon2id and SRP in the threads for it."""

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords

    async def with_password(self, pool: UserPool, user: User, password: str, *, keeps_history: bool = True) -> User:
        """Give the user with a new password. Raises: PasswordHistoryPolicyViolationException, TooManyRequests…."""
        kept = user.secrets.password_hash
        size = int(pool.password_policy.get("PasswordHistorySize") or 0)
        older = [kept, *user.secrets.history] if kept else list(user.secrets.history)
        if keeps_history:
            for one in older[:size]:
                if await self._verify(one, password):
                    raise PasswordHistoryPolicyViolationException(
                        "Password has previously been used: use one that is not among your last ones"
                    )
        try:
            hashed = await self._passwords.hash(password)
            verifier = await self._passwords.run(lambda: PasswordVerifier.of(pool.short_name, user.name, password))
        except TooManyPasswords as error:
            raise _too_many(error) from error
        secrets_ = replace(
            user.secrets,
            password_hash=hashed,
            srp_salt=verifier.salt.hex(),
            srp_verifier=f"{verifier.verifier:x}",
            history=older[:size],
        )
        return replace(user, secrets=secrets_)

    async def matches(self, user: User | None, password: str) -> bool:
        """Say whether it is the user's password; it takes as long for a user who does not exist or has none.

        Raises: TooManyRequestsException.
        """
        kept = user.secrets.password_hash if user is not None else ""
        return await self._verify(kept or None, password)

    async def renewed_hash(self, user: User, password: str) -> str:
        """Give a hash of a right password at today's costs; empty: the one that is kept is as good.

        Raises: TooManyRequestsException.
        """
        if not self._passwords.is_outdated(user.secrets.password_hash):
            return ""
        try:
            return await self._passwords.hash(password)
        except TooManyPasswords as error:
            raise _too_many(error) from error

    async def run(self, work: Any) -> Any:
        """Do SRP's powers in the threads for passwords. Raises: TooManyRequestsException."""
        try:
            return await self._passwords.run(work)
        except TooManyPasswords as error:
            raise _too_many(error) from error

    async def _verify(self, kept: str | None, password: str) -> bool:
        try:
            return await self._passwords.verify(kept, password)
        except TooManyPasswords as error:
            raise _too_many(error) from error


def verifier_of(user: User) -> PasswordVerifier:
    """Give what SRP checks the user's password with."""
    return PasswordVerifier(bytes.fromhex(user.secrets.srp_salt), int(user.secrets.srp_verifier, 16))


def _too_many(error: TooManyPasswords) -> TooManyRequestsException:
    return TooManyRequestsException("Too many sign-ins at once: try again", detail=str(error))
