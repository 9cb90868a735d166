"""Who looks at finished requests: the meter of a route, and the log of all requests.

Both do as little as they can while the client waits. The request log keeps what happened as a tuple, in a ring
for `gatepost explain` and in a batch; a batch is rendered at `BATCH_RECORDS` records or after `FLUSH_AFTER_MS`,
whichever is first, so that rendering never holds the loop for long (256 records: about 0.3 ms), and a thread
writes it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import orjson

from gatepost.gateway.clf import request_time
from gatepost.gateway.exchange import Exchange
from gatepost.gateway.explanation import Line, explain
from gatepost.gateway.responses import Verdict
from gatepost.gateway.route import Route, StageFacts
from gatepost.kernel.clock import Clock
from gatepost.telemetry.figures import Counter
from gatepost.telemetry.metrics import Meter
from gatepost.wire.messages import Response

BATCH_RECORDS: Final = 256
FLUSH_AFTER_MS: Final = 200
REMEMBERED_MAX: Final = 2_048
EXPLAINED_STATUSES: Final = frozenset({401, 403, 429})
EXPLAINED_PER_BATCH: Final = 16
"""Refusals of a batch that are rendered and written: a flood of them costs no more than 2 % of a core."""
PATH_CHARACTERS_MAX: Final = 1_024
_NO_LINE: Final = Line()


class Meters:
    """Counts a route's requests and their latencies, and the stage's usage."""

    __slots__ = ("_gauge", "_meter", "_now_ns", "_usage")

    def __init__(self, meter: Meter, usage: Counter, clock: Clock) -> None:
        self._meter = meter
        self._gauge = meter.gauge
        self._usage = usage
        self._now_ns = clock.monotonic_ns

    def observe(self, exchange: Exchange, response: Response) -> None:
        """Count the request, its status and its two latencies."""
        integration_ns = exchange.integration_ns
        exchange.latency_ns = latency_ns = self._now_ns() - exchange.started_ns
        gauge = self._gauge
        if exchange.time_ms >= gauge.ends_ms:
            self._meter.close_minute(exchange.time_ms)
        gauge.observe(
            response.status,
            latency_ns // 1000,
            integration_ns // 1000 if integration_ns >= 0 else -1,
        )
        self._usage.pending += 1

    def __repr__(self) -> str:
        return "Meters(Count, Latency, IntegrationLatency, 4XXError, 5XXError)"


class Logged:
    """What is the same of all lines of a route's requests. `text` is their middle, from the API's id on, as JSON."""

    __slots__ = ("line", "route", "stage", "text")

    def __init__(self, stage: StageFacts, route: Route, line: Line) -> None:
        self.stage = stage
        self.route = route
        self.line = line
        place = {"apiId": stage.api_id, "stage": stage.stage_name, "resourcePath": route.resource_path}
        self.text = orjson.dumps(place).decode()[1:-1]


Decisions = list[tuple[object, object]] | None
Finished = tuple[str, str, int, str, str, int, int, int, int, Decisions, Logged]
"""A request that is over: id, client's address, time in ms, method, path with stage, status, bytes of the body,
latency and integration latency in ns, decisions, its route's part. References and numbers: nothing is rendered yet.
A plain tuple, because one is made for every request."""


class RequestLog:
    """The access log of every request, and the last `REMEMBERED_MAX` requests for whoever asks how they fared."""

    def __init__(
        self, write: Callable[[bytes], None], write_refusals: Callable[[bytes], None] = lambda _lines: None
    ) -> None:
        """Take who writes the access log, and the explanations of refusals, one JSON object a line."""
        self._write = write
        self._write_refusals = write_refusals
        self._batch: list[Finished] = []
        self._remembered: deque[Finished] = deque(maxlen=REMEMBERED_MAX)
        self._timer: asyncio.TimerHandle | None = None

    def take(self, finished: Finished) -> None:
        """Take note of a finished request."""
        self._remembered.append(finished)
        batch = self._batch
        batch.append(finished)
        if len(batch) >= BATCH_RECORDS:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_AFTER_MS / 1000, self.flush)

    def flush(self) -> None:
        """Hand what waits to the writer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._batch:
            batch, self._batch = self._batch, []
            self._write(b"".join([_line(finished) for finished in batch]))
            refused = [finished for finished in batch if finished[-2] and finished[5] in EXPLAINED_STATUSES]
            if refused:
                lines = [orjson.dumps(_explained(finished)) for finished in refused[-EXPLAINED_PER_BATCH:]]
                self._write_refusals(b"\n".join(lines) + b"\n")

    def find(self, request_id: str) -> dict[str, Any] | None:
        """Give what is remembered of a request, with the verdicts that decided it."""
        for finished in reversed(self._remembered):
            if finished[0] == request_id:
                return _explained(finished)
        return None


