"""DynamoDB's operations on a cluster of the operator's, with this platform's authorization in front.

The caller proves who it is with a key of ours; IAM decides as it does for our own tables, conditions on keys and
attributes included; then the request goes on, signed with the operator's key. What we cannot read, and so could not
authorize, is refused here even if the cluster would understand it. Members that the service model does not know do not
reach the cluster.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from gatepost.kernel.errors import ServiceError, ValidationException
from gatepost.kernel.operations import Access, Call, OperationMark
from gatepost.languages.item_expressions import Expressions
from gatepost.services.dynamodb.access import STATEMENTS, ItemAccess, RequestContext, tables_of
from gatepost.services.dynamodb.model import UnknownTable
from gatepost.services.dynamodb.remote.cluster import ClusterClient
from gatepost.services.dynamodb.remote.names import ARN_PARAMETERS, Names
from gatepost.services.dynamodb.remote.schemas import RemoteSchemas
from gatepost.services.dynamodb.schema import REFUSED_UPDATE
from gatepost.services.dynamodb.tables import table_name

Params = Mapping[str, Any]
ON_ITEMS: Final = frozenset(
    {
        "BatchExecuteStatement",
        "BatchGetItem",
        "BatchWriteItem",
        "DeleteItem",
        "ExecuteStatement",
        "ExecuteTransaction",
        "GetItem",
        "PutItem",
        "Query",
        "Scan",
        "TransactGetItems",
        "TransactWriteItems",
        "UpdateItem",
    }
)
ON_TABLES: Final = frozenset(
    {
        "CreateBackup",
        "CreateTable",
        "DeleteBackup",
        "DeleteTable",
        "DescribeBackup",
        "DescribeContinuousBackups",
        "DescribeEndpoints",
        "DescribeLimits",
        "DescribeTable",
        "DescribeTimeToLive",
        "ListBackups",
        "ListTables",
        "ListTagsOfResource",
        "RestoreTableFromBackup",
        "RestoreTableToPointInTime",
        "TagResource",
        "UntagResource",
        "UpdateContinuousBackups",
        "UpdateTable",
        "UpdateTimeToLive",
    }
)
# What would touch more than the table: other regions, keys, streams, buckets, or policies that we do not evaluate.
_REFUSED: Final = frozenset(REFUSED_UPDATE) - {"WarmThroughput", "VectorIndexUpdates"} | {
    "GlobalTableSourceArn",
    "ResourcePolicy",
    "SSESpecificationOverride",
}


class RemoteTables:
    """DynamoDB on a cluster. Its operations are those of `ON_ITEMS` and `ON_TABLES`."""

    service = "dynamodb"

    def __init__(
        self, cluster: ClusterClient, names: Names, schemas: RemoteSchemas, *, region: str, account_id: str
    ) -> None:
        self._cluster = cluster
        self._names = names
        self._schemas = schemas
        self._access = ItemAccess(self._schemas, Expressions())
        self._region = region
        self._account_id = account_id

    def operations(self) -> dict[str, tuple[OperationMark, Callable[..., Any]]]:
        """Give the operations (`kernel.operations.GivesOperations`)."""
        given: dict[str, tuple[OperationMark, Callable[..., Any]]] = {}
        for names, method in ((ON_ITEMS, self.on_items), (ON_TABLES, self.on_tables)):
            given |= {name: (OperationMark(name, wire_json=True, known_only=True), method) for name in names}
        return given

    def prepare(self, call: Call, params: Params) -> Awaitable[None] | None:
        """Learn of the tables that a call touches, before `access` is asked. Raises: ServiceError."""
        check_place(call, region=self._region, account_id=self._account_id)
        missing = self._schemas.missing({table_name(call, name) for name in self._needed(call, params)})
        return self._schemas.ask(call, missing) if missing else None

    def _needed(self, call: Call, params: Params) -> Iterator[str]:
        if call.operation in ON_ITEMS:
            yield from tables_of(call, params)
        else:
            tables = {self._names.table_of(params.get(member, "")) for member in ARN_PARAMETERS}
            yield from (name for name in tables if name and not self._names.knows(name))

    def access(self, call: Call, params: Params) -> Sequence[Access]:
        """Say what a call touches. Raises: ValidationException when its conditions cannot be told."""
        if call.operation in STATEMENTS:
            self._access.check_statements(call, params)
        found = self._access.of(call, params)
        for access in found:
            if isinstance(access.context, RequestContext):
                self._check(call, access.context)
        return found

    def _check(self, call: Call, context: RequestContext) -> None:
        try:
            context.check()
        except UnknownTable:
            return  # told once it is certain that the caller may know
        except ServiceError:
            self._schemas.forget(table_name(call, context.table))  # it may have been made anew meanwhile
            raise

    async def on_items(self, call: Call, params: Params) -> bytes:
        """Carry out an operation on items of tables that are known."""
        for name in tables_of(call, params):
            self._schemas.find(call, name)
        return await self._cluster.send(call, _plain(call, params))

    async def on_tables(self, call: Call, params: Params) -> bytes:
        """Carry out an operation on tables or backups."""
        _refuse(params)
        try:
            body = await self._cluster.send(call, self._names.to_cluster(_plain(call, params)))
        finally:
            if call.operation in {"CreateTable", "DeleteTable", "UpdateTable"}:
                self._schemas.forget(table_name(call, params["TableName"]))
        if not body:
            return body
        answer = orjson.loads(body)
        described = answer.get("Table") or answer.get("TableDescription")
        if described and "TableName" in described:
            self._names.learn(described["TableName"], described.get("TableArn", ""))
        return orjson.dumps(self._names.to_caller(answer))


def check_place(call: Call, *, region: str, account_id: str) -> None:
    """Refuse calls for other regions and accounts: the cluster has one set of tables. Raises: ValidationException."""
    if (call.region, call.account_id) != (region, account_id):
        raise ValidationException(
            f"The tables of this platform are those of account {account_id} in {region}: they are in a cluster, and "
            f"others than these cannot be reached ({call.account_id}, {call.region[:64]})"
        )


def _refuse(params: Params) -> None:
    for name in sorted(_REFUSED & params.keys()):
        raise ValidationException(f"{name}: ask the cluster for this yourself. Gatepost does not send it on")
    if params.get("SSESpecification", {}).get("KMSMasterKeyId"):
        raise ValidationException(
            "SSESpecification.KMSMasterKeyId: ask the cluster for this yourself. Gatepost does not send it on"
        )


def _plain(call: Call, params: Params) -> dict[str, Any]:
    """Give a request with the names of tables where it has their ARNs. Raises: ValidationException, UnknownTable."""
    plain = dict(params)
    for member in ("TableName", "SourceTableName", "TargetTableName"):
        if member in params:
            plain[member] = table_name(call, params[member])
    if any(name.startswith("arn:") for name in params.get("RequestItems", ())):
        raise ValidationException("RequestItems: name tables by their names, not by their ARNs")
    if "TransactItems" in params:
        plain["TransactItems"] = [
            {kind: {**request, "TableName": table_name(call, request["TableName"])} for kind, request in item.items()}
            for item in params["TransactItems"]
        ]
    return plain
