"""AWS REST JSON: method and path name the operation; parameters come from path, query string, headers and body.

Source: https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from gatepost.awsapi import timestamps
from gatepost.awsapi.errors import SerializationException
from gatepost.awsapi.protocols import event_stream
from gatepost.awsapi.protocols.base import Incoming
from gatepost.awsapi.protocols.documents import JSON, Reader, ReaderCompiler, UnmodelledMember, Writer, WriterCompiler
from gatepost.awsapi.protocols.errors import REST, message_name, rendered
from gatepost.awsapi.protocols.event_stream import EventStreamWriter
from gatepost.awsapi.protocols.json import parse_object
from gatepost.awsapi.shapes import Member, OperationModel, ServiceModel, Shape
from gatepost.kernel.errors import ServiceError
from gatepost.wire.messages import Headers, Response

QUERY_PARAMETERS_MAX: Final = 1_000
PAYLOAD_TYPES: Final = {"lambda": b"application/json"}  # of payloads for which the operation declares no type
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}").fullmatch
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,64}(\.[0-9]{0,64})?([eE][+-]?[0-9]{1,3})?").fullmatch
TextReader = Callable[[str], Any]


def _integer(text: str) -> int:
    if not _INTEGER(text):
        raise SerializationException(f"'{text[:64]}' can not be converted to an Integer")
    return int(text)


def _number(text: str) -> float:
    if not _NUMBER(text):
        raise SerializationException(f"'{text[:64]}' can not be converted to a Double")
    return float(text)


def _boolean(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise SerializationException(f"'{text[:64]}' can not be converted to a Boolean")
    return text.lower() == "true"


def _blob(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        raise SerializationException("Invalid base64 in a blob") from error


_TEXT_READERS: dict[str, TextReader] = {
    "integer": _integer,
    "long": _integer,
    "float": _number,
    "double": _number,
    "boolean": _boolean,
    "blob": _blob,
    "timestamp": timestamps.from_text,
}


def text_reader(shape: Shape) -> TextReader:
    """Give the reader of a leaf that comes as text (path, query string, headers, form fields)."""
    return _TEXT_READERS.get(shape.type, str)


def leaf_text(shape: Shape, value: Any, *, timestamp_format: str) -> str:
    """Render a leaf as text."""
    if shape.type == "boolean":
        return "true" if value else "false"
    if shape.type == "timestamp":
        return str(timestamps.render(value, timestamp_format or shape.timestamp_format))
    if shape.type == "blob":
        return base64.b64encode(value).decode("ascii")
    return str(value)


class RestJsonCodec:
    """One operation in REST JSON."""

    def __init__(self, operation: OperationModel, readers: ReaderCompiler, writers: WriterCompiler) -> None:
        self._status = operation.response_status
        self._input = _InputPlan(operation.input, readers) if operation.input is not None else None
        payload_type = PAYLOAD_TYPES.get(operation.service, b"application/octet-stream")
        self._output = _OutputPlan(operation.output, writers, payload_type) if operation.output is not None else None

    def parse(self, incoming: Incoming) -> dict[str, Any]:
        """Give the parameters. Raises: SerializationException."""
        return self._input.parse(incoming) if self._input is not None else {}

    def render(self, result: Mapping[str, Any], request_id: str) -> Response:
        """Render a result."""
        headers: Headers = [(b"x-amzn-RequestId", request_id.encode())]
        if self._output is None:
            return Response(self._status, headers, b"")
        return self._output.render(result, headers, self._status)


class _InputPlan:
    """Where each member of an input comes from."""

    def __init__(self, shape: Shape, readers: ReaderCompiler) -> None:
        members = shape.members.values()
        self.labels = [
            (m.location_name or m.name, m.name, text_reader(m.shape)) for m in members if m.location == "uri"
        ]
        self.query = {m.wire_name: m for m in members if m.location == "querystring" and m.shape.type != "map"}
        self.query_map = next((m for m in members if m.location == "querystring" and m.shape.type == "map"), None)
        self.headers = [(m.wire_name.lower().encode(), m) for m in members if m.location == "header"]
        self.prefix_headers = [(m.location_name.lower().encode(), m.name) for m in members if m.location == "headers"]
        self.payload = shape.members[shape.payload] if shape.payload else None
        self.read_payload: Reader = readers.reader(self.payload.shape) if self.payload is not None else _nothing
        self.body = {
            m.wire_name: (m.name, readers.reader(m.shape)) for m in members if not m.location and not shape.payload
        }

    def parse(self, incoming: Incoming) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for label, name, read in self.labels:
            if label in incoming.labels:
                found[name] = read(incoming.labels[label])
        if incoming.query and (self.query or self.query_map is not None):
            self._parse_query(incoming.query, found)
        self._parse_headers(incoming.headers, found)
        if self.payload is not None:
            self._parse_payload(self.payload, incoming.body, found)
        elif self.body and incoming.body:
            for wire_name, value in parse_object(incoming.body).items():
                known = self.body.get(wire_name)
                if known is not None and value is not None:
                    found[known[0]] = known[1](value)
        return found

    def _parse_query(self, query: str, found: dict[str, Any]) -> None:
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=QUERY_PARAMETERS_MAX)
        except ValueError as error:
            raise SerializationException("The query string has too many parameters") from error
        rest: dict[str, Any] = {}
        for name, text in pairs:
            member = self.query.get(name)
            if member is None:
                if not name.startswith("X-Amz-"):  # a pre-signed URL's own
                    rest.setdefault(name, []).append(text)
            elif member.shape.element is not None:
                found.setdefault(member.name, []).append(text_reader(member.shape.element.shape)(text))
            else:
                found[member.name] = text_reader(member.shape)(text)
        if self.query_map is not None and rest:
            value = self.query_map.shape.value
            is_list = value is not None and value.shape.element is not None
            found[self.query_map.name] = rest if is_list else {name: texts[0] for name, texts in rest.items()}

    def _parse_headers(self, headers: Mapping[bytes, bytes], found: dict[str, Any]) -> None:
        for name, member in self.headers:
            value = headers.get(name)
            if value is not None:
                text = value.decode("utf-8", "replace")
                if member.shape.element is not None:
                    read = text_reader(member.shape.element.shape)
                    found[member.name] = [read(part.strip()) for part in text.split(",")]
                else:
                    found[member.name] = text_reader(member.shape)(text)
        for prefix, member_name in self.prefix_headers:
            matching = {
                name[len(prefix) :].decode("latin-1"): value.decode("utf-8", "replace")
                for name, value in headers.items()
                if name.startswith(prefix)
            }
            if matching:
                found[member_name] = matching

    def _parse_payload(self, member: Member, body: bytes, found: dict[str, Any]) -> None:
        if member.shape.type == "blob":
            if body:
                found[member.name] = body
        elif member.shape.type == "string":
            if body:
                found[member.name] = _utf8(body)
        elif body:
            found[member.name] = self.read_payload(parse_object(body))


def _utf8(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SerializationException("The body is not UTF-8") from error


def _nothing(value: Any) -> Any:
    return value


class _OutputPlan:
    """Where each member of an output goes."""

    def __init__(self, shape: Shape, writers: WriterCompiler, payload_type: bytes) -> None:
        members = shape.members.values()
        self.shape = shape
        self.payload_type = payload_type
        self.headers = {m.name: m for m in members if m.location in {"header", "headers"}}
        self.status = next((m.name for m in members if m.location == "statusCode"), None)
        self.payload = shape.members[shape.payload] if shape.payload else None
        self.write_payload: Writer = _nothing
        self.events: EventStreamWriter | None = None
        if self.payload is not None and self.payload.shape.is_event_stream:
            self.events = EventStreamWriter(self.payload.shape, writers)
            self.headers = {name: m for name, m in self.headers.items() if m.wire_name.lower() != "content-type"}
        elif self.payload is not None:
            self.write_payload = writers.writer(self.payload.shape)
        self.body: dict[str, tuple[str, Writer]] = {
            m.name: (m.wire_name, writers.writer(m.shape, m.timestamp_format))
            for m in members
            if not m.location and not shape.payload
        }

    def render(self, result: Mapping[str, Any], headers: Headers, status: int) -> Response:
        body: dict[str, Any] = {}
        payload: Any = None
        for name, value in result.items():
            if value is None:
                continue
            if name in self.headers:
                _add_header(self.headers[name], value, headers)
            elif name == self.status:
                status = value
            elif self.payload is not None and name == self.payload.name:
                payload = value
            elif name in self.body:
                wire_name, write = self.body[name]
                body[wire_name] = write(value)
            else:
                raise UnmodelledMember(f"{self.shape.name} has no member {name}")
        if self.events is not None and payload is not None:
            headers.append((b"Content-Type", event_stream.CONTENT_TYPE))
            return Response(status, headers, stream=self.events.render(payload))
        if self.payload is not None and self.payload.shape.type in {"blob", "string"}:
            content = payload.encode() if isinstance(payload, str) else bytes(payload or b"")
            if not any(name.lower() == b"content-type" for name, _ in headers):
                headers.append((b"Content-Type", self.payload_type))
            return Response(status, headers, content)
        if self.payload is not None:
            body = self.write_payload(payload) if payload is not None else {}
        headers.append((b"Content-Type", b"application/json"))
        return Response(status, headers, orjson.dumps(body) if status != 204 else b"")


def _add_header(member: Member, value: Any, headers: Headers) -> None:
    if member.location == "headers":
        for name, text in value.items():
            headers.append((_header_safe(member.location_name + name), _header_safe(text)))
    elif member.shape.element is not None:
        element = member.shape.element.shape
        texts = [leaf_text(element, item, timestamp_format="rfc822") for item in value]
        headers.append((member.wire_name.encode(), _header_safe(", ".join(texts))))
    else:
        text = leaf_text(member.shape, value, timestamp_format=member.timestamp_format or "rfc822")
        headers.append((member.wire_name.encode(), _header_safe(text)))


def _header_safe(text: str) -> bytes:
    """Encode a header's text; line breaks and NUL would let a value add headers of its own."""
    return text.replace("\r", " ").replace("\n", " ").replace("\0", " ").encode("utf-8")


