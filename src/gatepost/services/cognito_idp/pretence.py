"""What strangers must not tell apart: an answer to somebody, and one to a name that nobody has.

Where an answer is made up, it is the same each time, of the same form as a real one, and it comes when a real one
would: the work on a user's record is done on one of nobody (`Users.seem_to_change`), and where an answer to somebody
waits for triggers or a mail server, `Pretence` remembers how long the last
answers of a kind took, and lets one to nobody take as long as one of these, chosen at random: whoever measures both
sees the same distribution. Codes that were sent to nobody are remembered too, so that they expire, and run out of
guesses.

Kept in memory and bounded; after a restart the first answers to nobody come sooner, until somebody has had one.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict, deque
from typing import Final

from gatepost.kernel.clock import Clock
from gatepost.services.cognito_idp.user import Code

KINDS_MAX: Final = 1_000
REMEMBERED: Final = 64  # durations of a kind
WAIT_NS_MAX: Final = 20_000_000_000  # as long as triggers may take
NAMES_MAX: Final = 100_000


class Pretence:
    """Makes answers to nobody take as long as answers to somebody. A kind is a pool's id and what was asked for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._took: OrderedDict[tuple[str, str], deque[int]] = OrderedDict()

    def begin(self) -> int:
        """Give when the answer was begun."""
        return self._clock.monotonic_ns()

    def note(self, pool_id: str, what: str, begun_ns: int) -> None:
        """Remember how long an answer to somebody took."""
        kind = (pool_id, what)
        took = self._took.pop(kind, None) or deque(maxlen=REMEMBERED)
        took.append(self._clock.monotonic_ns() - begun_ns)
        self._took[kind] = took
        if len(self._took) > KINDS_MAX:
            self._took.popitem(last=False)

    async def wait(self, pool_id: str, what: str, begun_ns: int) -> None:
        """Wait until an answer to somebody would have come."""
        took = self._took.get((pool_id, what))
        if not took:
            return
        left_ns = min(secrets.choice(took), WAIT_NS_MAX) - (self._clock.monotonic_ns() - begun_ns)
        if left_ns >= 1_000_000:  # what is less is the noise of a store, and timers know no less
            await asyncio.sleep(left_ns / 1e9)


class UnsentCodes:
    """Codes that seem to have been sent to names that nobody has: none is ever right."""

    def __init__(self) -> None:
        self._codes: OrderedDict[tuple[str, str, str], Code] = OrderedDict()

    def keep(self, pool_id: str, login: str, purpose: str, expires_at_ms: int) -> None:
        """Note that a code seems to have been sent."""
        key = (pool_id, login, purpose)
        self._codes.pop(key, None)
        self._codes[key] = Code("", expires_at_ms)
        if len(self._codes) > NAMES_MAX:
            self._codes.popitem(last=False)

    def fault(self, pool_id: str, login: str, purpose: str, *, now_ms: int, wrong_max: int) -> str:
        """Say what is wrong with a code: "expired", "limit", "mismatch" (and count it); "": none was sent."""
        code = self._codes.get((pool_id, login, purpose))
        if code is None:
            return ""
        if code.expires_at_ms <= now_ms:
            return "expired"
        if code.wrong_count >= wrong_max:
            return "limit"
        self._codes[pool_id, login, purpose] = Code("", code.expires_at_ms, wrong_count=code.wrong_count + 1)
        return "mismatch"
