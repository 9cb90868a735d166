"""DynamoDB Streams of a cluster of the operator's.

An iterator of the cluster's says nothing to us, so callers get it sealed together with the stream that it reads: that
stream is what IAM is asked about when it comes back.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import orjson

from gatepost.kernel.errors import ValidationException
from gatepost.kernel.operations import Access, Call, OperationMark
from gatepost.security.sealing import NotSealed, Seal
from gatepost.services.dynamodb.remote.cluster import ClusterClient
from gatepost.services.dynamodb.remote.names import Names
from gatepost.services.dynamodb.remote.schemas import RemoteSchemas
from gatepost.services.dynamodb.remote.tables import check_place

Params = Mapping[str, Any]
PURPOSE: Final = "shard-iterator"
INVALID: Final = "Invalid ShardIterator"


class RemoteStreams:
    """DynamoDB Streams on a cluster."""

    service = "dynamodbstreams"

    def __init__(
        self, cluster: ClusterClient, names: Names, schemas: RemoteSchemas, seal: Seal, *, region: str, account_id: str
    ) -> None:
        self._cluster = cluster
        self._names = names
        self._schemas = schemas
        self._seal = seal
        self._region = region
        self._account_id = account_id

    def operations(self) -> dict[str, tuple[OperationMark, Callable[..., Any]]]:
        """Give the operations (`kernel.operations.GivesOperations`)."""
        methods = {
            "DescribeStream": self.on_stream,
            "GetRecords": self.get_records,
            "GetShardIterator": self.get_shard_iterator,
            "ListStreams": self.on_stream,
        }
        return {
            name: (OperationMark(name, wire_json=True, known_only=True), method) for name, method in methods.items()
        }

    def prepare(self, call: Call, params: Params) -> Awaitable[None] | None:
        """Learn how the cluster spells the table's ARN."""
        check_place(call, region=self._region, account_id=self._account_id)
        name = self._names.table_of(params.get("StreamArn", ""))
        if not name or self._names.knows(name):
            return None
        return self._schemas.ask(call, [name])

    def access(self, call: Call, params: Params) -> Sequence[Access]:
        """Say what a call touches: a stream, or all streams of a table. Raises: ValidationException."""
        action = f"dynamodb:{call.operation}"
        if "StreamArn" in params:
            return (Access(action, params["StreamArn"]),)
        if "ShardIterator" in params:
            return (Access(action, self._opened(params["ShardIterator"])[0]),)
        table = params.get("TableName", "*")
        return (Access(action, f"arn:aws:dynamodb:{call.region}:{call.account_id}:table/{table}/stream/*"),)

    async def on_stream(self, call: Call, params: Params) -> bytes:
        """List or describe streams."""
        answer = orjson.loads(await self._cluster.send(call, self._names.to_cluster(params)))
        return orjson.dumps(self._names.to_caller(answer))

    async def get_shard_iterator(self, call: Call, params: Params) -> bytes:
        """Give an iterator."""
        answer = orjson.loads(await self._cluster.send(call, self._names.to_cluster(params)))
        self._close(answer, "ShardIterator", params["StreamArn"])
        return orjson.dumps(answer)

    async def get_records(self, call: Call, params: Params) -> bytes:
        """Give the next records of a shard."""
        stream_arn, iterator = self._opened(params["ShardIterator"])
        answer = orjson.loads(await self._cluster.send(call, {**params, "ShardIterator": iterator}))
        self._close(answer, "NextShardIterator", stream_arn)
        return orjson.dumps(answer)

    def _close(self, answer: dict[str, Any], member: str, stream_arn: str) -> None:
        if answer.get(member):
            sealed = self._seal.seal(orjson.dumps([stream_arn, answer[member]]), purpose=PURPOSE)
            answer[member] = base64.urlsafe_b64encode(sealed).decode()

    def _opened(self, text: str) -> tuple[str, str]:
        """Give the stream and the cluster's iterator. Raises: ValidationException."""
        try:
            stream_arn, iterator = orjson.loads(self._seal.open(base64.urlsafe_b64decode(text), purpose=PURPOSE))
        except (binascii.Error, NotSealed, ValueError):
            raise ValidationException(INVALID) from None
        return stream_arn, iterator