class RestJsonProtocol:
    """One service in REST JSON."""

    def __init__(self, model: ServiceModel) -> None:
        self._model = model
        self._readers = ReaderCompiler(JSON)
        self._writers = WriterCompiler(JSON)

    def codec(self, operation: OperationModel) -> RestJsonCodec:
        """Compile an operation's codec."""
        return RestJsonCodec(operation, self._readers, self._writers)

    def render_error(self, error: ServiceError, request_id: str) -> Response:
        """Render the error with its code in `x-amzn-ErrorType` and its modelled members in body and headers."""
        code, status, shape = rendered(error, self._model, REST)
        headers: Headers = [(b"x-amzn-RequestId", request_id.encode()), (b"x-amzn-ErrorType", code.encode())]
        told: dict[str, Any] = {}
        for name, value in (error.members if shape is not None else {}).items():
            assert shape is not None
            member = shape.members.get(name)
            if member is None:
                raise UnmodelledMember(f"{shape.name} has no member {name}")
            if member.location == "header":
                _add_header(member, value, headers)
            else:
                told[member.wire_name] = self._writers.writer(member.shape, member.timestamp_format)(value)
        told[message_name(code, shape)] = error.message
        headers.append((b"Content-Type", b"application/json"))
        return Response(status, headers, orjson.dumps(told))
