"""Streamed answers of functions over the link: the gateway sends pieces, services says how far its client has read.

At most `WINDOW_BYTES` of one answer are on their way or wait in services, whatever its client does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from gatepost.kernel.pieces import Pieces
from gatepost.kernel.ports import InvocationStream

WINDOW_BYTES: Final = 1024 * 1024
PIECE_BYTES: Final = 256 * 1024  # in one frame
REPORT_BYTES: Final = 128 * 1024  # services reports when so much more went on


class IncomingStream(Pieces):
    """Services' end. Implements `kernel.ports.InvocationStream`."""

    def __init__(self, report: Callable[[int], None], leave: Callable[[], None]) -> None:
        super().__init__()
        self.executed_version = ""
        self.content_type = ""
        self.log_tail = b""
        self._report = report
        self._leave = leave
        self._unreported = 0

    async def __anext__(self) -> bytes:
        """Wait for the next piece."""
        piece = await super().__anext__()
        self._unreported += len(piece)
        if self._unreported >= REPORT_BYTES:
            self._report(self._unreported)
            self._unreported = 0
        return piece

    async def aclose(self) -> None:
        """Go away, and say so."""
        await super().aclose()
        self._leave()


class OutgoingStream:
    """The gateway's end: sends no more than the window."""

    def __init__(self, stream: InvocationStream) -> None:
        self._stream = stream
        self._room = WINDOW_BYTES
        self._news: asyncio.Future[None] | None = None
        self._is_gone = False

    async def send_all(self, send: Callable[[bytes], bool]) -> None:
        """Send the stream to its end, or until nobody reads any more. Raises: StreamBroken."""
        async for piece in self._stream:
            for start in range(0, len(piece), PIECE_BYTES):
                part = piece[start : start + PIECE_BYTES]
                while self._room <= 0 and not self._is_gone:
                    self._news = asyncio.get_running_loop().create_future()
                    await self._news
                if self._is_gone or not send(part):
                    await self._stream.aclose()
                    return
                self._room -= len(part)

    def taken(self, count: int) -> None:
        """Hear that so much more has gone on."""
        self._room += count
        self._tell()

    def leave(self) -> None:
        """Hear that nobody reads any more."""
        self._is_gone = True
        self._tell()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
