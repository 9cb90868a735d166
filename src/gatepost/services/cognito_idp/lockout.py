"""How long a user is locked out after wrong passwords.

"After five failed unauthenticated or IAM-authenticated sign-in attempts with a password, Amazon Cognito locks out your
user for one second. The lockout duration then doubles after each additional one failed attempt, up to a maximum of
approximately 15 minutes. Attempts to sign in during a lockout period generate a `Password attempts exceeded` exception,
and don't affect the duration of subsequent lockout periods. For a cumulative number of failed sign-in attempts n […],
Amazon Cognito locks out your user for 2^(n-5) seconds. To reset the lockout to its n=0 initial state, your user must
either sign in successfully after a lockout period expires, or not initiate any sign-in attempts for 15 consecutive
minutes at any time after a lockout."
(https://docs.aws.amazon.com/cognito/latest/developerguide/authentication.html)

Kept in memory, for names that do not exist as well: an answer that comes only for those who do would tell who does.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from gatepost.kernel.clock import Clock
from gatepost.services.cognito_idp.errors import NotAuthorizedException

FREE_ATTEMPTS: Final = 5
LOCK_MS_MAX: Final = 15 * 60 * 1000
FORGOTTEN_AFTER_MS: Final = 15 * 60 * 1000
NAMES_MAX: Final = 100_000


@dataclass(slots=True)
class _Failures:
    count: int
    last_ms: int
    locked_until_ms: int


class Lockout:
    """Counts wrong passwords by pool and name, for at most 100,000 names; the longest unused is forgotten first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def check(self, pool_id: str, name: str) -> None:
        """Refuse an attempt while the name is locked out. Raises: NotAuthorizedException."""
        failures = self._failures.get((pool_id, name))
        if failures is None:
            return
        now_ms = self._clock.now_ms()
        if now_ms < failures.locked_until_ms:
            raise NotAuthorizedException("Password attempts exceeded")
        if now_ms - max(failures.last_ms, failures.locked_until_ms) >= FORGOTTEN_AFTER_MS:
            del self._failures[pool_id, name]

    def failed(self, pool_id: str, name: str) -> None:
        """Count a wrong password."""
        key = (pool_id, name)
        now_ms = self._clock.now_ms()
        failures = self._failures.pop(key, None) or _Failures(0, now_ms, 0)
        failures.count += 1
        failures.last_ms = now_ms
        if failures.count >= FREE_ATTEMPTS:
            lock_ms = min(1000 << min(failures.count - FREE_ATTEMPTS, 20), LOCK_MS_MAX)
            failures.locked_until_ms = now_ms + lock_ms
        self._failures[key] = failures
        if len(self._failures) > NAMES_MAX:
            self._failures.popitem(last=False)

    def succeeded(self, pool_id: str, name: str) -> None:
        """Forget the failures of a name."""
        self._failures.pop((pool_id, name), None)


class Pace:
    """Bounds how often something may be done for one name in an hour, for at most 100,000 names."""

    def __init__(self, clock: Clock, *, count_max: int, per_ms: int = 3_600_000) -> None:
        self._clock = clock
        self._count_max = count_max
        self._per_ms = per_ms
        self._done: OrderedDict[tuple[str, ...], list[int]] = OrderedDict()

    def take(self, *name: str) -> bool:
        """Say whether it may be done once more now, and count it."""
        now_ms = self._clock.now_ms()
        recent = [at_ms for at_ms in self._done.pop(name, []) if now_ms - at_ms < self._per_ms]
        may = len(recent) < self._count_max
        if may:
            recent.append(now_ms)
        self._done[name] = recent
        if len(self._done) > NAMES_MAX:
            self._done.popitem(last=False)
        return may
