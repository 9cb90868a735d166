"""Secrets Manager and Parameter Store, joined with what they need."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceError, StoreUnavailable
from gatepost.kernel.operations import Provider
from gatepost.kernel.ports import Authorization, EventSink, Operations
from gatepost.kernel.tasks import Tasks
from gatepost.security.session_tokens import Sealing
from gatepost.services.events.schedules import parse_schedule
from gatepost.services.secretsmanager.provider import SecretsManagerProvider
from gatepost.services.secretsmanager.rotation import RotationFunctions
from gatepost.services.ssm.provider import SsmProvider
from gatepost.storage.base import Records

log = logging.getLogger(__name__)

POLICIES_EVERY_S: Final = 60.0


class SecretServices:
    """Both services on one platform: `start` once the store is open, `close` before it is closed."""

    def __init__(
        self,
        records: Records,
        seal: Sealing,
        authorization: Authorization,
        functions: RotationFunctions,
        clock: Clock,
        operations: Operations | None = None,
        sink: EventSink | None = None,
    ) -> None:
        self._secrets = SecretsManagerProvider(
            records, seal, authorization, functions, clock, parse_schedule=parse_schedule
        )
        self._parameters = SsmProvider(records, seal, operations, sink)
        self._clock = clock
        self._tasks = Tasks("parameters")

    @property
    def providers(self) -> tuple[Provider, ...]:
        """Give both, for the dispatcher."""
        return (self._secrets, self._parameters)

    async def start(self) -> None:
        """Read secrets and parameters; rotate what is due from now on. Raises: StoreUnavailable."""
        await self._secrets.start()
        await self._parameters.start()
        self._tasks.spawn(self._act_on_policies(), name="policies")

    async def _act_on_policies(self) -> None:
        while True:
            await asyncio.sleep(POLICIES_EVERY_S)
            try:
                await self._parameters.act_on_policies(self._clock.now_ms())
            except (ServiceError, StoreUnavailable) as error:
                log.warning("policies of parameters not acted on", extra={"error": str(error)})

    async def close(self) -> None:
        """Stop rotations and policies."""
        await self._tasks.close()
        await self._secrets.close()