class StageLog:
    """Hands a stage's finished requests to the request log."""

    __slots__ = ("_log", "_logged")

    def __init__(self, log: RequestLog, stage: StageFacts, route: Route, line: Line = _NO_LINE) -> None:
        self._log = log
        self._logged = Logged(stage, route, line)

    def observe(self, exchange: Exchange, response: Response) -> None:
        """Keep what happened; whoever reads the log renders it."""
        path, request = exchange.full_path, exchange.request
        self._log.take(
            (
                exchange.request_id,
                request.peer.ip,
                exchange.time_ms,
                exchange.method,
                path if len(path) <= PATH_CHARACTERS_MAX else path[:PATH_CHARACTERS_MAX],
                response.status,
                len(response.body),
                exchange.latency_ns,
                exchange.integration_ns,
                exchange.decisions,
                self._logged,
            )
        )

    def __repr__(self) -> str:
        return "AccessLog()"


def _explained(finished: Finished) -> dict[str, Any]:
    decisions, logged = finished[9], finished[10]
    verdicts = [(part, verdict) for part, verdict in decisions or () if isinstance(verdict, Verdict)]
    return {
        **_record(finished),
        "decisions": [{"part": str(part), "verdict": str(verdict)} for part, verdict in verdicts],
        **explain(logged.line, decisions, reached_backend=finished[8] >= 0),
    }


def _record(finished: Finished) -> dict[str, Any]:
    request_id, client_ip, time_ms, method, path, status, size, latency_ns, integration_ns, _, logged = finished
    stage = logged.stage
    return {
        "requestId": request_id,
        "ip": client_ip,
        "requestTime": request_time(time_ms),
        "requestTimeEpoch": time_ms,
        "httpMethod": method,
        "apiId": stage.api_id,
        "stage": stage.stage_name,
        "resourcePath": logged.route.resource_path,
        "path": path,
        "status": status,
        "responseLength": size,
        "responseLatency": latency_ns // 1_000_000,
        "integrationLatency": integration_ns // 1_000_000 if integration_ns >= 0 else None,
    }


def _line(finished: Finished) -> bytes:
    """Render `_record`: by hand, which takes a third of orjson's time, unless the client's texts need escapes."""
    request_id, client_ip, time_ms, method, path, status, size, latency_ns, integration_ns, _, logged = finished
    if '"' in path or "\\" in path or not path.isprintable() or not method.isalpha():
        return orjson.dumps(_record(finished), option=orjson.OPT_APPEND_NEWLINE)
    waited = str(integration_ns // 1_000_000) if integration_ns >= 0 else "null"
    return (
        f'{{"requestId":"{request_id}","ip":"{client_ip}","requestTime":"{request_time(time_ms)}",'
        f'"requestTimeEpoch":{time_ms},"httpMethod":"{method}",{logged.text},"path":"{path}","status":{status},'
        f'"responseLength":{size},"responseLatency":{latency_ns // 1_000_000},"integrationLatency":{waited}}}\n'
    ).encode()
