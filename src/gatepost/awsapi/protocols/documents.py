"""Trees of maps and lists (JSON and CBOR bodies) from and to parameters, compiled from shapes into closures.

A *form* says how the leaves look: blobs and timestamps differ between JSON, CBOR, our own JSON and native values;
everything else is the same. A reader checks types on the way (a wrong one is AWS's SerializationException) and leaves
out nulls and members that the model does not have, as AWS does. A writer leaves out None; a member that the model does
not have is our own mistake and raises `UnmodelledMember`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from gatepost.awsapi import timestamps
from gatepost.awsapi.errors import SerializationException
from gatepost.awsapi.shapes import Member, Shape

INTEGER_END: Final = 1 << 63  # numbers from there on are no `long`; JSON's parser gives them as floats

Reader = Callable[[Any], Any]
Writer = Callable[[Any], Any]


class UnmodelledMember(Exception):
    """A provider answered with a member, or a type of value, that the service's model does not have."""


@dataclass(frozen=True, slots=True)
class Form:
    """How blobs and timestamps look on the wire. `default_timestamp` is used where the model names none."""

    read_blob: Reader
    write_blob: Writer
    read_timestamp: Reader
    write_timestamp: Callable[[int, str], Any]
    default_timestamp: str = "unixTimestamp"
    uses_wire_names: bool = True
    keeps_unknown: bool = False  # readers hand unknown members on, for the validator to refuse


def _blob_from_base64(value: Any) -> bytes:
    if value.__class__ is not str:
        raise wrong_type(value, "Blob")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SerializationException("Invalid base64 in a blob") from error


def _blob_to_base64(value: bytes | str) -> str:
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode("ascii")


def _timestamp_from_json(value: Any) -> int:
    if value.__class__ is str:
        return timestamps.from_text(value)
    if value.__class__ is int or value.__class__ is float:
        return timestamps.from_number(value)
    raise wrong_type(value, "Timestamp")


def _timestamp_from_ms(value: Any) -> int:
    if value.__class__ is not int:
        raise wrong_type(value, "Timestamp in milliseconds")
    return int(value)


def _same(value: Any) -> Any:
    return value


