"""Provisioned throughput: a token bucket for the reads and one for the writes of every provisioned table and index.

A bucket refills at the provisioned units per second and keeps up to 300 seconds of them, which is AWS's burst
capacity. A request is let in while the bucket holds something and is charged for what it turned out to cost,
so that one large request may overdraw it; then further ones are refused until it has refilled. On AWS the burst
is "best effort" and a partition has its own limits: approximated. Buckets start full and are not kept over a restart.
The maximum throughput of a table on demand is a bucket like these; what has no maximum has no bucket.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gatepost.kernel.clock import Clock
from gatepost.services.dynamodb.capacity import Consumed
from gatepost.services.dynamodb.model import (
    ProvisionedThroughputExceededException,
    Table,
    ThrottlingException,
    Throughput,
)

BURST_S: Final = 300
REFUSED: Final = (
    "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning "
    "level with the UpdateTable API."
)
REFUSED_INDEX: Final = (
    "The level of configured provisioned throughput for one or more global secondary indexes of the table was "
    "exceeded. Consider increasing your provisioning level for the under-provisioned global secondary indexes with "
    "the UpdateTable API"
)


def refusal(table: Table, index: str, *, is_write: bool) -> ProvisionedThroughputExceededException:
    """Say what is used up: the reason is AWS's ResourceType+OperationType+LimitType.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ThrottlingReason.html
    """
    resource = f"{table.arn}/index/{index}" if index else table.arn
    what = f"{'Index' if index else 'Table'}{'Write' if is_write else 'Read'}"
    if not table.definition.is_provisioned:
        reasons = [{"reason": f"{what}MaxOnDemandThroughputExceeded", "resource": resource}]
        return ThrottlingException(REFUSED_ON_DEMAND, members={"throttlingReasons": reasons})
    reason = f"{what}ProvisionedThroughputExceeded"
    return ProvisionedThroughputExceededException(
        REFUSED_INDEX if index else REFUSED, members={"ThrottlingReasons": [{"reason": reason, "resource": resource}]}
    )


REFUSED_ON_DEMAND: Final = (  # unverified
    "Throughput exceeds the maximum OnDemandThroughput configured on table or index."
)
BucketKey = tuple[int, str, bool]


class _Bucket:
    __slots__ = ("at_ns", "tokens", "units")

    def __init__(self, units: int, now_ns: int) -> None:
        self.units = units
        self.tokens = float(units * BURST_S)
        self.at_ns = now_ns

    def refill(self, units: int, now_ns: int) -> None:
        self.units = units
        self.tokens = min(units * BURST_S, self.tokens + (now_ns - self.at_ns) / 1e9 * units)
        self.at_ns = now_ns


class ThroughputMeter:
    """Refuses what a provisioned table cannot take, and charges what was taken. At most two buckets a place."""

    def __init__(self, clock: Clock, *, is_throttling: bool = True) -> None:
        """With `is_throttling` false everything is let in."""
        self._clock = clock
        self._is_throttling = is_throttling
        self._buckets: dict[BucketKey, _Bucket] = {}

    def admit_read(self, table: Table, index: str = "") -> None:
        """Let a read in. Raises: ProvisionedThroughputExceededException."""
        if self._is_throttled(table) and self._is_empty(table, index, is_write=False):
            raise refusal(table, index, is_write=False)

    def admit_write(self, table: Table) -> None:
        """Let a write in: the table and every global index must have units left.

        Raises: ProvisionedThroughputExceededException.
        """
        if not self._is_throttled(table):
            return
        if self._is_empty(table, "", is_write=True):
            raise refusal(table, "", is_write=True)
        for index in table.definition.indexes:
            if not index.is_local and self._is_empty(table, index.name, is_write=True):
                raise refusal(table, index.name, is_write=True)

    def charge(self, consumed: Consumed, *, is_write: bool) -> None:
        """Take what a request has consumed; local indexes draw on their table."""
        table = consumed.table
        if not self._is_throttled(table):
            return
        own = consumed.table_units + sum(consumed.local_indexes.values())
        self._take(table, "", own, is_write=is_write)
        for name, units in consumed.global_indexes.items():
            self._take(table, name, units, is_write=is_write)

    def forget(self, table_ids: Iterable[int]) -> None:
        """Drop the buckets of tables that are gone."""
        gone = set(table_ids)
        self._buckets = {key: bucket for key, bucket in self._buckets.items() if key[0] not in gone}

    def _is_throttled(self, table: Table) -> bool:
        return self._is_throttling and table.is_metered

    def _is_empty(self, table: Table, index: str, *, is_write: bool) -> bool:
        bucket = self._bucket(table, index, is_write=is_write)
        return bucket is not None and bucket.tokens <= 0

    def _take(self, table: Table, index: str, units: float, *, is_write: bool) -> None:
        bucket = self._bucket(table, index, is_write=is_write)
        if bucket is not None:
            bucket.tokens -= units

    def _bucket(self, table: Table, index: str, *, is_write: bool) -> _Bucket | None:
        """Give the bucket as it is now; None: on demand, and without a maximum."""
        throughput = _throughput(table, index)
        units = throughput.write_units if is_write else throughput.read_units
        if not table.definition.is_provisioned:
            units = throughput.write_max if is_write else throughput.read_max
            if not units:
                return None
        key = (table.items.id, index, is_write)
        now_ns = self._clock.monotonic_ns()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(units, now_ns)
        bucket.refill(units, now_ns)
        return bucket


def _throughput(table: Table, index: str) -> Throughput:
    if index:
        for found in table.definition.indexes:
            if found.name == index and not found.is_local:
                return found.throughput
    return table.definition.throughput
