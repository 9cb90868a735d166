"""Requests to user pools' domains that arrive at the gateway: they are passed to services, which shows the pages.

A domain is `{prefix}.auth.{region}.localhost` (or `….amazoncognito.com`), a custom domain that services has published,
or the path `/_aws/auth/{domain}/`. Whatever else a request names is asked first, so that APIs pay nothing for this.

When services is away the pages are too: 503. At most `BODY_BYTES_MAX` are passed, and so many requests at once as the
link takes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from gatepost.gateway.exchange import Exchange
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ports import PageRequest, PoolPages, Replica
from gatepost.services.cognito_idp.publication import (
    PATH_PREFIX,
    POOL_DOMAIN,
    PublishedPoolDomain,
    is_prefix_host,
    name_of_host,
)
from gatepost.wire.messages import Request, Response

log = logging.getLogger(__name__)

BODY_BYTES_MAX: Final = 64 * 1024  # no form of the pages is larger
_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
_UNREADABLE: Final = (KeyError, TypeError, AttributeError)


class PoolDomains:
    """Knows user pools' domains, and has services answer for them."""

    def __init__(self, pages: PoolPages) -> None:
        self._pages = pages
        self._custom: dict[str, PublishedPoolDomain] = {}

    def follow(self, replica: Replica) -> None:
        """Keep up with the custom domains from now on."""
        replica.watch(POOL_DOMAIN, self.take_domain)

    def take_domain(self, name: str, value: Mapping[str, Any] | None) -> None:
        """Answer for a custom domain; None: not any more."""
        self._custom.pop(name, None)
        if value is None:
            return
        try:
            self._custom[name] = PublishedPoolDomain.from_json(name, value)
        except _UNREADABLE as error:
            log.error("a user pool's domain cannot be read", extra={"domain": name, "error": str(error)})

    def has(self, request: Request) -> bool:
        """Say whether a request is for a user pool's domain."""
        if request.path.startswith(PATH_PREFIX):
            return True
        name = name_of_host(request.host())
        return name in self._custom or is_prefix_host(name)

    async def run(self, exchange: Exchange) -> Response:
        """Answer with what services answers."""
        request = exchange.request
        if len(request.body) > BODY_BYTES_MAX:
            return Response(413, [_TEXT], b"The form is too large")
        asked = PageRequest(
            request.method,
            request.target,
            request.headers,
            request.body,
            request.client_ip,
            request.is_tls,
            exchange.request_id,
        )
        try:
            shown = await self._pages.page(asked)
        except ServiceError as error:
            log.warning("a user pool's page is not to be had", extra={"error": error.message})
            return Response(503, [_TEXT, (b"retry-after", b"1")], b"Sign-in is not available. Try again in a moment.")
        return Response(shown.status, list(shown.headers), shown.body)
