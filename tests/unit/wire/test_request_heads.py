"""Heads of one connection's requests, read one after the other."""

import pytest

from gatepost.wire.limits import ListenerLimits, Refused
from gatepost.wire.messages import Peer
from gatepost.wire.request_heads import RequestHeads

PEER = Peer("192.0.2.1", 5, is_tls=False)
LINES = b"Host: shop\r\nX-A: 1\r\n\r\n"


def some_heads() -> RequestHeads:
    return RequestHeads(ListenerLimits(), checked_bytes=200)


def test_header_lines_that_are_repeated_are_read_once():
    heads = some_heads()
    first = heads.read(b"GET /a HTTP/1.1\r\n" + LINES, PEER)
    second = heads.read(b"POST /b?c HTTP/1.1\r\n" + LINES, PEER)
    other = heads.read(b"GET /b HTTP/1.1\r\nHost: other\r\n\r\n", PEER)
    assert first.block is second.block
    assert (second.method, second.path, second.query, second.peer) == ("POST", "/b", "c", PEER)
    assert (other.host(), second.host()) == ("other", "shop")


@pytest.mark.parametrize("cut", range(1, 38, 4))
def test_a_head_that_came_in_parts_means_the_same(cut):
    head = b"GET /a HTTP/1.1\r\n" + LINES
    heads = some_heads()
    heads.read(head, PEER)
    heads.read_part(head[:cut])
    request = heads.read(head, PEER)
    assert (request.target, request.header(b"x-a")) == ("/a", b"1")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"GET  /a HTTP/1.1", "malformed"),
        (b"GET /a#b c HTTP/1.1", "malformed"),
        (b"GET /\x00 HTTP/1.1", "malformed"),
        (b"GET /a HTTP/1.2", "malformed"),
        (b"GET http://other/ HTTP/1.1", "host"),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1", "target_too_long"),
    ],
)
def test_repeated_header_lines_do_not_excuse_a_request_line(line, reason):
    heads = RequestHeads(ListenerLimits(target_bytes_max=8_000), checked_bytes=200)
    heads.read(b"GET /a HTTP/1.1\r\n" + LINES, PEER)
    with pytest.raises(Refused) as refused:
        heads.read(line + b"\r\n" + LINES, PEER)
    assert refused.value.reason == reason


def test_a_request_of_http_1_0_is_told_apart_and_its_lines_are_not_kept():
    heads = some_heads()
    heads.read(b"GET / HTTP/1.0\r\n" + LINES, PEER)
    assert heads.is_http_1_0
    heads.read(b"GET / HTTP/1.1\r\n" + LINES, PEER)
    assert not heads.is_http_1_0


def test_the_parser_does_not_wait_for_a_body_that_others_take():
    heads = some_heads()
    lines = b"Host: shop\r\nContent-Length: 3\r\n\r\n"
    for target in (b"/a", b"/b"):
        heads.read(b"POST " + target + b" HTTP/1.1\r\n" + lines, PEER)
        heads.body_begins()
    assert heads.read(b"GET /c HTTP/1.1\r\n" + LINES, PEER).target == "/c"
