"""Secrets Manager beside a whole IAM, on real records, with a function that rotates as the test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from gatepost.awsapi.dispatch import Dispatcher
from gatepost.kernel.operations import Principal
from gatepost.kernel.ports import InvocationResult
from gatepost.security.sealing import Seal
from gatepost.services.events.schedules import parse_schedule
from gatepost.services.secretsmanager.provider import SecretsManagerProvider
from gatepost.storage.base import Records
from tests.support.identities import SEAL_KEY, IdentityWorld
from tests.support.policies import ACCOUNT
from tests.support.stores import some_records

ROTATOR = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:rotator"
TOKENS = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(20)]


class RotatingFunctions:
    """A function of four steps: each is kept, and `does` is asked what happens."""

    def __init__(self) -> None:
        self.steps: list[dict[str, str]] = []
        self.asked: list[tuple[str, str, str]] = []
        self.does: Callable[[dict[str, str]], Awaitable[bool]] | None = None
        self.lets_in = True

    def admits(self, function_arn: str, *, service: str, source_arn: str) -> bool:
        return self.lets_in and service == "secretsmanager.amazonaws.com" and bool(function_arn and source_arn)

    async def call(
        self, function_arn: str, payload: bytes, *, service: str, source_arn: str, request_id: str
    ) -> InvocationResult:
        event = json.loads(payload)
        self.steps.append(event)
        self.asked.append((function_arn, service, source_arn))
        worked = True if self.does is None else await self.does(event)
        return InvocationResult(200, b"null", "" if worked else "Unhandled")


class SecretsWorld(IdentityWorld):
    """IAM, STS and Secrets Manager, and root to call them."""

    def __init__(self, records: Records, clock: Any = None) -> None:
        super().__init__(records, **({"clock": clock} if clock is not None else {}))
        self.functions = RotatingFunctions()
        self.ids = (f"{number:08d}-1111-4111-8111-111111111111" for number in range(1000))
        self.secrets = SecretsManagerProvider(
            records,
            Seal(SEAL_KEY),
            self.authorizer,
            self.functions,
            self.clock,
            parse_schedule=parse_schedule,
            new_id=lambda: next(self.ids),
        )
        self.dispatcher = Dispatcher(
            (self.iam, self.sts, self.secrets),
            authorization=self.authorizer,
            clock=self.clock,
            account_id=ACCOUNT,
            region="us-east-1",
        )

    async def secret(self, operation: str, _as: Principal | None = None, /, **params: Any) -> Any:
        return await self.do(operation, _as, service="secretsmanager", **params)

    async def no(self, code: str, operation: str, _as: Principal | None = None, /, **params: Any) -> str:
        return await self.refused(code, operation, _as, service="secretsmanager", **params)

    async def a_secret(self, name: str = "shop/key", value: str = "sesame", token: int = 0, **params: Any) -> str:
        answer = await self.secret(
            "CreateSecret", Name=name, SecretString=value, ClientRequestToken=TOKENS[token], **params
        )
        return str(answer["ARN"])

    async def value(self, name: str = "shop/key", **params: Any) -> str:
        return str((await self.secret("GetSecretValue", SecretId=name, **params))["SecretString"])

    async def settled(self) -> None:
        """Let rotations that run come to their end."""
        async with asyncio.timeout(10):
            while self.secrets._rotator._running:
                await asyncio.sleep(0.001)


def with_secrets(tmp_path: Any, *scenarios: Callable[[SecretsWorld], Awaitable[Any]]) -> list[Any]:
    """Run each scenario on the same records with everything made anew; the clock goes on."""

    async def whole() -> list[Any]:
        results, clock = [], None
        async with some_records(tmp_path) as records:
            for scenario in scenarios:
                world = SecretsWorld(records, clock)
                clock = world.clock
                await world.iam.load()
                await world.secrets.start()
                try:
                    results.append(await scenario(world))
                finally:
                    await world.secrets.close()
        return results

    return asyncio.run(whole())
