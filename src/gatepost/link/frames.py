"""Frames on the local socket between the roles: a length, a kind, a JSON head and bytes."""

from __future__ import annotations

import asyncio
import enum
import logging
import socket
import struct
from collections.abc import Callable
from typing import Any, Final, cast

import orjson

log = logging.getLogger(__name__)

FRAME_BYTES_MAX: Final = 64 * 1024 * 1024
_PREFIX: Final = struct.Struct("!IBI")  # bytes after the first field, kind, bytes of the head
_PEER_CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid


class Kind(enum.IntEnum):
    """What a frame says."""

    HELLO = 1  # gateway: who I am
    CHANGES = 2  # services: changes with their number; `is_snapshot_part` while a snapshot is sent
    SNAPSHOT_END = 3  # services: that was all, up to this number
    ACK = 4  # gateway: everything up to this number is in effect
    INVOKE = 5  # services: run a function; the body is the payload
    RESULT = 6  # gateway: what came of it; the body is the payload
    USAGE = 7  # gateway: counts of a journalled batch
    USAGE_ACK = 8  # services: that batch is durable
    TELEMETRY = 9  # gateway: log lines and metrics, droppable
    SERVING = 10  # gateway: my listeners take requests
    PIECE = 11  # gateway: the next part of a function's streamed answer; RESULT ends it
    TAKEN = 12  # services: so many bytes of a streamed answer went on; `is_gone`: nobody reads any more
    CALL = 13  # gateway: answer a request of an integration, or take an event for a function
    ANSWER = 14  # services: what came of it
    TEST = 15  # services: run a method with a made-up request
    TESTED = 16  # gateway: what came of it
    EXPLAIN = 17  # services: say what you remember of a request
    EXPLAINED = 18  # gateway: this


class FrameProtocol(asyncio.Protocol):
    """One connection. `received` is called for each frame, in order; `lost` once at the end.

    A frame over 64 MiB or one that cannot be read closes the connection: the peer is not Gatepost.
    """

    def __init__(
        self,
        received: Callable[[FrameProtocol, Kind, dict[str, Any], bytes], None],
        *,
        connected: Callable[[FrameProtocol], None] | None = None,
        lost: Callable[[FrameProtocol], None] | None = None,
    ) -> None:
        self._received = received
        self._connected = connected
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self.is_full = False  # the peer reads too slowly: droppable frames should wait

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport. Part of asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        if self._connected is not None:
            self._connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the owner. Part of asyncio.Protocol."""
        del exc
        self._transport = None
        if self._lost is not None:
            self._lost(self)

    def pause_writing(self) -> None:
        """Note that the peer is slow. Part of asyncio.Protocol."""
        self.is_full = True

    def resume_writing(self) -> None:
        """Note that the peer has caught up. Part of asyncio.Protocol."""
        self.is_full = False

    def data_received(self, data: bytes) -> None:
        """Cut frames off the stream. Part of asyncio.Protocol."""
        buffer = self._buffer
        buffer += data
        start = 0
        while len(buffer) - start >= _PREFIX.size:
            length, kind, head_bytes = _PREFIX.unpack_from(buffer, start)
            if length > FRAME_BYTES_MAX or head_bytes > length:
                log.error("a frame is too large", extra={"bytes": length})
                self.close()
                return
            end = start + _PREFIX.size + length
            if len(buffer) < end:
                break
            head_start = start + _PREFIX.size
            head_end = head_start + head_bytes
            try:
                head = orjson.loads(buffer[head_start:head_end])
                self._received(self, Kind(kind), head, bytes(buffer[head_end:end]))
            except ValueError:
                log.exception("a frame cannot be read", extra={"kind": kind})
                self.close()
                return
            start = end
        if start:
            del buffer[:start]

    def send(self, kind: Kind, head: dict[str, Any], body: bytes = b"") -> bool:
        """Send one frame, and say whether there was a connection to send it on.

        Raises: ValueError for a frame over 64 MiB.
        """
        if self._transport is None or self._transport.is_closing():
            return False
        encoded = orjson.dumps(head)
        length = len(encoded) + len(body)
        if length > FRAME_BYTES_MAX:
            raise ValueError(f"a frame of {length} bytes: at most {FRAME_BYTES_MAX} can be sent")
        self._transport.write(_PREFIX.pack(length, kind, len(encoded)) + encoded + body)
        return True

    def is_same_user(self, user_id: int) -> bool:
        """Say whether the process at the other end runs as `user_id` (Linux: SO_PEERCRED)."""
        if self._transport is None:
            return False
        peer: socket.socket = self._transport.get_extra_info("socket")
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER_CREDENTIALS.size)
        return bool(_PEER_CREDENTIALS.unpack(credentials)[1] == user_id)

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.close()
