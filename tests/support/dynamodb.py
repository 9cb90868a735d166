"""A DynamoDB to try things on: the real provider on a real store in a temporary directory, behind the dispatcher."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson

from gatepost.awsapi.dispatch import Dispatcher, check
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import Access, Call, Principal
from gatepost.kernel.ports import Authorization
from gatepost.services.dynamodb.provider import DynamoDbProvider
from gatepost.services.dynamodbstreams.provider import DynamoDbStreamsProvider
from gatepost.storage.items import MIGRATIONS, ItemStore
from gatepost.storage.items_streams import StreamStore
from gatepost.storage.sqlite import Database

ACCOUNT = "000000000000"
REGION = "us-east-1"
STREAM_OPERATIONS = {"ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"}
ROOT = Principal("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)


class AllowAll:
    """An authorization that allows everything and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Access] = []

    def check(self, call: Call, access: Access) -> None:
        self.asked.append(access)


class DynamoDb:
    """Calls operations with JSON's own values, as they come over HTTP: `await db("GetItem", TableName=…)`."""

    def __init__(self, provider: DynamoDbProvider, clock: FixedClock, *, streams: StreamStore) -> None:
        self.provider = provider
        self.clock = clock
        self.authorization = AllowAll()
        self.dispatcher = Dispatcher(
            [provider, DynamoDbStreamsProvider(streams)],
            authorization=self.authorization,
            clock=clock,
            account_id=ACCOUNT,
            region=REGION,
        )

    async def __call__(self, name: str, /, **params: Any) -> dict[str, Any]:
        service = "dynamodbstreams" if name in STREAM_OPERATIONS else "dynamodb"
        bound = self.dispatcher.operation(service, name)
        if not bound.wire_json:
            return await self.dispatcher.invoke(ROOT, service, name, params)
        check(bound.checker("wire"), params)
        call = Call(service, name, ACCOUNT, REGION, ROOT, "request", self.clock.now_ms())
        result = self.dispatcher.start(bound, call, params)
        if not isinstance(result, dict | bytes):
            result = await result
        body = result if isinstance(result, bytes) else orjson.dumps(result)
        answer = orjson.loads(body)
        bound.from_wire(answer)  # it fits the model
        return answer

    async def refused(self, name: str, /, **params: Any) -> ServiceError:
        """Call an operation that must fail, and give its error."""
        try:
            answer = await self(name, **params)
        except ServiceError as error:
            return error
        raise AssertionError(f"{name} answered {answer}")


def on_dynamodb(
    scenario: Callable[[DynamoDb], Awaitable[Any]],
    *,
    path: Path | None = None,
    is_throttling: bool = True,
    authorization: Authorization | None = None,
    address: str = "",
) -> Any:
    """Run `scenario` on a fresh DynamoDB, or on the one that lies in the file `path`."""

    async def run() -> Any:
        with tempfile.TemporaryDirectory() as directory:
            database = Database(path or Path(directory) / "items.db", durability="process", migrations=MIGRATIONS)
            await database.open()
            clock = FixedClock()
            store = ItemStore(database, clock)
            provider = DynamoDbProvider(
                store, clock, is_throttling=is_throttling, authorization=authorization, address=address
            )
            await provider.start()
            try:
                return await scenario(DynamoDb(provider, clock, streams=store.streams))
            finally:
                await provider.close()
                await database.close()

    return asyncio.run(run())


def a_table(name: str = "things", *, sort: str | None = "sk:S", partition: str = "pk:S", **more: Any) -> dict[str, Any]:
    """Build CreateTable's parameters: attributes are given as `name:type`; indexes as further parameters."""
    attributes = {pair.split(":")[0]: pair.split(":")[1] for pair in (partition, sort) if pair}
    for index in (*more.get("GlobalSecondaryIndexes", ()), *more.get("LocalSecondaryIndexes", ())):
        attributes.update(index.pop("_types"))
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in attributes.items()],
        "KeySchema": a_key(partition, sort),
        **more,
    }


def a_key(partition: str, sort: str | None = None) -> list[dict[str, str]]:
    """Build a KeySchema from `name:type`."""
    elements = [{"AttributeName": partition.split(":", maxsplit=1)[0], "KeyType": "HASH"}]
    if sort:
        elements.append({"AttributeName": sort.split(":")[0], "KeyType": "RANGE"})
    return elements


def an_index(
    name: str, partition: str, sort: str | None = None, *, projection: str = "ALL", attributes: Any = None
) -> dict[str, Any]:
    """Build an index for `a_table`."""
    shown: dict[str, Any] = {"ProjectionType": projection}
    if attributes:
        shown["NonKeyAttributes"] = attributes
    types = {pair.split(":")[0]: pair.split(":")[1] for pair in (partition, sort) if pair}
    return {"IndexName": name, "KeySchema": a_key(partition, sort), "Projection": shown, "_types": types}
