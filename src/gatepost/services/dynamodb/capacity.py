"""Capacity units of reads and writes, and how ReturnConsumedCapacity tells them.

A read unit holds 4 KB read strongly, or 8 KB eventually; a write unit holds 1 KB; inside a transaction each counts
twice. Every item written is rounded up by itself; the items of one Query or Scan page are summed first.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from gatepost.services.dynamodb.model import Table
from gatepost.storage.items_writer import IndexWrite

READ_BYTES: Final = 4096
WRITE_BYTES: Final = 1024


def read_units(size: int, *, consistent: bool) -> float:
    """Give the read units of `size` bytes; nothing found costs as much as the smallest item."""
    units = max(1, -(-size // READ_BYTES))
    return float(units) if consistent else units / 2


def write_units(size: int) -> float:
    """Give the write units of an item of `size` bytes."""
    return float(max(1, -(-size // WRITE_BYTES)))


class Consumed:
    """What one request consumed of one table, and of its indexes by name."""

    __slots__ = ("global_indexes", "local_indexes", "table", "table_units")

    def __init__(self, table: Table) -> None:
        self.table = table
        self.table_units = 0.0
        self.local_indexes: dict[str, float] = {}
        self.global_indexes: dict[str, float] = {}

    def add_writes(self, writes: Iterable[IndexWrite], factor: int = 1) -> None:
        """Add what was written to indexes."""
        for index, size in writes:
            self.add_index(index.name, write_units(size) * factor, is_local=index.is_local)

    def add_index(self, name: str, units: float, *, is_local: bool) -> None:
        """Add units of an index."""
        units_of = self.local_indexes if is_local else self.global_indexes
        units_of[name] = units_of.get(name, 0.0) + units

    @property
    def total(self) -> float:
        """All units together."""
        return self.table_units + sum(self.local_indexes.values()) + sum(self.global_indexes.values())

    def to_aws(self, detail: str, kind: str = "") -> dict[str, Any]:
        """Render as ConsumedCapacity; `detail` is TOTAL or INDEXES, `kind` Read or Write inside transactions."""
        total = self.total
        rendered: dict[str, Any] = {"TableName": self.table.definition.name, "CapacityUnits": total}
        if kind:
            rendered[f"{kind}CapacityUnits"] = total
        if detail == "INDEXES":
            rendered["Table"] = _units(self.table_units, kind)
            if self.local_indexes:
                rendered["LocalSecondaryIndexes"] = _by_name(self.local_indexes, kind)
            if self.global_indexes:
                rendered["GlobalSecondaryIndexes"] = _by_name(self.global_indexes, kind)
        return rendered


def _units(units: float, kind: str) -> dict[str, float]:
    return {"CapacityUnits": units, f"{kind}CapacityUnits": units} if kind else {"CapacityUnits": units}


def _by_name(units: Mapping[str, float], kind: str) -> dict[str, dict[str, float]]:
    return {name: _units(count, kind) for name, count in units.items()}


def wants_capacity(params: Mapping[str, Any]) -> str:
    """Give TOTAL or INDEXES when the request asks for its consumed capacity, else nothing."""
    detail: str = params.get("ReturnConsumedCapacity", "NONE")
    return "" if detail == "NONE" else detail
