"""HTTP/2's header lists as requests: the same block, the same rules as HTTP/1.1."""

import pytest

from gatepost.wire.http2_requests import request_of
from gatepost.wire.limits import ListenerLimits, Refused
from gatepost.wire.messages import Peer

PEER = Peer("127.0.0.1", 1, is_tls=True)
PSEUDO = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"API.shop.test"), (b":path", b"/a?b=c")]


def made(*headers, pseudo=PSEUDO):
    return request_of([*pseudo, *headers], limits=ListenerLimits(), peer=PEER)


def test_a_list_becomes_the_block_that_http_1_1_would_have_had():
    request = made((b"x-a", b"1"), (b"x-a", b"2"))
    assert request.block.block == b"\r\nhost: API.shop.test\r\nx-a: 1\r\nx-a: 2\r\n\r\n"
    assert request.headers == [(b"host", b"API.shop.test"), (b"x-a", b"1"), (b"x-a", b"2")]
    assert (request.method, request.path, request.query) == ("GET", "/a", "b=c")
    assert request.host() == "api.shop.test"


def test_a_host_stands_for_a_missing_authority_and_may_repeat_it():
    plain = [each for each in PSEUDO if each[0] != b":authority"]
    assert made((b"host", b"shop.test"), pseudo=plain).host() == "shop.test"
    assert made((b"host", b"api.SHOP.test")).headers == [(b"host", b"API.shop.test")]
    with pytest.raises(Refused, match="Host"):
        made(pseudo=plain)
    with pytest.raises(Refused, match="twice"):
        made((b"host", b"a.test"), (b"host", b"b.test"), pseudo=plain)


@pytest.mark.parametrize(
    "header",
    [
        (b"x", b"a\r\nb"),
        (b"x", b"a\0"),
        (b"x", b" a"),
        (b"x", b"a\t"),
        (b"X", b"a"),
        (b"", b"a"),
        (b"x y", b"a"),
        (b"transfer-encoding", b"chunked"),
        (b"connection", b"x"),
        (b"te", b"deflate"),
        (b":path", b"/other"),
        (b":status", b"200"),
    ],
)
def test_what_http_1_1_could_not_say_is_refused(header):
    with pytest.raises(Refused):
        made(header)
