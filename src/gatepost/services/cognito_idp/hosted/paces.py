"""How often one address may try: a bound on guessing that does not depend on whose name is guessed."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from gatepost.kernel.clock import Clock

ADDRESSES_MAX: Final = 20_000
WINDOW_MS: Final = 60_000


class AddressPace:
    """Counts what comes from each address in each minute; the longest unseen is forgotten first."""

    def __init__(self, clock: Clock, *, count_max: int) -> None:
        self._clock = clock
        self._count_max = count_max
        self._seen: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def is_over(self, name: str) -> bool:
        """Say whether an address has done it too often in this minute."""
        window, count = self._seen.get(name, (0, 0))
        return window == self._clock.now_ms() // WINDOW_MS and count >= self._count_max

    def count(self, name: str) -> None:
        """Count one more."""
        now = self._clock.now_ms() // WINDOW_MS
        window, count = self._seen.pop(name, (now, 0))
        self._seen[name] = (now, count + 1 if window == now else 1)
        if len(self._seen) > ADDRESSES_MAX:
            self._seen.popitem(last=False)
