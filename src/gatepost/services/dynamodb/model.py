"""DynamoDB's records and exceptions: what a table is, as it is stored and as the operations describe it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from gatepost.kernel.errors import ServiceError, ValidationException
from gatepost.storage.items_keys import KeyAttribute, KeySchema
from gatepost.storage.items_tables import IndexLayout, ItemIndex, ItemTable, StreamLayout, item_table

ACTIVE: Final = "ACTIVE"
CREATING: Final = "CREATING"
PAY_PER_REQUEST: Final = "PAY_PER_REQUEST"
PROVISIONED: Final = "PROVISIONED"


class ResourceNotFoundException(ServiceError):
    """The table does not exist."""

    code = "ResourceNotFoundException"
    status = 400


class ResourceInUseException(ServiceError):
    """The table exists already, or is in a state that forbids this."""

    code = "ResourceInUseException"
    status = 400


class LimitExceededException(ServiceError):
    """Too many tables or indexes, or too many changes at once."""

    code = "LimitExceededException"
    status = 400


class ConditionalCheckFailedException(ServiceError):
    """The condition of a write did not hold."""

    code = "ConditionalCheckFailedException"
    status = 400


class DuplicateItemException(ServiceError):
    """An INSERT found an item under its key."""

    code = "DuplicateItemException"
    status = 400


class TransactionCanceledException(ServiceError):
    """Something in the transaction cannot be done, so none of it was."""

    code = "TransactionCanceledException"
    status = 400


class IdempotentParameterMismatchException(ServiceError):
    """The idempotency token was used with other parameters."""

    code = "IdempotentParameterMismatchException"
    status = 400


class ProvisionedThroughputExceededException(ServiceError):
    """The table's or index's provisioned units are used up."""

    code = "ProvisionedThroughputExceededException"
    status = 400


class ThrottlingException(ProvisionedThroughputExceededException):
    """The maximum throughput of a table or index on demand is used up: the same refusal under another code."""

    code = "ThrottlingException"
    status = 400


class ItemRejected(ValidationException):
    """An item or key breaks a rule that only the table's schema or the item's state can tell.

    In a transaction it is the reason of one item; elsewhere it is a ValidationException like any other.
    """


class TableNotFoundException(ServiceError):
    """The table of a backup operation does not exist."""

    code = "TableNotFoundException"
    status = 400


class TableInUseException(ServiceError):
    """The table of a backup operation is in a state that forbids this."""

    code = "TableInUseException"
    status = 400


class TableAlreadyExistsException(ServiceError):
    """The table that a restore would make exists."""

    code = "TableAlreadyExistsException"
    status = 400


class BackupNotFoundException(ServiceError):
    """The backup does not exist."""

    code = "BackupNotFoundException"
    status = 400


class GlobalTableNotFoundException(ServiceError):
    """There is no such global table."""

    code = "GlobalTableNotFoundException"
    status = 400


class ExportNotFoundException(ServiceError):
    """There is no such export."""

    code = "ExportNotFoundException"
    status = 400


class ImportNotFoundException(ServiceError):
    """There is no such import."""

    code = "ImportNotFoundException"
    status = 400


class BackupInUseException(ServiceError):
    """A backup is being made, or restored."""

    code = "BackupInUseException"
    status = 400


class PointInTimeRecoveryUnavailableException(ServiceError):
    """Point-in-time recovery is not enabled for the table."""

    code = "PointInTimeRecoveryUnavailableException"
    status = 400


class InvalidRestoreTimeException(ServiceError):
    """The table cannot be restored to this moment."""

    code = "InvalidRestoreTimeException"
    status = 400


class PolicyNotFoundException(ServiceError):
    """The table has no resource-based policy, or has another revision of it."""

    code = "PolicyNotFoundException"
    status = 400


class UnknownTable(ResourceNotFoundException):
    """A data operation on a table that does not exist, in AWS's words."""

    def __init__(self, detail: str = "") -> None:
        super().__init__("Requested resource not found", detail=detail)


