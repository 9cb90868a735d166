"""Which addresses HTTP integrations may reach, and how an integration URI is read.

Link-local addresses hold the metadata services of clouds, with the machine's credentials: an API must never be
a way to them, whoever wrote its template. Other private addresses are the operator's choice; they are allowed by
default, because local upstreams are what most people run beside a local gateway.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

from gatepost.gateway.mapping import MappingError, resolve_stage_variables
from gatepost.gateway.route import StageFacts

_ALWAYS_REFUSED: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16",  # link-local: 169.254.169.254 and .170.2 hold credentials on AWS
        "fe80::/10",
        "fd00:ec2::254/128",  # AWS's metadata service over IPv6
        "fd20:ce::254/128",  # Google Cloud's
        "100.100.100.200/32",  # Alibaba Cloud's
        "168.63.129.16/32",  # Azure's
        "224.0.0.0/4",
        "ff00::/8",
        "255.255.255.255/32",
    )
)
_URI: Final = re.compile(r"(https?)://([^/?#]*)(/[^?#]*)?(?:\?([^#]*))?")
_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]{1,253})(?::(\d{1,5}))?")
_TEXT: Final = re.compile(r"[!-~]*")
_VARIABLE: Final = re.compile(r"\{([^{}]*)\}")
_ALIAS: Final = re.compile(r"([a-z0-9-]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com")


class AddressPolicy:
    """Says for an IP address whether connections to it are permitted; handed to the wire's client."""

    def __init__(self, *, private_allowed: bool = True) -> None:
        self._private_allowed = private_allowed

    def __call__(self, address: str) -> bool:
        """Say whether `address`, in its plainest form, may be connected to."""
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(ip, ipaddress.IPv6Address):
            embedded = ip.ipv4_mapped or ip.sixtofour or _nat64(ip)
            if embedded is not None and not self(str(embedded)):
                return False
        if any(ip in network for network in _ALWAYS_REFUSED if network.version == ip.version):
            return False
        return self._private_allowed or ip.is_global

    def __repr__(self) -> str:
        return f"AddressPolicy(private {'allowed' if self._private_allowed else 'refused'}, link-local refused)"


_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


def _nat64(ip: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF) if ip in _NAT64 else None


@dataclass(frozen=True, slots=True)
class Upstream:
    """An integration URI taken apart. `path` alternates text and names of path variables, text first.

    `alias_api_id` is set when the host is AWS's name of an API, which may be one of ours.
    """

    host: str
    port: int
    is_tls: bool
    path: tuple[str, ...]
    query: str
    alias_api_id: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self.is_tls else ''}://{host}:{self.port}"


def parse_upstream(uri: str, stage: StageFacts, policy: AddressPolicy) -> Upstream:
    """Read an HTTP integration's URI, stage variables put in. Raises: MappingError when it cannot work."""
    resolved = resolve_stage_variables(uri, stage)
    found = _URI.fullmatch(resolved)
    authority = _AUTHORITY.fullmatch(found.group(2)) if found is not None else None
    if found is None or authority is None or not _TEXT.fullmatch(resolved):
        raise MappingError(f"integration URI {resolved!r}: use http://HOST[:PORT]/path or https://…, percent-encoded")
    scheme, _, path, query = found.groups()
    host = authority.group(1).strip("[]").lower()
    port = int(authority.group(2) or (443 if scheme == "https" else 80))
    if not 1 <= port <= 65_535:
        raise MappingError(f"integration URI {resolved!r}: port {port} does not exist")
    if _is_address(host) and not policy(host):
        raise MappingError(f"integration URI {resolved!r}: connections to {host} are not allowed")
    alias = _ALIAS.fullmatch(host)
    return Upstream(
        host=host,
        port=port,
        is_tls=scheme == "https",
        path=tuple(_VARIABLE.split(path or "/")),
        query=query or "",
        alias_api_id=alias.group(1) if alias is not None else "",
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
