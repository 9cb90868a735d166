"""The strict reader of chunked bodies."""

import pytest

from gatepost.wire.chunked import BadChunk, ChunkedBody, TooLong

BODY = b"3\r\nabc\r\nA;x=y\r\n0123456789\r\n000\r\nX-A: 1\r\n\r\n"


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 1000])
def test_a_body_is_the_same_however_it_arrives(step):
    body = ChunkedBody(bytes_max=100)
    data = BODY + b"GET"
    ends = [body.feed(data[at : at + step]) for at in range(0, len(BODY), step)]
    assert body.is_complete
    assert body.take() == b"abc0123456789"
    assert body.trailers == [(b"x-a", b"1")]
    if step == 1000:
        assert ends == [len(BODY)]


def test_reading_stops_where_the_body_ends():
    body = ChunkedBody(bytes_max=100)
    assert body.feed(b"xx0\r\n\r\nGET", 2) == 7
    assert body.feed(b"more") == 0


def test_pieces_are_given_once():
    body = ChunkedBody(bytes_max=100)
    body.feed(b"3\r\nab")
    assert body.take() == b"ab"
    body.feed(b"c\r\n0\r\n\r\n")
    assert (body.take(), body.size) == (b"c", 3)


def test_the_bound_is_on_what_is_announced():
    ChunkedBody(bytes_max=10).feed(b"a\r\n")
    with pytest.raises(TooLong):
        ChunkedBody(bytes_max=10).feed(b"b\r\n")
    with pytest.raises(TooLong):
        ChunkedBody(bytes_max=10).feed(b"5\r\nabcde\r\n6\r\n")


@pytest.mark.parametrize("length", [254, 255])
def test_a_line_has_a_bound(length):
    line = b"1;" + b"x" * (length - 4) + b"\r\n"
    assert len(line) == length
    ChunkedBody(bytes_max=10).feed(line)
    with pytest.raises(BadChunk):
        ChunkedBody(bytes_max=10).feed(b"1;" + b"x" * 300 + b"\r\n")


def test_a_line_that_drips_has_the_same_bound():
    body = ChunkedBody(bytes_max=10)

    def drip():
        for _ in range(1000):
            body.feed(b"0")

    with pytest.raises(BadChunk):
        drip()


def test_the_extensions_of_a_body_are_bounded_together():
    chunk = b"1;" + b"x" * 127 + b"\r\ny\r\n"  # 128 bytes of extension each
    body = ChunkedBody(bytes_max=100)
    body.feed(chunk * 32)
    with pytest.raises(BadChunk):
        body.feed(chunk)


def test_a_sink_gets_the_pieces_and_nothing_is_kept():
    got: list[bytes] = []
    body = ChunkedBody(bytes_max=100, sink=got.append)
    body.feed(BODY)
    assert (got, body.take(), body.trailers, body.size) == ([b"abc", b"0123456789"], b"", [(b"x-a", b"1")], 13)
