"""Service models as objects: services, operations, shapes and members, read from botocore's JSON as data.

A shape graph may be recursive (DynamoDB's AttributeValue holds AttributeValues), so shapes are made first and filled
afterwards. Nothing here is changed once `ServiceModel.shape` has returned.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

MODELS: Final = Path(__file__).parent / "models"


@dataclass(slots=True, eq=False)
class Member:
    """A member of a structure, or the element, key or value of a collection, with its own traits."""

    name: str
    shape: Shape
    location: str = ""  # uri, querystring, header, headers, statusCode; empty: the body
    location_name: str = ""
    is_flattened: bool = False
    timestamp_format: str = ""
    is_idempotency_token: bool = False
    is_event_payload: bool = False  # of an event in a stream: the message's payload is this member alone

    @property
    def wire_name(self) -> str:
        """Give the name on the wire."""
        return self.location_name or self.name


@dataclass(slots=True, eq=False)
class Shape:
    """A type of the model. `type` is botocore's: structure, list, map, string, blob and so on."""

    name: str
    type: str
    members: dict[str, Member] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    element: Member | None = None
    key: Member | None = None
    value: Member | None = None
    min: float | None = None
    max: float | None = None
    pattern: str = ""
    enum: tuple[str, ...] = ()
    timestamp_format: str = ""
    payload: str = ""  # the member that is the whole body
    is_flattened: bool = False
    is_sensitive: bool = False
    is_union: bool = False
    is_streaming: bool = False
    is_event_stream: bool = False
    is_document: bool = False
    is_exception: bool = False
    is_fault: bool = False
    error_code: str = ""  # of an exception, where it differs from the shape's name
    error_status: int = 0
    is_sender_fault: bool = True

    @property
    def code(self) -> str:
        """Give an exception's code as it goes over the wire."""
        return self.error_code or self.name

    @property
    def status(self) -> int:
        """Give an exception's HTTP status."""
        return self.error_status or (500 if self.is_fault else 400)


@dataclass(frozen=True, slots=True, eq=False)
class OperationModel:
    """An operation as the model describes it."""

    service: str
    name: str
    http_method: str
    request_uri: str
    response_status: int
    input: Shape | None
    output: Shape | None
    result_wrapper: str
    is_unsigned: bool  # AWS answers without a signature (sts AssumeRoleWithWebIdentity)
    takes_unsigned_payload: bool

    @property
    def has_event_stream(self) -> bool:
        """Say whether the answer is a stream of events."""
        output = self.output
        return output is not None and bool(output.payload) and output.members[output.payload].shape.is_event_stream


