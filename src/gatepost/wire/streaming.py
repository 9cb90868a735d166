"""Responses that go out piece by piece, no faster than the client reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from gatepost.wire.rendering import JOINED_BYTES_MAX, BadResponse


async def send_pieces(
    stream: AsyncIterator[bytes],
    transport: asyncio.WriteTransport,
    *,
    room: Callable[[], asyncio.Future[None] | None],
    content_length: int | None,
    is_chunked: bool,
) -> None:
    """Write the pieces of `stream`, waiting for `room()` whenever that gives a future.

    Raises: BadResponse when the pieces are not `content_length` bytes in all; ConnectionResetError when the
    client has gone; whatever `stream` raises.
    """
    left = content_length
    async for piece in stream:
        size = len(piece)
        if size == 0:
            continue  # an empty chunk would be the last one
        if left is not None:
            left -= size
            if left < 0:
                raise BadResponse("the stream is longer than its content_length")
        if not is_chunked:
            transport.write(piece)
        elif size <= JOINED_BYTES_MAX:
            transport.write(b"%x\r\n%b\r\n" % (size, piece))
        else:
            transport.writelines((b"%x\r\n" % size, piece, b"\r\n"))
        waits = room()
        if waits is not None:
            await waits
    if left:
        raise BadResponse("the stream is shorter than its content_length")
    if is_chunked:
        transport.write(b"0\r\n\r\n")
