"""DynamoDB as this platform has it: on the item store, or in a cluster of the operator's (`--tables URL`)."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from gatepost.config import Settings
from gatepost.gateway.upstreams import AddressPolicy
from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import SettingsError
from gatepost.kernel.operations import Provider
from gatepost.kernel.ports import Authorization, ChangeStreams
from gatepost.security.sealing import Seal
from gatepost.services.dynamodb.provider import DynamoDbProvider
from gatepost.services.dynamodb.remote.address import Cluster, parse_cluster
from gatepost.services.dynamodb.remote.cluster import ClusterClient
from gatepost.services.dynamodb.remote.names import Names
from gatepost.services.dynamodb.remote.schemas import RemoteSchemas
from gatepost.services.dynamodb.remote.streams import RemoteStreams
from gatepost.services.dynamodb.remote.tables import RemoteTables
from gatepost.services.dynamodbstreams.provider import DynamoDbStreamsProvider
from gatepost.services.dynamodbstreams.reader import StreamReader
from gatepost.storage.items import ItemStore
from gatepost.wire.client import Client


class TableService:
    """DynamoDB and its streams. `start` once the item store is open, `close` before it is closed."""

    def __init__(
        self,
        settings: Settings,
        items: ItemStore,
        authorization: Authorization,
        *,
        clock: Clock,
        seal: Seal,
        endpoint_url: str,
    ) -> None:
        """Join the parts. Raises: SettingsError when --tables cannot be."""
        self.streams: ChangeStreams | None = None  # that functions can be mapped to
        self._local: DynamoDbProvider | None = None
        self._client: Client | None = None
        if settings.tables_url:
            cluster = _cluster(settings)
            # The operator's URL is trusted, its name's addresses are not: never the metadata service of a cloud.
            self._client = Client(clock=clock, allow_address=AddressPolicy())
            self.providers = _remote(cluster, self._client, settings, clock=clock, seal=seal)
        else:
            self.streams = StreamReader(items.streams)
            self._local = DynamoDbProvider(
                items,
                clock,
                is_throttling=settings.tables_throttled,
                authorization=authorization,
                address=urlsplit(endpoint_url).netloc,
            )
            self.providers = (self._local, DynamoDbStreamsProvider(items.streams))

    async def start(self) -> None:
        """Read what must be in memory and take up the background work."""
        if self._local is not None:
            await self._local.start()

    async def close(self) -> None:
        """End the background work and close connections."""
        if self._local is not None:
            await self._local.close()
        if self._client is not None:
            await self._client.close()


def _cluster(settings: Settings) -> Cluster:
    cluster = parse_cluster(settings.tables_url, os.environ, region=settings.region)
    host = cluster.tables.host
    if host.replace(".", "").replace(":", "").isalnum() and _is_address(host) and not AddressPolicy()(host):
        raise SettingsError(f"--tables: {host} is an address that holds a machine's credentials, not a cluster's")
    return cluster


def _is_address(host: str) -> bool:
    return ":" in host or all(part.isdigit() for part in host.split("."))


def _remote(
    cluster: Cluster, client: Client, settings: Settings, *, clock: Clock, seal: Seal
) -> tuple[Provider, Provider]:
    place = {"region": settings.region, "account_id": settings.account_id}
    sender = ClusterClient(cluster, client)
    names = Names(**place)
    schemas = RemoteSchemas(sender, names, clock)
    return RemoteTables(sender, names, schemas, **place), RemoteStreams(sender, names, schemas, seal, **place)
