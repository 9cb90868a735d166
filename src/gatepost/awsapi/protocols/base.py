"""What every protocol promises: bytes to parameters, results and errors to bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gatepost.awsapi.shapes import OperationModel
from gatepost.kernel.errors import ServiceError
from gatepost.wire.messages import Response


@dataclass(slots=True)
class Incoming:
    """What a protocol reads parameters from. Header names are in lower case; `labels` come from the path."""

    method: str
    path: str
    query: str
    headers: Mapping[bytes, bytes]
    body: bytes
    labels: Mapping[str, str]


class Codec(Protocol):
    """One operation in one protocol."""

    def parse(self, incoming: Incoming) -> dict[str, Any]:
        """Give the parameters: blobs as bytes, timestamps as milliseconds. Raises: SerializationException."""
        ...

    def render(self, result: Mapping[str, Any], request_id: str) -> Response:
        """Render a result. Raises: UnmodelledMember when the provider answered what the model does not have."""
        ...


class ServiceProtocol(Protocol):
    """One service in one protocol."""

    def codec(self, operation: OperationModel) -> Codec:
        """Give the codec of an operation, compiled."""
        ...

    def render_error(self, error: ServiceError, request_id: str) -> Response:
        """Render an error as this service's clients expect it."""
        ...
