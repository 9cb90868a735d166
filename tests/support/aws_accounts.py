"""boto3 clients of an in-process endpoint over real IAM and any other providers, without a socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse

from gatepost.awsapi.dispatch import Dispatcher
from gatepost.awsapi.server import AwsEndpoint
from gatepost.wire.messages import Response
from tests.support.aws_endpoints import CONFIG, _Raw, as_request
from tests.support.identities import IdentityWorld, an_identity_world
from tests.support.policies import ACCOUNT


class AwsAccount:
    """An account with its administrator, and clients for whoever holds a key."""

    def __init__(self, loop: asyncio.AbstractEventLoop, world: IdentityWorld, *providers: Any) -> None:
        self._loop = loop
        self.world = world
        dispatcher = Dispatcher(
            (world.iam, world.sts, *providers),
            authorization=world.authorizer,
            clock=world.clock,
            account_id=ACCOUNT,
            region="us-east-1",
        )
        self._endpoint = AwsEndpoint(
            dispatcher, identities=world.directory, authorization=world.authorizer, hosts=["127.0.0.1"]
        )
        key = loop.run_until_complete(world.iam.create_administrator_key(ACCOUNT))
        self._administrator = {"AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret_access_key}

    def client(self, service: str, key: dict[str, Any] | None = None) -> Any:
        """Give a client that holds `key`, by default the administrator's."""
        key = key or self._administrator
        client = boto3.client(
            service,
            endpoint_url="http://127.0.0.1:4566",
            region_name="us-east-1",
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
            config=CONFIG,
        )
        client.meta.events.register("before-send.*", self._send)
        return client

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        async def answer() -> Response:
            given = self._endpoint(as_request(request))
            return given if isinstance(given, Response) else await given

        response = self._loop.run_until_complete(answer())
        headers = {name.decode(): value.decode() for name, value in response.headers}
        return AWSResponse(request.url, response.status, headers, _Raw(response.body))


@contextmanager
def an_aws_account(folder: Path, *builders: Callable[[IdentityWorld], Any]) -> Iterator[AwsAccount]:
    """An account that lasts as long as the block; each builder makes a further provider of the world."""
    loop = asyncio.new_event_loop()
    stack = AsyncExitStack()
    world = loop.run_until_complete(stack.enter_async_context(an_identity_world(folder)))
    world.clock.advance(ms=time.time_ns() // 1_000_000 - world.clock.now_ms())  # botocore signs with the real time
    try:
        yield AwsAccount(loop, world, *(build(world) for build in builders))
    finally:
        loop.run_until_complete(stack.aclose())
        loop.close()
