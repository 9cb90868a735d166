"""AWS query: a form with `Action`, `Version` and dotted parameter names; answers in XML.

Names are `Tags.member.1.Key`, `Filters.entry.1.key`, or without `member` and `entry` where the model flattens.

Source: https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from gatepost.awsapi.errors import SerializationException
from gatepost.awsapi.protocols import xml
from gatepost.awsapi.protocols.base import Incoming
from gatepost.awsapi.protocols.documents import UnmodelledMember
from gatepost.awsapi.protocols.errors import QUERY, rendered
from gatepost.awsapi.protocols.rest_json import leaf_text, text_reader
from gatepost.awsapi.shapes import Member, OperationModel, ServiceModel, Shape
from gatepost.kernel.errors import ServiceError
from gatepost.wire.messages import Response

FORM_TYPE: Final = b"application/x-www-form-urlencoded"
FIELDS_MAX: Final = 20_000
DEPTH_MAX: Final = 64
ITEMS_MAX: Final = 10_000

Tree = dict[str, Any]  # a name's first part -> the tree of the rest; "" holds the text of a name that ends here
TreeReader = Callable[[Tree], Any]
XmlWriter = Callable[[Any], str]  # a value -> the content of its element


def parse_form(text: str) -> Tree:
    """Parse a form into the tree that its dotted names draw. Raises: SerializationException."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except ValueError as error:
        raise SerializationException("The form is not UTF-8 or has too many fields") from error
    tree: Tree = {}
    for name, value in pairs:
        node = tree
        parts = name.split(".")
        if len(parts) > DEPTH_MAX:
            raise SerializationException("A parameter name has too many parts")
        for part in parts:
            node = node.setdefault(part or "\0", {})
        if "" in node:
            raise SerializationException(f"Parameter {name[:128]} occurs more than once")
        node[""] = value
    return tree


class _FormReaders:
    """Readers of trees, compiled from shapes."""

    def __init__(self) -> None:
        self._made: dict[str, TreeReader] = {}

    def reader(self, shape: Shape, *, is_flattened: bool = False) -> TreeReader:
        if shape.type in {"list", "map"}:
            return self._collection(shape, is_flattened=is_flattened or shape.is_flattened)
        found = self._made.get(shape.name)
        if found is None:
            found = self._structure(shape) if shape.type == "structure" else self._leaf(shape)
        return found

    def _leaf(self, shape: Shape) -> TreeReader:
        read_text = text_reader(shape)

        def read(tree: Tree) -> Any:
            if "" not in tree or len(tree) > 1:
                raise SerializationException("Unexpected complex element termination")
            return read_text(tree[""])

        return read

    def _structure(self, shape: Shape) -> TreeReader:
        members: list[tuple[str, str, TreeReader]] = []

        def read(tree: Tree) -> dict[str, Any]:
            return {name: read_member(tree[wire]) for wire, name, read_member in members if wire in tree}

        self._made[shape.name] = read
        for member in shape.members.values():
            wire = _wire_name(member)
            members.append((wire, member.name, self.reader(member.shape, is_flattened=member.is_flattened)))
        return read

    def _collection(self, shape: Shape, *, is_flattened: bool) -> TreeReader:
        if shape.element is not None:
            step = "" if is_flattened else (shape.element.location_name or "member")
            return self._list(shape.element, step)
        assert shape.key is not None
        assert shape.value is not None
        return self._map(shape.key, shape.value, "" if is_flattened else "entry")

    def _list(self, element: Member, step: str) -> TreeReader:
        made: list[TreeReader] = []

        def read(tree: Tree) -> list[Any]:
            if not made:  # at first use: an element may hold this very list
                made.append(self.reader(element.shape))
            return [made[0](item) for item in _numbered(tree, step)]

        return read

    def _map(self, key: Member, value: Member, step: str) -> TreeReader:
        made: list[TreeReader] = []

        def read(tree: Tree) -> dict[str, Any]:
            if not made:
                made.extend((self.reader(key.shape), self.reader(value.shape)))
            found = {}
            for item in _numbered(tree, step):
                if key.wire_name in item and value.wire_name in item:
                    found[made[0](item[key.wire_name])] = made[1](item[value.wire_name])
            return found

        return read


def _wire_name(member: Member) -> str:
    """Give a member's name in a form; a flattened list goes by its element's name where that has one."""
    element = member.shape.element
    if element is not None and element.location_name and (member.is_flattened or member.shape.is_flattened):
        return element.location_name
    return member.wire_name


def _numbered(tree: Tree, step: str) -> list[Tree]:
    """Give the trees under 1, 2, 3… in order. An empty list is sent as its bare name."""
    tree = tree.get(step, {}) if step else tree
    items = [(part, item) for part, item in tree.items() if part]
    if len(items) > ITEMS_MAX:
        raise SerializationException(f"A list has more than {ITEMS_MAX} items")
    is_number = all(part.isascii() and part.isdigit() and len(part) < 10 for part, _ in items)
    if not is_number:
        raise SerializationException("A list's items are named by numbers")
    try:
        numbered = sorted((int(part), item) for part, item in items)
    except TypeError as error:  # two names for one number: 1 and 01
        raise SerializationException("A list has two items of one number") from error
    return [item for _, item in numbered]


