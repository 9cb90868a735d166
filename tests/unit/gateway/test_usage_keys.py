"""Pages of keys: a key is found in its page, whatever else stands there."""

from __future__ import annotations

from gatepost.gateway.buckets import LocalBuckets
from gatepost.gateway.quotas import Quotas
from gatepost.gateway.usage_keys import UsageKeys
from gatepost.kernel.clock import FixedClock
from gatepost.security.sealing import Seal
from gatepost.services.apigateway.usage_model import ApiStage, UsagePlan
from gatepost.telemetry.tallies import Tally


def some_keys() -> UsageKeys:
    clock = FixedClock()
    quotas = Quotas(clock, standing=lambda _: 0, kept=lambda name: Tally(name, []))
    keys = UsageKeys(
        Seal(bytes(32)).digester("api-key"),
        clock=clock,
        buckets=LocalBuckets(clock),
        quotas=quotas,
        counted=lambda name: Tally(name, []),
    )
    keys.take_plan("a/r/gold", UsagePlan("gold", "gold", stages=(ApiStage("api1", "prod"),)).to_json())
    return keys


def test_every_key_of_many_is_found_and_no_other() -> None:
    keys = some_keys()
    pages: dict[str, list[str]] = {}
    for number in range(20_000):
        digest = keys.digest(b"value-%d" % number)
        pages.setdefault(digest[:3], []).append(f"{digest} k{number} gold ")
    for prefix, lines in pages.items():
        keys.take_page(f"a/r/{prefix}", {"lines": "\n".join(lines)})
    assert keys.keys == 20_000
    stage = keys.stage("a", "r", "api1", "prod")
    for number in range(0, 20_000, 97):
        member = stage.find(b"value-%d" % number)
        assert member is not None
        assert member.key_id == f"k{number}"
    assert stage.find(b"value-20000") is None
    assert keys.stage("a", "other", "api1", "prod").find(b"value-1") is None
    assert keys.stage("a", "r", "api1", "test").find(b"value-1") is None


def test_a_digest_inside_a_line_is_no_key() -> None:
    keys = some_keys()
    digest = keys.digest(b"value")
    other = digest[:3] + "0" * 29
    keys.take_page(f"a/r/{digest[:3]}", {"lines": f"{other} {digest} gold "})
    assert keys.stage("a", "r", "api1", "prod").find(b"value") is None
