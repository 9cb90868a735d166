"""Passwords: hashed by Argon2id in threads of their own, as many at once as there are cores; the rest queue.

The defaults are OWASP's smallest recommendation (19 MiB, 2 passes, 1 lane): on purpose some 25 ms of a core. What that
must not do to others:

- It runs outside the interpreter's lock, in threads with a lower priority than the rest of the process (Linux gives
  each thread its own nice value): other requests go first.
- Never more than `threads` at once, so that memory is bounded by `threads` times `memory_kib`; at most `waiting_max`
  wait, and what comes then is refused at once (`TooManyPasswords`) instead of being answered too late.

A user who does not exist costs what one who does costs: `verify(None, …)` checks against a hash of nobody's password.

Sources: RFC 9106; https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    import argon2

MEMORY_KIB: Final = 19 * 1024
PASSES: Final = 2
LANES: Final = 1
WAITING_MAX: Final = 512
PASSWORD_BYTES_MAX: Final = 4 * 256  # Cognito: 256 characters
_NICE: Final = 10

Result = TypeVar("Result")


class TooManyPasswords(Exception):
    """More passwords wait to be checked than would be answered in time."""


class Passwords:
    """Hashes and verifies passwords without holding up the event loop."""

    def __init__(
        self,
        *,
        memory_kib: int = MEMORY_KIB,
        passes: int = PASSES,
        lanes: int = LANES,
        threads: int | None = None,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        """Take Argon2's costs. `threads` None: as many as there are cores."""
        if memory_kib < 8 * lanes or passes < 1 or lanes < 1:
            raise ValueError(
                f"argon2 needs at least 8 KiB a lane and one pass, not {memory_kib} KiB, {passes}, {lanes}"
            )
        self._costs = (memory_kib, passes, lanes)
        self._threads = threads or _cores()
        self._waiting_max = waiting_max
        self._running = 0
        self._pool: ThreadPoolExecutor | None = None
        self._hasher: argon2.PasswordHasher | None = None
        self._nobody = ""

    async def hash(self, password: str) -> str:
        """Give the hash to keep, with its salt and costs in it. Raises: TooManyPasswords, ValueError (too long)."""
        if len(password.encode("utf-8", "surrogatepass")) > PASSWORD_BYTES_MAX:
            raise ValueError(f"a password has at most {PASSWORD_BYTES_MAX} bytes")
        return await self.run(lambda: self._argon2().hash(_bytes(password)))

    async def verify(self, kept: str | None, password: str) -> bool:
        """Say whether `kept` is the hash of `password`; None (no such user) takes as long, and is False.

        Raises: TooManyPasswords.
        """
        return await self.run(lambda: self._verify(kept, password))

    def is_outdated(self, kept: str) -> bool:
        """Say whether a hash was made at other costs than today's: hash the password again when it is seen."""
        return self._argon2().check_needs_rehash(kept)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do other heavy work for a sign-in (SRP's powers) in these threads, within the same bounds.

        Raises: TooManyPasswords.
        """
        if self._running >= self._threads + self._waiting_max:
            raise TooManyPasswords(f"{self._running} passwords are being checked")
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, "passwords", initializer=_give_way)
        self._running += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._running -= 1

    def close(self) -> None:
        """End the threads; what waits is not done any more."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _verify(self, kept: str | None, password: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError

        hasher = self._argon2()
        if not self._nobody:  # by whoever comes first, so that the first one for nobody does not take twice as long
            self._nobody = hasher.hash(os.urandom(16))
        is_too_long = len(password) > PASSWORD_BYTES_MAX
        try:
            hasher.verify(kept if kept is not None else self._nobody, b"" if is_too_long else _bytes(password))
        except (VerificationError, InvalidHashError):
            return False
        return kept is not None and not is_too_long

    def _argon2(self) -> argon2.PasswordHasher:
        if self._hasher is None:
            import argon2

            memory_kib, passes, lanes = self._costs
            self._hasher = argon2.PasswordHasher(passes, memory_kib, lanes)
        return self._hasher


def _cores() -> int:
    """Give how many cores this process may use, which can be fewer than there are."""
    affinity: Any = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


def _give_way() -> None:
    """Let the rest of the machine go before this thread."""
    change: Any = getattr(os, "setpriority", None)
    if change is not None and os.uname().sysname == "Linux":  # elsewhere nice values belong to whole processes
        try:
            change(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        except OSError:  # a sandbox that forbids it: then it is only less polite
            return
