"""The usage journals of a gateway process: its own, and those that it takes over from processes that are no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gatepost.app.gateway_place import JOURNAL, GatewayPlace
from gatepost.kernel.clock import Clock
from gatepost.telemetry.usage import UsageJournal

Send = Callable[[str, int, Mapping[str, Any]], bool]
"""Sends a batch of the journal of a gateway with this id, and says whether it left."""


class GatewayJournals:
    """What is counted here, and what was counted elsewhere and has not arrived."""

    def __init__(self, place: GatewayPlace, clock: Clock, send: Send) -> None:
        self._place = place
        self._clock = clock
        self.own = UsageJournal(place.folder / JOURNAL, clock=clock, send=partial(send, place.gateway_id))
        self._former = {
            name: UsageJournal(path, clock=clock, send=partial(send, name))
            for name, path in place.former_journals().items()
        }

    def open(self) -> Mapping[str, int]:
        """Take up what was counted; give what all other processes' journals keep. Raises: SettingsError, OSError."""
        elsewhere: Counter[str] = Counter()
        for path in self._place.other_journals().values():
            elsewhere.update(UsageJournal.standing_in(path, clock=self._clock))
        for journal in self._all():
            journal.open()
        return elsewhere

    def start(self) -> None:
        """Begin to make batches, and to send."""
        for journal in self._all():
            journal.start()

    def connected(self) -> None:
        """Send what is not acknowledged."""
        for journal in self._all():
            journal.connected()

    def acknowledge(self, gateway_id: str, number: int) -> None:
        """Forget the batches of a journal up to `number`: they are durable elsewhere."""
        self._former.get(gateway_id, self.own).acknowledge(number)

    async def close(self) -> None:
        """Journal what was counted and stop."""
        for journal in self._all():
            await journal.close()

    def _all(self) -> tuple[UsageJournal, ...]:
        return (self.own, *self._former.values())
