"""Services that the operator sends elsewhere (`--service s3=http://KEY:SECRET@host:9000`): checked here, signed anew.

A caller proves who it is to us, with a key of ours, and IAM decides; the request then goes on, signed with the key
that the operator gave for that endpoint. The caller's own signature, key and session token go no further.

We have no model of most of these services. The action that IAM is asked for is `service:Operation` where the request
names its operation (X-Amz-Target, Action), on every resource; where only method and path say it (S3) it is `s3:*`: a
policy that allows less than the whole service does not let the request through.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from gatepost.kernel.errors import ServiceUnavailable, SettingsError
from gatepost.kernel.operations import Access, Call
from gatepost.kernel.ports import Credentials
from gatepost.security.sigv4 import sha256_hex, sign
from gatepost.wire.client import Client
from gatepost.wire.messages import Headers, Request, Response
from gatepost.wire.outgoing import OutgoingRequest, UpstreamError

READ_MS: Final = 60_000
ANSWER_BYTES_MAX: Final = 100 * 1024 * 1024
REQUEST_BYTES_MAX: Final = 100 * 1024 * 1024
FORM_FIELDS_MAX: Final = 20_000
# The caller's signature, and what the client writes itself.
_LEFT_OUT: Final = frozenset(
    {
        b"authorization",
        b"connection",
        b"content-length",
        b"date",
        b"expect",
        b"host",
        b"origin",
        b"transfer-encoding",
        b"x-amz-content-sha256",
        b"x-amz-date",
        b"x-amz-security-token",
    }
)
_SIGNED: Final = (b"x-amz-", b"content-type", b"content-md5")
_FORM: Final = b"application/x-www-form-urlencoded"
_QUEUES: Final = frozenset({"sqs"})  # an Action for a queue is sent to the queue's own path
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,127}")
_ANY: Final = "*"


@dataclass(frozen=True, slots=True)
class ForwardedService:
    """An AWS service at an endpoint of the operator's. `name` is its name in credential scopes."""

    name: str
    host: str
    port: int
    is_tls: bool
    base_path: str
    credentials: Credentials


def parse_forwarded(name: str, url: str, *, credentials: Credentials | None = None) -> ForwardedService:
    """Read one `--service NAME=URL`. Key and secret are in the URL, percent-encoded, or `credentials` are used.

    Raises: SettingsError.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SettingsError(f"--service {name}: the URL has no valid host and port: use http://host:port") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise SettingsError(f"--service {name}: use http://KEY:SECRET@host:port or https://…, without a query")
    if parts.username and parts.password:
        credentials = Credentials(unquote(parts.username), unquote(parts.password))
    if credentials is None:
        raise SettingsError(f"--service {name}: put the endpoint's key into the URL: http://KEY:SECRET@host:port")
    is_tls = parts.scheme == "https"
    return ForwardedService(
        name, parts.hostname, port or (443 if is_tls else 80), is_tls, parts.path.rstrip("/"), credentials
    )


class Forwarder:
    """Sends requests for forwarded services on, signed for them."""

    def __init__(self, services: Iterable[ForwardedService], *, client: Client) -> None:
        self._services = {service.name: service for service in services}
        self._client = client

    @property
    def names(self) -> frozenset[str]:
        """Give the services' names in credential scopes."""
        return frozenset(self._services)

    def access(self, request: Request, headers: Mapping[bytes, bytes], name: str) -> Access:
        """Say what IAM must allow for this request."""
        return Access(f"{name}:{_operation_of(request, headers, name)}")

    async def forward(self, request: Request, headers: Mapping[bytes, bytes], name: str, call: Call) -> Response:
        """Send a request on, and give what comes back. Raises: ServiceUnavailable."""
        outgoing = self._outgoing(request, headers, self._services[name], call)
        try:
            answer = await self._client.send(outgoing)
        except (UpstreamError, ValueError) as error:
            message = f"The endpoint that {name} is forwarded to does not answer"
            raise ServiceUnavailable(message, detail=str(error)) from error
        response = Response(answer.status, answer.headers, answer.body)
        if request.method == "HEAD":
            length = answer.header(b"content-length")
            response.content_length = int(length) if length is not None and length.isdigit() else 0
        return response

    def _outgoing(
        self, request: Request, headers: Mapping[bytes, bytes], service: ForwardedService, call: Call
    ) -> OutgoingRequest:
        path = service.base_path + bucket_path(request, service.name)
        query = "&".join(part for part in request.query.split("&") if part and not part.startswith("X-Amz-"))
        default_port = 443 if service.is_tls else 80
        name = f"[{service.host}]" if ":" in service.host else service.host
        host = name if service.port == default_port else f"{name}:{service.port}"
        to_sign = [("Host", host), ("X-Amz-Content-SHA256", sha256_hex(request.body))]
        unsigned: Headers = []
        for header, value in headers.items():
            if header in _LEFT_OUT:
                continue
            if header.startswith(_SIGNED):
                to_sign.append((header.decode("latin-1"), value.decode("latin-1")))
            else:
                unsigned.append((header, value))
        signed = sign(
            request.method,
            path,
            query,
            to_sign,
            request.body,
            access_key_id=service.credentials.access_key_id,
            secret_access_key=service.credentials.secret_access_key,
            session_token=service.credentials.session_token,
            region=call.region,
            service=service.name,
            now_ms=call.now_ms,
        )
        sent = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in signed]
        return OutgoingRequest(
            request.method,
            service.host,
            service.port,
            path + (f"?{query}" if query else ""),
            sent + unsigned,
            request.body,
            is_tls=service.is_tls,
            read_ms=READ_MS,
            body_bytes_max=ANSWER_BYTES_MAX,
        )


def bucket_path(request: Request, service: str) -> str:
    """Give the path, with the bucket that SDKs put before `localhost` (`photos.localhost:4566`) in front of it."""
    name = request.host().partition(":")[0]
    if service == "s3" and name.endswith(".localhost"):
        return f"/{name.removesuffix('.localhost')}{request.path}"
    return request.path


def _operation_of(request: Request, headers: Mapping[bytes, bytes], service: str) -> str:
    """Give the operation that a request names, if the endpoint cannot take it for another; else "*".

    A name counts where protocols of names have it: of services whose operations have paths (S3 above all) a target or
    an Action says nothing. Whatever names two operations, or one in a way that servers read differently, names none.
    """
    is_by_path = service.startswith("s3") or (request.path != "/" and service not in _QUEUES)
    if is_by_path or request.method not in ("GET", "POST"):
        return _ANY
    is_form = headers.get(b"content-type", b"").lower().startswith(_FORM)
    texts = [request.query, request.body.decode("latin-1") if is_form else ""]
    named = [value for text in texts if text for name, value in _fields(text) if name == "Action"]
    target = headers.get(b"x-amz-target")
    if target is not None:
        named.append(target.decode("latin-1").rpartition(".")[2] if request.method == "POST" else _ANY)
    return named[0] if len(named) == 1 and _NAME.fullmatch(named[0]) else _ANY


def _fields(text: str) -> list[tuple[str, str]]:
    """Read a form or query string; a semicolon separates too: some servers think so."""
    try:
        return parse_qsl(text.replace(";", "&"), keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX)
    except ValueError:
        return [("Action", _ANY), ("Action", _ANY)]
