"""Requests for deployed APIs on the AWS endpoint: passed on unchanged, for this machine only."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gatepost.app.forwarding import ApiForwarder
from gatepost.wire.messages import Request, Response
from tests.support.wire import a_client, a_socket, serving

TARGET = "/_aws/execute-api/a1/prod/..%2Fx?q=%0d%0a"


def passed_on(request: Request) -> tuple[Response, list[Request]]:
    """Pass a request on to a gateway that keeps what it gets."""
    seen: list[Request] = []

    def keep(got: Request) -> Response:
        seen.append(got)
        return Response(201, [(b"X-Answer", b"1")], b"" if got.method == "HEAD" else b"answer")

    async def scenario() -> Response:
        async with serving(keep) as (_, port), a_client() as client:
            answer: Any = ApiForwarder(client, host="127.0.0.1", port=port)(request)
            return answer if isinstance(answer, Response) else await answer

    return asyncio.run(scenario()), seen


def a_request(method: str = "POST", *, client_ip: str = "127.0.0.1", headers: Any = ()) -> Request:
    host = (b"Host", b"a1.execute-api.us-east-1.amazonaws.com")
    return Request(method, TARGET, [host, *headers], b"body" if method == "POST" else b"", client_ip=client_ip)


def test_target_host_headers_and_body_arrive_as_they_came() -> None:
    headers = [(b"X-A", b"1"), (b"X-A", b"2"), (b"Content-Length", b"999"), (b"Cookie", b"a=b")]
    answer, (got,) = passed_on(a_request(headers=headers))
    assert (answer.status, answer.body) == (201, b"answer")
    assert (got.method, got.target, got.body) == ("POST", TARGET, b"body")
    assert got.host() == "a1.execute-api.us-east-1.amazonaws.com"
    assert [value for name, value in got.headers if name == b"X-A"] == [b"1", b"2"]
    assert [value for name, value in got.headers if name.lower() == b"content-length"] == [b"4"]


def test_what_is_meant_for_one_hop_goes_no_further() -> None:
    headers = [(b"Connection", b"close"), (b"Transfer-Encoding", b"chunked"), (b"TE", b"x"), (b"Upgrade", b"h2c")]
    _, (got,) = passed_on(a_request(headers=headers))
    assert {name.lower() for name, _ in got.headers} & {b"transfer-encoding", b"te", b"upgrade"} == set()


@pytest.mark.parametrize("client_ip", ["192.0.2.1", "10.0.0.1", "2001:db8::1", "fe80::1%eth0"])
def test_another_machine_cannot_look_like_this_one(client_ip: str) -> None:
    answer, seen = passed_on(a_request(client_ip=client_ip))
    assert (answer.status, seen) == (403, [])


def test_without_a_gateway_the_answer_is_503() -> None:
    async def scenario() -> int:
        with a_socket() as unused:
            port = unused.getsockname()[1]
        async with a_client() as client:
            answer: Any = await ApiForwarder(client, host="127.0.0.1", port=port)(a_request())  # type: ignore[misc]
        return answer.status

    assert asyncio.run(scenario()) == 503
