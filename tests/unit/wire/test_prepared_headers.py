from __future__ import annotations

import pytest

from gatepost.wire.outgoing import OutgoingRequest
from gatepost.wire.rendering import RequestRenderer, host_line

HOST = host_line("a.example", 80, is_tls=False)
SHARED = [(b"User-Agent", b"curl/8"), (b"X-Empty", b""), (b"Connection", b"close")]


@pytest.mark.parametrize(("method", "body"), [("GET", b""), ("POST", b"{}")])
def test_prepared_headers_go_out_as_if_they_were_the_requests_own(method, body):
    renderer = RequestRenderer()
    prepared = renderer.prepare(SHARED)
    own = [(b"X-Own", b"1")]
    with_prepared = renderer.render(OutgoingRequest(method, "a.example", 80, "/", own, body, prepared=prepared), HOST)
    plainly = renderer.render(OutgoingRequest(method, "a.example", 80, "/", own + SHARED, body), HOST)
    assert sorted(with_prepared.split(b"\r\n")) == sorted(plainly.split(b"\r\n"))
    assert with_prepared.endswith(b"\r\n\r\n")
    assert b"Connection" not in with_prepared


@pytest.mark.parametrize(
    "headers", [[(b"X", b"a\r\nY: b")], [(b"X", b"a\n")], [(b"X", b"\0")], [(b"X y", b"a")], [(b"Host", b"a")]]
)
def test_headers_that_would_read_as_something_else_are_not_prepared(headers):
    with pytest.raises(ValueError):  # noqa: PT011 (several sentences)
        RequestRenderer().prepare(headers)
