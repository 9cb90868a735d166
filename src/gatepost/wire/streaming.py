"""Responses that go out piece by piece, no faster than the client reads.

Never compiled: a compiled coroutine that waits while it cleans up after an error leaves the error behind for others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from gatepost.wire.rendering import JOINED_BYTES_MAX, BadResponse

log = logging.getLogger(__name__)


async def send_stream(
    stream: AsyncIterator[bytes], send: Callable[[], Coroutine[Any, Any, None]], break_off: Callable[[], None]
) -> bool:
    """Run `send`, then close `stream` whatever has happened; give whether all was sent, else `break_off` first.

    Raises: what `send` raises, but for BadResponse, which is logged.
    """
    is_complete = False
    try:
        await send()
        is_complete = True
    except BadResponse as error:
        log.error("bad response", extra={"detail": str(error)})
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
        if not is_complete:
            break_off()
    return is_complete


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
