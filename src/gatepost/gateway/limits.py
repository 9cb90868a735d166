"""The limits of a gateway: the account's one, those of stages' methods, and those of addresses.

Buckets outlive plans: a stage that is deployed again goes on with what its methods have left. Those of a stage that is
deleted are forgotten.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.gateway.addresses import AddressBuckets, ClientAddresses
from gatepost.gateway.buckets import Bucket, Buckets
from gatepost.kernel.clock import Clock
from gatepost.kernel.ports import Replica
from gatepost.services.apigateway.deployment import REST_API_STAGE
from gatepost.services.apigateway.usage_model import Throttle

STAGE_BUCKETS_MAX: Final = 100_000


class StageLimits:
    """The account's bucket and those of stages' methods."""

    def __init__(self, buckets: Buckets, clock: Clock, *, account: Throttle, addresses: ClientAddresses) -> None:
        self._buckets = buckets
        self._clock = clock
        self.account = buckets.bucket("account", account)
        self._stages: dict[str, Bucket] = {}
        self._addresses = addresses
        self._by_address: dict[str, AddressBuckets] = {}

    def follow(self, replica: Replica) -> None:
        """Forget stages when they are deleted, from now on."""
        replica.watch(REST_API_STAGE, self.take_stage)

    def take_stage(self, name: str, value: Mapping[str, Any] | None) -> None:
        """Take note that a stage (`{api}/{stage}`) was published, which changes nothing, or (None) deleted."""
        if value is None:
            self._by_address.pop(name, None)
            for each in [each for each in self._stages if each.startswith(f"{name}/")]:
                del self._stages[each]

    def by_address(self, name: str, throttle: Throttle) -> AddressBuckets:
        """Give the buckets of a stage's (`{api}/{stage}`) callers without credentials; the same ones every time."""
        found = self._by_address.get(name)
        if found is None:
            found = self._by_address[name] = AddressBuckets(name, throttle, self._buckets, self._addresses)
        found.change(throttle)
        return found

    def method(self, name: str, throttle: Throttle) -> Bucket:
        """Give the bucket of `{api}/{stage}/{path}/{METHOD}`; the same one every time, with the throttle of now."""
        found = self._stages.get(name)
        if found is None:
            while len(self._stages) >= STAGE_BUCKETS_MAX:
                del self._stages[next(iter(self._stages))]
            found = self._stages[name] = self._buckets.bucket(f"stage/{name}", throttle)
        else:
            found.change(
                rate_per_second=throttle.rate_per_second, burst=throttle.burst, now_ns=self._clock.monotonic_ns()
            )
        return found
