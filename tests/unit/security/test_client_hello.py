"""The reader of client hellos: against OpenSSL's own, in pieces, and against noise."""

import random
import ssl

import pytest

from gatepost.security.client_hello import NoClientHello, server_name


def a_hello(name=None):
    context = ssl.create_default_context()
    outgoing = ssl.MemoryBIO()
    if name is None:
        context.check_hostname = False
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def fragmented(hello, size):
    """Cut a hello into records of `size` bytes."""
    body = hello[5:]
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces)


def test_the_name_is_found_in_lower_case():
    assert server_name(a_hello("API.shop.example")) == "api.shop.example"


def test_a_client_without_a_name_asks_for_none():
    assert server_name(a_hello()) == ""


def test_every_beginning_of_a_hello_waits_for_more():
    hello = a_hello("api.shop.example")
    assert all(server_name(hello[:size]) is None for size in range(len(hello)))


def test_a_hello_may_come_in_several_records():
    hello = a_hello("api.shop.example")
    assert server_name(fragmented(hello, 64)) == "api.shop.example"
    with pytest.raises(NoClientHello, match="pieces"):
        server_name(fragmented(hello, 16))


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x80\x2e\x01\x00\x02",  # SSL 2
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\xff\xff\x01",
        b"\x16\x03\x01\x00\x04\x02\x00\x00\x10",
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
        b"\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03",
    ],
)
def test_what_is_no_hello_is_refused(data):
    with pytest.raises(NoClientHello):
        server_name(data)


def test_noise_is_a_hello_or_refused_and_never_anything_else():
    hello = a_hello("api.shop.example")
    dice = random.Random(4)
    for _ in range(3_000):
        noise = bytearray(hello)
        for _ in range(dice.randint(1, 8)):
            noise[dice.randrange(len(noise))] = dice.randrange(256)
        try:
            name = server_name(bytes(noise))
        except NoClientHello:
            continue
        assert name is None or isinstance(name, str)
