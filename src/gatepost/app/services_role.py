"""The services role: storage, every service's provider, the AWS endpoint, and the link's publishing end."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gatepost.app.child import Orders, inherited_socket, run_role
from gatepost.app.forwarding import ApiForwarder
from gatepost.app.own_routes import own_routes
from gatepost.app.platform_state import PlatformState
from gatepost.app.usage_records import UsageRecords
from gatepost.awsapi.authorization import Authorizer
from gatepost.awsapi.dispatch import Dispatcher
from gatepost.awsapi.listener import AWS_LIMITS, refuse
from gatepost.awsapi.server import AwsEndpoint
from gatepost.config import Settings
from gatepost.kernel.clock import Clock, SystemClock
from gatepost.kernel.ids import request_id
from gatepost.kernel.operations import Change, Principal, Provider, Publishes
from gatepost.link.publisher import ServicesLink
from gatepost.security.sealing import Seal, load_key
from gatepost.security.session_tokens import SessionTokens
from gatepost.services.apigateway.provider import ApiGateway
from gatepost.services.dynamodb.provider import DynamoDbProvider
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.provider import IamProvider
from gatepost.services.lambda_.provider import LambdaParts, LambdaProvider
from gatepost.services.sts.provider import StsProvider
from gatepost.services.sts.sessions import Sessions
from gatepost.storage import items, records
from gatepost.storage.assets import FileAssets
from gatepost.storage.data_directory import DataDirectory, read_json, write_durably
from gatepost.storage.items import ItemStore
from gatepost.storage.records import SqliteRecords
from gatepost.storage.sqlite import Database
from gatepost.wire.client import Client
from gatepost.wire.server import Server


class ServicesRole:
    """Every object of the role, built once, in order. `start` opens and serves, `stop` drains and closes."""

    def __init__(self, orders: Orders, *, clock: Clock) -> None:
        settings = orders.settings
        self._orders = orders
        self._settings = settings
        self._clock = clock
        data = self._data = DataDirectory(settings.data_dir.absolute())
        durability = settings.durability
        self._records_db = Database(data.store / "records.db", durability=durability, migrations=records.MIGRATIONS)
        self._items_db = Database(data.store / "items.db", durability=durability, migrations=items.MIGRATIONS)
        store = self._store = SqliteRecords(self._records_db)
        self._assets = FileAssets(data.assets)
        self._seal = Seal(load_key(data.path / "seal.key"))
        self._usage = UsageRecords(store, account_id=settings.account_id, region=settings.region)
        self._link = ServicesLink(take_usage=self._usage.take, take_telemetry=self._take_telemetry)
        self._state = PlatformState(
            lambda: self._link.gateways, templates={str(path): "waiting" for path in settings.templates}
        )
        directory = Directory(self._seal)
        authorizer = Authorizer(directory)
        sessions = Sessions(directory, SessionTokens(self._seal), clock)
        self._iam = IamProvider(store, directory, self._link, self._seal, clock)
        self._dynamodb = DynamoDbProvider(ItemStore(self._items_db), clock)
        self._lambda = LambdaProvider(
            LambdaParts(
                records=store,
                publisher=self._link,
                invoker=self._link,
                role_sessions=sessions,
                authorization=authorizer,
                assets=self._assets,
                functions_dir=data.functions,
                clock=clock,
                new_id=request_id,
            )
        )
        self._providers: list[Provider] = [
            self._iam,
            StsProvider(directory, sessions),
            self._dynamodb,
            self._lambda,
            ApiGateway(store, self._link, authorizer),
        ]
        self._dispatcher = Dispatcher(
            self._providers,
            authorization=authorizer,
            clock=clock,
            account_id=settings.account_id,
            region=settings.region,
        )
        self._client = Client(clock=clock)
        endpoint = AwsEndpoint(
            self._dispatcher,
            identities=directory,
            authorization=authorizer,
            hosts=[settings.host],
            routes=own_routes(self._state, self._assets, describe=self._describe),
            api_requests=ApiForwarder(self._client, host=local_host(settings), port=orders.ports[0]),
            any_credentials=root_of(settings) if settings.any_credentials else None,
        )
        self._server = Server(
            endpoint,
            limits=AWS_LIMITS,
            refuse=refuse,
            clock=clock,
            body_bytes_max=endpoint.body_bytes_max,
        )

    async def start(self) -> None:
        """Open the stores, load what must be in memory, serve. Raises: SettingsError, StoreUnavailable."""
        await self._records_db.open()
        await self._items_db.open()
        await self._iam.load()
        await self._dynamodb.start()
        await self._lambda.start()
        await self._usage.load()
        await self._keep_administrator()
        self._link.load(await self._published())
        await self._link.serve(self._orders.link_path)
        await self._server.serve(inherited_socket(self._orders.sockets[2]))

    async def stop(self) -> dict[str, int]:
        """Let running operations finish, close everything, and give how many requests were cut off."""
        cut_off = await self._server.drain(self._settings.drain_ms)
        await self._link.close()
        await self._client.close()
        await self._lambda.close()
        await self._dynamodb.close()
        await self._items_db.close()
        await self._records_db.close()
        return {"cut_off": cut_off}

    async def _published(self) -> list[Change]:
        changes: list[Change] = []
        for provider in self._providers:
            if isinstance(provider, Publishes):
                changes.extend(await provider.published())
        return changes

    async def _keep_administrator(self) -> None:
        """Make the administrator's key at the first start, and again when its file was lost."""
        path = self._data.path / "administrator.json"
        if read_json(path) is not None:
            return
        key = await self._iam.create_administrator_key(self._settings.account_id)
        told = {"access_key_id": key.access_key_id, "secret_access_key": key.secret_access_key}
        write_durably(path, json.dumps(told, indent=2).encode() + b"\n", mode=0o600)

    async def _take_telemetry(self, batch: Mapping[str, Any]) -> None:
        if "figures" in batch:
            self._state.figures = {tuple(figures["key"]): figures for figures in batch["figures"]}
        if "gateway" in batch:
            self._state.gateway = batch["gateway"]

    async def _describe(self) -> dict[str, Any]:
        """Give what `gatepost status` shows."""
        counts = self._usage.counts()
        apis = [{**figures, "count_ever": counts.get(figures["usage_key"], 0)} for figures in self._state.apis()]
        return {
            "roles": [
                {"role": "services", "state": "ready", "pid": os.getpid()},
                {"role": "gateway", "state": self._state.health()[1]["gateway"], **self._state.gateway},
            ],
            "apis": apis,
        }


def local_host(settings: Settings) -> str:
    """Give the address at which this machine reaches its own listeners."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared with


def root_of(settings: Settings) -> Principal:
    """Give the account's root, whom unknown keys stand for with --any-credentials."""
    return Principal(
        "root", settings.account_id, f"arn:aws:iam::{settings.account_id}:root", settings.account_id, name="root"
    )


async def serve(orders: Orders, stopping: asyncio.Event) -> Callable[[], Awaitable[dict[str, int]]]:
    """Start the role and give what stops it."""
    del stopping
    role = ServicesRole(orders, clock=SystemClock())
    await role.start()
    return role.stop


if __name__ == "__main__":
    run_role(serve)