@dataclass(frozen=True, slots=True)
class Throughput:
    """Provisioned units per second, zeros on demand; or the most that is taken on demand, 0: no bound."""

    read_units: int = 0
    write_units: int = 0
    read_max: int = 0  # AWS: OnDemandThroughput.MaxReadRequestUnits
    write_max: int = 0

    @property
    def is_bounded(self) -> bool:
        """Whether on demand more than so much is refused."""
        return bool(self.read_max or self.write_max)

    def to_json(self) -> list[int]:
        """Give the units as they are stored."""
        return [self.read_units, self.write_units, self.read_max, self.write_max]

    def maximum_to_aws(self) -> dict[str, int]:
        """Render as OnDemandThroughput; -1: no bound."""
        return {"MaxReadRequestUnits": self.read_max or -1, "MaxWriteRequestUnits": self.write_max or -1}

    def to_aws(self) -> dict[str, object]:
        """Render as ProvisionedThroughputDescription."""
        return {
            "NumberOfDecreasesToday": 0,
            "ReadCapacityUnits": self.read_units,
            "WriteCapacityUnits": self.write_units,
        }


@dataclass(frozen=True, slots=True)
class IndexDefinition:
    """A secondary index as it was declared. `id` is its number in the store."""

    id: int
    name: str
    keys: KeySchema
    is_local: bool
    projection_type: str
    non_key_attributes: tuple[str, ...] = ()
    throughput: Throughput = Throughput()
    status: str = ACTIVE

    def layout(self) -> IndexLayout:
        """Give what the store needs to know."""
        projected = None if self.projection_type == "ALL" else frozenset(self.non_key_attributes)
        return IndexLayout(self.id, self.name, self.keys, self.is_local, projected)

    def to_json(self) -> dict[str, Any]:
        """Give the index as it is stored."""
        return {
            "id": self.id,
            "name": self.name,
            "keys": keys_to_json(self.keys),
            "is_local": self.is_local,
            "projection_type": self.projection_type,
            "non_key_attributes": list(self.non_key_attributes),
            "throughput": self.throughput.to_json(),
            "status": self.status,
        }


