"""AWS JSON 1.0 and 1.1: `X-Amz-Target` names the operation, the body is one JSON object.

Source: https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import orjson

from gatepost.awsapi.errors import SerializationException
from gatepost.awsapi.protocols.base import Incoming
from gatepost.awsapi.protocols.documents import JSON, Reader, ReaderCompiler, Writer, WriterCompiler, wrong_type
from gatepost.awsapi.protocols.errors import JSON as JSON_ERRORS
from gatepost.awsapi.protocols.errors import message_name, rendered
from gatepost.awsapi.shapes import OperationModel, ServiceModel
from gatepost.kernel.errors import ServiceError
from gatepost.wire.messages import Headers, Response


class Namespaces(NamedTuple):
    """What stands before `#` in an error's `__type`; most services write nothing."""

    service: str = ""
    validation: str = ""
    common: str = ""


# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
NAMESPACES: Final = {
    "dynamodb": Namespaces(
        "com.amazonaws.dynamodb.v20120810#", "com.amazon.coral.validate#", "com.amazon.coral.service#"
    )
}
CRC_SERVICES: Final = frozenset({"dynamodb"})


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse a body that is one JSON object; an empty one has no members. Raises: SerializationException."""
    if not body:
        return {}
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise SerializationException("Unexpected token in the JSON body", detail=str(error)) from error
    if value.__class__ is not dict:
        raise wrong_type(value, "Structure")
    found: dict[str, Any] = value
    return found


class JsonCodec:
    """One operation in AWS JSON."""

    __slots__ = ("_answer", "_read", "_write")

    def __init__(self, read: Reader, write: Writer | None, answer: Callable[[int, bytes, str], Response]) -> None:
        self._read = read
        self._write = write
        self._answer = answer

    def parse(self, incoming: Incoming) -> dict[str, Any]:
        """Give the parameters. Raises: SerializationException."""
        found: dict[str, Any] = self._read(parse_object(incoming.body))
        return found

    def render(self, result: Mapping[str, Any], request_id: str) -> Response:
        """Render a result; an operation without output has an empty body."""
        if self._write is None:
            return self._answer(200, b"", request_id)
        return self._answer(200, orjson.dumps(self._write(result)), request_id)


class JsonProtocol:
    """One service in AWS JSON."""

    def __init__(self, model: ServiceModel) -> None:
        self._model = model
        content_type = f"application/x-amz-json-{model.metadata.get('jsonVersion', '1.1')}"
        self._content_type = (b"Content-Type", content_type.encode())
        self._namespaces = NAMESPACES.get(model.name, Namespaces())
        self._has_crc = model.name in CRC_SERVICES
        self._readers = ReaderCompiler(JSON)
        self._writers = WriterCompiler(JSON)

    def codec(self, operation: OperationModel) -> JsonCodec:
        """Compile an operation's codec."""
        read = self._readers.reader(operation.input) if operation.input is not None else _no_input
        write = self._writers.writer(operation.output) if operation.output is not None else None
        return JsonCodec(read, write, self.answer)

    def render_wire(self, result: dict[str, Any] | bytes, request_id: str) -> Response:
        """Render what a `wire_json` operation gave: a body, or the object that becomes one."""
        return self.answer(200, result if result.__class__ is bytes else orjson.dumps(result), request_id)

    def answer(self, status: int, body: bytes, request_id: str) -> Response:
        """Put a response together."""
        headers: Headers = [(b"x-amzn-RequestId", request_id.encode()), self._content_type]
        if self._has_crc:
            headers.append((b"x-amz-crc32", b"%d" % zlib.crc32(body)))
        return Response(status, headers, body)

    def render_error(self, error: ServiceError, request_id: str) -> Response:
        """Render `{"__type": …, "message": …}` with the exception's further members."""
        code, status, shape = rendered(error, self._model, JSON_ERRORS)
        if shape is not None:
            prefix, name = self._namespaces.service, shape.name
        else:
            prefix = self._namespaces.validation if code == "ValidationException" else self._namespaces.common
            name = code
        told: dict[str, Any] = {"__type": prefix + name, message_name(code, shape): error.message}
        if shape is not None and error.members:
            told |= self._writers.writer(shape)(error.members)
        response = self.answer(status, orjson.dumps(told), request_id)
        if self._model.is_query_compatible:
            fault = "Receiver" if status >= 500 else "Sender"
            response.headers.append((b"x-amzn-query-error", f"{code};{fault}".encode()))
        return response


def _no_input(_: Any) -> dict[str, Any]:
    return {}
