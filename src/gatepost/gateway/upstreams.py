"""Which addresses HTTP integrations may reach, and how an integration URI is read.

Link-local addresses hold the metadata services of clouds, with the machine's credentials: an API must never be
a way to them, whoever wrote its template. Other private addresses are the operator's choice; they are allowed by
default, because local upstreams are what most people run beside a local gateway.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
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
        if isinstance(ip, ipaddress.IPv6Address) and any(not self(str(embedded)) for embedded in _embedded(ip)):
            return False
        if any(ip in network for network in _ALWAYS_REFUSED if network.version == ip.version):
            return False
        return self._private_allowed or ip.is_global

    def __repr__(self) -> str:
        return f"AddressPolicy(private {'allowed' if self._private_allowed else 'refused'}, link-local refused)"


# Below these the last 32 bits are an IPv4 address that a translator or the kernel may send the packets to: compatible
# addresses (RFC 4291, 2.5.5.1), NAT64's prefix (RFC 6052) and its local ones (RFC 8215).
_ENDING_IN_IPV4: Final = tuple(ipaddress.ip_network(prefix) for prefix in ("::/96", "64:ff9b::/96", "64:ff9b:1::/48"))
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})  # RFC 5214: before the last 32 bits, whatever the prefix


def _embedded(ip: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """Give the IPv4 addresses to which packets for `ip` may go in the end."""
    if ip.ipv4_mapped is not None:
        yield ip.ipv4_mapped
    if ip.sixtofour is not None:
        yield ip.sixtofour
    if ip.teredo is not None:
        yield from ip.teredo
    is_plain = ip.is_loopback or ip.is_unspecified
    if (any(ip in network for network in _ENDING_IN_IPV4) and not is_plain) or int(ip) >> 32 & 0xFFFF_FFFF in _ISATAP:
        yield ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)


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
