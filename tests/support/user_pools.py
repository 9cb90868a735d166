"""User pools: the real provider on a real store, with a fixed clock, toy functions and a kept outbox."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from gatepost.awsapi.dispatch import Dispatcher
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import Change
from gatepost.kernel.ports import CertificateInfo, InvocationResult, OutgoingMessage
from gatepost.security.jwt import SigningKey, unverified_claims
from gatepost.security.passwords import Passwords
from gatepost.security.sealing import Seal
from gatepost.services.cognito_idp.provider import CognitoIdpProvider, CognitoParts
from gatepost.storage.assets import FileAssets
from tests.support.stores import some_records
from tests.support.toys import ACCOUNT, ADMINISTRATOR, StrangersMayNothing

PASSWORD = "Passw0rd!"
OTHER_PASSWORD = "0ther-Passw0rd"
ISSUER = "http://localhost:4566"
_generate = SigningKey.generate


@cache
def _pem(number: int) -> bytes:
    return _generate(f"{number}").pem


@contextmanager
def ready_keys() -> Iterator[None]:
    """Give pools keys that were generated once: it takes 100 ms each."""
    numbers = iter(range(1 << 30))
    with patch.object(SigningKey, "generate", lambda kid: SigningKey(kid, _pem(next(numbers) % 2))):
        yield


class KeptChanges:
    """A publisher that keeps what a gateway would hold, by topic and key."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], Any] = {}

    async def publish(self, *changes: Change) -> None:
        for change in changes:
            self.held.pop((change.topic, change.key), None)
            if change.value is not None:
                self.held[change.topic, change.key] = change.value


class KeptMail:
    """A mailbox that keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[OutgoingMessage] = []

    async def send(self, message: OutgoingMessage) -> None:
        self.messages.append(message)

    @property
    def code(self) -> str:
        return self.messages[-1].code


CERTIFICATE_ARN = "arn:aws:acm:us-east-1:000000000000:certificate/1"


class KnownCertificates:
    """One certificate: for everything below `shop.example` and `shop.test`."""

    def certificate(self, arn: str) -> CertificateInfo | None:
        names = ("*.shop.example", "*.shop.test")
        return CertificateInfo(arn, names, "EC_prime256v1", "IMPORTED", "ISSUED", 0) if arn == CERTIFICATE_ARN else None


class ToyFunctions:
    """Functions as Python callables by trigger's name: each gets the event and gives it back changed."""

    def __init__(self, functions: Mapping[str, Callable[[dict[str, Any]], Any]]) -> None:
        self.functions = dict(functions)
        self.events: list[dict[str, Any]] = []
        self.calls: list[tuple[str, str, str]] = []

    def arn(self, name: str) -> str:
        return f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{name}"

    def config(self) -> dict[str, str]:
        return {name: self.arn(name) for name in self.functions}

    def sources(self) -> list[str]:
        return [event["triggerSource"] for event in self.events]

    def event(self, source: str) -> dict[str, Any]:
        return [event for event in self.events if event["triggerSource"] == source][-1]

    async def call(
        self, function_arn: str, payload: bytes, *, service: str, source_arn: str, request_id: str
    ) -> InvocationResult:
        self.calls.append((function_arn, service, source_arn))
        event = json.loads(payload)
        self.events.append(json.loads(payload))
        function = self.functions[function_arn.rpartition(":")[2]]
        try:
            answer = function(event)
            if inspect.isawaitable(answer):
                answer = await answer
        except ServiceError:
            raise
        except Exception as error:
            failure = {"errorMessage": str(error), "errorType": type(error).__name__}
            return InvocationResult(200, json.dumps(failure).encode(), function_error="Unhandled")
        return InvocationResult(200, json.dumps(event if answer is None else answer).encode())


