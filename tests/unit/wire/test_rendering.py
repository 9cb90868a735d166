"""Heads as bytes."""

import pytest

from gatepost.kernel.clock import FixedClock
from gatepost.wire.messages import Head, Response
from gatepost.wire.outgoing import OutgoingRequest
from gatepost.wire.rendering import CLOSE, KEEP, NAMES_MAX, BadResponse, Renderer, RequestRenderer, host_line


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
    line = host_line(host, port, is_tls=is_tls)
    head = RequestRenderer().render(OutgoingRequest("GET", host, port, "/", is_tls=is_tls), line)
    assert head == b"GET / HTTP/1.1\r\nHost: " + expected + b"\r\n\r\n"


HEAD = (b"Content-Type", b"text/plain")


def a_response_with(own, lines):
    response = Response(200, own, b"abc", head=Head(200, (HEAD,)))
    response.lines = lines
    return response


@pytest.mark.parametrize("own", [None, [], [(b"X-Own", b"1")]])
@pytest.mark.parametrize("lines", [b"", b"\r\nX-Id: 7: 8\r\nX-Empty: "])
def test_a_shared_head_and_whole_lines_go_out_as_if_they_were_a_list(own, lines):
    renderer = Renderer(FixedClock())
    listed = [HEAD, *(own or []), *([(b"X-Id", b"7: 8"), (b"X-Empty", b"")] if lines else [])]
    plain = renderer.render(Response(200, listed, b"abc"), head_only=False, connection=KEEP)
    for _ in range(2):
        assert renderer.render(a_response_with(own, lines), head_only=False, connection=KEEP) == plain
    asked = a_response_with(own, lines)
    assert asked.headers == listed
    assert asked.headers is asked.headers
    assert renderer.render(asked, head_only=False, connection=KEEP) == plain
    assert renderer.fields(a_response_with(own, lines)) == renderer.fields(Response(200, listed, b"abc"))


def test_lines_go_out_behind_a_list_of_headers_too():
    renderer = Renderer(FixedClock())
    response = Response(204, [(b"X-A", b"1")])
    response.lines += b"\r\nX-B: 2"
    rendered = renderer.render(response, head_only=False, connection=KEEP)
    assert rendered.startswith(b"HTTP/1.1 204 No Content\r\nX-A: 1\r\nX-B: 2\r\nDate")


def test_headers_that_are_changed_count_and_not_the_head_that_they_came_from():
    renderer = Renderer(FixedClock())
    head = Head(200, (HEAD,))
    changed, replaced, other = (Response(200, head=head) for _ in range(3))
    changed.headers.append((b"X-More", b"1"))
    replaced.headers = [(b"X-Else", b"2")]
    other.status = 404
    assert b"200 OK\r\nContent-Type: text/plain\r\nX-More: 1\r\nDate" in renderer.render(
        changed, head_only=False, connection=KEEP
    )
    assert b"200 OK\r\nX-Else: 2\r\nDate" in renderer.render(replaced, head_only=False, connection=KEEP)
    assert b"404 Not Found\r\nContent-Type: text/plain\r\nDate" in renderer.render(
        other, head_only=False, connection=KEEP
    )
    assert head.headers == (HEAD,)


@pytest.mark.parametrize("value", [b"a\r\nX: b", b"a\n", b"\0", "text"])
def test_a_shared_head_is_checked_and_so_are_the_headers_beside_it(value):
    renderer = Renderer(FixedClock())
    bad = [Response(200, head=Head(200, ((b"X", value),))), Response(200, [(b"X", value)], head=Head(200, (HEAD,)))]
    for response in bad:
        with pytest.raises((BadResponse, TypeError)):  # a compiled renderer looks at types first
            renderer.render(response, head_only=False, connection=KEEP)


@pytest.mark.parametrize("target", ["", "a", "/a b", "/a#b", "/\x7f", "/a\r\nX: y", "/é", "**"])
@pytest.mark.parametrize("method", ["GET", "PURGE"])
def test_targets_that_would_read_as_something_else_are_not_sent(method, target):
    with pytest.raises(ValueError, match="target"):
        RequestRenderer().render(OutgoingRequest(method, "a.example", 80, target), b"")


@pytest.mark.parametrize("method", ["", "get", "GET /", "G\r\n"])
def test_methods_that_would_read_as_something_else_are_not_sent(method):
    with pytest.raises(ValueError, match="method"):
        RequestRenderer().render(OutgoingRequest(method, "a.example", 80, "/"), b"")
