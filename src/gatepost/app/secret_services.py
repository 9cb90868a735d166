"""Secrets Manager and Parameter Store, joined with what they need."""

from __future__ import annotations

from gatepost.kernel.clock import Clock
from gatepost.kernel.operations import Provider
from gatepost.kernel.ports import Authorization, FunctionCalls, Operations
from gatepost.security.session_tokens import Sealing
from gatepost.services.events.schedules import parse_schedule
from gatepost.services.secretsmanager.provider import SecretsManagerProvider
from gatepost.services.ssm.provider import SsmProvider
from gatepost.storage.base import Records


class SecretServices:
    """Both services on one platform: `start` once the store is open, `close` before it is closed."""

    def __init__(
        self,
        records: Records,
        seal: Sealing,
        authorization: Authorization,
        functions: FunctionCalls,
        clock: Clock,
        operations: Operations | None = None,
    ) -> None:
        self._secrets = SecretsManagerProvider(
            records, seal, authorization, functions, clock, parse_schedule=parse_schedule
        )
        self._parameters = SsmProvider(records, seal, operations)

    @property
    def providers(self) -> tuple[Provider, ...]:
        """Give both, for the dispatcher."""
        return (self._secrets, self._parameters)

    async def start(self) -> None:
        """Read secrets and parameters; rotate what is due from now on. Raises: StoreUnavailable."""
        await self._secrets.start()
        await self._parameters.start()

    async def close(self) -> None:
        """Stop rotations."""
        await self._secrets.close()
