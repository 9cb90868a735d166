"""Which operation a request means, and in which protocol it is spoken.

In this order: `X-Amz-Target` (JSON), `smithy-protocol` (CBOR), `Action` (query), and the path (REST) of the service
that the credential scope names. Everything is compiled at its first use and kept. Only operations that AWS has are
kept, so strangers cannot fill the memory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote

from gatepost.awsapi.dispatch import BoundOperation, Dispatcher
from gatepost.awsapi.errors import (
    MissingAuthenticationTokenException,
    SerializationException,
    UnknownOperationException,
)
from gatepost.awsapi.protocols.base import Codec, ServiceProtocol
from gatepost.awsapi.protocols.cbor import CborProtocol
from gatepost.awsapi.protocols.json import JsonProtocol
from gatepost.awsapi.protocols.query import FORM_TYPE, QueryProtocol
from gatepost.awsapi.protocols.rest_json import RestJsonProtocol
from gatepost.awsapi.protocols.uri_templates import UriRouter
from gatepost.awsapi.shapes import OperationModel, ServiceModel, ServiceModels, signing_name
from gatepost.awsapi.validation import Checker
from gatepost.kernel.errors import UnsupportedOperation
from gatepost.wire.messages import Request

FORM_FIELDS_MAX: Final = 20_000
_PROTOCOLS: Final[Mapping[str, type[Any]]] = {
    "json": JsonProtocol,
    "rest-json": RestJsonProtocol,
    "query": QueryProtocol,
    "smithy-rpc-v2-cbor": CborProtocol,
}
_SCOPE: Final = re.compile(rb"Credential=[^/&,]{1,128}/[0-9]{8}/[a-z0-9-]{1,64}/([a-z0-9-]{1,64})/aws4_request")
_NO_LABELS: Final[Mapping[str, str]] = {}


class Served:
    """An operation in one protocol, ready to answer. `bound` None: Gatepost does not have it."""

    __slots__ = ("bound", "check", "codec", "model", "operation", "protocol", "service", "signing_name", "wire")

    def __init__(
        self, service: ServiceModel, model: OperationModel, protocol: ServiceProtocol, bound: BoundOperation | None
    ) -> None:
        self.service = service.name
        self.operation = model.name
        self.signing_name = signing_name(service.metadata)
        self.model = model
        self.protocol = protocol
        self.bound = bound
        self.codec: Codec = protocol.codec(model)
        self.wire: JsonProtocol | None = None
        if bound is not None and bound.wire_json and isinstance(protocol, JsonProtocol):
            self.wire = protocol
        self.check: Checker | None = bound.checker("wire" if self.wire else "parsed") if bound is not None else None


class Routed(NamedTuple):
    """What a request means. `fields` are those of a form, already taken apart."""

    served: Served
    labels: Mapping[str, str]


class Unroutable(Exception):
    """The request means no operation of AWS's; `protocol` says how to tell the client, if that is known."""

    def __init__(self, error: Exception, protocol: ServiceProtocol | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.protocol = protocol


class Router:
    """Finds the operation that a request means."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._models: ServiceModels = dispatcher.models
        self._protocols: dict[tuple[str, str], ServiceProtocol] = {}
        self._served: dict[tuple[str, str, str], Served] = {}
        self._by_target: dict[bytes, Routed] = {}
        self._uri_routers: dict[str, UriRouter] = {}
        self._target_prefixes: dict[str, str] = {}
        self._signing_names: dict[str, list[str]] = {}
        self._query_versions: dict[str, list[str]] = {}
        for name, metadata in self._models.index.items():
            if "targetPrefix" in metadata:
                self._target_prefixes[metadata["targetPrefix"]] = name
            self._signing_names.setdefault(signing_name(metadata), []).append(name)
            if "query" in metadata.get("protocols", ()):
                self._query_versions.setdefault(metadata["apiVersion"], []).append(name)

    def by_target(self, target: bytes) -> Routed:
        """Find an operation of a JSON service by its X-Amz-Target. Raises: Unroutable."""
        found = self._by_target.get(target)
        if found is None:
            prefix, _, operation = target.decode("latin-1").rpartition(".")
            service = self._target_prefixes.get(prefix)
            if service is None:
                raise Unroutable(UnsupportedOperation(f"Gatepost does not have {target.decode('latin-1')[:128]}"), None)
            found = self._by_target[target] = Routed(self._serve(service, operation, "json"), _NO_LABELS)
        return found

    def route(self, request: Request, headers: Mapping[bytes, bytes], scope_service: str) -> Routed:
        """Find the operation of a request that has no X-Amz-Target. `scope_service` is "" when it is unsigned.

        Raises: Unroutable.
        """
        if b"smithy-protocol" in headers:
            return self._by_cbor_path(request.path)
        form = headers.get(b"content-type", b"").startswith(FORM_TYPE)
        if form or "Action=" in request.query:
            return self._by_action(request, scope_service, is_form=form)
        unroutable: Unroutable | None = None
        for service in self._signing_names.get(scope_service, ()):  # apigateway has two models, for paths of their own
            if "rest-json" in self._models.index[service].get("protocols", ()):
                try:
                    return self._by_path(service, request)
                except Unroutable as error:
                    unroutable = unroutable or error
        if unroutable is not None:
            raise unroutable
        if not scope_service:
            raise Unroutable(MissingAuthenticationTokenException("Missing Authentication Token"), None)
        raise Unroutable(_no_service(scope_service), None)

    def guess(self, request: Request, headers: Mapping[bytes, bytes]) -> ServiceProtocol | None:
        """Give the protocol in which a client expects to hear that its signature is wrong; None: unknown.

        Nothing that it says is verified, so it decides about the form of an error only.
        """
        scope = _SCOPE.search(headers.get(b"authorization", b"")) or _SCOPE.search(unquote(request.query).encode())
        try:
            return self.route(request, headers, scope[1].decode() if scope is not None else "").served.protocol
        except Unroutable as unroutable:
            return unroutable.protocol

    def protocol(self, service: str, name: str) -> ServiceProtocol:
        """Give a service's protocol by botocore's name of it."""
        found = self._protocols.get((service, name))
        if found is None:
            model = self._models.get(service)
            assert model is not None
            found = self._protocols[service, name] = _PROTOCOLS[name](model)
        return found

    def _serve(self, service: str, operation: str, protocol_name: str) -> Served:
        found = self._served.get((service, operation, protocol_name))
        if found is not None:
            return found
        protocol = self.protocol(service, protocol_name)
        model = self._models.get(service)
        assert model is not None
        description = model.operation(operation)
        if description is None:
            raise Unroutable(UnknownOperationException(f"Could not find operation {operation[:128]}"), protocol)
        bound: BoundOperation | None = None
        try:
            bound = self._dispatcher.operation(service, operation)
        except UnsupportedOperation:
            pass  # the client is told once it has proved who it is
        found = self._served[service, operation, protocol_name] = Served(model, description, protocol, bound)
        return found

    def _by_cbor_path(self, path: str) -> Routed:
        parts = path.split("/")
        if len(parts) >= 5 and parts[-4] == "service" and parts[-2] == "operation":
            service = self._target_prefixes.get(parts[-3])
            if service is not None:
                return Routed(self._serve(service, parts[-1], "smithy-rpc-v2-cbor"), _NO_LABELS)
        raise Unroutable(UnknownOperationException("No operation has this path"), None)

    def _by_action(self, request: Request, scope_service: str, *, is_form: bool) -> Routed:
        text = request.body.decode("utf-8", "replace") if is_form and request.body else request.query
        try:
            fields = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX))
        except ValueError as error:
            raise Unroutable(SerializationException("The form has too many fields"), None) from error
        action, version = fields.get("Action", ""), fields.get("Version", "")
        candidates = self._signing_names.get(scope_service) or self._query_versions.get(version, [])
        for service in candidates:
            metadata = self._models.index[service]
            if "query" in metadata.get("protocols", ()):
                protocol = self.protocol(service, "query")
                if not action:
                    raise Unroutable(
                        UnknownOperationException("The request must contain the parameter Action."), protocol
                    )
                if version and version != metadata["apiVersion"]:
                    message = f"Could not find operation {action[:128]} for version {version[:32]}"
                    raise Unroutable(UnknownOperationException(message), protocol)
                return Routed(self._serve(service, action, "query"), _NO_LABELS)
        if scope_service and scope_service not in self._signing_names:
            raise Unroutable(_no_service(scope_service), None)
        message = f"Could not find operation {action[:128]} for version {version[:32]}"
        raise Unroutable(UnknownOperationException(message), None)

    def _by_path(self, service: str, request: Request) -> Routed:
        router = self._uri_routers.get(service)
        if router is None:
            model = self._models.get(service)
            assert model is not None
            templates = {
                name: (raw["http"]["method"], raw["http"]["requestUri"]) for name, raw in model.operations.items()
            }
            router = self._uri_routers[service] = UriRouter(templates)
        match = router.find(request.method, request.path, request.query)
        if match is None:
            protocol = self.protocol(service, "rest-json")
            raise Unroutable(UnknownOperationException(f"No operation of {service} has this method and path"), protocol)
        return Routed(self._serve(service, match.operation, "rest-json"), match.labels)


def _no_service(name: str) -> UnsupportedOperation:
    """Say that a service is not here, and how it could be."""
    name = name[:64]
    return UnsupportedOperation(
        f"Gatepost does not have the service {name}: start it with --service {name}=http://KEY:SECRET@host:port to "
        "send its operations to an endpoint of yours"
    )
