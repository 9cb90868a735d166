"""The extensions of a stage: limits by address for callers without credentials, and headers that say what is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatepost.config import Settings
from gatepost.gateway.addresses import AddressBuckets, ClientAddresses
from gatepost.gateway.buckets import LocalBuckets
from gatepost.gateway.rate_limit_headers import FOREVER_S
from gatepost.kernel.clock import FixedClock
from gatepost.services.apigateway.deployment import StageSettings
from gatepost.services.apigateway.stage_extensions import stage_extensions
from gatepost.services.apigateway.usage_model import Quota, Throttle
from gatepost.wire.messages import Response
from tests.support.gateways import a_request
from tests.unit.gateway.guards.test_usage import KEYED, OPEN, VALUE, UsageGateway, a_gateway

ADDRESS = {"gatepost:address-throttle": "0.5/2"}
HEADERS = {"gatepost:rate-limit-headers": "true"}


def stage(**tags: str) -> StageSettings:
    return StageSettings("prod", "dep123", tags=tags)


def ask(gateway: UsageGateway, ip: str, *, value: str | None = None, forwarded: str = "") -> int:
    headers = ()
    if value is not None:
        headers += (("x-api-key", value),)
    if forwarded:
        headers += (("X-Forwarded-For", forwarded),)
    return gateway.answer(a_request(target="/prod/orders", headers=headers, client_ip=ip)).status


def test_an_address_without_credentials_is_limited_and_others_are_not(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path, OPEN, stage=stage(**ADDRESS))
    assert [ask(gateway, "203.0.113.1") for _ in range(3)] == [200, 200, 429]
    assert ask(gateway, "203.0.113.2") == 200
    gateway.clock.advance(ms=2_000)
    assert [ask(gateway, "203.0.113.1") for _ in range(2)] == [200, 429]


def test_a_caller_with_credentials_costs_the_address_nothing_and_wrong_ones_do(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path, KEYED, stage=stage(**ADDRESS))
    gateway.plan()
    gateway.key()
    assert [ask(gateway, "203.0.113.1", value=VALUE) for _ in range(10)] == [200] * 10
    assert [ask(gateway, "203.0.113.1", value="wrong" * 5) for _ in range(4)] == [403, 403, 429, 429]


def test_the_address_is_the_connections_unless_a_trusted_proxy_says_otherwise(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path, OPEN, stage=stage(**ADDRESS))
    assert [ask(gateway, "203.0.113.1", forwarded=f"198.51.100.{n}") for n in range(3)] == [200, 200, 429]
    folder = tmp_path / "behind"
    folder.mkdir()
    behind = a_gateway(folder, OPEN, stage=stage(**ADDRESS), settings=Settings(trusted_proxies=("10.0.0.0/8",)))
    assert [ask(behind, "10.0.0.1", forwarded=f"198.51.100.{n}") for n in range(3)] == [200] * 3
    assert [ask(behind, "10.0.0.1", forwarded="198.51.100.9") for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),  # what a client writes stands to the left
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "6.6.6.6, nonsense, 10.0.0.2", "10.0.0.2"),
        ("203.0.113.1", "198.51.100.1", "203.0.113.1"),
        ("2001:db8:1:2:aaaa::1", "", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.1", "", "203.0.113.1"),
    ],
)
def test_whose_address_a_request_has(peer: str, forwarded: str, address: str) -> None:
    headers = (("X-Forwarded-For", forwarded),) if forwarded else ()
    request = a_request(headers=headers, client_ip=peer)
    assert ClientAddresses(("10.0.0.0/8",)).of(request) == address


def test_endless_addresses_are_kept_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatepost.gateway.addresses.ADDRESSES_MAX", 20)
    buckets = AddressBuckets("a/prod", Throttle(1, 1), LocalBuckets(FixedClock()), ClientAddresses())
    for number in range(100):
        buckets.of(a_request(client_ip=f"203.0.113.{number}"))
    assert len(buckets._held) <= 20


def header(response: Response, name: bytes) -> str | None:
    return next((value.decode() for key, value in response.headers if key == name), None)


def test_headers_say_what_is_left_of_the_tightest_limit_and_when_to_come_back(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path, KEYED, stage=stage(**HEADERS))
    gateway.plan(throttle=Throttle(0.1, 3), quota=Quota(2, "DAY"))
    gateway.key()
    first = gateway.one()
    assert (header(first, b"RateLimit-Limit"), header(first, b"RateLimit-Remaining")) == ("2", "1")
    assert header(first, b"Retry-After") is None
    gateway.one()
    refused = gateway.one()
    assert refused.status == 429
    assert header(refused, b"RateLimit-Remaining") == "0"
    names = [name for name, _ in refused.headers if name.startswith((b"RateLimit", b"Retry"))]
    assert len(names) == len(set(names))
    assert header(refused, b"Retry-After") == str(-(-(86_400_000 - gateway.clock.now_ms() % 86_400_000) // 1000))


def test_a_throttled_client_is_told_the_seconds_until_a_token(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path, KEYED, stage=stage(**HEADERS))
    gateway.plan(throttle=Throttle(0.1, 1))
    gateway.key()
    assert gateway.one().status == 200
    assert header(gateway.one(), b"Retry-After") == "10"


def test_without_the_extension_no_answer_has_such_headers(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path)
    gateway.plan(throttle=Throttle(0.1, 1))
    gateway.key()
    names = [key.lower() for _ in range(2) for key, _ in gateway.one().headers]
    assert not any(name.startswith((b"ratelimit", b"retry-after")) for name in names)


@pytest.mark.parametrize(
    "tags",
    [
        {"gatepost:address-throttle": "fast"},
        {"gatepost:address-throttle": "1"},
        {"gatepost:address-throttle": "-1/5"},
        {"gatepost:address-throttle": "nan/5"},
        {"gatepost:address-throttle": "1/0"},
        {"gatepost:rate-limit-headers": "yes"},
        {"gatepost:colour": "red"},
    ],
)
def test_tags_of_ours_that_mean_nothing_are_refused(tags: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="gatepost:"):
        stage_extensions(tags)


def test_a_bucket_that_never_refills_is_a_day_away(tmp_path: Path) -> None:
    gateway = a_gateway(tmp_path, KEYED, stage=stage(**HEADERS))
    gateway.plan(throttle=Throttle(0, 0))
    gateway.key()
    assert header(gateway.one(), b"Retry-After") == str(FOREVER_S)


def test_what_a_client_claims_before_its_proxys_own_header_is_not_believed() -> None:
    addresses = ClientAddresses(("10.0.0.0/8",))
    headers = (("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-For", "198.51.100.1"))  # HAProxy adds one of its own
    assert addresses.of(a_request(target="/", headers=headers, client_ip="10.0.0.1")) == "198.51.100.1"
    headers = (("X-Forwarded-For", "198.51.100.1"), ("x-forwarded-for", "10.0.0.2"))  # of two proxies of ours
    assert addresses.of(a_request(target="/", headers=headers, client_ip="10.0.0.1")) == "198.51.100.1"
