"""Client certificates by which backends know the gateway: a client of its own for each certificate that a stage names.

The clients are made when they are first used. If a certificate is not here, its requests fail as when there is no
connection: nothing is ever sent without the certificate that a stage asks for.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/getting-started-client-side-ssl-authentication.html
"""

from __future__ import annotations

import base64
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gatepost.gateway.upstream_calls import Sender
from gatepost.kernel.ports import Replica
from gatepost.security.sealing import NotSealed, Seal
from gatepost.security.tls_contexts import BadContext, client_context
from gatepost.services.apigateway.model import CERTIFICATE_PURPOSE, CLIENT_CERTIFICATE
from gatepost.wire.messages import Headers
from gatepost.wire.outgoing import ConnectFailed, IncomingResponse, OutgoingRequest

log = logging.getLogger(__name__)


class ClosableSender(Sender, Protocol):
    """A client that keeps connections."""

    async def close(self) -> None:
        """Close every connection."""
        ...


@dataclass(slots=True)
class _Held:
    certificate_pem: str
    private_key_pem: bytes = field(repr=False)
    client: ClosableSender | None = None


class BackendCertificates:
    """The certificates that are published, by `{account}/{region}/{id}`."""

    def __init__(self, seal: Seal, make_client: Callable[[ssl.SSLContext], ClosableSender]) -> None:
        self._seal = seal
        self._make_client = make_client
        self._held: dict[str, _Held] = {}

    def follow(self, replica: Replica) -> None:
        """Keep up with what is published from now on."""
        replica.watch(CLIENT_CERTIFICATE, self.take)

    def take(self, key: str, value: Mapping[str, Any] | None) -> None:
        """Hold a certificate, or (None) forget it; requests that run end on its connections."""
        if value is None:
            self._held.pop(key, None)
            return
        try:
            sealed = base64.b64decode(value["sealed_private_key"])
            private_key = self._seal.open(sealed, purpose=CERTIFICATE_PURPOSE)
        except (KeyError, ValueError, NotSealed) as error:
            log.error("a client certificate cannot be opened", extra={"key": key, "error": str(error)})
            self._held.pop(key, None)
            return
        held = self._held.get(key)
        if held is None or held.private_key_pem != private_key:
            self._held[key] = _Held(value["certificate_pem"], private_key)

    def sender(self, account_id: str, region: str, certificate_id: str, plain: Sender) -> Sender:
        """Give what sends requests with a certificate; `plain` renders their headers."""
        return CertifiedSender(self, f"{account_id}/{region}/{certificate_id}", plain)

    def client(self, key: str) -> Sender:
        """Give the client of a certificate. Raises: ConnectFailed when it is not here, or no certificate."""
        held = self._held.get(key)
        if held is None:
            raise ConnectFailed(f"The client certificate {key} is not here")
        if held.client is None:
            try:
                context = client_context(held.certificate_pem, held.private_key_pem)
            except BadContext as error:
                raise ConnectFailed(f"The client certificate {key} cannot be used: {error}") from error
            held.client = self._make_client(context)
        return held.client

    async def close(self) -> None:
        """Close the connections of every client."""
        for held in self._held.values():
            if held.client is not None:
                await held.client.close()


class CertifiedSender:
    """Sends requests with one certificate, whichever client stands for it at that moment."""

    __slots__ = ("_certificates", "_key", "_plain")

    def __init__(self, certificates: BackendCertificates, key: str, plain: Sender) -> None:
        self._certificates = certificates
        self._key = key
        self._plain = plain

    def prepare(self, headers: Headers) -> bytes:
        """Render headers that many requests share. Raises: ValueError when they cannot be sent."""
        return self._plain.prepare(headers)

    def send(self, request: OutgoingRequest) -> Awaitable[IncomingResponse]:
        """Send `request`; without TLS nobody asks for a certificate. Raises: as `Sender.send`."""
        client = self._certificates.client(self._key) if request.is_tls else self._plain
        return client.send(request)
