"""Smithy RPC v2 CBOR: `/service/{service}/operation/{operation}`, bodies in CBOR.

Source: https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.awsapi.errors import SerializationException
from gatepost.awsapi.protocols.base import Incoming
from gatepost.awsapi.protocols.documents import CBOR, ReaderCompiler, WriterCompiler
from gatepost.awsapi.protocols.errors import JSON as JSON_ERRORS
from gatepost.awsapi.protocols.errors import message_name, rendered
from gatepost.awsapi.shapes import OperationModel, ServiceModel
from gatepost.kernel.errors import ServiceError
from gatepost.wire.messages import Headers, Response

DEPTH_MAX: Final = 128


def parse_body(body: bytes) -> Any:
    """Decode a body with text keys, no key twice and bounded depth. Raises: SerializationException."""
    import cbor2

    if not body:
        return {}
    try:
        return cbor2.loads(body, max_depth=DEPTH_MAX, allow_duplicate_keys=False, strict_hashable_types=True)
    except (cbor2.CBORDecodeError, ValueError, TypeError, OverflowError, MemoryError) as error:
        raise SerializationException("The body is not valid CBOR", detail=str(error)) from error


class CborCodec:
    """One operation in RPC v2 CBOR."""

    def __init__(self, operation: OperationModel, readers: ReaderCompiler, writers: WriterCompiler) -> None:
        self._read = readers.reader(operation.input) if operation.input is not None else None
        self._write = writers.writer(operation.output) if operation.output is not None else None

    def parse(self, incoming: Incoming) -> dict[str, Any]:
        """Give the parameters. Raises: SerializationException."""
        if self._read is None:
            return {}
        found: dict[str, Any] = self._read(parse_body(incoming.body))
        return found

    def render(self, result: Mapping[str, Any], request_id: str) -> Response:
        """Render a result; an operation without output has an empty body."""
        if self._write is None:
            return answer(200, b"", request_id)
        return answer(200, _dumps(self._write(result)), request_id)


def _dumps(value: Any) -> bytes:
    import cbor2

    return cbor2.dumps(value, datetime_as_timestamp=True)  # type: ignore[no-any-return, unused-ignore]


def answer(status: int, body: bytes, request_id: str) -> Response:
    """Put a response together."""
    headers: Headers = [(b"x-amzn-RequestId", request_id.encode()), (b"smithy-protocol", b"rpc-v2-cbor")]
    if body:
        headers.append((b"Content-Type", b"application/cbor"))
    return Response(status, headers, body)


class CborProtocol:
    """One service in RPC v2 CBOR."""

    def __init__(self, model: ServiceModel) -> None:
        self._model = model
        self._readers = ReaderCompiler(CBOR)
        self._writers = WriterCompiler(CBOR)

    def codec(self, operation: OperationModel) -> CborCodec:
        """Compile an operation's codec."""
        return CborCodec(operation, self._readers, self._writers)

    def render_error(self, error: ServiceError, request_id: str) -> Response:
        """Render `{"__type": …, "message": …}` with the exception's further members."""
        code, status, shape = rendered(error, self._model, JSON_ERRORS)
        told: dict[str, Any] = {
            "__type": shape.name if shape is not None else code,
            message_name(code, shape): error.message,
        }
        if shape is not None and error.members:
            told |= self._writers.writer(shape)(error.members)
        response = answer(status, _dumps(told), request_id)
        if self._model.is_query_compatible:
            fault = "Receiver" if status >= 500 else "Sender"
            response.headers.append((b"x-amzn-query-error", f"{code};{fault}".encode()))
        return response
