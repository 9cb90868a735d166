"""Frames between a worker and the gateway, as seen from the worker.

To the worker: a `REQUEST` header, then request id, trace id, client context, invoked ARN and payload.
From the worker: `REPLY` header, then its bytes. One request is under way at a time.
"""

from __future__ import annotations

import os
import socket
import struct
import threading

REQUEST = struct.Struct(">IQHHIH")  # payload, deadline (epoch ms), request id, trace id, client context, ARN
REPLY = struct.Struct(">BBIQ")  # kind, flag, length, number

READY = 1  # initialised; number: nanoseconds it took
INIT_ERROR = 2  # the module could not be loaded; bytes: error JSON
RESULT = 3  # number: peak memory in KiB; bytes: what the handler returned
ERROR = 4  # number: peak memory in KiB; bytes: error JSON
LOG_LINES = 5  # text that splits at line ends
LOG_EVENT = 6  # text that is one event
STREAM = 8  # an answer is streamed; bytes: its content type
PIECE = 9  # bytes: the next part of a streamed answer; RESULT or ERROR ends it
PAUSED = 10  # flag 1: a debugger has halted the function; 0: it goes on
BYTECODE = 7  # of a module that was compiled ahead; bytes: path, NUL, file name, NUL, content

LOG_CHUNK_BYTES = 256 * 1024


class Request:
    """One invocation as it came over the socket."""

    __slots__ = ("arn", "client_context", "deadline_ms", "payload", "request_id", "trace_id")

    def __init__(
        self, payload: bytes, deadline_ms: int, request_id: str, trace_id: str, client_context: str, arn: str
    ) -> None:
        self.payload = payload
        self.deadline_ms = deadline_ms
        self.request_id = request_id
        self.trace_id = trace_id
        self.client_context = client_context
        self.arn = arn


class Channel:
    """The worker's end of its socket."""

    def __init__(self, connection: socket.socket, log_bytes_max: int) -> None:
        self._connection = connection
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._buffer = b""
        self._log_bytes_max = log_bytes_max
        self._log_bytes = 0
        self._dropped_bytes = 0

    def fileno(self) -> int:
        """Give the socket's descriptor, for a program that goes on with it."""
        return self._connection.fileno()

    def is_ours(self) -> bool:
        """Say whether this is the worker and not a process that the handler forked."""
        return os.getpid() == self._pid

    def _take(self, count: int) -> bytes:
        buffer = self._buffer
        if len(buffer) < count:
            parts = [buffer]
            missing = count - len(buffer)
            while missing > 0:
                part = self._connection.recv(max(65536, min(missing, 1 << 20)))
                if not part:
                    os._exit(0)  # the gateway is gone, and nobody is left to tell
                parts.append(part)
                missing -= len(part)
            buffer = b"".join(parts)
        self._buffer = buffer[count:]
        return buffer[:count]

    def next_blob(self) -> bytes:
        """Wait for a length-prefixed block: the configuration that comes first."""
        return self._take(struct.unpack(">I", self._take(4))[0])

    def next_request(self) -> Request:
        """Wait for the next invocation."""
        payload_n, deadline_ms, id_n, trace_n, client_n, arn_n = REQUEST.unpack(self._take(REQUEST.size))
        names = self._take(id_n + trace_n + client_n + arn_n)
        payload = self._take(payload_n)
        self._log_bytes = self._dropped_bytes = 0
        at_trace = id_n + trace_n
        at_client = at_trace + client_n
        return Request(
            payload,
            deadline_ms,
            names[:id_n].decode(),
            names[id_n:at_trace].decode(),
            names[at_trace:at_client].decode(),
            names[at_client:].decode(),
        )

    def reply(self, kind: int, body: bytes, number: int = 0, flag: int = 0) -> None:
        """Send one frame whole."""
        with self._lock:
            self._connection.sendall(REPLY.pack(kind, flag, len(body), number) + body)

    def log(self, kind: int, text: bytes) -> None:
        """Send log text; what goes beyond the invocation's bound is dropped and counted."""
        room = self._log_bytes_max - self._log_bytes
        if len(text) > room:
            self._dropped_bytes += len(text) - max(room, 0)
            if room <= 0:
                return
            text = text[:room]
        self._log_bytes += len(text)
        for start in range(0, len(text), LOG_CHUNK_BYTES):
            self.reply(kind, text[start : start + LOG_CHUNK_BYTES])

    def take_dropped(self) -> tuple[int, int]:
        """Give how many bytes of output were dropped since the invocation began, and the bound."""
        dropped, self._dropped_bytes = self._dropped_bytes, 0
        return dropped, self._log_bytes_max
