"""The guard tells our own names, deployed APIs and everything else apart, and remembers within bounds."""

from __future__ import annotations

import pytest

from gatepost.awsapi.errors import UntrustedHost
from gatepost.awsapi.hosts import HOSTS_KEPT_MAX, HostGuard, host_name


@pytest.mark.parametrize(
    ("host", "name"),
    [("a:1", "a"), ("a", "a"), ("[::1]:1", "::1"), ("[::1]", "::1"), ("::1", "::1"), ("", "")],
)
def test_a_host_header_has_a_name(host: str, name: str) -> None:
    assert host_name(host) == name


def test_the_configured_name_is_known() -> None:
    guard = HostGuard(["gatepost.example"])
    assert guard.kind({b"host": b"gatepost.example:4566"}) == "aws"
    with pytest.raises(UntrustedHost, match="--host"):
        guard.kind({b"host": b"other.example"})


@pytest.mark.parametrize("configured", ["0.0.0.0", "::", "[::]"])
def test_any_address_is_known_when_all_are_listened_on(configured: str) -> None:
    guard = HostGuard([configured])
    assert guard.kind({b"host": b"192.0.2.1:4566"}) == "aws"
    assert guard.kind({b"host": b"[2001:db8::1]:4566"}) == "aws"
    with pytest.raises(UntrustedHost):
        guard.kind({b"host": b"rebound.example"})


def test_other_addresses_are_not_known_otherwise() -> None:
    with pytest.raises(UntrustedHost):
        HostGuard(["127.0.0.1"]).kind({b"host": b"192.0.2.1"})


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        (b"abc.execute-api.us-east-1.localhost", "api"),
        (b"abc.execute-api.us-east-1.amazonaws.com", "api"),
        (b"abc.appsync-api.us-east-1.localhost", "api"),
        (b"execute-api.us-east-1.amazonaws.com", "aws"),
        (b"lambda.us-east-1.amazonaws.com", "aws"),
    ],
)
def test_names_of_deployed_apis_are_told_apart(host: bytes, kind: str) -> None:
    assert HostGuard([]).kind({b"host": host}) == kind


def test_names_are_remembered_within_bounds() -> None:
    guard = HostGuard([])
    for n in range(HOSTS_KEPT_MAX * 2):
        assert guard.kind({b"host": b"a%d.execute-api.localhost" % n}) == "api"
    assert len(guard._kept) == HOSTS_KEPT_MAX


def test_domains_of_user_pools_are_known_by_their_label_or_because_a_pool_has_them() -> None:
    domains = {"login.shop.example"}
    guard = HostGuard([], is_domain=domains.__contains__)
    assert guard.kind({b"host": b"shop.auth.us-east-1.localhost:4566"}) == "auth"
    assert guard.kind({b"host": b"shop.auth.us-east-1.amazoncognito.com"}) == "auth"
    assert guard.kind({b"host": b"login.shop.example"}) == "auth"
    domains.clear()
    for name in (b"login.shop.example", b"shop.auth.us-east-1.evil.example", b"shop.auth.amazoncognito.com.evil"):
        with pytest.raises(UntrustedHost):
            guard.kind({b"host": name})