def _timestamp_from_cbor(value: Any) -> int:
    if isinstance(value, datetime):
        return round((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp() * 1000)
    return _timestamp_from_json(value)


def _blob_from_cbor(value: Any) -> bytes:
    if value.__class__ is not bytes:
        raise wrong_type(value, "Blob")
    return bytes(value)


def _blob_to_bytes(value: bytes | str) -> bytes:
    return value.encode() if isinstance(value, str) else value


JSON = Form(_blob_from_base64, _blob_to_base64, _timestamp_from_json, timestamps.render)
PLAIN = Form(
    _blob_from_base64,
    _blob_to_base64,
    _timestamp_from_ms,
    lambda at_ms, _: at_ms,
    uses_wire_names=False,
    keeps_unknown=True,
)
WIRE = Form(_same, _same, _same, lambda at, _: at)  # JSON's own values, without what the model does not have
NATIVE = Form(_same, _blob_to_bytes, _same, lambda at_ms, _: at_ms, uses_wire_names=False, keeps_unknown=True)
CBOR = Form(
    _blob_from_cbor,
    _blob_to_bytes,
    _timestamp_from_cbor,
    lambda at_ms, _: datetime.fromtimestamp(at_ms / 1000, UTC),
    uses_wire_names=False,
)


def token_of(value: Any) -> str:
    """Name a JSON value as AWS's parser does."""
    if value is True or value is False:
        return "TRUE_VALUE" if value else "FALSE_VALUE"
    return "STRING_VALUE" if isinstance(value, str) else "NUMBER_VALUE"


def wrong_type(value: Any, wanted: str) -> SerializationException:
    """Say that `value` is not a `wanted`, in AWS's words (their exact form is unverified)."""
    if isinstance(value, dict):
        return SerializationException("Start of structure or map found where not expected.")
    if isinstance(value, list):
        return SerializationException("Start of list found where not expected")
    return SerializationException(f"{token_of(value)} can not be converted to {_article(wanted)} {wanted}")


def _article(noun: str) -> str:
    return "an" if noun[0] in "AEIOU" else "a"


def _read_string(value: Any) -> str:
    if value.__class__ is not str:
        raise wrong_type(value, "String")
    return value


def _read_integer(value: Any) -> int:
    if value.__class__ is int and value.bit_length() < 64:  # CBOR has integers of any length
        return value
    if value.__class__ is float and value.is_integer() and abs(value) < INTEGER_END:
        return int(value)
    raise wrong_type(value, "Integer")


def _read_number(value: Any) -> int | float:
    if value.__class__ is float or (value.__class__ is int and value.bit_length() < 1024):
        return value
    raise wrong_type(value, "Double")


def _read_boolean(value: Any) -> bool:
    if value.__class__ is not bool:
        raise wrong_type(value, "Boolean")
    return value


_LEAF_READERS: dict[str, Reader] = {
    "string": _read_string,
    "character": _read_string,
    "integer": _read_integer,
    "long": _read_integer,
    "short": _read_integer,
    "byte": _read_integer,
    "float": _read_number,
    "double": _read_number,
    "bigdecimal": _read_number,
    "boolean": _read_boolean,
}


class ReaderCompiler:
    """Makes readers of one form; shapes that occur again share theirs, so recursion ends."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._made: dict[str, Reader] = {}

    def reader(self, shape: Shape) -> Reader:
        """Give the reader of a shape."""
        found = self._made.get(shape.name)
        return found if found is not None else self._make(shape)

    def _make(self, shape: Shape) -> Reader:
        if shape.type == "structure" and not shape.is_document:
            return self._structure(shape)
        if shape.element is not None:
            return self._list(shape, shape.element)
        if shape.value is not None:
            return self._map(shape, shape.value)
        if shape.type == "blob":
            return self._form.read_blob
        if shape.type == "timestamp":
            return self._form.read_timestamp
        return _LEAF_READERS.get(shape.type, _same)

    def _structure(self, shape: Shape) -> Reader:
        members: dict[str, tuple[str, Reader]] = {}
        keeps_unknown = self._form.keeps_unknown

        def read(value: Any) -> dict[str, Any]:
            if value.__class__ is not dict:
                raise wrong_type(value, "Structure")
            found: dict[str, Any] = {}
            for wire_name, item in value.items():
                if item is None:
                    continue
                known = members.get(wire_name)
                if known is not None:
                    found[known[0]] = known[1](item)
                elif keeps_unknown:
                    found[wire_name] = item
            return found

        self._made[shape.name] = read
        for member in shape.members.values():
            wire_name = member.wire_name if self._form.uses_wire_names else member.name
            members[wire_name] = (member.name, self.reader(member.shape))
        return read

    def _list(self, shape: Shape, element: Member) -> Reader:
        read_element: Reader = _same

        def read(value: Any) -> list[Any]:
            if value.__class__ is not list:
                raise wrong_type(value, "List")
            return [read_element(item) for item in value]

        self._made[shape.name] = read
        read_element = self.reader(element.shape)
        return read

    def _map(self, shape: Shape, of: Member) -> Reader:
        read_value: Reader = _same

        def read(value: Any) -> dict[str, Any]:
            if value.__class__ is not dict:
                raise wrong_type(value, "Map")
            return {_read_string(key): read_value(item) for key, item in value.items() if item is not None}

        self._made[shape.name] = read
        read_value = self.reader(of.shape)
        return read


class WriterCompiler:
    """Makes writers of one form."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._made: dict[str, Writer] = {}

    def writer(self, shape: Shape, timestamp_format: str = "") -> Writer:
        """Give the writer of a shape; a member's own `timestamp_format` wins over its shape's."""
        found = self._made.get(shape.name)
        return found if found is not None else self._make(shape, timestamp_format)

    def _make(self, shape: Shape, timestamp_format: str) -> Writer:
        if shape.type == "structure" and not shape.is_document:
            return self._structure(shape)
        if shape.element is not None:
            return self._list(shape, shape.element)
        if shape.value is not None:
            return self._map(shape, shape.value)
        if shape.type == "blob":
            return self._form.write_blob
        if shape.type == "timestamp":
            write = self._form.write_timestamp
            form = timestamp_format or shape.timestamp_format or self._form.default_timestamp
            return lambda at_ms: write(at_ms, form)
        return _same

    def _structure(self, shape: Shape) -> Writer:
        members: dict[str, tuple[str, Writer]] = {}

        def write(value: Any) -> dict[str, Any]:
            if not isinstance(value, dict):
                raise UnmodelledMember(f"{shape.name} is a structure, not a {type(value).__name__}")
            found: dict[str, Any] = {}
            for name, item in value.items():
                if item is None:
                    continue
                known = members.get(name)
                if known is None:
                    raise UnmodelledMember(f"{shape.name} has no member {name}")
                found[known[0]] = known[1](item)
            return found

        self._made[shape.name] = write
        for member in shape.members.values():
            wire_name = member.wire_name if self._form.uses_wire_names else member.name
            members[member.name] = (wire_name, self.writer(member.shape, member.timestamp_format))
        return write

    def _list(self, shape: Shape, element: Member) -> Writer:
        write_element: Writer = _same

        def write(value: Any) -> list[Any]:
            if not isinstance(value, (list, tuple)):
                raise UnmodelledMember(f"{shape.name} is a list, not a {type(value).__name__}")
            return [write_element(item) for item in value]

        self._made[shape.name] = write
        write_element = self.writer(element.shape, element.timestamp_format)
        return write

    def _map(self, shape: Shape, of: Member) -> Writer:
        write_value: Writer = _same

        def write(value: Any) -> dict[str, Any]:
            if not isinstance(value, dict):
                raise UnmodelledMember(f"{shape.name} is a map, not a {type(value).__name__}")
            return {key: write_value(item) for key, item in value.items() if item is not None}

        self._made[shape.name] = write
        write_value = self.writer(of.shape, of.timestamp_format)
        return write
