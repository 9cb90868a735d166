"""Everything that two servers could read differently is refused, and the connection ends."""

import asyncio

import pytest

from gatepost.wire.messages import Response
from tests.support.wire import GET, a_connection, a_server, answers_in

LINE = b"POST /orders HTTP/1.1\r\n"
HOST = b"Host: shop.example\r\n"
HIDDEN = b"GET /admin HTTP/1.1\r\nHost: shop.example\r\n\r\n"


def chunked(body: bytes) -> bytes:
    return LINE + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + body


REFUSED = {
    "content length and transfer encoding": (
        400,
        LINE + HOST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    "transfer encoding and content length": (
        400,
        LINE + HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    ),
    "two equal content lengths": (400, LINE + HOST + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd"),
    "two different content lengths": (400, LINE + HOST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd"),
    "content lengths in a list": (400, LINE + HOST + b"Content-Length: 4, 4\r\n\r\nabcd"),
    "signed content length": (400, LINE + HOST + b"Content-Length: +4\r\n\r\nabcd"),
    "negative content length": (400, LINE + HOST + b"Content-Length: -4\r\n\r\nabcd"),
    "hexadecimal content length": (400, LINE + HOST + b"Content-Length: 0x4\r\n\r\nabcd"),
    "content length with an underscore": (400, LINE + HOST + b"Content-Length: 1_0\r\n\r\n0123456789"),
    "content length with a space inside": (400, LINE + HOST + b"Content-Length: 1 0\r\n\r\n0123456789"),
    "empty content length": (400, LINE + HOST + b"Content-Length:\r\n\r\n"),
    "content length in Arabic digits": (400, LINE + HOST + "Content-Length: ٤\r\n\r\nabcd".encode()),
    "content length beyond 64 bits": (400, LINE + HOST + b"Content-Length: 18446744073709551620\r\n\r\nabcd"),
    "content length of a thousand digits": (400, LINE + HOST + b"Content-Length: " + b"9" * 1000 + b"\r\n\r\n"),
    "folded header": (400, LINE + HOST + b"X-A: 1\r\n 2\r\n\r\n"),
    "folded header with a tab": (400, LINE + HOST + b"X-A: 1\r\n\t2\r\n\r\n"),
    "folded transfer encoding": (400, LINE + HOST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    "white space before the first header": (400, LINE + b" " + HOST + b"\r\n"),
    "bare line feeds": (400, b"GET / HTTP/1.1\nHost: shop.example\n\n"),
    "bare line feed after a header": (400, LINE + b"Host: shop.example\nX-A: 1\r\n\r\n"),
    "bare line feed at the end of the head": (400, LINE + HOST + b"\n"),
    "bare carriage return in a value": (400, LINE + HOST + b"X-A: 1\rX-B: 2\r\n\r\n"),
    "bare carriage return at the end of the head": (400, LINE + HOST + b"\r\r\n"),
    "bare carriage return after the request line": (400, b"GET / HTTP/1.1\r" + HOST + b"\r\n"),
    "leading line feed": (400, b"\n" + GET),
    "leading line feed, in parts": (400, b"\n"),
    "a stream of empty lines": (400, b"\r\n\r\n\r\n" + GET),
    "no host": (400, LINE + b"\r\n"),
    "no host in HTTP/1.0": (400, b"GET / HTTP/1.0\r\n\r\n"),
    "two hosts": (400, LINE + HOST + HOST + b"\r\n"),
    "two different hosts": (400, LINE + HOST + b"host: other.example\r\n\r\n"),
    "empty host": (400, LINE + b"Host:\r\n\r\n"),
    "host with a path": (400, LINE + b"Host: shop.example/admin\r\n\r\n"),
    "host with a user": (400, LINE + b"Host: me@shop.example\r\n\r\n"),
    "host with a space": (400, LINE + b"Host: shop example\r\n\r\n"),
    "host with a comma list": (400, LINE + b"Host: a.example, b.example\r\n\r\n"),
    "host with a bad port": (400, LINE + b"Host: shop.example:80x\r\n\r\n"),
    "host outside ASCII": (400, LINE + b"Host: sh\xc3\xb6p.example\r\n\r\n"),
    "chunk size that is no number": (400, chunked(b"zz\r\nabc\r\n0\r\n\r\n")),
    "chunk size with a sign": (400, chunked(b"+3\r\nabc\r\n0\r\n\r\n")),
    "chunk size with 0x": (400, chunked(b"0x3\r\nabc\r\n0\r\n\r\n")),
    "chunk size with white space before": (400, chunked(b" 3\r\nabc\r\n0\r\n\r\n")),
    "chunk size with white space after": (400, chunked(b"3 \r\nabc\r\n0\r\n\r\n")),
    "empty chunk size": (400, chunked(b"\r\nabc\r\n0\r\n\r\n")),
    "chunk size beyond 64 bits": (400, chunked(b"10000000000000003\r\nabc\r\n0\r\n\r\n")),
    "chunk longer than its size": (400, chunked(b"3\r\nabcd\r\n0\r\n\r\n")),
    "chunk shorter than its size": (400, chunked(b"4\r\nabc\r\n0\r\n\r\n")),
    "chunk size line with a bare line feed": (400, chunked(b"3\nabc\r\n0\r\n\r\n")),
    "chunk size line with a bare carriage return": (400, chunked(b"3\rabc\r\n0\r\n\r\n")),
    "chunk data that ends in a bare line feed": (400, chunked(b"3\r\nabc\n0\r\n\r\n")),
    "chunk extension with a bare carriage return": (400, chunked(b"3;a\r=b\r\nabc\r\n0\r\n\r\n")),
    "chunk extension with a line feed": (400, chunked(b"3;a=\nb\r\nabc\r\n0\r\n\r\n")),
    "chunk extension after white space": (400, chunked(b"3 ;a=b\r\nabc\r\n0\r\n\r\n")),
    "chunk extension that is no token": (400, chunked(b"3;a/b\r\nabc\r\n0\r\n\r\n")),
    "chunk extension with an open quote": (400, chunked(b'3;a="b\r\nabc\r\n0\r\n\r\n')),
    "chunk extension without an end": (400, chunked(b"3;" + b"a" * 300)),
    "too many chunk extensions": (
        400,
        chunked(b"1;" + b"a" * 200 + b"\r\nx\r\n") + (b"1;" + b"a" * 200 + b"\r\nx\r\n") * 30,
    ),
    "trailer without a colon": (400, chunked(b"0\r\nadmin\r\n\r\n")),
    "folded trailer": (400, chunked(b"0\r\nX-A: 1\r\n 2\r\n\r\n")),
    "transfer encoding in a trailer": (400, chunked(b"0\r\nTransfer-Encoding: chunked\r\n\r\n")),
    "content length in a trailer": (400, chunked(b"0\r\ncontent-length: 3\r\n\r\n")),
    "trailers without an end": (400, chunked(b"0\r\n" + b"X-A: 0123456789\r\n" * 400)),
    "transfer encoding xchunked": (400, LINE + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    "transfer encoding gzip": (400, LINE + HOST + b"Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n"),
    "transfer encoding gzip, chunked": (501, LINE + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "transfer encoding chunked, chunked": (400, LINE + HOST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    "transfer encoding chunked, identity": (
        400,
        LINE + HOST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    ),
    "transfer encoding twice": (
        400,
        LINE + HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    "transfer encoding twice, the second unknown": (
        400,
        LINE + HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n\r\n0\r\n\r\n",
    ),
    "quoted transfer encoding": (400, LINE + HOST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n'),
    "transfer encoding after a vertical tab": (400, LINE + HOST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    "empty transfer encoding": (400, LINE + HOST + b"Transfer-Encoding:\r\n\r\n"),
    "transfer encoding in HTTP/1.0": (
        400,
        b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    "NUL in a value": (400, LINE + HOST + b"X-A: a\x00b\r\n\r\n"),
    "control byte in a value": (400, LINE + HOST + b"X-A: a\x01b\r\n\r\n"),
    "DEL in a value": (400, LINE + HOST + b"X-A: a\x7fb\r\n\r\n"),
    "NUL in a name": (400, LINE + HOST + b"X\x00A: b\r\n\r\n"),
    "space before the colon": (400, LINE + HOST + b"Content-Length : 4\r\n\r\nabcd"),
    "tab before the colon": (400, LINE + HOST + b"Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"),
    "space in a name": (400, LINE + HOST + b"X A: 1\r\n\r\n"),
    "header without a colon": (400, LINE + HOST + b"X-A\r\n\r\n"),
    "header without a name": (400, LINE + HOST + b": 1\r\n\r\n"),
    "name outside ASCII": (400, LINE + HOST + b"X-\xc3\xa9: 1\r\n\r\n"),
    "absolute target of another host": (400, b"GET http://evil.example/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    "absolute target of another port": (400, b"GET http://shop.example:81/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    "absolute target with a user": (400, b"GET http://shop.example@evil.example/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    "absolute target with another scheme": (400, b"GET ftp://shop.example/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    "target without a slash": (400, b"GET orders HTTP/1.1\r\n" + HOST + b"\r\n"),
    "target with a fragment": (400, b"GET /orders#x HTTP/1.1\r\n" + HOST + b"\r\n"),
    "target outside ASCII": (400, b"GET /\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n"),
    "target with a control byte": (400, b"GET /a\x01b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "target with a tab": (400, b"GET /a\tb HTTP/1.1\r\n" + HOST + b"\r\n"),
    "target with a space": (400, b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "two spaces after the method": (400, b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "two spaces before the version": (400, b"GET /  HTTP/1.1\r\n" + HOST + b"\r\n"),
    "space after the version": (400, b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n"),
    "space before the method": (400, b" GET / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "star target of a GET": (400, b"GET * HTTP/1.1\r\n" + HOST + b"\r\n"),
    "CONNECT": (400, b"CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n\r\n"),
    "CONNECT with an absolute target": (400, b"CONNECT http://shop.example/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    "lower-case method": (400, b"get / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "unknown method": (400, b"STEAL / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "HTTP/0.9": (400, b"GET /\r\n\r\n"),
    "HTTP/1.2": (400, b"GET / HTTP/1.2\r\n" + HOST + b"\r\n"),
    "HTTP/2.0 in text": (505, b"GET / HTTP/2.0\r\n" + HOST + b"\r\n"),
    "the preface of HTTP/2": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "lower-case version": (400, b"GET / http/1.1\r\n" + HOST + b"\r\n"),
    "a TLS hello": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "an expectation that nobody knows": (417, LINE + HOST + b"Expect: 200-ok\r\nContent-Length: 4\r\n\r\n"),
    "two expectations": (417, LINE + HOST + b"Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n"),
}


def talk(pieces: list[bytes]) -> tuple[list[str], bytes, object]:
    seen: list[str] = []

    def handler(request):
        seen.append(request.target)
        return Response(200)

    async def scenario():
        connection, transport = a_connection(a_server(handler))
        for piece in pieces:
            connection.data_received(piece)
        return transport

    transport = asyncio.run(scenario())
    return seen, transport.sent, transport


@pytest.mark.parametrize("case", REFUSED)
def test_is_refused_and_the_connection_ends(case: str) -> None:
    status, data = REFUSED[case]
    seen, sent, transport = talk([data + HIDDEN])
    assert seen == [], "the handler saw a request"
    assert [answer.status for answer in answers_in(sent)] == [status]
    assert answers_in(sent)[0].headers["connection"] == "close"
    assert transport.has_ended


@pytest.mark.parametrize("case", REFUSED)
def test_is_refused_byte_by_byte_too(case: str) -> None:
    status, data = REFUSED[case]
    seen, sent, transport = talk([bytes([byte]) for byte in data + HIDDEN])
    assert seen == []
    (answer,) = answers_in(sent)
    assert answer.status in {status, 400, 505}
    assert transport.has_ended


@pytest.mark.parametrize("case", REFUSED)
def test_is_refused_after_a_good_request(case: str) -> None:
    status, data = REFUSED[case]
    seen, sent, _ = talk([GET + data + HIDDEN])
    assert seen == ["/orders"]
    assert [answer.status for answer in answers_in(sent)] == [200, status]