class _XmlWriters:
    """Writers of element contents, compiled from shapes."""

    def __init__(self) -> None:
        self._made: dict[str, XmlWriter] = {}

    def writer(self, shape: Shape, timestamp_format: str = "") -> XmlWriter:
        if shape.type == "structure":
            return self._made.get(shape.name) or self._structure(shape)
        if shape.element is not None:
            return self._list(shape.element)
        if shape.value is not None:
            return self._map(shape)
        form = timestamp_format or shape.timestamp_format or "iso8601"
        return lambda value: xml.text(leaf_text(shape, value, timestamp_format=form))

    def _structure(self, shape: Shape) -> XmlWriter:
        members: dict[str, Callable[[Any], str]] = {}

        def write(value: Any) -> str:
            if not isinstance(value, dict):
                raise UnmodelledMember(f"{shape.name} is a structure, not a {type(value).__name__}")
            parts = []
            for name, item in value.items():
                if item is None:
                    continue
                member = members.get(name)
                if member is None:
                    raise UnmodelledMember(f"{shape.name} has no member {name}")
                parts.append(member(item))
            return "".join(parts)

        self._made[shape.name] = write
        for member in shape.members.values():
            members[member.name] = self._member(member)
        return write

    def _member(self, member: Member) -> Callable[[Any], str]:
        name = _wire_name(member)
        shape = member.shape
        if shape.element is not None and (member.is_flattened or shape.is_flattened):
            write_item = self.writer(shape.element.shape)
            return lambda value: "".join(xml.element(name, write_item(item)) for item in value)
        if shape.value is not None and (member.is_flattened or shape.is_flattened):
            return self._map(shape, entry=name)
        write = self.writer(shape, member.timestamp_format)
        return lambda value: xml.element(name, write(value))

    def _list(self, element: Member) -> XmlWriter:
        name = element.location_name or "member"
        made: list[XmlWriter] = []

        def write(value: Any) -> str:
            if not isinstance(value, (list, tuple)):
                raise UnmodelledMember(f"{element.shape.name} stands in a list, not in a {type(value).__name__}")
            if not made:  # at first use: an element may hold this very list
                made.append(self.writer(element.shape))
            return "".join(xml.element(name, made[0](item)) for item in value)

        return write

    def _map(self, shape: Shape, *, entry: str = "entry") -> XmlWriter:
        assert shape.key is not None
        assert shape.value is not None
        key, of = shape.key, shape.value
        made: list[XmlWriter] = []

        def write(value: Any) -> str:
            if not made:
                made.extend((self.writer(key.shape), self.writer(of.shape)))
            return "".join(
                xml.element(
                    entry,
                    xml.element(key.wire_name, made[0](name)) + xml.element(of.wire_name, made[1](item)),
                )
                for name, item in value.items()
            )

        return write


class QueryCodec:
    """One operation in the query protocol."""

    def __init__(self, operation: OperationModel, namespace: str, readers: _FormReaders, writers: _XmlWriters) -> None:
        self._name = operation.name
        self._namespace = namespace
        self._wrapper = operation.result_wrapper
        self._read = readers.reader(operation.input) if operation.input is not None else None
        self._write = writers.writer(operation.output) if operation.output is not None else None

    def parse(self, incoming: Incoming) -> dict[str, Any]:
        """Give the parameters. Raises: SerializationException."""
        if self._read is None:
            return {}
        text = incoming.body.decode("utf-8", "replace") if incoming.body else incoming.query
        found: dict[str, Any] = self._read(parse_form(text))
        return found

    def render(self, result: Mapping[str, Any], request_id: str) -> Response:
        """Render `<OpResponse><OpResult>…</OpResult><ResponseMetadata>…`."""
        content = self._write(result) if self._write is not None else ""
        if self._wrapper:
            content = xml.element(self._wrapper, content)
        content += xml.element("ResponseMetadata", xml.element("RequestId", request_id))
        body = f'<{self._name}Response xmlns="{self._namespace}">{content}</{self._name}Response>'
        return answer(200, body, request_id)


def answer(status: int, body: str, request_id: str) -> Response:
    """Put an XML response together."""
    headers = [(b"x-amzn-RequestId", request_id.encode()), (b"Content-Type", b"text/xml")]
    return Response(status, headers, body.encode())


class QueryProtocol:
    """One service in the query protocol."""

    def __init__(self, model: ServiceModel) -> None:
        self._model = model
        self._readers = _FormReaders()
        self._writers = _XmlWriters()

    def codec(self, operation: OperationModel) -> QueryCodec:
        """Compile an operation's codec."""
        return QueryCodec(operation, self._model.xml_namespace, self._readers, self._writers)

    def render_error(self, error: ServiceError, request_id: str) -> Response:
        """Render `<ErrorResponse><Error><Type>…`, with the exception's further members."""
        code, status, shape = rendered(error, self._model, QUERY)
        members = self._writers.writer(shape)(error.members) if shape is not None and error.members else ""
        namespace = self._model.xml_namespace
        return error_document(status, code, error.message, request_id, members=members, namespace=namespace)


def error_document(
    status: int, code: str, message: str, request_id: str, *, members: str = "", namespace: str = ""
) -> Response:
    """Render `<ErrorResponse>`; `members` is the XML of further members."""
    fault = "Receiver" if status >= 500 else "Sender"
    content = xml.element("Type", fault) + xml.element("Code", xml.text(code))
    content += xml.element("Message", xml.text(message)) + members
    content = xml.element("Error", content) + xml.element("RequestId", request_id)
    attribute = f' xmlns="{namespace}"' if namespace else ""
    return answer(status, f"<ErrorResponse{attribute}>{content}</ErrorResponse>", request_id)
