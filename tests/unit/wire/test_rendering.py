"""Heads as bytes."""

import pytest

from gatepost.kernel.clock import FixedClock
from gatepost.wire.messages import Response
from gatepost.wire.outgoing import OutgoingRequest
from gatepost.wire.rendering import CLOSE, KEEP, NAMES_MAX, BadResponse, Renderer, RequestRenderer


def test_a_response_as_it_goes_out():
    rendered = Renderer(FixedClock()).render(
        Response(200, [(b"X-A", b"1"), (b"x-a", b"")], b"abc"), head_only=False, connection=CLOSE
    )
    assert rendered == (
        b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: \r\nDate: Thu, 09 Oct 2025 08:53:20 GMT\r\n"
        b"Content-Length: 3\r\nConnection: close\r\n\r\nabc"
    )


def test_the_number_of_remembered_names_is_bounded():
    renderer = Renderer(FixedClock())
    for number in range(NAMES_MAX + 100):
        response = Response(200, [(b"X-%d" % number, b"1")])
        assert b"X-%d: 1" % number in renderer.render(response, head_only=False, connection=KEEP)
    assert len(renderer._names) == NAMES_MAX


@pytest.mark.parametrize("status", [-1, 0, 100, 101, 199, 1000, True, None, "200", 200.5])
def test_statuses_that_cannot_be_sent(status):
    with pytest.raises((BadResponse, TypeError)):
        Renderer(FixedClock()).render(Response(status), head_only=False, connection=KEEP)


@pytest.mark.parametrize(
    ("host", "port", "is_tls", "expected"),
    [
        ("a.example", 80, False, b"a.example"),
        ("a.example", 443, False, b"a.example:443"),
        ("a.example", 443, True, b"a.example"),
        ("::1", 80, False, b"[::1]"),
        ("::1", 8080, False, b"[::1]:8080"),
    ],
)
def test_the_host_of_a_request(host, port, is_tls, expected):
    head = RequestRenderer().render(OutgoingRequest("GET", host, port, "/", is_tls=is_tls))
    assert head == b"GET / HTTP/1.1\r\nHost: " + expected + b"\r\n\r\n"