class ServiceModel:
    """One service: its metadata, operations and shapes, each made at first use."""

    def __init__(self, name: str, raw: Mapping[str, Any]) -> None:
        self.name = name
        self.metadata: Mapping[str, Any] = raw["metadata"]
        self.protocols: tuple[str, ...] = tuple(self.metadata.get("protocols") or (self.metadata["protocol"],))
        self.operations: Mapping[str, Any] = raw["operations"]
        self._raw_shapes: Mapping[str, Any] = raw["shapes"]
        self._shapes: dict[str, Shape] = {}
        self._operations: dict[str, OperationModel] = {}
        self._exceptions: dict[str, Shape] | None = None

    @property
    def xml_namespace(self) -> str:
        """Give the namespace of XML answers."""
        return str(self.metadata.get("xmlNamespace", ""))

    @property
    def is_query_compatible(self) -> bool:
        """Say whether errors carry the codes of the query protocol that the service once spoke."""
        return "awsQueryCompatible" in self.metadata

    def operation(self, name: str) -> OperationModel | None:
        """Give an operation, or None when AWS has none of that name."""
        found = self._operations.get(name)
        if found is None and (raw := self.operations.get(name)) is not None:
            found = self._operations[name] = self._read_operation(name, raw)
        return found

    def shape(self, name: str) -> Shape:
        """Give a shape with everything it refers to. Raises: KeyError."""
        found = self._shapes.get(name)
        if found is None:
            found = self._read_shape(name, self._raw_shapes[name])
        return found

    def exception(self, code: str) -> Shape | None:
        """Give the exception with this wire code or shape name, or None when the model has none."""
        if self._exceptions is None:
            shapes = [self.shape(name) for name, raw in self._raw_shapes.items() if raw.get("exception")]
            self._exceptions = {shape.code: shape for shape in shapes} | {shape.name: shape for shape in shapes}
        return self._exceptions.get(code)

    def _read_operation(self, name: str, raw: Mapping[str, Any]) -> OperationModel:
        http = raw["http"]
        output = raw.get("output", {})
        return OperationModel(
            service=self.name,
            name=name,
            http_method=http["method"],
            request_uri=http["requestUri"],
            response_status=http.get("responseCode", 200),
            input=self.shape(raw["input"]["shape"]) if "input" in raw else None,
            output=self.shape(output["shape"]) if output else None,
            result_wrapper=output.get("resultWrapper", ""),
            is_unsigned=raw.get("authtype") == "none",
            takes_unsigned_payload=raw.get("authtype") == "v4-unsigned-body" or bool(raw.get("unsignedPayload")),
        )

    def _read_shape(self, name: str, raw: Mapping[str, Any]) -> Shape:
        error = raw.get("error", {})
        shape = self._shapes[name] = Shape(
            name=name,
            type=raw["type"],
            required=tuple(raw.get("required", ())),
            min=raw.get("min"),
            max=raw.get("max"),
            pattern=raw.get("pattern", ""),
            enum=tuple(raw.get("enum", ())),
            timestamp_format=raw.get("timestampFormat", ""),
            payload=raw.get("payload", ""),
            is_flattened=bool(raw.get("flattened")),
            is_sensitive=bool(raw.get("sensitive")),
            is_union=bool(raw.get("union")),
            is_streaming=bool(raw.get("streaming")),
            is_event_stream=bool(raw.get("eventstream")),
            is_document=bool(raw.get("document")),
            is_exception=bool(raw.get("exception")),
            is_fault=bool(raw.get("fault")),
            error_code=error.get("code", ""),
            error_status=error.get("httpStatusCode", 0),
            is_sender_fault=bool(error.get("senderFault", not raw.get("fault"))),
        )
        for member_name, member in raw.get("members", {}).items():
            shape.members[member_name] = self._read_member(member_name, member)
        if "member" in raw:
            shape.element = self._read_member("member", raw["member"])
        if "key" in raw:
            shape.key = self._read_member("key", raw["key"])
            shape.value = self._read_member("value", raw["value"])
        return shape

    def _read_member(self, name: str, raw: Mapping[str, Any]) -> Member:
        return Member(
            name=name,
            shape=self.shape(raw["shape"]),
            location=raw.get("location", ""),
            location_name=raw.get("locationName", ""),
            is_flattened=bool(raw.get("flattened")),
            timestamp_format=raw.get("timestampFormat", ""),
            is_idempotency_token=bool(raw.get("idempotencyToken")),
            is_event_payload=bool(raw.get("eventpayload")),
        )


def signing_name(metadata: Mapping[str, Any]) -> str:
    """Give the service's name in credential scopes."""
    return str(metadata.get("signingName") or metadata["endpointPrefix"])


class ServiceModels:
    """The services whose models Gatepost carries; each model is read at its first use (1 to 8 ms)."""

    def __init__(self, folder: Path = MODELS) -> None:
        self._folder = folder
        self._loaded: dict[str, ServiceModel] = {}
        self.index: Mapping[str, Mapping[str, Any]] = json.loads((folder / "index.json").read_bytes())["services"]

    def get(self, service: str) -> ServiceModel | None:
        """Give a service's model by botocore's name of it, or None when we carry none."""
        found = self._loaded.get(service)
        if found is None and service in self.index:
            found = self._loaded[service] = ServiceModel(service, self._read(f"{service}.service-2.json.gz"))
        return found

    def paginators(self, service: str) -> Mapping[str, Mapping[str, Any]]:
        """Give how each listing operation of a service is paged: its token, limit and result members."""
        if service not in self.index:
            return {}
        found: Mapping[str, Mapping[str, Any]] = self._read(f"{service}.paginators-1.json.gz")["pagination"]
        return found

    def _read(self, name: str) -> Any:
        import orjson

        return orjson.loads(gzip.decompress((self._folder / name).read_bytes()))
