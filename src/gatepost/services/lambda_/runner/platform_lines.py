"""The platform's own lines in a function's log: INIT_START, START, END, REPORT, as text or as JSON.

Text: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html
JSON and its levels: https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

from gatepost.kernel.clock import Clock, iso_8601
from gatepost.services.lambda_.model import Function
from gatepost.services.lambda_.runner.environment import initialization
from gatepost.services.lambda_.runner.faults import PlatformFault
from gatepost.services.lambda_.runner.programs import runtime_words

_LEVELS: Final = {"DEBUG": 0, "INFO": 1, "WARN": 2}


@dataclass(frozen=True, slots=True)
class Ending:
    """How an invocation ended, for its REPORT. `status` is empty for success, else "error" or "timeout"."""

    duration_ms: float
    init_ms: float | None
    memory_mb: int
    used_mb: int
    status: str = ""
    error_kind: str = ""

    @property
    def billed_ms(self) -> int:
        """Whole milliseconds, rounded up. The init phase is billed since August 2025.

        Source: https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase/
        """
        billed = self.duration_ms + (self.init_ms or 0.0)
        return int(billed) + (billed > int(billed))


class TextLines:
    """Lines as people know them. An empty answer means: no line."""

    __slots__ = ("_runtime",)

    def __init__(self, function: Function) -> None:
        self._runtime = function

    def init_start(self) -> str:
        """Render the first line of a worker. There is no runtime version of AWS's to name."""
        runtime = runtime_words(self._runtime.runtime)
        arn = f"arn:aws:lambda:{self._runtime.region}::runtime:gatepost"
        return f"INIT_START Runtime Version: {runtime}.gatepost\tRuntime Version ARN: {arn}\n"

    def start(self, request_id: str) -> str:
        """Render START."""
        return f"START RequestId: {request_id} Version: {self._runtime.version}\n"

    def fault(self, fault: PlatformFault) -> str:
        """Render what the platform says of a failure."""
        return fault.log_line

    def end(self, request_id: str, ending: Ending) -> str:
        """Render END."""
        del ending
        return f"END RequestId: {request_id}\n"

    def report(self, request_id: str, ending: Ending) -> str:
        """Render REPORT."""
        text = (
            f"REPORT RequestId: {request_id}\tDuration: {ending.duration_ms:.2f} ms\t"
            f"Billed Duration: {ending.billed_ms} ms\tMemory Size: {ending.memory_mb} MB\t"
            f"Max Memory Used: {ending.used_mb} MB\t"
        )
        if ending.init_ms is not None:
            text += f"Init Duration: {ending.init_ms:.2f} ms\t"
        if ending.status:
            text += f"Status: {ending.status}\t"
        if ending.error_kind:
            text += f"Error Type: {ending.error_kind}\t"
        return text + "\n"


class JsonLines:
    """Lines of LogFormat JSON, those below the function's system log level left out."""

    __slots__ = ("_clock", "_function", "_initialization", "_level")

    def __init__(self, function: Function, clock: Clock, *, is_provisioned: bool) -> None:
        self._function = function
        self._initialization = initialization(is_provisioned=is_provisioned)
        self._clock = clock
        self._level = _LEVELS.get(function.system_log_level, 1)

    def _line(self, level: str, kind: str, record: dict[str, Any]) -> str:
        if _LEVELS[level] < self._level:
            return ""
        line = {"time": iso_8601(self._clock.now_ms()), "type": f"platform.{kind}", "record": record}
        return orjson.dumps(line).decode() + "\n"

    def init_start(self) -> str:
        """Render the first line of a worker."""
        record = {
            "initializationType": self._initialization,
            "phase": "init",
            "functionName": self._function.name,
            "functionVersion": self._function.version,
            "runtimeVersion": f"{runtime_words(self._function.runtime)}.gatepost",
        }
        return self._line("INFO", "initStart", record)

    def start(self, request_id: str) -> str:
        """Render platform.start."""
        return self._line("INFO", "start", {"requestId": request_id, "version": self._function.version})

    def fault(self, fault: PlatformFault) -> str:
        """Say nothing: platform.runtimeDone and platform.report name the failure."""
        del fault
        return ""

    def end(self, request_id: str, ending: Ending) -> str:
        """Render platform.runtimeDone."""
        record: dict[str, Any] = {"requestId": request_id, "status": ending.status or "success"}
        record["metrics"] = {"durationMs": round(ending.duration_ms, 3)}
        if ending.error_kind:
            record["errorType"] = ending.error_kind
        return self._line("WARN" if ending.status else "DEBUG", "runtimeDone", record)

    def report(self, request_id: str, ending: Ending) -> str:
        """Render platform.report."""
        metrics: dict[str, Any] = {
            "durationMs": round(ending.duration_ms, 3),
            "billedDurationMs": ending.billed_ms,
            "memorySizeMB": ending.memory_mb,
            "maxMemoryUsedMB": ending.used_mb,
        }
        if ending.init_ms is not None:
            metrics["initDurationMs"] = round(ending.init_ms, 3)
        record: dict[str, Any] = {"requestId": request_id, "metrics": metrics, "status": ending.status or "success"}
        if ending.error_kind:
            record["errorType"] = ending.error_kind
        return self._line("WARN" if ending.status else "INFO", "report", record)


def lines_of(function: Function, clock: Clock, *, is_provisioned: bool = False) -> TextLines | JsonLines:
    """Give the lines of a function's log format."""
    return (
        JsonLines(function, clock, is_provisioned=is_provisioned)
        if function.log_format == "JSON"
        else TextLines(function)
    )
