"""What is known between two pages: in memory, under an unguessable text good in one browser and for one client."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.services.cognito_idp.hosted.browser_sessions import MARK_COOKIE
from gatepost.services.cognito_idp.hosted.visits import Visit
from gatepost.services.cognito_idp.pool import AppClient

STEP_MS: Final = 15 * 60 * 1000
STEPS_MAX: Final = 50_000


@dataclass(frozen=True, slots=True)
class Step:
    """How far somebody has come. `challenge` is AWS's name of what is asked now, or one of ours."""

    challenge: str
    login: str
    session: str = field(default="", repr=False)
    shown: Mapping[str, str] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class _Kept:
    step: Step
    pool_id: str
    client_id: str
    mark: str
    ends_ms: int


class Steps:
    """The steps of all browsers, 50,000 at most."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def keep(self, visit: Visit, client: AppClient, step: Step) -> str:
        """Keep a step of the browser that has sent this form."""
        text = secrets.token_urlsafe(32)
        now_ms = self._clock.now_ms()
        while self._kept and (len(self._kept) >= STEPS_MAX or next(iter(self._kept.values())).ends_ms <= now_ms):
            self._kept.popitem(last=False)
        mark = visit.cookies.get(MARK_COOKIE, "")
        self._kept[text] = _Kept(step, visit.pool.id, client.id, mark, now_ms + STEP_MS)
        return text

    def take(self, visit: Visit, client: AppClient, text: str) -> Step | None:
        """Give a step and end it; None: there is none for this browser and client."""
        kept = self._kept.get(text)
        if kept is None or kept.ends_ms <= self._clock.now_ms():
            return None
        if (kept.pool_id, kept.client_id, kept.mark) != (
            visit.pool.id,
            client.id,
            visit.cookies.get(MARK_COOKIE, ""),
        ):
            return None
        del self._kept[text]
        return kept.step
