"""Gatepost's own paths on the AWS endpoint: what they are, and which of them a request means."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, Final

from gatepost.kernel.operations import Call
from gatepost.wire.messages import Request, Response

PREFIX: Final = "/_gatepost/"
OPERATIONS_PREFIX: Final = "/_gatepost/operations/"

RouteHandler = Callable[[Request, Call], Response | Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True)
class OwnRoute:
    """A path under `/_gatepost/`; one that ends in `/` means everything below it as well.

    `action` None: anyone may call, unsigned (health, the console's files). Else the request must be signed and its
    principal allowed to do `action` (`gatepost:Reset`) on `*`. The handler gets the call with its principal, which is
    anonymous on an open path.
    """

    method: str
    path: str
    handler: RouteHandler
    action: str | None
    body_bytes_max: int = 1024 * 1024


class OwnRoutes:
    """Finds the own route of a request."""

    def __init__(self, routes: Iterable[OwnRoute]) -> None:
        self._exact: dict[tuple[str, str], OwnRoute] = {}
        self._below: list[OwnRoute] = []
        for route in routes:
            if not route.path.startswith(PREFIX) or route.path.startswith(OPERATIONS_PREFIX):
                raise ValueError(f"own route {route.path}: use a path below {PREFIX} that is not an operation's")
            self._exact[route.method, route.path] = route
            if route.path.endswith("/"):
                self._below.append(route)
        self._below.sort(key=lambda route: -len(route.path))

    def find(self, method: str, path: str) -> OwnRoute | None:
        """Give the route, or None. HEAD means GET."""
        method = "GET" if method == "HEAD" else method
        found = self._exact.get((method, path))
        if found is None:
            for route in self._below:
                if route.method == method and path.startswith(route.path):
                    return route
        return found
