"""Headers read at once are those that the wire has split."""

from __future__ import annotations

import pytest

from gatepost.awsapi.headers import headers_of
from gatepost.security.sigv4 import joined_headers
from gatepost.wire.messages import HeaderBlock, Peer, Request


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b"Host: localhost"],
        [b"Host: a", b"X-Amz-Date:b", b"X-Empty:", b"X-Spaces:   c  d", b"X-Colon: a:b: c"],
        [b"X: trailing \t", b"Y: z"],
        [b"X: 1", b"x: 2", b"Y: z", b"X:3"],
        [b"X: " + bytes(range(0x80, 0x100))],
    ],
)
def test_they_are_what_the_wire_gives(lines: list[bytes]) -> None:
    block = b"".join(b"\r\n" + line for line in lines) + b"\r\n\r\n"
    request = Request("GET", "/", block=HeaderBlock(block, block.lower(), ""), peer=Peer("127.0.0.1", 1, is_tls=False))
    assert headers_of(request) == joined_headers(request.headers)


def test_a_request_made_by_hand_is_read_too() -> None:
    assert headers_of(Request("GET", "/", [(b"A", b"1"), (b"a", b"2")])) == {b"a": b"1,2"}
