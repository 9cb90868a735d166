"""The domains of user pools as the endpoint sees them: somebody else answers there, pages and OAuth 2.0 alike.

Browsers come to them from everywhere; whoever answers tells its own forms from other sites'.
"""

from __future__ import annotations

from typing import Final, Protocol

from gatepost.wire.messages import Request, Response

HOSTED_PREFIX: Final = "/_aws/auth/"


class HostedDomains(Protocol):
    """Answers at `{domain}.auth.{region}.…`, at custom domains, and below `HOSTED_PREFIX`."""

    def is_custom_domain(self, name: str) -> bool:
        """Say whether a host name is a custom domain."""
        ...

    async def answer(self, request: Request, request_id: str) -> Response:
        """Answer a request."""
        ...
