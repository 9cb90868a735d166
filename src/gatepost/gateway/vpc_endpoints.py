"""The VPC endpoints for which the private listener stands: whose callers come through which.

There is no VPC here. Who comes through which endpoint is a matter of the caller's address, as it is of the network on
AWS: a client cannot choose by what it sends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

ADDRESSES_REMEMBERED_MAX: Final = 4_096
DEFAULT: Final = "vpce-00000000000000001=vpc-00000000000000001"
_FORM: Final = re.compile(r"(vpce-[0-9a-z]{1,32})(?:=(vpc-[0-9a-z]{1,32}))?((?:,[^,\s]+)*)")


@dataclass(frozen=True, slots=True)
class VpcEndpoint:
    """A VPC endpoint. `networks` are those of its callers; none: everybody."""

    id: str
    vpc_id: str = ""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    def takes(self, address: str) -> bool:
        """Say whether a caller with this address comes through it."""
        return not self.networks or any(ip_address(address) in network for network in self.networks)


def parse_vpc_endpoint(text: str) -> VpcEndpoint:
    """Read `VPCE_ID[=VPC_ID][,NETWORK…]`. Raises: ValueError."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("use vpce-ID=vpc-ID, followed by the networks of its callers: vpce-1=vpc-1,10.0.0.0/8")
    networks = tuple(ip_network(each) for each in found[3].split(",") if each)
    return VpcEndpoint(found[1], found[2] or "", networks)


class VpcEndpoints:
    """Finds the VPC endpoint of a caller: the first one that takes its address."""

    def __init__(self, declared: Sequence[str]) -> None:
        """Read what is declared; nothing stands for one endpoint that takes everybody. Raises: ValueError."""
        self._endpoints = tuple(parse_vpc_endpoint(each) for each in declared or (DEFAULT,))
        self._known: dict[str, VpcEndpoint | None] = {}

    def find(self, address: str) -> VpcEndpoint | None:
        """Give the endpoint that a caller comes through, or None: it comes through none."""
        if address in self._known:
            return self._known[address]
        found = next((each for each in self._endpoints if each.takes(address)), None)
        if len(self._known) >= ADDRESSES_REMEMBERED_MAX:
            self._known.clear()
        self._known[address] = found
        return found
