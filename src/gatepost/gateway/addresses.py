"""Addresses that clients call from, and a bucket for each of those that call without credentials."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import islice
from typing import Final

from gatepost.gateway.buckets import Bucket, Buckets
from gatepost.services.apigateway.usage_model import Throttle
from gatepost.wire.messages import Request

ADDRESSES_MAX: Final = 100_000
HOPS_MAX: Final = 20
_FORWARDED: Final = b"x-forwarded-for"


class ClientAddresses:
    """Whose address a request has: the connection's, or what proxies that the operator trusts say."""

    def __init__(self, trusted_proxies: Sequence[str] = ()) -> None:
        self._trusted: tuple[IPv4Network | IPv6Network, ...] = tuple(ip_network(each) for each in trusted_proxies)

    def of(self, request: Request) -> str:
        """Give the address; of IPv6 the first 64 bits, which is what one customer has."""
        address = request.peer.ip
        if self._trusted and self._is_trusted(address):
            # All of them, in order: a proxy may add a header of its own after one that the client has made up.
            lines = [value for name, value in request.headers if name.lower() == _FORWARDED]
            chain = b",".join(lines).decode("latin-1").split(",")
            for hop in reversed(chain[-HOPS_MAX:]):
                name = hop.strip()
                if not _is_address(name):
                    break
                address = name
                if not self._is_trusted(name):
                    break
        return _network_of(address) if ":" in address else address

    def _is_trusted(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _network_of(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return str(IPv6Network((int(parsed) >> 64 << 64, 64)))
    return str(parsed.ipv4_mapped) if isinstance(parsed, IPv6Address) else address


class AddressBuckets:
    """A stage's buckets by address, at most `ADDRESSES_MAX`; over that the ones seen first go."""

    def __init__(self, name: str, throttle: Throttle, buckets: Buckets, addresses: ClientAddresses) -> None:
        self._name = name
        self._throttle = throttle
        self._buckets = buckets
        self._addresses = addresses
        self._held: dict[str, Bucket] = {}

    def of(self, request: Request) -> Bucket:
        """Give the bucket of a request's address."""
        address = self._addresses.of(request)
        found = self._held.get(address)
        if found is None:
            if len(self._held) >= ADDRESSES_MAX:
                for oldest in list(islice(self._held, ADDRESSES_MAX // 10)):
                    del self._held[oldest]
            found = self._held[address] = self._buckets.bucket(f"address/{self._name}/{address}", self._throttle)
        return found

    def change(self, throttle: Throttle) -> None:
        """Begin anew with another throttle."""
        if throttle != self._throttle:
            self._throttle = throttle
            self._held.clear()
