"""A stage's own logs, into CloudWatch Logs: its access log, and its execution logs by method.

Execution logs go to `API-Gateway-Execution-Logs_{api}/{stage}` (`…/Canary` of a canary), access logs to the group that
the stage names. Lines are handed to a bounded sink; the oldest go first when services does not take them.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html and, for canaries,
https://docs.aws.amazon.com/apigateway/latest/developerguide/create-canary-deployment.html.
"""

from __future__ import annotations

import hashlib
from typing import Final

from gatepost.gateway.access_log_format import AccessLogFormat, compile_access_log_format
from gatepost.gateway.exchange import Exchange
from gatepost.gateway.execution_log import error_lines, execution_lines
from gatepost.gateway.method_settings import method_settings_of
from gatepost.gateway.plan import Observer
from gatepost.gateway.route import NO_ROUTE, Route, StageFacts
from gatepost.kernel.arn import parse_arn
from gatepost.kernel.ports import LogEvent, LogSink
from gatepost.services.apigateway.deployment import StageSettings
from gatepost.wire.messages import Response

LEVELS: Final = ("ERROR", "INFO")


class AccessLog:
    """Writes a line in the stage's format for each request."""

    __slots__ = ("_format", "_group", "_sink", "_stream")

    def __init__(self, sink: LogSink, group: str, stream: str, log_format: AccessLogFormat) -> None:
        self._sink = sink
        self._group = group
        self._stream = stream
        self._format = log_format

    def observe(self, exchange: Exchange, response: Response) -> None:
        """Write the line."""
        event = LogEvent(exchange.time_ms, self._format.render(exchange, response))
        self._sink.put(self._group, self._stream, (event,))

    def __repr__(self) -> str:
        return f"AccessLog({self._group})"


class ExecutionLog:
    """Writes what happened to each request, or to those that failed."""

    __slots__ = ("_group", "_is_data_traced", "_is_errors_only", "_sink", "_stream")

    def __init__(self, sink: LogSink, group: str, stream: str, *, level: str, is_data_traced: bool) -> None:
        self._sink = sink
        self._group = group
        self._stream = stream
        self._is_errors_only = level == "ERROR"
        self._is_data_traced = is_data_traced

    def observe(self, exchange: Exchange, response: Response) -> None:
        """Write the lines."""
        if self._is_errors_only:
            lines = error_lines(exchange, response)
        else:
            lines = execution_lines(exchange, response, is_data_traced=self._is_data_traced)
        if lines:
            self._sink.put(self._group, self._stream, [LogEvent(exchange.time_ms, line) for line in lines])

    def __repr__(self) -> str:
        return f"ExecutionLog({'ERROR' if self._is_errors_only else 'INFO'})"


class StageLogs:
    """Makes the observers of a stage's methods. `problems` says what of its settings does nothing."""

    def __init__(self, settings: StageSettings, stage: StageFacts, sink: LogSink | None) -> None:
        self._settings = settings
        self._stage = stage
        self._sink = sink
        self._suffix = "/Canary" if stage.is_canary else ""
        self.problems: list[str] = []
        self._access = self._access_log()

    def observers(self, route: Route) -> list[Observer]:
        """Give the observers of a method."""
        made: list[Observer] = [self._access] if self._access is not None else []
        settings = method_settings_of(self._settings.method_settings, route)
        level = str(settings.get("loggingLevel") or "OFF")
        if level in LEVELS and self._sink is not None and route is not NO_ROUTE:
            group = f"API-Gateway-Execution-Logs_{self._stage.api_id}/{self._stage.stage_name}{self._suffix}"
            made.append(
                ExecutionLog(
                    self._sink,
                    self._arn(group),
                    self._stream(route.http_method, route.resource_path),
                    level=level,
                    is_data_traced=bool(settings.get("dataTraceEnabled")),
                )
            )
        return made

    def _access_log(self) -> AccessLog | None:
        settings = self._settings
        if not settings.access_log_destination_arn or not settings.access_log_format or self._sink is None:
            return None
        parsed = parse_arn(settings.access_log_destination_arn)
        if parsed is None or parsed.service != "logs" or not parsed.resource.startswith("log-group:"):
            self.problems.append(f"accessLogSettings: {settings.access_log_destination_arn} is not a log group")
            return None
        log_format = compile_access_log_format(settings.access_log_format, self._stage)
        self.problems += [f"accessLogSettings: $context.{name} is always -" for name in log_format.unknown]
        group = settings.access_log_destination_arn.removesuffix(":*") + self._suffix
        return AccessLog(self._sink, group, self._stream("access"), log_format)

    def _arn(self, group: str) -> str:
        return f"arn:aws:logs:{self._stage.region}:{self._stage.account_id}:log-group:{group}"

    def _stream(self, *names: str) -> str:
        """Give a log stream's name: 32 hexadecimal digits, as API Gateway's are."""
        named = "\x00".join((self._stage.api_id, self._stage.stage_name, self._stage.deployment_id, *names))
        return hashlib.blake2b(named.encode(), digest_size=16).hexdigest()
