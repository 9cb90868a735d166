"""What every store promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gatepost.kernel.operations import RecordKey


@dataclass(frozen=True, slots=True)
class Record:
    """A stored value with the version to write it back with. Versions start at 1."""

    key: RecordKey
    version: int
    value: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Write:
    """One step of a commit. `value` None deletes.

    `expected_version` None writes whatever is there; 0 means that nothing may be there.
    """

    key: RecordKey
    value: dict[str, Any] | None
    expected_version: int | None = None


class Records(Protocol):
    """Versioned records by (kind, account, region, id)."""

    async def get(self, key: RecordKey) -> Record | None:
        """Give the record as last committed, or None. Raises: StoreUnavailable."""
        ...

    async def put(self, key: RecordKey, value: dict[str, Any], *, expected_version: int | None) -> Record:
        """Write one record; it is durable when this returns.

        Raises: VersionConflict, StoreUnavailable.
        """
        ...

    async def delete(self, key: RecordKey, *, expected_version: int | None = None) -> bool:
        """Delete one record and say whether it was there. Raises: VersionConflict, StoreUnavailable."""
        ...

    async def page(
        self, kind: str, account_id: str, region: str, *, prefix: str = "", after: str = "", count_max: int = 1000
    ) -> list[Record]:
        """Give records in the order of their ids, from the first id that is greater than `after`."""
        ...

    async def scan(self, kind: str) -> list[Record]:
        """Give all records of a kind, of every account and region, in key order. For start-up."""
        ...

    async def commit(self, writes: Sequence[Write]) -> list[Record | None]:
        """Do all of `writes` or none, in order; give what now stands for each.

        Raises: VersionConflict, StoreUnavailable.
        """
        ...
