"""The limits of the gateway role: buckets, quotas and API keys, built once from settings, journal and seal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gatepost.config import Settings
from gatepost.gateway.addresses import ClientAddresses
from gatepost.gateway.buckets import Buckets, LocalBuckets, SharedBuckets
from gatepost.gateway.limits import StageLimits
from gatepost.gateway.quotas import Quotas
from gatepost.gateway.usage_keys import UsageKeys
from gatepost.kernel.clock import Clock
from gatepost.kernel.ports import Replica
from gatepost.kernel.tasks import Tasks
from gatepost.security.sealing import Seal
from gatepost.services.apigateway.usage_model import DIGEST_PURPOSE, Throttle
from gatepost.state.base import SharedState
from gatepost.state.memory import MemoryState
from gatepost.state.valkey import ValkeyAddress, ValkeyState
from gatepost.telemetry.usage import UsageJournal

LOCAL_DEADLINE_MS: Final = 100  # the state role is on this machine, whose cores it may have to wait for


class UsageLimits:
    """Every limit that requests meet in this gateway."""

    def __init__(
        self,
        settings: Settings,
        *,
        seal: Seal,
        clock: Clock,
        journal: UsageJournal,
        state_path: str = "",
    ) -> None:
        """Share limits by `--state`, else by the state role at `state_path`, else with nobody."""
        self._journal = journal
        self._elsewhere: Mapping[str, int] = {}
        self._tasks = Tasks("limits")
        self.state: ValkeyState | None = None
        self._memory = MemoryState(clock)
        if settings.state_url:
            self.state = ValkeyState(ValkeyAddress.parse(settings.state_url), clock)
        elif state_path:
            address = ValkeyAddress("", 0, path=state_path)
            self.state = ValkeyState(address, clock, deadline_ms=LOCAL_DEADLINE_MS)
        buckets: Buckets = LocalBuckets(clock)
        if self.state is not None:
            buckets = SharedBuckets(self.state, clock, self._tasks)
        account = Throttle(settings.account_throttle_rate, settings.account_throttle_burst)
        addresses = ClientAddresses(settings.trusted_proxies)
        self.stages = StageLimits(buckets, clock, account=account, addresses=addresses)
        quotas = Quotas(
            clock,
            standing=self._standing,
            kept=journal.kept,
            state=self.state,
            tasks=self._tasks,
        )
        self.keys = UsageKeys(
            seal.digester(DIGEST_PURPOSE), clock=clock, buckets=buckets, quotas=quotas, counted=journal.counted
        )

    def _standing(self, name: str) -> int:
        return self._journal.standing(name) + self._elsewhere.get(name, 0)

    def load(self, elsewhere: Mapping[str, int]) -> None:
        """Know what other processes' journals say of quotas, as of this process's start."""
        self._elsewhere = elsewhere

    @property
    def shared(self) -> SharedState:
        """Give what gateways share, or what this one remembers alone."""
        return self.state if self.state is not None else self._memory

    async def start(self) -> None:
        """Connect to the shared state, if there is one; it may come later."""
        if self.state is not None:
            await self.state.start()

    async def close(self) -> None:
        """Let go of the shared state."""
        await self._tasks.close()
        if self.state is not None:
            await self.state.close()

    def follow(self, replica: Replica) -> None:
        """Keep up with what is published of keys, plans and stages."""
        self.keys.follow(replica)
        self.stages.follow(replica)
