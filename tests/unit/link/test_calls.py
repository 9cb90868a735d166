from __future__ import annotations

import asyncio

import pytest

from gatepost.kernel.errors import ServiceError, ServiceUnavailable, remote_error
from gatepost.kernel.ports import PageRequest, ServiceAnswer, ServiceRequest
from gatepost.link.calls import CALLS_MAX, PAGES_MAX, OutgoingCalls
from tests.unit.link.test_link import Platform, until

REQUEST = ServiceRequest(
    service="dynamodb",
    region="eu-west-1",
    method="POST",
    path="/",
    query="a=1",
    headers=((b"Content-Type", b"x/y"), (b"X-A", "é".encode())),
    body=b"\x00body",
    access_key_id="ASIA",
    session_token="token",
    action="Query",
)


class Services:
    """Echoes what it is asked, or waits, or refuses."""

    def __init__(self):
        self.requests = []
        self.events = []
        self.waits = False

    async def send(self, request):
        self.requests.append(request)
        if self.waits:
            await asyncio.Event().wait()
        if request.body == b"refuse":
            raise remote_error("UnrecognizedClientException", 403, "who?")
        return ServiceAnswer(400, ((b"X-B", b"\xff"),), request.body * 2)

    async def page(self, request):
        self.requests.append(request)
        if self.waits:
            await asyncio.Event().wait()
        return ServiceAnswer(302, [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=\xff")], request.body[::-1])

    async def trigger(self, function_arn, payload, *, service, source_arn, request_id):
        if payload == b"refuse":
            raise remote_error("AccessDeniedException", 403, "no")
        self.events.append((function_arn, payload, service, source_arn, request_id))


def joined(tmp_path, scenario):
    async def whole():
        platform = Platform(tmp_path)
        services = await platform.services()
        services.requests = services.triggers = services.pages = known = Services()
        gateway, _ = platform.gateway()
        await until(lambda: gateway.is_connected)
        try:
            await scenario(gateway.calls, known, services)
        finally:
            await gateway.close()
            await services.close()

    asyncio.run(whole())


def test_a_request_crosses_the_link_and_its_answer_comes_back_byte_for_byte(tmp_path):
    async def scenario(calls, known, _):
        answer = await calls.send(REQUEST)
        assert known.requests == [REQUEST]
        assert (answer.status, list(answer.headers), answer.body) == (400, [(b"X-B", b"\xff")], b"\x00body\x00body")

    joined(tmp_path, scenario)


def test_an_event_for_a_function_crosses_the_link(tmp_path):
    async def scenario(calls, known, _):
        await calls.trigger("arn:f", b"{}", service="s", source_arn="arn:s", request_id="r")
        assert known.events == [("arn:f", b"{}", "s", "arn:s", "r")]
        with pytest.raises(ServiceError) as refused:
            await calls.trigger("arn:f", b"refuse", service="s", source_arn="arn:s", request_id="r")
        assert refused.value.code == "AccessDeniedException"

    joined(tmp_path, scenario)


PAGE = PageRequest("POST", "/login?a=%20", [(b"Host", b"shop"), (b"Cookie", b"\xff")], b"ab\x00", "::1", True, "r-1")


def test_a_request_to_a_pools_domain_crosses_the_link_and_the_page_comes_back(tmp_path):
    async def scenario(calls, known, services):
        shown = await calls.page(PAGE)
        assert known.requests == [PAGE]
        assert (shown.status, shown.body) == (302, b"\x00ba")
        assert list(shown.headers) == [(b"set-cookie", b"a=1"), (b"set-cookie", b"b=\xff")]
        services.pages = None
        with pytest.raises(ServiceError, match="no pages"):
            await calls.page(PAGE)

    joined(tmp_path, scenario)


def test_pages_that_wait_leave_room_for_other_calls(tmp_path):
    async def scenario(calls, known, services):
        known.waits = True
        waiting = [asyncio.ensure_future(calls.page(PAGE)) for _ in range(PAGES_MAX)]
        await until(lambda: len(known.requests) == PAGES_MAX)
        with pytest.raises(ServiceUnavailable):
            await calls.page(PAGE)
        known.waits = False
        assert (await calls.send(REQUEST)).status == 400
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert (await calls.page(PAGE)).status == 302

    joined(tmp_path, scenario)


def test_a_refusal_of_services_is_raised_in_the_gateway(tmp_path):
    async def scenario(calls, _known, services):
        with pytest.raises(ServiceError) as refused:
            await calls.send(ServiceRequest("s", "r", "GET", "/", "", (), b"refuse", "k", ""))
        assert (refused.value.code, refused.value.status) == ("UnrecognizedClientException", 403)
        services.requests = services.triggers = None
        with pytest.raises(ServiceError) as refused:
            await calls.send(REQUEST)
        assert refused.value.status == 503

    joined(tmp_path, scenario)


def test_what_waits_fails_at_once_when_services_is_gone(tmp_path):
    async def scenario(calls, known, services):
        known.waits = True
        waiting = asyncio.ensure_future(calls.send(REQUEST))
        await until(lambda: known.requests)
        await services.close()
        with pytest.raises(ServiceUnavailable):
            await asyncio.wait_for(waiting, 5)
        with pytest.raises(ServiceUnavailable):
            await calls.send(REQUEST)

    joined(tmp_path, scenario)


def test_the_number_of_calls_that_wait_is_bounded():
    async def scenario():
        calls = OutgoingCalls(lambda _head, _body: True)
        waiting = [asyncio.ensure_future(calls.send(REQUEST)) for _ in range(CALLS_MAX)]
        await asyncio.sleep(0)
        with pytest.raises(ServiceUnavailable):
            await calls.send(REQUEST)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert calls._waiting == {}

    asyncio.run(scenario())
