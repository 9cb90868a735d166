"""The sessions between a challenge and its response: who is signing in, what was shown, what is expected.

A session is an unguessable text that stands for a state in memory, for as long as the client says (3 to 15 minutes), at
most `SESSIONS_MAX` of them; one that was answered is gone. What does not survive a restart of services: somebody who is
just then between two steps has to begin again.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.services.cognito_idp.errors import NotAuthorizedException

SESSIONS_MAX: Final = 50_000
_BYTES: Final = 48


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a session stands for. `user_name` may be of nobody: strangers must not learn who exists."""

    pool_id: str
    client_id: str
    user_name: str
    name: str  # the challenge that is expected to be answered
    expires_at_ms: int
    flow: str = ""
    is_real: bool = True  # the user exists, and is the one who signs in
    wrong_count: int = 0
    auth_ms: int = 0
    state: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def with_state(self, **changes: Any) -> Challenge:
        """Give the challenge with other state."""
        return replace(self, state={**self.state, **changes})


class Challenges:
    """The sessions that are open."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: OrderedDict[str, Challenge] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def open(self, challenge: Challenge) -> str:
        """Begin a session and give its text."""
        session = secrets.token_urlsafe(_BYTES)
        self._open[session] = challenge
        while len(self._open) > SESSIONS_MAX:
            self._open.popitem(last=False)
        return session

    def take(self, session: str, *, client_id: str, name: str) -> Challenge:
        """Give what a session stands for, and end it. Raises: NotAuthorizedException."""
        challenge = self._open.get(session)
        if challenge is None or challenge.client_id != client_id:
            raise NotAuthorizedException("Invalid session for the user.")
        del self._open[session]
        if challenge.expires_at_ms <= self._clock.now_ms():
            raise NotAuthorizedException("Invalid session for the user, session is expired.")
        if name and challenge.name != name:
            raise NotAuthorizedException("Invalid session for the user.")
        return challenge

    def peek(self, session: str) -> Challenge:
        """Give what a session stands for, and leave it open. Raises: NotAuthorizedException."""
        challenge = self._open.get(session)
        if challenge is None or challenge.expires_at_ms <= self._clock.now_ms():
            raise NotAuthorizedException("Invalid session for the user, session is expired.")
        return challenge

    def replace(self, session: str, challenge: Challenge) -> str:
        """End a session and begin one that goes on from it; gives its text."""
        self._open.pop(session, None)
        return self.open(challenge)

    def keep(self, session: str, challenge: Challenge) -> None:
        """Let a session that was taken be answered again: the response was wrong, and may be tried once more."""
        self._open[session] = challenge
