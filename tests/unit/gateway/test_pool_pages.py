"""Requests to user pools' domains: which they are, what services gets, and what is said when it is away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gatepost.gateway.pool_pages import BODY_BYTES_MAX, PoolDomains
from gatepost.gateway.server import Gateway
from gatepost.kernel.errors import ServiceUnavailable
from gatepost.kernel.ports import PageRequest, ServiceAnswer
from gatepost.services.cognito_idp.publication import PublishedPoolDomain
from gatepost.wire.messages import Request, Response
from tests.support.gateways import TestGateway


class Pages:
    """Answers with what it was asked, or is away."""

    def __init__(self) -> None:
        self.asked: list[PageRequest] = []
        self.is_away = False

    async def page(self, request: PageRequest) -> ServiceAnswer:
        if self.is_away:
            raise ServiceUnavailable("The services role is not connected")
        self.asked.append(request)
        return ServiceAnswer(302, [(b"location", b"/login"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")], b"")


CUSTOM = PublishedPoolDomain("login.shop.example", "arn", "TLS_1_2").change()


def asked(pages: Pages, host: str, target: str, body: bytes = b"", *, is_gone: bool = False) -> Response:
    platform = TestGateway()
    domains = PoolDomains(pages)
    domains.take_domain(CUSTOM.key, CUSTOM.value)
    if is_gone:
        domains.take_domain(CUSTOM.key, None)
    door = Gateway(platform.plans, platform.parts, ids=platform.ids, clock=platform.clock, pool_domains=domains)
    request = Request("POST", target, [(b"Host", host.encode())], body, client_ip="192.0.2.7", is_tls=True)

    async def scenario() -> Response:
        answer: Any = door(request)
        return answer if isinstance(answer, Response) else await answer

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("host", "target"),
    [
        ("shop.auth.us-east-1.localhost:8080", "/oauth2/token?a=1"),
        ("shop.auth.us-east-1.amazoncognito.com", "/login"),
        ("127.0.0.1:8080", "/_aws/auth/shop/login"),
        ("login.shop.example", "/login"),
        ("LOGIN.shop.example:8443", "/login"),
    ],
)
def test_a_request_to_a_domain_goes_to_services_as_it_came_and_so_does_the_answer(host: str, target: str) -> None:
    pages = Pages()
    shown = asked(pages, host, target, b"username=ann")
    assert (shown.status, [value for name, value in shown.headers if name == b"set-cookie"]) == (302, [b"a=1", b"b=2"])
    (seen,) = pages.asked
    assert (seen.method, seen.target, seen.body, seen.client_ip) == ("POST", target, b"username=ann", "192.0.2.7")
    assert seen.is_tls
    assert (b"Host", host.encode()) in list(seen.headers)
    assert seen.request_id


@pytest.mark.parametrize(
    ("host", "target"),
    [
        ("127.0.0.1:8080", "/login"),
        ("auth.us-east-1.localhost:8080", "/login"),
        ("shop.auth.us-east-1.example", "/login"),
        ("other.shop.example", "/login"),
        ("127.0.0.1:8080", "/_aws/authority/shop"),
    ],
)
def test_other_requests_do_not_reach_the_pages(host: str, target: str) -> None:
    pages = Pages()
    assert asked(pages, host, target).status == 403
    assert pages.asked == []


def test_a_custom_domain_that_is_gone_answers_no_more_and_a_broken_one_never() -> None:
    pages = Pages()
    assert asked(pages, CUSTOM.key, "/login", is_gone=True).status == 403
    domains = PoolDomains(pages)
    domains.take_domain("broken.example", {"certificate_arn": "arn"})
    assert not domains.has(Request("GET", "/login", [(b"Host", b"broken.example")]))


def test_without_the_services_role_there_are_no_pages_and_no_form_is_too_large_for_the_link() -> None:
    pages = Pages()
    assert asked(pages, CUSTOM.key, "/login", b"x" * (BODY_BYTES_MAX + 1)).status == 413
    assert asked(pages, CUSTOM.key, "/login", b"x" * BODY_BYTES_MAX).status == 302
    pages.is_away = True
    shown = asked(pages, CUSTOM.key, "/login")
    assert shown.status == 503
    assert b"services role" not in shown.body