class RestoreSource(NamedTuple):
    """Where a restored table comes from: SQLite tables of the store, and a moment."""

    relation: str
    journal: str  # empty: a backup, which needs none
    until_ms: int
    source_table_arn: str
    backup_arn: str  # empty: a point in time


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """A table as it was declared, with what later operations changed."""

    account_id: str
    region: str
    name: str
    table_id: str  # AWS: TableId, a UUID
    attribute_types: tuple[tuple[str, str], ...]
    keys: KeySchema
    billing_mode: str
    created_at_ms: int
    indexes: tuple[IndexDefinition, ...] = ()
    throughput: Throughput = Throughput()
    deletion_protection_enabled: bool = False
    table_class: str = ""
    key_arn: str = ""  # AWS: SSEDescription.KMSMasterKeyArn; empty: AWS's own key
    ttl_attribute: str = ""  # empty: time to live is disabled
    is_ttl_filled: bool = False  # whether the list of expiries holds every item
    tags: tuple[tuple[str, str], ...] = ()
    next_index_id: int = 1
    billing_mode_set_at_ms: int = 0
    stream_number: int = 0  # how many streams the table has had
    stream_label: str = ""  # of the latest, which may be disabled
    stream_view: str = ""  # AWS: StreamViewType; empty: there is no enabled stream
    recovery_since_ms: int = 0  # AWS: point-in-time recovery; 0: it is disabled
    recovery_days: int = 0
    is_backing_up: bool = False
    status: str = ACTIVE  # CREATING while it is being restored
    restore: RestoreSource | None = None
    policy: tuple[str, str] = ("", "")  # AWS: resource-based policy and its revision

    @property
    def arn(self) -> str:
        """The table's ARN."""
        return f"arn:aws:dynamodb:{self.region}:{self.account_id}:table/{self.name}"

    @property
    def is_provisioned(self) -> bool:
        """Whether reads and writes draw on provisioned units."""
        return self.billing_mode == PROVISIONED

    def to_json(self) -> dict[str, Any]:
        """Give the definition as it is stored."""
        return {
            "table_id": self.table_id,
            "attribute_types": dict(self.attribute_types),
            "keys": keys_to_json(self.keys),
            "billing_mode": self.billing_mode,
            "created_at_ms": self.created_at_ms,
            "indexes": [index.to_json() for index in self.indexes],
            "throughput": self.throughput.to_json(),
            "deletion_protection_enabled": self.deletion_protection_enabled,
            "table_class": self.table_class,
            "key_arn": self.key_arn,
            "ttl_attribute": self.ttl_attribute,
            "is_ttl_filled": self.is_ttl_filled,
            "tags": dict(self.tags),
            "next_index_id": self.next_index_id,
            "billing_mode_set_at_ms": self.billing_mode_set_at_ms,
            "stream": [self.stream_number, self.stream_label, self.stream_view],
            "recovery": [self.recovery_since_ms, self.recovery_days],
            "is_backing_up": self.is_backing_up,
            "status": self.status,
            "policy": list(self.policy),
            "restore": None if self.restore is None else list(self.restore),
        }


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is open for use: its definition and how the store sees it."""

    definition: TableDefinition
    items: ItemTable
    arn: str
    readable: Mapping[str, ItemIndex] = field(default_factory=dict)  # the indexes that are filled, by name
    is_pending: bool = False  # being restored: nothing may touch its items yet
    is_metered: bool = False  # its units, or those of an index, are bounded


def open_table(store_id: int, definition: TableDefinition) -> Table:
    """Make a stored definition ready for use."""
    layouts = [index.layout() for index in definition.indexes]
    stream = None
    if definition.stream_view:
        stream = StreamLayout(definition.stream_number, definition.stream_label, definition.stream_view)
    items = item_table(
        store_id,
        definition.keys,
        layouts,
        expiry_attribute=definition.ttl_attribute,
        stream=stream,
        has_journal=bool(definition.recovery_since_ms) or definition.is_backing_up,
    )
    active = {index.name for index in definition.indexes if index.status == ACTIVE}
    readable = {index.name: index for index in items.indexes if index.name in active}
    throughputs = (definition.throughput, *(index.throughput for index in definition.indexes))
    is_metered = definition.is_provisioned or any(one.is_bounded for one in throughputs)
    return Table(definition, items, definition.arn, readable, definition.status != ACTIVE, is_metered)


def keys_to_json(keys: KeySchema) -> list[list[str]]:
    """Give a key schema as it is stored."""
    pairs = [[keys.partition.name, keys.partition.type]]
    if keys.sort is not None:
        pairs.append([keys.sort.name, keys.sort.type])
    return pairs


def keys_from_json(pairs: list[list[str]]) -> KeySchema:
    """Read a key schema back."""
    partition, *sort = [KeyAttribute(name, kind) for name, kind in pairs]
    return KeySchema(partition, sort[0] if sort else None)


def table_from_json(account_id: str, region: str, name: str, value: Mapping[str, Any]) -> TableDefinition:
    """Read a stored definition back."""
    indexes = [
        IndexDefinition(
            id=index["id"],
            name=index["name"],
            keys=keys_from_json(index["keys"]),
            is_local=index["is_local"],
            projection_type=index["projection_type"],
            non_key_attributes=tuple(index["non_key_attributes"]),
            throughput=Throughput(*index["throughput"]),
            status=index["status"],
        )
        for index in value["indexes"]
    ]
    stream_number, stream_label, stream_view = value.get("stream", (0, "", ""))
    return TableDefinition(
        account_id=account_id,
        region=region,
        name=name,
        table_id=value["table_id"],
        attribute_types=tuple(value["attribute_types"].items()),
        keys=keys_from_json(value["keys"]),
        billing_mode=value["billing_mode"],
        created_at_ms=value["created_at_ms"],
        indexes=tuple(indexes),
        throughput=Throughput(*value["throughput"]),
        deletion_protection_enabled=value["deletion_protection_enabled"],
        table_class=value["table_class"],
        key_arn=value.get("key_arn", ""),
        ttl_attribute=value["ttl_attribute"],
        is_ttl_filled=value["is_ttl_filled"],
        tags=tuple(value["tags"].items()),
        next_index_id=value["next_index_id"],
        billing_mode_set_at_ms=value["billing_mode_set_at_ms"],
        stream_number=stream_number,
        stream_label=stream_label,
        stream_view=stream_view,
        recovery_since_ms=value.get("recovery", (0, 0))[0],
        recovery_days=value.get("recovery", (0, 0))[1],
        is_backing_up=value.get("is_backing_up", False),
        status=value.get("status", ACTIVE),
        policy=tuple(value.get("policy", ("", ""))),
        restore=RestoreSource(*value["restore"]) if value.get("restore") else None,
    )
