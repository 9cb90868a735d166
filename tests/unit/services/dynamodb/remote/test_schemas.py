"""What is known of a cluster's tables: asked for once, kept a while, never taken for certain when it is not there."""

import asyncio

import orjson
import pytest

from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import ServiceUnavailable
from gatepost.kernel.operations import Call, Principal
from gatepost.services.dynamodb.model import ResourceNotFoundException, UnknownTable
from gatepost.services.dynamodb.remote.names import Names
from gatepost.services.dynamodb.remote.schemas import KEPT_MS, RemoteSchemas

CALL = Call("dynamodb", "GetItem", "000000000000", "us-east-1", Principal("root", "000000000000", "arn", "r"), "id", 0)


class Cluster:
    """Describes one table, and counts how often it is asked."""

    def __init__(self):
        self.asked = 0
        self.error = None

    async def send(self, call, params):
        self.asked += 1
        assert call.operation == "DescribeTable"
        await asyncio.sleep(0)
        if self.error is not None:
            raise self.error
        keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
        by_sort = {"IndexName": "by-sk", "KeySchema": [{"AttributeName": "sk", "KeyType": "HASH"}]}
        types = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")]
        table = {"AttributeDefinitions": types, "KeySchema": keys, "GlobalSecondaryIndexes": [by_sort]}
        return orjson.dumps({"Table": {**table, "TableArn": f"arn:x:y:z:w:table/{params['TableName']}"}})


def some_schemas():
    clock, cluster = FixedClock(), Cluster()
    names = Names(region="us-east-1", account_id="000000000000")
    return RemoteSchemas(cluster, names, clock), cluster, clock, names


def test_a_table_is_asked_for_once_by_all_who_want_it_and_kept_a_while():
    schemas, cluster, clock, names = some_schemas()

    async def scenario():
        await asyncio.gather(*(schemas.ask(CALL, ["orders"]) for _ in range(5)))
        assert cluster.asked == 1
        table = schemas.find(CALL, "orders")
        assert table.items.keys.names == ("pk", "sk")
        assert table.readable["by-sk"].keys.partition.name == "sk"
        assert names.knows("orders")
        assert schemas.missing(["orders"]) == []
        clock.advance(ms=KEPT_MS + 1)
        assert schemas.missing(["orders"]) == ["orders"]
        schemas.forget("orders")
        with pytest.raises(UnknownTable):
            schemas.find(CALL, "orders")

    asyncio.run(scenario())


def test_a_table_that_is_not_there_is_asked_for_again_each_time():
    schemas, cluster, _, _ = some_schemas()
    cluster.error = ResourceNotFoundException("no such table")

    async def scenario():
        for count in (1, 2):
            await schemas.ask(CALL, ["orders"])
            assert cluster.asked == count
            assert schemas.missing(["orders"]) == ["orders"]

    asyncio.run(scenario())


def test_a_lost_cluster_is_told_to_all_who_ask():
    schemas, cluster, _, _ = some_schemas()
    cluster.error = ServiceUnavailable("lost")

    async def scenario():
        found = await asyncio.gather(*(schemas.ask(CALL, ["orders"]) for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in found] == [ServiceUnavailable] * 3

    asyncio.run(scenario())
