"""Whether an address has sent too many requests without credentials: an extension, for which AWS needs a WAF rule."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import ClassVar

from gatepost.gateway.addresses import AddressBuckets
from gatepost.gateway.authorizer_result import AUTHORIZER
from gatepost.gateway.exchange import CALLER, NO_FACTS, Exchange, Facts
from gatepost.gateway.responses import THROTTLED, Refusal
from gatepost.gateway.usage_keys import API_KEY
from gatepost.kernel.clock import Clock
from gatepost.services.apigateway.deployment import Method


class AddressGuard:
    """Refuse a request whose address has no token left; the first of a stage's guards, before any authorizer runs.

    So attempts with wrong credentials are limited too. Whoever turns out to have credentials gets the token back
    (`AddressRefund`). The client gets 429 "Too Many Requests". Buckets are this process's own when the shared state
    is lost.
    """

    needs: ClassVar[Facts] = NO_FACTS
    writes: ClassVar[Facts] = NO_FACTS

    def __init__(self, buckets: AddressBuckets, clock: Clock) -> None:
        self._buckets = buckets
        self._now_ns = clock.monotonic_ns

    def check(self, exchange: Exchange) -> Awaitable[None] | None:
        """Take a token. Raises: Refusal."""
        answer = self._buckets.of(exchange.request).take(self._now_ns())
        if answer is True:
            return None
        if answer is False:
            raise _refusal()
        return self._wait(answer)

    async def _wait(self, answer: Awaitable[bool]) -> None:
        if not await answer:
            raise _refusal()

    def __repr__(self) -> str:
        return "AddressGuard()"


def _refusal() -> Refusal:
    return Refusal(THROTTLED, detail="the address's bucket for callers without credentials is empty")


class AddressRefund:
    """Give the token back to a caller with credentials: the limit is for those who have none. Never refuses."""

    needs: ClassVar[Facts] = NO_FACTS
    writes: ClassVar[Facts] = NO_FACTS

    def __init__(self, buckets: AddressBuckets) -> None:
        self._buckets = buckets

    def check(self, exchange: Exchange) -> None:
        """Look whether anybody proved who calls."""
        if exchange.has(CALLER) or exchange.has(AUTHORIZER) or exchange.has(API_KEY):
            self._buckets.of(exchange.request).give_back(1)

    def __repr__(self) -> str:
        return "AddressRefund()"


def for_stage(buckets: AddressBuckets | None, clock: Clock) -> AddressGuard | None:
    """Make the guard of a stage that limits addresses."""
    return None if buckets is None else AddressGuard(buckets, clock)


def refund_for_stage(buckets: AddressBuckets | None, method: Method) -> AddressRefund | None:
    """Make what gives tokens back, where a method asks who calls."""
    asks = method.authorization_type != "NONE" or method.api_key_required
    return AddressRefund(buckets) if buckets is not None and asks else None
