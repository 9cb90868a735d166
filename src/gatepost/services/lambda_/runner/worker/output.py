"""Where `print` and `logging` go: frames to the gateway, which makes CloudWatch log events of them."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import time
import traceback
from typing import Any

from .channel import LOG_EVENT, LOG_LINES, Channel

# https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
TEXT_FORMAT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
TEXT_DATE_FORMAT = "%Y-%m-%dT%H:%M:%S"
JSON_LEVELS = {
    "TRACE": "NOTSET",
    "DEBUG": "DEBUG",
    "INFO": "INFO",
    "WARN": "WARNING",
    "ERROR": "ERROR",
    "FATAL": "CRITICAL",
}
RESERVED = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "aws_request_id", "taskName"}


class FrameWriter(io.RawIOBase):
    """The raw end of `sys.stdout` and `sys.stderr`."""

    def __init__(self, channel: Channel, fd: int) -> None:
        self._channel = channel
        self._fd = fd

    def writable(self) -> bool:
        """Say yes."""
        return True

    def fileno(self) -> int:
        """Give the descriptor that child processes inherit: it ends in the log, too."""
        return self._fd

    def write(self, data: Any) -> int:
        """Send `data`, or write it to the inherited pipe when this is a forked child."""
        text = bytes(data)
        if self._channel.is_ours():
            self._channel.log(LOG_LINES, text)
        else:
            os.write(self._fd, text)
        return len(text)


class CurrentRequest(logging.Filter):
    """Adds the id of the invocation under way to every record."""

    request_id = ""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add `aws_request_id`; everything passes."""
        record.aws_request_id = self.request_id
        return True


class EventHandler(logging.Handler):
    """Sends each log record as one event, whatever line ends it holds."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        self.write_event(self.format(record))

    def write_event(self, text: str) -> None:
        """Send `text` as one event."""
        if self._channel.is_ours():
            _flush(sys.stdout)  # an unfinished line came first
            self._channel.log(LOG_EVENT, text.encode("utf-8", "replace"))
        else:
            sys.stdout.write(text)


class JsonFormatter(logging.Formatter):
    """Lambda's JSON log format.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html#python-logging-advanced-JSON
    """

    def format(self, record: logging.LogRecord) -> str:
        """Render one record as one line of JSON."""
        fields: dict[str, Any] = {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info and record.exc_info[0] is not None:
            kind, error, trace = record.exc_info
            fields["stackTrace"] = traceback.format_list(traceback.extract_tb(trace))
            fields["errorType"] = kind.__name__
            fields["errorMessage"] = str(error)
            fields["location"] = f"{record.pathname}:{record.funcName}:{record.lineno}"
        added = {name: value for name, value in vars(record).items() if name not in RESERVED and name[0] != "_"}
        fields.update(added)
        fields["requestId"] = getattr(record, "aws_request_id", "") or None
        return json.dumps({key: value for key, value in fields.items() if value is not None}, default=str) + "\n"


def _flush(stream: Any) -> None:
    try:
        stream.flush()
    except (ValueError, OSError, AttributeError):
        pass  # the handler closed or replaced it


class Output:
    """Everything that a function says: print, logging and its unhandled errors."""

    def __init__(self, channel: Channel, log_format: str, log_level: str | None) -> None:
        self._channel = channel
        self._is_json = log_format == "JSON"
        self._current = CurrentRequest()
        sys.stdout = io.TextIOWrapper(FrameWriter(channel, 1), "utf-8", "backslashreplace", line_buffering=True)
        sys.stderr = io.TextIOWrapper(FrameWriter(channel, 2), "utf-8", "backslashreplace", line_buffering=True)
        sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr  # type: ignore[misc]
        logging.Formatter.converter = time.gmtime
        self._handler = EventHandler(channel)
        self._handler.setFormatter(
            JsonFormatter() if self._is_json else logging.Formatter(TEXT_FORMAT, TEXT_DATE_FORMAT)
        )
        self._handler.addFilter(self._current)
        root = logging.getLogger()
        root.addHandler(self._handler)
        level = JSON_LEVELS.get(log_level or "")
        if level is not None:
            root.setLevel(level)

    def begin(self, request_id: str) -> None:
        """Name the invocation that log records belong to from now on."""
        self._current.request_id = request_id

    def flush(self) -> None:
        """Send what stands in an unfinished line, and say what was dropped."""
        _flush(sys.stdout)
        _flush(sys.stderr)
        dropped, bound = self._channel.take_dropped()
        if dropped:
            self._channel.reply(
                LOG_EVENT, f"[gatepost] {dropped} bytes of output dropped: an invocation may log {bound}".encode()
            )

    def error(self, fault: dict[str, Any]) -> None:
        """Log an unhandled error as the Python runtime does: one event, no-break spaces for indentation."""
        if self._is_json:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            self._handler.write_event(json.dumps({"timestamp": stamp, "level": "ERROR", **fault}))
            return
        kind, message = fault["errorType"], fault["errorMessage"]
        head = "[ERROR]" + (f" {kind}" if kind else "") + (f"{':' if kind else ''} {message}" if message else "")
        lines = [head, "Traceback (most recent call last):"]
        for entry in fault["stackTrace"]:
            for line in entry.splitlines():
                text = line.lstrip(" ")
                lines.append("\u00a0" * (len(line) - len(text)) + text)
        self._handler.write_event("\n".join(lines))
