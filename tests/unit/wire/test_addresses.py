"""Names to addresses: remembered briefly, asked once, never on the loop."""

import asyncio
import socket

import pytest

from gatepost.kernel.clock import FixedClock
from gatepost.wire.addresses import Addresses, plain_address
from gatepost.wire.outgoing import ConnectFailed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:169.254.169.254", "169.254.169.254"),
        ("::FFFF:A9FE:A9FE", "169.254.169.254"),
        ("fe80::1%eth0", "fe80::1"),
        ("0:0::0:1", "::1"),
        ("example.org", None),
        ("127.1", None),  # the C library would read it as 127.0.0.1: it is looked up, and the result is checked
        ("0x7f000001", None),
        ("", None),
    ],
)
def test_addresses_are_brought_to_one_form(text, expected):
    assert plain_address(text) == expected


class Names:
    """A resolver in the loop's place."""

    def __init__(self, **known):
        self.known = known
        self.asked = []

    async def getaddrinfo(self, host, port, **_):
        self.asked.append(host)
        await asyncio.sleep(0)
        if host not in self.known:
            raise socket.gaierror("unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.known[host]]


def looked_up(monkeypatch, names, scenario, **options):
    clock = FixedClock()

    async def run():
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names.getaddrinfo)
        addresses = Addresses(clock=clock, keep_ms=5000, allow=options.get("allow"))
        try:
            return await scenario(addresses, clock)
        finally:
            await addresses.close()

    return asyncio.run(run())


def test_a_name_is_remembered_for_a_while(monkeypatch):
    names = Names(shop=["192.0.2.1", "192.0.2.1", "192.0.2.2"])

    async def scenario(addresses, clock):
        first = await addresses.of("shop")
        clock.advance(ms=4999)
        await addresses.of("SHOP.")
        asked = len(names.asked)
        clock.advance(ms=1)
        await addresses.of("shop")
        return first, asked, len(names.asked)

    assert looked_up(monkeypatch, names, scenario) == (("192.0.2.1", "192.0.2.2"), 1, 2)


def test_many_ask_at_once_and_the_resolver_is_asked_once(monkeypatch):
    names = Names(shop=["192.0.2.1"])

    async def scenario(addresses, _):
        await asyncio.gather(*(addresses.of("shop") for _ in range(10)))
        return names.asked

    assert looked_up(monkeypatch, names, scenario) == ["shop"]


def test_who_gives_up_does_not_end_the_others_question(monkeypatch):
    names = Names(shop=["192.0.2.1"])

    async def scenario(addresses, _):
        first = asyncio.ensure_future(addresses.of("shop"))
        second = asyncio.ensure_future(addresses.of("shop"))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert looked_up(monkeypatch, names, scenario) == ("192.0.2.1",)


def test_failures_are_not_remembered(monkeypatch):
    names = Names()

    async def scenario(addresses, _):
        with pytest.raises(ConnectFailed):
            await addresses.of("shop")
        names.known["shop"] = ["192.0.2.1"]
        return await addresses.of("shop")

    assert looked_up(monkeypatch, names, scenario) == ("192.0.2.1",)


def test_mapped_addresses_are_checked_as_what_they_reach(monkeypatch):
    names = Names(shop=["::ffff:169.254.169.254", "192.0.2.1"])

    async def scenario(addresses, _):
        return await addresses.of("shop")

    found = looked_up(monkeypatch, names, scenario, allow=lambda address: not address.startswith("169.254."))
    assert found == ("192.0.2.1",)
