"""What header blocks mean."""

import httptools
import pytest

from gatepost.wire.headers import CHUNKED, UNTIL_CLOSED, read_block, read_response_block, values_bytes
from gatepost.wire.limits import Refused


def block(*lines: bytes) -> bytes:
    return b"\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


@pytest.mark.parametrize(
    "host",
    [
        b"shop.example",
        b"SHOP.example:8080",
        b"127.0.0.1",
        b"[::1]",
        b"[::1]:80",
        b"a_b.example",
        b"abc.execute-api.us-east-1.localhost:8080",
        b"a:",
    ],
)
def test_hosts_that_are_good(host):
    assert read_block(block(b"Host: " + host), is_http_1_0=False, headers_max=9).host == host.decode().lower()


@pytest.mark.parametrize(
    "host", [b"", b"a b", b"a/b", b"a@b", b"a,b", b"a:b", b"a:123456", b"[::1", b"[x]", b"a?b", b"a#b", b"a\\b"]
)
def test_hosts_that_are_not(host):
    with pytest.raises(Refused) as refused:
        read_block(block(b"Host: " + host), is_http_1_0=False, headers_max=9)
    assert refused.value.reason == "host"


def test_lengths_of_responses():
    assert read_response_block(block(b"Content-Length: 7"), is_http_1_0=False).body_bytes == 7
    assert read_response_block(block(b"Transfer-Encoding: Chunked"), is_http_1_0=False).body_bytes == CHUNKED
    assert read_response_block(block(), is_http_1_0=False).body_bytes == UNTIL_CLOSED
    assert read_response_block(block(b"Host: never, mind"), is_http_1_0=False).body_bytes == UNTIL_CLOSED


@pytest.mark.parametrize("length", [b"", b"1" * 19, b"-1", b"+1", b"1 1", b"1,1", b"0x1", "١".encode()])
def test_lengths_that_are_no_numbers(length):
    with pytest.raises(Refused):
        read_response_block(block(b"Content-Length: " + length), is_http_1_0=False)


def test_only_values_count():
    assert values_bytes(block(b"a: 123", b"bcd:  45 ")) == 5


def test_the_parser_under_us_is_strict():
    """Our own reading relies on it: each of these must stay refused by the C parser with no leniency set."""
    start = b"GET / HTTP/1.1\r\nHost: a\r\n"
    for bad in (
        b"X: 1\n\r\n",
        b"X: 1\r2\r\n\r\n",
        b"X: 1\r\n 2\r\n\r\n",
        b"X : 1\r\n\r\n",
        b"X: \x00\r\n\r\n",
        b"X\r\n\r\n",
        b"\n",
        b"\r\r\n",
    ):
        with pytest.raises(httptools.HttpParserError):
            httptools.HttpRequestParser(None).feed_data(start + bad)
