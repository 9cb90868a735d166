"""The small parts of the hosted pages, each by itself."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gatepost.awsapi.hosted import HOSTED_PREFIX
from gatepost.kernel.clock import FixedClock
from gatepost.services.cognito_idp.hosted import browser_sessions, granting
from gatepost.services.cognito_idp.hosted.account_pages import sign_up_attributes
from gatepost.services.cognito_idp.hosted.answers import OAuthRefusal, refused, with_parameters
from gatepost.services.cognito_idp.hosted.authorization_requests import NotTrusted, Refused, parse_request
from gatepost.services.cognito_idp.hosted.client_proofs import proven_client
from gatepost.services.cognito_idp.hosted.forms import login_label, password_hint
from gatepost.services.cognito_idp.hosted.identity_providers import asked_for, offered
from gatepost.services.cognito_idp.hosted.paces import ADDRESSES_MAX, AddressPace
from gatepost.services.cognito_idp.hosted.provider_requests import ProviderFailed, ProviderRequests
from gatepost.services.cognito_idp.hosted.sign_in_pages import challenge_page
from gatepost.services.cognito_idp.hosted.steps import STEP_MS, Step, Steps
from gatepost.services.cognito_idp.hosted.style import STYLE
from gatepost.services.cognito_idp.hosted.visits import (
    COOKIES_MAX,
    PATH_PREFIX,
    Addresses,
    BadVisit,
    Visit,
    domain_of_host,
)
from gatepost.services.cognito_idp.pool import AppClient, UserPool
from gatepost.wire.messages import Request
from tests.support.hosted_pages import CALLBACK
from tests.support.hosted_pages import a_hosted_shop as a_shop
from tests.support.user_pools import Aws, Run


def a_pool(**settings: Any) -> UserPool:
    return UserPool("us-east-1_Shop", "000000000000", "us-east-1", "shop", settings, 0, 0, sealed_keys=("x",))


def a_client(**settings: Any) -> AppClient:
    return AppClient("client-1", "us-east-1_Shop", "web", settings, 0, 0)


def a_visit(pool: UserPool | None = None, **changes: Any) -> Visit:
    given: dict[str, Any] = {
        "pool": pool or a_pool(),
        "domain": "shop",
        "base": "",
        "origin": "http://shop.auth.us-east-1.localhost",
        "method": "POST",
        "path": "/login",
        "query": {},
        "form": {},
        "cookies": {"XSRF-TOKEN": "m" * 43},
        "authorization": "",
        "browser_origin": None,
        "fetch_site": "",
        "ip": "127.0.0.1",
        "is_secure": False,
        "request_id": "r",
        "user_agent": "",
    }
    return Visit(**{**given, **changes})


class OneClient:
    """Pools that know one client, whose secret is `secret` where it has one."""

    def __init__(self, client: AppClient) -> None:
        self._client = client

    def client(self, client_id: str) -> AppClient | None:
        return self._client if client_id == self._client.id else None

    def secret_matches(self, client: AppClient, given: str) -> bool:
        return given == "secret"


def test_both_doors_know_the_same_path() -> None:
    assert HOSTED_PREFIX == PATH_PREFIX


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("shop.auth.us-east-1.localhost:4566", "shop"),
        ("Shop.auth.us-east-1.amazoncognito.com", "shop"),
        ("auth.shop.example", "auth.shop.example"),
        ("auth.shop.example:8443", "auth.shop.example"),
        ("shop.auth", "shop.auth"),
    ],
)
def test_a_domain_is_what_stands_before_auth_or_the_whole_name(host: str, domain: str) -> None:
    assert domain_of_host(host) == domain


@pytest.mark.parametrize(
    ("target", "body", "content_type"),
    [
        ("/login?a=1&a=1", b"", ""),
        ("/login?a=%ff", b"", ""),
        ("/login?a=%00", b"", ""),
        ("/login?a=" + "x" * 8_192, b"", ""),
        ("/login?" + "&".join(f"a{number}=1" for number in range(101)), b"", ""),
        ("/login", b"a=1&a=2", "application/x-www-form-urlencoded"),
        ("/login", b"{}", "application/json"),
        ("/login", b"a=" + b"x" * 65_536, "application/x-www-form-urlencoded"),
        ("/login", b"a=\xff", "application/x-www-form-urlencoded"),
    ],
)
def test_what_could_be_read_in_two_ways_is_not_read(pools: Run, target: str, body: bytes, content_type: str) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        addresses = Addresses(aws.provider.hosted.pools, aws.provider.hosted.domains)
        headers = [(b"host", b"shop.auth.us-east-1.localhost"), (b"content-type", content_type.encode())]
        with pytest.raises(BadVisit):
            addresses.visit(Request("POST" if body else "GET", target, headers, body), "r")

    pools(scenario)


def test_cookies_are_bounded_and_of_two_with_one_name_none_counts(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        await a_shop(aws)
        addresses = Addresses(aws.provider.hosted.pools, aws.provider.hosted.domains)
        many = "; ".join(f"c{number}={number}" for number in range(COOKIES_MAX + 10))
        jar = f"cognito=mine; cognito=planted; a=1; {many}"
        headers = [(b"host", b"shop.auth.us-east-1.localhost"), (b"cookie", jar.encode())]
        visit = addresses.visit(Request("GET", "/", headers), "r")
        assert visit is not None
        assert visit.path == "/login"
        assert "cognito" not in visit.cookies
        assert visit.cookies["a"] == "1"
        assert len(visit.cookies) <= COOKIES_MAX

    pools(scenario)


@pytest.mark.parametrize(
    ("uri", "in_fragment", "expected"),
    [
        ("https://a.example", False, "https://a.example?code=c+1"),
        ("https://a.example/?", False, "https://a.example/?code=c+1"),
        ("https://a.example/?x=1", False, "https://a.example/?x=1&code=c+1"),
        ("https://a.example/?x=1", True, "https://a.example/?x=1#code=c+1"),
        ("myapp://signed-in", False, "myapp://signed-in?code=c+1"),
        ("https://a.example/é\r\n", False, "https://a.example/%C3%A9%0D%0A?code=c+1"),
    ],
)
def test_parameters_are_added_to_what_the_app_has_registered(uri: str, in_fragment: bool, expected: str) -> None:
    assert with_parameters(uri, {"code": "c 1"}, in_fragment=in_fragment) == expected


def test_a_refusal_is_json_that_nobody_keeps() -> None:
    response = refused(OAuthRefusal("invalid_grant"))
    assert (response.status, response.body) == (400, b'{"error":"invalid_grant"}')
    assert any(name == b"cache-control" and b"no-store" in value for name, value in response.headers)


def test_client_and_redirect_uri_are_judged_before_anything_is_told_to_the_app() -> None:
    client = a_client(CallbackURLs=[CALLBACK])
    pools: Any = OneClient(client)
    for given, error in (
        ({}, "invalid_client"),
        ({"client_id": "client-1"}, "invalid_request"),
        ({"client_id": "client-1", "redirect_uri": "https://evil.example"}, "redirect_mismatch"),
    ):
        with pytest.raises(NotTrusted) as refusal:
            parse_request(pools, a_pool(), given)
        assert refusal.value.error == error
    with pytest.raises(Refused) as told:
        parse_request(pools, a_pool(), {"client_id": "client-1", "redirect_uri": CALLBACK, "state": "s"})
    assert told.value.location == f"{CALLBACK}?error=invalid_request&state=s"


def test_a_client_without_a_secret_must_show_none() -> None:
    pools: Any = OneClient(a_client())
    pace = AddressPace(FixedClock(), count_max=10)
    assert proven_client(pools, a_visit(form={"client_id": "client-1"}), pace).id == "client-1"
    for form in ({"client_id": "client-1", "client_secret": "secret"}, {"client_id": "client-2"}, {}):
        with pytest.raises(OAuthRefusal):
            proven_client(pools, a_visit(form=form), pace)


def test_a_pace_is_over_within_a_minute_and_forgets_the_longest_unseen() -> None:
    clock = FixedClock()
    pace = AddressPace(clock, count_max=2)
    pace.count("a")
    assert not pace.is_over("a")
    pace.count("a")
    assert pace.is_over("a")
    assert not pace.is_over("b")
    for number in range(ADDRESSES_MAX):
        pace.count(f"{number}")
    assert not pace.is_over("a")
    pace.count("0")
    clock.advance(ms=60_000)
    assert not pace.is_over("0")


def test_a_step_is_good_once_in_its_browser_for_its_client_and_time() -> None:
    clock = FixedClock()
    steps, visit, client = Steps(clock), a_visit(), a_client()
    text = steps.keep(visit, client, Step("X", "ann"))
    assert steps.take(a_visit(cookies={"XSRF-TOKEN": "n" * 43}), client, text) is None
    assert steps.take(visit, AppClient("client-2", "us-east-1_Shop", "x", {}, 0, 0), text) is None
    assert steps.take(visit, client, text) == Step("X", "ann")
    assert steps.take(visit, client, text) is None
    late = steps.keep(visit, client, Step("X", "ann"))
    clock.advance(ms=STEP_MS)
    assert steps.take(visit, client, late) is None


def test_a_form_is_marked_for_one_browser_at_one_domain() -> None:
    mark = browser_sessions.form_mark(a_visit(), "m" * 43)
    assert browser_sessions.is_our_form(a_visit(form={"_csrf": mark}))
    assert not browser_sessions.is_our_form(a_visit(form={"_csrf": mark}, domain="other"))
    assert not browser_sessions.is_our_form(a_visit(form={"_csrf": mark}, cookies={"XSRF-TOKEN": "short"}))
    assert not browser_sessions.is_our_form(a_visit(form={"_csrf": mark}, fetch_site="same-site"))
    assert not browser_sessions.is_our_form(a_visit(form={"_csrf": "é"}))
    assert granting.Granting.__doc__


def test_cookies_are_for_tls_only_where_there_is_tls() -> None:
    cookie = browser_sessions.mark_of(a_visit(cookies={}, is_secure=True))[1][0][1]
    assert cookie.endswith(b"; Path=/; HttpOnly; SameSite=Lax; Secure")
    assert browser_sessions.mark_of(a_visit()) == ("m" * 43, [])


def test_a_provider_is_offered_and_found_only_where_the_client_has_it() -> None:
    providers = [{"name": "Corp", "identifiers": ["corp.example"]}, {"name": "Other", "identifiers": []}]
    client = a_client(SupportedIdentityProviders=["COGNITO", "Corp"])
    assert offered(client, providers) == ["Corp"]
    assert asked_for(client, providers, {}) is None
    assert asked_for(client, providers, {"identity_provider": "COGNITO"}) is None
    assert asked_for(client, providers, {"idp_identifier": "corp.example"}) == providers[0]
    for query in ({"identity_provider": "Other"}, {"identity_provider": "Nobody"}, {"idp_identifier": "x"}):
        with pytest.raises(LookupError):
            asked_for(client, providers, query)


def test_a_provider_by_http_elsewhere_is_never_asked() -> None:
    requests = ProviderRequests(None, FixedClock())  # type: ignore[arg-type]
    urls = dict.fromkeys(("authorize_url", "token_url", "jwks_uri"), "http://evil.example/x")

    async def scenario() -> None:
        await requests.endpoints({"oidc_issuer": "https://a.example", **urls})

    import asyncio

    with pytest.raises(ProviderFailed):
        asyncio.run(scenario())


def test_people_are_told_what_to_type() -> None:
    assert login_label(a_pool()) == "Username"
    assert login_label(a_pool(UsernameAttributes=["email", "phone_number"])) == "Email or phone number"
    assert login_label(a_pool(AliasAttributes=["email"])) == "Username or email"
    assert password_hint(a_pool(Policies={"PasswordPolicy": {"MinimumLength": 12}})) == "At least 12 characters."
    assert sign_up_attributes(a_pool(AutoVerifiedAttributes=["email"])) == ["email"]
    assert sign_up_attributes(a_pool(UsernameAttributes=["email"], AutoVerifiedAttributes=["email"])) == []


def test_several_second_factors_can_be_chosen_from() -> None:
    page = challenge_page(
        a_pool(), Step("SELECT_MFA_TYPE", "ann", shown={"MFAS_CAN_CHOOSE": '["SMS_MFA","SOFTWARE_TOKEN_MFA"]'})
    )
    assert page is not None
    assert [one.label for one in page.choices] == ["Text message", "Authenticator app"]
    assert challenge_page(a_pool(), Step("CUSTOM_CHALLENGE", "ann")) is None


def _luminance(color: str) -> float:
    color = "".join(one * 2 for one in color) if len(color) == 3 else color
    parts = [int(color[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1])
@pytest.mark.parametrize(
    ("front", "back", "ratio"),
    [
        ("text", "card", 7),
        ("soft", "card", 4.5),
        ("soft", "ground", 4.5),
        ("accent", "card", 4.5),
        ("on-accent", "accent", 4.5),
        ("on-accent", "accent-strong", 4.5),
        ("bad", "bad-ground", 4.5),
        ("good", "good-ground", 4.5),
        ("line", "card", 3),
    ],
)
def test_colours_have_the_contrast_that_people_need(scheme: int, front: str, back: str, ratio: float) -> None:
    found = dict(re.findall(r"--([a-z-]+):#([0-9a-f]{3,6})", STYLE.replace("\n", "").split(":root{")[scheme + 1]))
    light, dark = sorted((_luminance(found[front]), _luminance(found[back])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= ratio
