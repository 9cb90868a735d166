"""Frames between gateway and worker, as seen from the gateway. The worker's side is `worker/channel.py`."""

from __future__ import annotations

import struct
from typing import Final

from gatepost.services.lambda_.runner.worker.channel import (
    BYTECODE,
    ERROR,
    INIT_ERROR,
    LOG_EVENT,
    LOG_LINES,
    PAUSED,
    PIECE,
    READY,
    REPLY,
    REQUEST,
    RESULT,
    STREAM,
)

__all__ = [
    "BYTECODE",
    "ERROR",
    "FRAME_BYTES_MAX",
    "INIT_ERROR",
    "LEAVES",
    "LOG_EVENT",
    "LOG_LINES",
    "PAUSED",
    "PIECE",
    "READY",
    "REPLY",
    "RESULT",
    "STREAM",
]

LEAVES: Final = 1  # flag of an answer after which the worker ends by itself
FRAME_BYTES_MAX: Final = 8 * 1024 * 1024  # a response has at most 6 MB: who sends more is no longer our bootstrap
_LENGTH: Final = struct.Struct(">I")


def blob(content: bytes) -> bytes:
    """Give the configuration's frame."""
    return _LENGTH.pack(len(content)) + content


def request(payload: bytes, deadline_ms: int, request_id: bytes, trace_id: bytes, context: bytes, arn: bytes) -> bytes:
    """Give an invocation's frame."""
    head = REQUEST.pack(len(payload), deadline_ms, len(request_id), len(trace_id), len(context), len(arn))
    return b"".join((head, request_id, trace_id, context, arn, payload))
