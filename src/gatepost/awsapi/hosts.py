"""Which Host and Origin headers the AWS endpoint answers to.

A web page can make a browser send requests to a loopback address: by DNS rebinding (the Host header then is the page's
own name) or across origins (the Origin header says so). The endpoint therefore answers only to names that are its own,
and to browsers only from origins that it was given.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

from gatepost.awsapi.errors import UntrustedHost

HostKind = Literal["aws", "api", "auth"]
HOSTS_KEPT_MAX: Final = 256
API_LABELS: Final = frozenset({"execute-api", "appsync-api", "appsync-realtime-api", "lambda-url"})
# How containers call their host: no page on the web can have these names.
CONTAINER_NAMES: Final = frozenset({"host.docker.internal", "host.containers.internal"})
_FOREIGN_SITES: Final = frozenset({b"cross-site", b"same-site"})  # a site has many ports
AUTH_LABEL: Final = "auth"  # shop.auth.us-east-1.localhost: a user pool's domain
_AUTH_NAMES: Final = (".localhost", ".amazoncognito.com")
_UNSPECIFIED: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 compared with, never bound


class HostGuard:
    """Tells requests for the AWS endpoint, requests for deployed APIs, and everything else apart.

    Known names: `localhost`, `*.localhost`, loopback addresses, the names by which containers call their host,
    `*.amazonaws.com` (aliases of what is local), `*.auth.*` below `localhost` and `amazoncognito.com`, and `hosts`;
    when one of `hosts` is the unspecified address, any IP address. `is_domain` knows user pools' custom domains.
    """

    def __init__(
        self,
        hosts: Iterable[str],
        *,
        origins: Iterable[str] = (),
        is_domain: Callable[[str], bool] | None = None,
    ) -> None:
        self._is_domain = is_domain
        self._hosts = frozenset(host.lower().strip("[]") for host in hosts)
        self._origins = {origin.lower().encode() for origin in origins}
        self._any_address = bool(self._hosts & _UNSPECIFIED)
        self._kept: dict[bytes, HostKind] = {}

    def trust_origin(self, origin: str) -> None:
        """Answer to the pages of `origin` (`http://127.0.0.1:4566`), known once the listener has its port."""
        self._origins.add(origin.lower().encode())

    def kind(self, headers: Mapping[bytes, bytes]) -> HostKind:
        """Say what the Host header addresses. Raises: UntrustedHost."""
        host = headers.get(b"host", b"")
        found = self._kept.get(host)
        if found is None:
            found = self._judge(host)
            if found != "auth" and len(self._kept) < HOSTS_KEPT_MAX:  # custom domains come and go
                self._kept[host] = found
        return found

    def check_origin(self, headers: Mapping[bytes, bytes]) -> None:
        """Refuse a browser that comes from a page which is not ours. Raises: UntrustedHost.

        A page's images and links make a GET without Origin; browsers then say in Sec-Fetch-Site where it comes from.
        """
        origin = headers.get(b"origin")
        if origin is not None:
            is_foreign = origin.lower() not in self._origins
        else:
            is_foreign = headers.get(b"sec-fetch-site") in _FOREIGN_SITES
        if is_foreign:
            raise UntrustedHost("The AWS endpoint does not answer to web pages of other origins")

    def _judge(self, host: bytes) -> HostKind:
        name = host_name(host.decode("latin-1").lower())
        labels = name.split(".")
        if len(labels) > 2 and labels[1] == AUTH_LABEL and name.endswith(_AUTH_NAMES):
            return "auth"
        is_known = (
            name == "localhost"
            or name in CONTAINER_NAMES
            or name in self._hosts
            or name.endswith((".localhost", ".amazonaws.com"))
            or self._is_known_address(name)
        )
        if not is_known and self._is_domain is not None and self._is_domain(name):
            return "auth"
        if not is_known:
            told = f"This endpoint does not answer to the host name {name[:128]!r}"
            raise UntrustedHost(f"{told}: use localhost, or start Gatepost with --host {name[:128]}")
        return "api" if len(labels) > 2 and labels[1] in API_LABELS else "aws"

    def _is_known_address(self, name: str) -> bool:
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or self._any_address


def host_name(host: str) -> str:
    """Give a Host header's name without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host
