"""Metric minutes on their way from the gateway to services.

A running minute is told again whenever something was added to it, and a finished one for the last time: always as a
whole, under the same key. Whoever keeps minutes replaces what it has, so nothing counts twice, and what was lost on
the way is made good by the next word. While services is away the latest word about each minute waits, up to a bound.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gatepost.telemetry.metrics import MINUTE_MS, Dimensions, Metrics

MINUTES_MAX: Final = 5_000
"""How many minutes (of one route, stage or API each) wait: about 3 KiB each. The oldest goes first."""
BATCH_MINUTES: Final = 100
TOLD_AGAIN_MS: Final = 2 * MINUTE_MS  # a finished minute is sent again when the connection is lost within this time

_Key = tuple[int, Dimensions]


class MetricOutbox:
    """Collects from `metrics`. `source` names this process in all that it sends; `dropped` counts lost minutes."""

    def __init__(self, metrics: Metrics, *, source: str, minutes_max: int = MINUTES_MAX) -> None:
        self._metrics = metrics
        self._source = source
        self._minutes_max = minutes_max
        self._waiting: dict[_Key, dict[str, Any]] = {}
        self._sent: dict[_Key, dict[str, Any]] = {}  # finished minutes that may have been lost on the way
        self._epoch: str | None = None
        self.dropped = 0

    def follow(self, key: str, value: Mapping[str, Any] | None) -> None:
        """Note which store there is; what was counted for another one is no concern of it. A replica's watcher."""
        del key
        epoch = value["epoch"] if value is not None else None
        if epoch == self._epoch:
            return
        if self._epoch is not None:
            self._metrics.forget()
            self._waiting.clear()
            self._sent.clear()
        self._epoch = epoch

    def collect(self, now_ms: int) -> None:
        """Take what is new from the meters."""
        for minute in self._metrics.drain(now_ms):
            key = (minute.minute_ms, minute.dimensions)
            self._put(key, minute.to_json())
            self._sent[key] = self._waiting[key]
        for minute in self._metrics.running():
            self._put((minute.minute_ms, minute.dimensions), minute.to_json())
        for key in [key for key in self._sent if key[0] < now_ms - TOLD_AGAIN_MS - MINUTE_MS]:
            del self._sent[key]

    def _put(self, key: _Key, minute: dict[str, Any]) -> None:
        self._waiting[key] = minute
        self._drop_oldest()

    def _drop_oldest(self) -> None:
        while len(self._waiting) > self._minutes_max:
            del self._waiting[next(iter(self._waiting))]
            self.dropped += 1

    def take(self) -> dict[str, Any] | None:
        """Take one batch away, as JSON values; None when there is nothing, or no store to send it to."""
        if not self._waiting or self._epoch is None:
            return None
        keys = list(self._waiting)[:BATCH_MINUTES]
        return {
            "epoch": self._epoch,
            "source": self._source,
            "minutes": [self._waiting.pop(key) for key in keys],
        }

    def give_back(self, batch: Mapping[str, Any]) -> None:
        """Put back what could not be sent, unless there is a later word."""
        self._give_back(batch["minutes"])

    def reconnected(self) -> None:
        """Send again what may have been lost with the connection."""
        self._give_back(list(self._sent.values()))

    def _give_back(self, minutes: Sequence[dict[str, Any]]) -> None:
        earlier = {(minute["minute_ms"], _dimensions(minute["dimensions"])): minute for minute in minutes}
        self._waiting = earlier | self._waiting
        self._drop_oldest()


def _dimensions(named: Mapping[str, str]) -> Dimensions:
    return Dimensions(
        named.get("ApiId", ""),
        named.get("ApiName", ""),
        named.get("Stage", ""),
        named.get("Resource", ""),
        named.get("Method", ""),
    )
