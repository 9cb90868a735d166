"""Requests made by hand behave like those that came over the wire."""

import pytest

from gatepost.wire.headers import read_block
from gatepost.wire.messages import FIRSTS_MAX, HeaderBlock, Peer, Request


def by_hand() -> Request:
    return Request(
        "HEAD", "/a?b", [(b"Host", b"Shop"), (b"X-A", b"1")], client_ip="192.0.2.1", client_port=5, is_tls=True
    )


def by_wire() -> Request:
    block = read_block(b"\r\nHost: Shop\r\nX-A: 1\r\n\r\n", is_http_1_0=False, headers_max=9)
    return Request("HEAD", "/a?b", block=block, peer=Peer("192.0.2.1", 5, is_tls=True))


@pytest.mark.parametrize("make", [by_hand, by_wire])
def test_a_request_knows_what_it_is(make):
    request = make()
    assert (request.method, request.path, request.query, request.target) == ("HEAD", "/a", "b", "/a?b")
    assert request.headers == [(b"Host", b"Shop"), (b"X-A", b"1")]
    assert (request.header(b"x-a"), request.header(b"x-b"), request.host()) == (b"1", None, "shop")
    assert (request.client_ip, request.client_port, request.is_tls) == ("192.0.2.1", 5, True)
    assert (request.head_only, request.body) == (True, b"")


@pytest.mark.parametrize("make", [by_hand, by_wire])
def test_an_attribute_that_does_not_exist_is_an_error(make):
    with pytest.raises(AttributeError):
        _ = make().no_such_attribute


def test_a_block_without_headers():
    assert HeaderBlock(b"\r\n\r\n", b"\r\n\r\n", "").split() == ()


def test_fields_that_were_asked_for_are_remembered_and_so_are_those_that_are_not_there():
    block = read_block(b"\r\nHost: Shop\r\nX-A: 1\r\nx-a: 2\r\n\r\n", is_http_1_0=False, headers_max=9)
    assert [block.first(b"x-a"), block.first(b"x-b")] == [b"1", None]
    assert [block.first(b"x-a"), block.first(b"x-b")] == [b"1", None]
    for number in range(FIRSTS_MAX * 2):
        assert block.first(b"x-%d" % number) is None
    assert len(block._firsts) == FIRSTS_MAX
    assert block.first(b"host") == b"Shop"
