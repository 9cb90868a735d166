"""What goes wrong in a function, said in the words of Lambda's Python runtime."""

from __future__ import annotations

import traceback
from types import TracebackType
from typing import Any

HERE = __file__.rpartition("/")[0] + "/"


class Fault(Exception):
    """A failure that the runtime itself reports (`Runtime.ImportModuleError`, …)."""

    def __init__(self, kind: str, message: str, trace: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.trace = trace or []


def fault_result(kind: str, message: str, trace: list[str], request_id: str = "") -> dict[str, Any]:
    """Give the payload that a caller of the function gets."""
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": trace}


def own_frames(trace: TracebackType | None) -> list[str]:
    """Render a traceback without the runtime's own frames at its top."""
    frames = traceback.extract_tb(trace)
    start = 0
    while start < len(frames) and frames[start].filename.startswith(HERE):
        start += 1
    if start == len(frames):
        start = 0
    return traceback.format_list([(f.filename, f.lineno, f.name, f.line) for f in frames[start:]])  # type: ignore[misc]
