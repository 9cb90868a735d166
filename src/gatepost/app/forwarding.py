"""Requests for deployed APIs that arrive on the AWS endpoint go on to the gateway's own listener."""

from __future__ import annotations

import ipaddress
from collections.abc import Coroutine
from typing import Any, Final

from gatepost.wire.client import Client
from gatepost.wire.messages import Request, Response
from gatepost.wire.outgoing import OutgoingRequest, UpstreamError

READ_MS: Final = 40_000  # longer than any integration may take
BODY_BYTES_MAX: Final = 11 * 1024 * 1024
JSON: Final = (b"content-type", b"application/json")


class ApiForwarder:
    """A `wire.messages.Handler` that passes a request on unchanged.

    The gateway takes the client's address from its connection. That would be ours, so only requests from this
    machine are passed on: nobody else may look like loopback to a resource policy.
    """

    def __init__(self, client: Client, *, host: str, port: int) -> None:
        self._client = client
        self._host = host
        self._port = port

    def __call__(self, request: Request) -> Response | Coroutine[Any, Any, Response]:
        """Answer with what the gateway answers."""
        if not ipaddress.ip_address(request.client_ip.partition("%")[0]).is_loopback:
            message = b'{"message":"Deployed APIs answer to other machines on the gateway\'s own port"}'
            return Response(403, [JSON], message)
        return self._pass_on(request)

    async def _pass_on(self, request: Request) -> Response:
        outgoing = OutgoingRequest(
            request.method,
            self._host,
            self._port,
            request.target,
            [(name, value) for name, value in request.headers if name.lower() != b"content-length"],
            request.body,
            read_ms=READ_MS,
            body_bytes_max=BODY_BYTES_MAX,
        )
        try:
            answer = await self._client.send(outgoing)
        except UpstreamError:
            return Response(503, [JSON], b'{"message":"The gateway does not answer"}')
        return Response(answer.status, answer.headers, answer.body)
