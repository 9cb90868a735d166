"""A function's answer as it is written: handed on piece by piece, or collected for a caller that wants it whole.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

import orjson

from gatepost.kernel.errors import ServiceError
from gatepost.kernel.pieces import Pieces
from gatepost.kernel.ports import InvocationResult, StreamBroken
from gatepost.services.lambda_.runner.worker.bootstrap import RESPONSE_BYTES_MAX

STREAM_BYTES_MAX: Final = 200 * 1024 * 1024  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
BINARY: Final = "application/octet-stream"  # what Lambda says of an answer whose function says nothing
UNHANDLED: Final = "Unhandled"


class Sink(Protocol):
    """Where the pieces of a streamed answer go."""

    def begin(self, content_type: str) -> None:
        """Hear what the answer is, before its first piece."""
        ...

    def put(self, piece: bytes, resume: Callable[[], None] | None = None) -> bool:
        """Take a piece, and say whether there is room for more; if not, `resume` is called when there is."""
        ...


class Collected:
    """Pieces for a caller that wants the answer whole: at most 6 MB."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._bytes = 0

    def begin(self, content_type: str) -> None:
        """Take no notice."""

    def put(self, piece: bytes, resume: Callable[[], None] | None = None) -> bool:
        """Keep a piece; what is too much anyway is only counted."""
        del resume
        self._bytes += len(piece)
        if self._bytes <= RESPONSE_BYTES_MAX:
            self._pieces.append(piece)
        else:
            self._pieces.clear()
        return True

    def whole(self) -> tuple[bytes, str]:
        """Give the answer and its function error."""
        if self._bytes > RESPONSE_BYTES_MAX:
            return too_large(RESPONSE_BYTES_MAX), UNHANDLED
        return b"".join(self._pieces), ""


class FunctionStream(Pieces):
    """Implements `kernel.ports.InvocationStream` for an invocation whose end is `answer`."""

    def __init__(self, answer: asyncio.Future[InvocationResult], executed_version: str) -> None:
        super().__init__()
        self._version = executed_version
        self._content_type = BINARY
        self._bytes = 0
        self._refusal: ServiceError | None = None
        self._log_tail = b""
        self.answer = answer
        answer.add_done_callback(self._answered)

    @property
    def executed_version(self) -> str:
        """Give the version that runs."""
        return self._version

    @property
    def content_type(self) -> str:
        """Give what the function says that its answer is."""
        return self._content_type

    @property
    def log_tail(self) -> bytes:
        """Give the end of the log, once there is one."""
        return self._log_tail

    async def started(self) -> FunctionStream:
        """Wait for a first piece, or the end. Raises: ServiceError when the function was not run."""
        await self.begun()
        if self._refusal is not None:
            raise self._refusal
        return self

    def begin(self, content_type: str) -> None:
        """Hear what the answer is."""
        self._content_type = content_type

    def put(self, piece: bytes, resume: Callable[[], None] | None = None) -> bool:
        """Keep a piece for the reader; an answer ends, broken, where it goes beyond 200 MB."""
        self._bytes += len(piece)
        if self._bytes > STREAM_BYTES_MAX:
            self.end(StreamBroken(UNHANDLED, too_large(STREAM_BYTES_MAX)))
        return super().put(piece, resume)

    def _answered(self, answer: asyncio.Future[InvocationResult]) -> None:
        error = answer.exception()
        if error is not None:
            self._refusal = error if isinstance(error, ServiceError) else None
            self.end(error if isinstance(error, Exception) else None)
            return
        result = answer.result()
        self._log_tail = result.log_tail
        if result.function_error:
            self.end(StreamBroken(result.function_error, result.payload))
        else:
            self.put(result.payload)
            self.end()


def too_large(bytes_max: int) -> bytes:
    """Give the error of an answer that is too large."""
    words = f"Response payload size exceeded maximum allowed payload size ({bytes_max} bytes)."
    return orjson.dumps({"errorMessage": words, "errorType": "Function.ResponseSizeTooLarge"})