class Aws:
    """One region's user pools: `await aws("SignUp", ClientId=…)` runs an operation as the administrator."""

    def __init__(self, provider: CognitoIdpProvider, dispatcher: Dispatcher, clock: FixedClock) -> None:
        self.provider = provider
        self.clock = clock
        self.mail: KeptMail = KeptMail()
        self.functions: ToyFunctions = ToyFunctions({})
        self.changes: Any = None
        self._dispatcher = dispatcher
        self.pool_id = ""
        self.client_id = ""

    async def __call__(self, operation: str, **params: Any) -> dict[str, Any]:
        return await self._dispatcher.invoke(ADMINISTRATOR, "cognito-idp", operation, params)

    async def fails(self, code: str, operation: str, **params: Any) -> str:
        """Run an operation that has to fail with a code; gives the message."""
        with pytest.raises(ServiceError) as refused:
            await self(operation, **params)
        assert refused.value.code == code, f"{refused.value.code}: {refused.value.message}"
        return refused.value.message

    # --- what many tests begin with ---

    async def a_pool(self, **settings: Any) -> str:
        told = await self("CreateUserPool", **{"PoolName": "shop", **settings})
        self.pool_id = told["UserPool"]["Id"]
        return self.pool_id

    async def a_client(self, *flows: str, **settings: Any) -> str:
        flows = flows or ("ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH")
        told = await self(
            "CreateUserPoolClient",
            **{
                "UserPoolId": self.pool_id,
                "ClientName": "web",
                "ExplicitAuthFlows": list(flows),
                "PreventUserExistenceErrors": "ENABLED",
                **settings,
            },
        )
        self.client_id = told["UserPoolClient"]["ClientId"]
        return self.client_id

    async def a_user(self, name: str = "ann", password: str = PASSWORD, **attributes: str) -> dict[str, Any]:
        """Make a confirmed user."""
        told = await self(
            "AdminCreateUser",
            UserPoolId=self.pool_id,
            Username=name,
            MessageAction="SUPPRESS",
            UserAttributes=[{"Name": key, "Value": value} for key, value in attributes.items()],
        )
        user: dict[str, Any] = told["User"]
        await self("AdminSetUserPassword", UserPoolId=self.pool_id, Username=name, Password=password, Permanent=True)
        return user

    async def start(
        self, flow: str, name: str = "ann", *, client_metadata: Any = None, **parameters: str
    ) -> dict[str, Any]:
        more = {"ClientMetadata": client_metadata} if client_metadata else {}
        return await self(
            "InitiateAuth",
            ClientId=self.client_id,
            AuthFlow=flow,
            AuthParameters={"USERNAME": name, **parameters},
            **more,
        )

    async def sign_in(self, name: str = "ann", password: str = PASSWORD) -> dict[str, Any]:
        """Sign in by password; gives AuthenticationResult."""
        told = await self.start("USER_PASSWORD_AUTH", name, PASSWORD=password)
        result: dict[str, Any] = told["AuthenticationResult"]
        return result

    async def answer(self, challenge: Mapping[str, Any], name: str = "ann", **responses: str) -> dict[str, Any]:
        """Respond to a challenge."""
        return await self(
            "RespondToAuthChallenge",
            ClientId=self.client_id,
            ChallengeName=challenge["ChallengeName"],
            Session=challenge["Session"],
            ChallengeResponses={"USERNAME": name, **responses},
        )

    async def refuses_answer(self, code: str, challenge: Mapping[str, Any], name: str = "ann", **responses: str) -> str:
        return await self.fails(
            code,
            "RespondToAuthChallenge",
            ClientId=self.client_id,
            ChallengeName=challenge["ChallengeName"],
            Session=challenge["Session"],
            ChallengeResponses={"USERNAME": name, **responses},
        )

    async def user(self, name: str = "ann") -> dict[str, Any]:
        return await self("AdminGetUser", UserPoolId=self.pool_id, Username=name)


def claims_of(token: str) -> dict[str, Any]:
    """Read a token's claims."""
    return unverified_claims(token)


def attributes_of(told: Mapping[str, Any]) -> dict[str, str]:
    """Give a user's attributes by name."""
    listed = told.get("UserAttributes", told.get("Attributes", ()))
    return {one["Name"]: one["Value"] for one in listed}


def with_pools(
    folder: Path,
    scenario: Callable[[Aws], Awaitable[Any]],
    *,
    functions: Mapping[str, Callable[[dict[str, Any]], Any]] | None = None,
    answer_within_s: float = 5.0,
) -> Any:
    """Run a scenario against an empty region."""
    clock = FixedClock()

    async def run() -> Any:
        async with some_records(folder) as records:
            mail, toys, changes = KeptMail(), ToyFunctions(functions or {}), KeptChanges()
            provider = CognitoIdpProvider(
                CognitoParts(
                    records=records,
                    publisher=changes,
                    seal=Seal(bytes(32)),
                    clock=clock,
                    functions=toys,
                    mailbox=mail,
                    assets=FileAssets(folder / "assets"),
                    certificates=KnownCertificates(),
                    issuer=lambda pool: f"{ISSUER}/{pool.id}",
                    url=lambda: ISSUER,
                    passwords=Passwords(memory_kib=64, passes=1),
                    trigger_answers_within_s=answer_within_s,
                )
            )
            await provider.start()
            dispatcher = Dispatcher(
                [provider], authorization=StrangersMayNothing(), clock=clock, account_id=ACCOUNT, region="us-east-1"
            )
            aws = Aws(provider, dispatcher, clock)
            aws.mail, aws.functions, aws.changes = mail, toys, changes
            try:
                return await scenario(aws)
            finally:
                await provider.close()

    with ready_keys():
        return asyncio.run(run())


Run = Callable[..., Any]


@pytest.fixture
def pools(tmp_path: Path) -> Run:
    """Give `pools(scenario, functions={…})`."""
    return lambda scenario, **options: with_pools(tmp_path, scenario, **options)


__all__ = [
    "ISSUER",
    "OTHER_PASSWORD",
    "PASSWORD",
    "Aws",
    "Run",
    "attributes_of",
    "claims_of",
    "pools",
]
