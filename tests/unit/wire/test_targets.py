"""Targets that do not simply begin with a slash."""

import pytest

from gatepost.wire.limits import ListenerLimits, Refused
from gatepost.wire.targets import check_sizes, plain_line, plain_target


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("OPTIONS", b"*", b"*"),
        ("GET", b"http://a/b?c", b"/b?c"),
        ("GET", b"https://A", b"/"),
        ("GET", b"http://a?c=http://b/", b"/?c=http://b/"),
    ],
)
def test_targets_that_are_good(method, target, expected):
    assert plain_target(method, target, "a") == expected


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", b"*"),
        ("GET", b"http://b/"),
        ("GET", b"http:///"),
        ("GET", b"http://"),
        ("GET", b"http://a@b/"),
        ("GET", b"http://b@a/"),
        ("GET", b"http://a:80/"),
        ("GET", b"http://a/#b"),
        ("GET", b"//a/#b"),
        ("GET", b"/#b"),
        ("GET", b"file://a/"),
        ("GET", b"a/b"),
        ("CONNECT", b"a:80"),
        ("CONNECT", b"http://a/"),
    ],
)
def test_targets_that_are_not(method, target):
    with pytest.raises(Refused):
        plain_target(method, target, "a")


def test_a_head_of_the_limit_passes():
    limits = ListenerLimits(head_bytes_max=100, target_bytes_max=50)
    block = b"\r\nHost: a\r\nX: " + b"x" * 69 + b"\r\n\r\n"
    check_sizes(b"/" * 50, block, line_bytes=30, limits=limits)
    with pytest.raises(Refused):
        check_sizes(b"/" * 50, block, line_bytes=31, limits=limits)
    with pytest.raises(Refused):
        check_sizes(b"/" * 51, block, line_bytes=30, limits=limits)


@pytest.mark.parametrize(
    "line",
    [
        b"GET /#b HTTP/1.1",
        b"GET * HTTP/1.1",
        b"GET / HTTP/1.0",
        b"GET /  HTTP/1.1",
        b"GET /\x80 HTTP/1.1",
        b"GET /\t HTTP/1.1",
        b"CONNECT / HTTP/1.1",
        b"get / HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"",
    ],
)
def test_only_usual_request_lines_are_plain(line):
    assert plain_line(b'GET /a?b="%20"&c[]=~ HTTP/1.1'.split(b" ")) == '/a?b="%20"&c[]=~'
    assert plain_line(line.split(b" ")) is None
