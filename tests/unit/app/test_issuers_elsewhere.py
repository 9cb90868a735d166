"""Issuers elsewhere: a real server that publishes keys, changes them, lies, and goes."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from gatepost.app.issuers_elsewhere import AGAIN_MS, ISSUERS_MAX, KEPT_MS, IssuersElsewhere
from gatepost.kernel.clock import SystemClock
from gatepost.kernel.errors import ServiceUnavailable
from tests.support.issuers import an_issuer


class LaterClock(SystemClock):
    """The machine's clock, put forward."""

    __slots__ = ("ahead_ms",)

    def __init__(self) -> None:
        self.ahead_ms = 0

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms


def run(scenario: Callable[[IssuersElsewhere, LaterClock], Any]) -> None:
    async def whole() -> None:
        clock = LaterClock()
        issuers = IssuersElsewhere(clock)
        try:
            await scenario(issuers, clock)
        finally:
            await issuers.close()

    asyncio.run(whole())


def kids(keys: Any) -> list[str]:
    return [key["kid"] for key in keys["keys"]]


def test_keys_are_fetched_once_for_an_hour_and_again_for_a_key_that_is_new() -> None:
    with an_issuer() as issuer:

        async def scenario(issuers: IssuersElsewhere, clock: LaterClock) -> None:
            many = await asyncio.gather(*(issuers.keys(issuer.url, "k1") for _ in range(20)))
            assert kids(many[-1]) == ["k1"]
            assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]
            issuer.kid = "k2"
            assert kids(await issuers.keys(issuer.url, "k2")) == ["k1"]  # a minute must have gone by
            clock.ahead_ms = AGAIN_MS
            assert kids(await issuers.keys(issuer.url, "k2")) == ["k2"]
            for number in range(50):
                await issuers.keys(issuer.url, f"made-up-{number}")
            assert len(issuer.asked) == 4
            clock.ahead_ms += KEPT_MS
            await issuers.keys(issuer.url, "k2")
            assert len(issuer.asked) == 6

        run(scenario)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/.well-known/openid-configuration", {"issuer": "https://another.example", "jwks_uri": "https://x.example/"}),
        ("/.well-known/openid-configuration", {"issuer": "URL", "jwks_uri": "http://169.254.169.254/keys"}),
        ("/.well-known/openid-configuration", {"issuer": "URL", "jwks_uri": "https://169.254.169.254/keys"}),
        ("/.well-known/openid-configuration", {"issuer": "URL", "jwks_uri": "file:///etc/passwd"}),
        ("/.well-known/openid-configuration", {"issuer": "URL"}),
        ("/.well-known/openid-configuration", {"issuer": "URL", "jwks_uri": "https://[x/keys"}),
        ("/.well-known/openid-configuration", []),
        ("/keys", {"keys": "many"}),
        ("/keys", {"padding": "x" * 300_000}),
    ],
)
def test_an_issuer_that_answers_otherwise_has_no_keys_and_is_left_alone_for_a_minute(path: str, answer: Any) -> None:
    with an_issuer() as issuer:
        told = json.loads(json.dumps(answer).replace('"URL"', json.dumps(issuer.url)))
        issuer.documents[path] = lambda: told

        async def scenario(issuers: IssuersElsewhere, clock: LaterClock) -> None:
            for _ in range(3):
                with pytest.raises(ServiceUnavailable):
                    await issuers.keys(issuer.url, "k1")
            assert issuer.asked.count("/.well-known/openid-configuration") == 1
            clock.ahead_ms = AGAIN_MS
            with pytest.raises(ServiceUnavailable):
                await issuers.keys(issuer.url, "k1")
            assert issuer.asked.count("/.well-known/openid-configuration") == 2

        run(scenario)


def test_what_is_remembered_is_bounded() -> None:
    async def scenario(issuers: IssuersElsewhere, clock: LaterClock) -> None:
        for number in range(ISSUERS_MAX + 20):
            with pytest.raises(ServiceUnavailable):
                await issuers.keys(f"http://nobody-{number}.example", "k")
        assert len(issuers._failed_at_ms) == ISSUERS_MAX
        assert len(issuers._asked) <= ISSUERS_MAX

    run(scenario)
