"""Content encodings of an API that has a minimumCompressionSize: gzip and deflate, both directions.

A request's body is unpacked before anyone reads it, at most to the 10 MB that a payload may have; one in another
encoding is 415, one that does not unpack is 400. A response of at least the minimum is packed in the first encoding of
Accept-Encoding that we have, unless the integration has encoded it already.

What is longer than `STREAMED_FROM` is packed while it is sent, piece by piece, so that no client waits for another's.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gzip-compression-decompression.html.
Unverified: Content-Encoding is taken away from an unpacked request; the statuses; `*` means gzip.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import ClassVar, Final

from gatepost.gateway.exchange import NO_FACTS, Exchange, Facts
from gatepost.gateway.responses import BAD_REQUEST, REQUEST_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, Refusal
from gatepost.kernel.limits import API_GATEWAY_BODY_BYTES_MAX
from gatepost.wire.messages import Request, Response

STREAMED_FROM: Final = 256 * 1024
PIECE_BYTES: Final = 64 * 1024
LEVEL: Final = 6
_WINDOWS: Final = {b"gzip": 31, b"deflate": 15}  # zlib's own format is what HTTP calls deflate
_RAW_DEFLATE: Final = -15  # what some clients send instead
_NO_BODY: Final = frozenset({204, 304})


class UnpackGuard:
    """Unpack a request's body; refuse one that cannot be unpacked."""

    needs: ClassVar[Facts] = NO_FACTS
    writes: ClassVar[Facts] = NO_FACTS

    def check(self, exchange: Exchange) -> None:
        """Put the unpacked request in place of the packed one. Raises: Refusal."""
        request = exchange.request
        given = request.header(b"content-encoding")
        encoding = given.strip().lower() if given is not None else b""
        if not request.body or encoding in (b"", b"identity"):
            return
        if encoding not in _WINDOWS:
            raise Refusal(UNSUPPORTED_MEDIA_TYPE, detail=f"Content-Encoding {encoding[:64]!r}: use gzip or deflate")
        exchange.request = Request(
            request.method,
            request.target,
            [pair for pair in request.headers if pair[0].lower() != b"content-encoding"],
            unpacked(encoding, request.body),
            peer=request.peer,
        )

    def __repr__(self) -> str:
        return "UnpackGuard()"


def unpacked(encoding: bytes, body: bytes) -> bytes:
    """Unpack a body. Raises: Refusal when it is broken, or grows beyond 10 MB."""
    window = _WINDOWS[encoding]
    if encoding == b"deflate" and (body[0] & 0x0F != 8 or int.from_bytes(body[:2], "big") % 31):
        window = _RAW_DEFLATE
    unpacker = zlib.decompressobj(wbits=window)
    try:
        content = unpacker.decompress(body, API_GATEWAY_BODY_BYTES_MAX)
    except zlib.error as error:
        raise Refusal(BAD_REQUEST, detail=f"the body is not {encoding.decode()}: {error}") from error
    if unpacker.unconsumed_tail:
        raise Refusal(REQUEST_TOO_LARGE, detail=f"unpacked it has more than {API_GATEWAY_BODY_BYTES_MAX} bytes")
    if not unpacker.eof or unpacker.unused_data:
        raise Refusal(BAD_REQUEST, detail=f"the body is not one complete {encoding.decode()} stream")
    return content


class Pack:
    """A finisher: packs the bodies of answers that have `bytes_min` or more."""

    __slots__ = ("_bytes_min",)

    def __init__(self, bytes_min: int) -> None:
        self._bytes_min = bytes_min

    def finish(self, exchange: Exchange, response: Response) -> None:
        """Pack the body and say so."""
        body = response.body
        if not body or len(body) < self._bytes_min or response.stream is not None or response.status in _NO_BODY:
            return
        encoding = accepted(exchange.request.header(b"accept-encoding"))
        if not encoding or any(name.lower() == b"content-encoding" for name, _ in response.headers):
            return
        response.headers.append((b"Content-Encoding", encoding))
        packer = zlib.compressobj(LEVEL, wbits=_WINDOWS[encoding])
        if len(body) < STREAMED_FROM or exchange.method == "HEAD":
            response.body = packer.compress(body) + packer.flush()
        else:
            response.stream = _packed(body, packer)

    def __repr__(self) -> str:
        return f"Pack(from {self._bytes_min} bytes)"


async def _packed(body: bytes, packer: zlib._Compress) -> AsyncIterator[bytes]:
    view = memoryview(body)
    for start in range(0, len(body), PIECE_BYTES):
        piece = packer.compress(view[start : start + PIECE_BYTES])
        if piece:
            yield piece
    yield packer.flush()


def accepted(accept_encoding: bytes | None) -> bytes:
    """Choose an encoding by Accept-Encoding: the first with the highest weight that we have; empty: none."""
    if not accept_encoding:
        return b""
    best, best_weight = b"", 0.0
    for entry in accept_encoding.lower().split(b",")[:32]:
        name, _, parameters = entry.strip().partition(b";")
        weight = _weight(parameters)
        encoding = b"gzip" if name.strip() == b"*" else name.strip()
        if encoding in (*_WINDOWS, b"identity") and weight > best_weight:
            best, best_weight = encoding, weight
    return b"" if best == b"identity" else best


def _weight(parameters: bytes) -> float:
    name, _, value = parameters.strip().partition(b"=")
    if name.strip() != b"q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
