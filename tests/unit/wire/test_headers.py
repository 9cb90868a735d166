"""What header blocks mean."""

import httptools
import pytest

from gatepost.wire.headers import CHUNKED, UNTIL_CLOSED, read_block, read_response_block, read_varied, values_bytes
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


SIGNED = (b"Host: a", b"Authorization: AWS4 SignedHeaders=host, Signature=" + b"a" * 64, b"Content-Length: 2")


def test_a_block_that_differs_in_its_signature_means_the_same():
    last = read_block(block(*SIGNED), is_http_1_0=False, headers_max=9)
    last.memo = "remembered"
    found = read_varied(last, block(*SIGNED).replace(b"a" * 64, b"b" * 64))
    assert found is not None
    assert (found.host, found.body_bytes, found.keeps_alive, found.memo) == ("a", 2, True, "remembered")
    assert found.first(b"authorization").endswith(b"b" * 64)
    assert found.varies
    assert not last.varies


@pytest.mark.parametrize(
    "other",
    [
        block(*SIGNED).replace(b"a" * 64, b"a" * 62 + b"\r\n"),
        block(*SIGNED).replace(b"a" * 64, b"a" * 40 + b"\r\nConnection: close__"[:24]),
        block(*SIGNED).replace(b"a" * 64, b"a" * 63),
        block(*SIGNED).replace(b"a" * 64, b"a" * 65),
        block(*SIGNED).replace(b"Length: 2", b"Length: 3"),
        block(*SIGNED).replace(b"Host: a", b"Host: b"),
        block(*SIGNED).replace(b"a" * 64, b"\xe9" * 64),
    ],
)
def test_a_block_that_differs_elsewhere_is_read_anew(other):
    last = read_block(block(*SIGNED), is_http_1_0=False, headers_max=9)
    assert read_varied(last, other) is None


def test_a_block_without_a_signature_varies_in_nothing():
    last = read_block(block(b"Host: a"), is_http_1_0=False, headers_max=9)
    assert read_varied(last, block(b"Host: a")) is None
    assert last.signature_at == -1
