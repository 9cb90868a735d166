"""What the pure intrinsic functions compute, apart from how a template calls them."""

from __future__ import annotations

import base64
import ipaddress
from typing import Any, Final

CIDR_COUNT_MAX: Final = 256


def select(index: Any, items: Any) -> Any:
    """Give item `index` (a number or its text). Raises: ValueError."""
    if not isinstance(items, list):
        raise ValueError("Fn::Select takes an index and a list")
    try:
        position = int(index)
    except (TypeError, ValueError) as fault:
        raise ValueError(f"Fn::Select: {index!r} is no index") from fault
    if not 0 <= position < len(items):
        raise ValueError(f"Fn::Select cannot select nonexistent value at index {position}: the list has {len(items)}")
    return items[position]


def base64_text(text: str) -> str:
    """Encode a text's UTF-8."""
    return base64.b64encode(text.encode()).decode("ascii")


def cidr(block: str, count: str, bits: str = "") -> list[str]:
    """Give `count` subnets of `block`, each with `bits` host bits.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-cidr.html
    Raises: ValueError.
    """
    network = ipaddress.ip_network(block)
    number = int(count)
    if not 1 <= number <= CIDR_COUNT_MAX:
        raise ValueError(f"count is {number}: use 1 to {CIDR_COUNT_MAX}")
    width = network.max_prefixlen
    host_bits = int(bits) if bits else width // 4
    prefix = width - host_bits
    if not network.prefixlen <= prefix <= width:
        raise ValueError(f"{host_bits} host bits do not fit into {block}")
    if number > 2 ** (prefix - network.prefixlen):
        raise ValueError(f"{block} has no room for {number} subnets with {host_bits} host bits")
    first, step = int(network.network_address), 1 << host_bits
    address = ipaddress.IPv6Address if network.version == 6 else ipaddress.IPv4Address
    return [f"{address(first + index * step)}/{prefix}" for index in range(number)]


def availability_zones(region: str) -> list[str]:
    """Give three zones of a region. AWS's list is the account's own; nothing here depends on zones."""
    return [f"{region}{letter}" for letter in "abc"]
