"""Which addresses a name has: looked up beside the loop, remembered briefly, and checked by the caller's policy.

A connection is made to the very address that was checked. A name that is looked up again between the
check and the connection could then be somewhere else (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from typing import Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.tasks import Tasks
from gatepost.wire.outgoing import AddressRefused, NameUnknown

NAMES_MAX: Final = 4_096
ADDRESSES_MAX: Final = 8  # of one name that are tried
LOOPBACK: Final = ("127.0.0.1", "::1")

AllowAddress = Callable[[str], bool]


def plain_address(text: str) -> str | None:
    """Give an IP address in its plainest form (no zone, IPv4 where it is mapped), or None when `text` is a name."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


class Addresses:
    """Looks names up. `allow` says of an IP address whether connections to it are permitted."""

    def __init__(self, *, clock: Clock, keep_ms: int, allow: AllowAddress | None) -> None:
        self._clock = clock
        self._keep_ns = keep_ms * 1_000_000
        self._allow = allow
        self._known: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._asked: dict[str, asyncio.Task[tuple[str, ...]]] = {}
        self._tasks = Tasks("addresses")

    async def of(self, host: str) -> tuple[str, ...]:
        """Give the permitted addresses of `host`, in the order to try them. Raises: ConnectFailed."""
        found = await self._find(host)
        if not found:
            raise NameUnknown(f"{host} has no address")
        if self._allow is None:
            return found
        allowed = tuple(address for address in found if self._allow(address))
        if not allowed:
            raise AddressRefused(f"{host} has only addresses that are not allowed: {', '.join(found)}")
        return allowed

    async def _find(self, host: str) -> tuple[str, ...]:
        address = plain_address(host)
        if address is not None:
            return (address,)
        name = host.lower().rstrip(".")
        if name == "localhost" or name.endswith(".localhost"):
            return LOOPBACK  # RFC 6761 section 6.3; the C library of Debian knows no names below it
        known = self._known.get(name)
        if known is not None and self._clock.monotonic_ns() < known[0]:
            return known[1]
        task = self._asked.get(name)
        if task is None:
            task = self._asked[name] = self._tasks.spawn(self._look_up(name), name="look up")
        return await asyncio.shield(task)  # others wait for the same answer

    async def _look_up(self, name: str) -> tuple[str, ...]:
        try:
            infos = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return ()
        finally:
            self._asked.pop(name, None)
        texts = (plain_address(str(info[4][0])) for info in infos)
        found = tuple(dict.fromkeys(text for text in texts if text is not None))[:ADDRESSES_MAX]
        if len(self._known) >= NAMES_MAX:
            self._known.clear()
        self._known[name] = (self._clock.monotonic_ns() + self._keep_ns, found)
        return found

    async def close(self) -> None:
        """End what is being looked up."""
        await self._tasks.close()
