"""Secrets Manager's provider: its parts put together, its start and its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import StoreUnavailable
from gatepost.kernel.ids import request_id
from gatepost.kernel.operations import Access, Call
from gatepost.kernel.ports import Authorization
from gatepost.kernel.tasks import Tasks
from gatepost.security.session_tokens import Sealing
from gatepost.services.secretsmanager.access import access_of, secret_access
from gatepost.services.secretsmanager.operations import SecretOperations
from gatepost.services.secretsmanager.policies import PolicyOperations
from gatepost.services.secretsmanager.rotation import (
    ParseSchedule,
    RotationFunctions,
    RotationOperations,
    Rotator,
)
from gatepost.services.secretsmanager.secrets import Secrets
from gatepost.services.secretsmanager.values import ValueOperations
from gatepost.storage.base import Records

log = logging.getLogger(__name__)

SWEEP_EVERY_S: Final = 3_600


class SecretsManagerProvider(SecretOperations, ValueOperations, PolicyOperations, RotationOperations):
    """Secrets Manager's operations. Call `start` once the store is open, `close` before it is closed.

    Replication is refused by not being there.
    """

    service = "secretsmanager"

    def __init__(
        self,
        records: Records,
        seal: Sealing,
        authorization: Authorization,
        functions: RotationFunctions,
        clock: Clock,
        *,
        parse_schedule: ParseSchedule,
        new_id: Callable[[], str] = request_id,
    ) -> None:
        self._secrets = Secrets(records, seal)
        self._authorization = authorization
        self._clock = clock
        self._parse_schedule = parse_schedule
        self._rotator = Rotator(self._secrets, functions, clock, new_id=new_id, parse_schedule=parse_schedule)
        self._tasks = Tasks("secrets")

    async def start(self) -> None:
        """Read every secret, and rotate and delete what is due from now on. Raises: StoreUnavailable."""
        await self._secrets.load()
        await self.sweep()
        self._rotator.start()
        self._tasks.spawn(self._sweep_for_ever(), name="sweep")

    async def close(self) -> None:
        """Stop what runs."""
        await self._rotator.close()
        await self._tasks.close()

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            try:
                await self.sweep()
            except StoreUnavailable as error:
                log.warning("secrets not swept", extra={"error": str(error)})

    def access(self, call: Call, params: Mapping[str, Any]) -> Sequence[Access]:
        """Say what a call touches."""
        return access_of(self._secrets, call, params)

    def value_access(self, call: Call, secret_id: str, params: Mapping[str, Any]) -> Access:
        """Say what GetSecretValue of one secret needs, for a batch."""
        del params
        return secret_access(self._secrets, call, "secretsmanager:GetSecretValue", secret_id, {})
