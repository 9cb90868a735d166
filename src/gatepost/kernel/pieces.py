"""Bytes on their way from one writer to one reader, piece by piece, bounded by what the reader has not taken."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

HELD_BYTES_MAX: Final = 512 * 1024  # what a slow reader has not taken; then the writer is asked to wait


class Pieces:
    """One stream of bytes. The writer puts pieces and ends it; the reader iterates, or goes away by `aclose`.

    Nothing here waits for room: `put` says that there is none, and `resume` is called when there is again.
    """

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._held_bytes = 0
        self._resume: Callable[[], None] | None = None
        self._failure: Exception | None = None
        self._has_ended = False
        self._is_closed = False
        self._news: asyncio.Future[None] | None = None

    @property
    def has_ended(self) -> bool:
        """Say whether nothing more will be put."""
        return self._has_ended

    def put(self, piece: bytes, resume: Callable[[], None] | None = None) -> bool:
        """Keep a piece, and say whether there is room for more; if not, `resume` is called once there is.

        After the end, or when the reader is gone, pieces are dropped.
        """
        if self._is_closed or self._has_ended or not piece:
            return True
        self._pieces.append(piece)
        self._held_bytes += len(piece)
        self._tell()
        if self._held_bytes <= HELD_BYTES_MAX or resume is None:
            return True
        self._resume = resume
        return False

    def end(self, failure: Exception | None = None) -> None:
        """Say that this was all; with a failure, that it is not the whole. The first end counts."""
        if not self._has_ended:
            self._failure = failure
            self._has_ended = True
            self._tell()

    async def begun(self) -> None:
        """Wait until there is a first piece, or the end."""
        while not self._pieces and not self._has_ended:
            await self._next_news()

    def __aiter__(self) -> Pieces:
        return self

    async def __anext__(self) -> bytes:
        """Wait for the next piece. Raises: StopAsyncIteration, and the failure that `end` was given."""
        while not self._pieces:
            if self._is_closed:
                raise StopAsyncIteration
            if self._has_ended:
                if self._failure is not None:
                    raise self._failure
                raise StopAsyncIteration
            await self._next_news()
        piece = self._pieces.popleft()
        self._held_bytes -= len(piece)
        if self._held_bytes <= HELD_BYTES_MAX // 2:
            self._go_on()
        return piece

    async def aclose(self) -> None:
        """Go away: what is still put is dropped."""
        self._is_closed = True
        self._pieces.clear()
        self._held_bytes = 0
        self._tell()
        self._go_on()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def _next_news(self) -> None:
        self._news = asyncio.get_running_loop().create_future()
        await self._news

    def _go_on(self) -> None:
        resume, self._resume = self._resume, None
        if resume is not None:
            resume()
