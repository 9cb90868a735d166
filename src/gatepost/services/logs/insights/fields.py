"""What a query can ask of one event: its own fields, those of a JSON message, and those of Lambda's lines.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

from gatepost.services.logs.events import StoredEvent
from gatepost.services.logs.insights.values import Value

FIELDS_MAX: Final = 200  # that are discovered in one event
DEPTH_MAX: Final = 10
_REQUEST_ID: Final = re.compile(r"RequestId: ([0-9a-fA-F-]{36})")
_REPORT: Final[tuple[tuple[str, re.Pattern[str], float], ...]] = (
    ("@duration", re.compile(r"\tDuration: ([\d.]+) ms"), 1.0),
    ("@billedDuration", re.compile(r"Billed Duration: ([\d.]+) ms"), 1.0),
    ("@memorySize", re.compile(r"Memory Size: (\d+) MB"), 1e6),
    ("@maxMemoryUsed", re.compile(r"Max Memory Used: (\d+) MB"), 1e6),
    ("@initDuration", re.compile(r"Init Duration: ([\d.]+) ms"), 1.0),
)
_TYPES: Final = ("START", "END", "REPORT", "INIT_START")


def row_of(event: StoredEvent, *, account_id: str, group: str) -> dict[str, Value]:
    """Give an event's fields by name."""
    row: dict[str, Value] = {
        "@timestamp": float(event.place.timestamp_ms),
        "@message": event.message,
        "@logStream": event.stream,
        "@log": f"{account_id}:{group}",
        "@ingestionTime": float(event.ingested_at_ms),
        "@ptr": f"{event.place.timestamp_ms:020d}{event.place.chunk:024d}{event.place.line:012d}",
    }
    message = event.message.strip()
    if message.startswith("{"):
        _discover(message, row)
    elif group.startswith("/aws/lambda/"):
        _read_lambda_line(message, row)
    return row


def _discover(message: str, row: dict[str, Value]) -> None:
    try:
        parsed = orjson.loads(message)
    except orjson.JSONDecodeError:
        return
    for count, (name, value) in enumerate(_flat(parsed, "", 0)):
        if count >= FIELDS_MAX:
            break
        row.setdefault(name, value)


def _flat(node: Any, name: str, depth: int) -> Iterator[tuple[str, Value]]:
    if isinstance(node, dict | list) and depth < DEPTH_MAX:
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, child in items:
            yield from _flat(child, f"{name}.{key}" if name else str(key), depth + 1)
    elif isinstance(node, bool):
        yield name, "1" if node else "0"
    elif isinstance(node, int | float):
        yield name, float(node)
    elif node is not None:
        yield name, node if isinstance(node, str) else orjson.dumps(node).decode()


def _read_lambda_line(message: str, row: dict[str, Value]) -> None:
    kind = message.split(" ", 1)[0]
    if kind in _TYPES:
        row["@type"] = kind
    found = _REQUEST_ID.search(message)
    if found is not None:
        row["@requestId"] = found.group(1)
    if kind == "REPORT":
        for name, pattern, factor in _REPORT:
            if (value := pattern.search(message)) is not None:
                row[name] = float(value.group(1)) * factor
