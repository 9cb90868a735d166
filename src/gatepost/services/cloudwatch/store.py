"""Metrics and their points in SQLite.

A point is one minute of one metric in one unit (or five, or an hour, once it is old). Values that operators put
add up in the point of source "". A gateway's minutes have a source of their own: each word about one replaces the
last, so that a running minute can be told every second, and twice. Readers add up the points of all sources.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import apsw
import orjson

from gatepost.kernel.ids import random_id
from gatepost.services.cloudwatch.model import (
    DAY_S,
    FIVE_MINUTES_S,
    HOUR_S,
    KEPT_S,
    MINUTE_S,
    RESOLUTIONS_S,
    LimitExceededFault,
    Metric,
    Point,
)
from gatepost.services.cloudwatch.statistics import Statistics, pack, unpack
from gatepost.storage.sqlite import Database, Migration

MIGRATIONS: Final = (
    Migration(
        1,
        (
            "CREATE TABLE metric_store (epoch TEXT NOT NULL)",
            "CREATE TABLE metrics (id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL,"
            " region TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, dimensions TEXT NOT NULL,"
            " last_s INTEGER NOT NULL, UNIQUE (account_id, region, namespace, name, dimensions))",
            "CREATE TABLE points (metric_id INTEGER NOT NULL, resolution_s INTEGER NOT NULL, at_s INTEGER NOT NULL,"
            " unit INTEGER NOT NULL, source TEXT NOT NULL, samples REAL NOT NULL, total REAL NOT NULL,"
            " lowest REAL NOT NULL, highest REAL NOT NULL, buckets BLOB,"
            " PRIMARY KEY (metric_id, resolution_s, at_s, unit, source)) WITHOUT ROWID",
            "CREATE INDEX points_by_age ON points (resolution_s, at_s)",
        ),
    ),
)
METRICS_MAX: Final = 100_000
BYTES_MAX: Final = 2 * 1024**3
AGED_AT_ONCE: Final = 500  # points of one write, so that ingest is not held up
LISTED_S: Final = 14 * DAY_S  # a metric without newer points is not listed, as on AWS
TOTALS_STEP_S: Final = 2 * DAY_S  # of points that one read takes, so that others wait for milliseconds only
HISTOGRAMS_STEP_S: Final = DAY_S // 4

_POINT_VALUES: Final = "samples, total, lowest, highest, buckets"
_POINT_COLUMNS: Final = f"metric_id, resolution_s, at_s, unit, source, {_POINT_VALUES}"


@dataclass(frozen=True, slots=True)
class Span:
    """Which points: of [from, to), put together in slots of `period_s` seconds that begin at `start_s`."""

    start_s: int
    period_s: int
    from_s: int
    to_s: int


Slot = tuple[int, int]  # when it begins, unit
PointKey = tuple[int, int, int, int, str]  # metric, resolution, time, unit, source


class MetricStore:
    """What was measured. Reads come from the event loop's connection, writes go through the writer's groups."""

    def __init__(self, database: Database, *, metrics_max: int = METRICS_MAX, bytes_max: int = BYTES_MAX) -> None:
        self._database = database
        self._bytes_max = bytes_max
        self._metrics_max = metrics_max
        self.epoch = ""  # names this store; set by `start`

    async def start(self) -> None:
        """Learn which store this is, or give a new one its name. Raises: StoreUnavailable."""

        def work(cursor: apsw.Cursor) -> str:
            row = cursor.execute("SELECT epoch FROM metric_store").fetchone()
            if row is None:
                row = (random_id(16),)
                cursor.execute("INSERT INTO metric_store VALUES (?)", row)
            return str(row[0])

        self.epoch = await self._database.write(work)

    # --- writing -----------------------------------------------------------------------------------------------

    async def add(self, points: Sequence[Point]) -> None:
        """Add `points` to what there is of their minutes, all or none. Raises: LimitExceededFault, StoreUnavailable."""

        def work(cursor: apsw.Cursor) -> None:
            known = _KnownMetrics(cursor, self._metrics_max)
            for point in points:
                metric_id = known.id_of(point)
                if metric_id is None:
                    raise LimitExceededFault(
                        f"Gatepost keeps at most {self._metrics_max} metrics: their number grows with each new value "
                        "of a dimension"
                    )
                add_point(cursor, (metric_id, MINUTE_S, point.at_s, point.unit, point.source), point.statistics)

        await self._database.write(work)

    async def replace(self, points: Sequence[Point]) -> int:
        """Have `points` stand for what their sources said of the same minutes; a word that knows of less is late.

        Returns: how many were not kept because there are too many metrics. Raises: StoreUnavailable.
        """

        def work(cursor: apsw.Cursor) -> int:
            refused = 0
            known = _KnownMetrics(cursor, self._metrics_max)
            for point in points:
                metric_id = known.id_of(point)
                if metric_id is None:
                    refused += 1
                    continue
                cursor.execute(
                    f"INSERT INTO points ({_POINT_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET"  # noqa: S608
                    " samples=excluded.samples, total=excluded.total, lowest=excluded.lowest,"
                    " highest=excluded.highest, buckets=excluded.buckets WHERE excluded.samples>=samples",
                    (metric_id, MINUTE_S, point.at_s, point.unit, point.source, *_columns(point.statistics)),
                )
            return refused

        return await self._database.write(work)

    async def age(self, now_s: int) -> int:
        """Roll up or delete some points that are too old. Call again when the answer is not 0.

        Raises: StoreUnavailable.
        """
        return await self._database.write(lambda cursor: age(cursor, now_s, bytes_max=self._bytes_max))

    # --- reading -----------------------------------------------------------------------------------------------

    def find(self, metric: Metric) -> int | None:
        """Give the id of a metric that has points, or None."""
        row = self._database.reader.execute(
            "SELECT id FROM metrics WHERE account_id=? AND region=? AND namespace=? AND name=? AND dimensions=?",
            (metric.account_id, metric.region, metric.namespace, metric.name, _text(metric)),
        ).fetchone()
        return int(row[0]) if row is not None else None

    def slots(self, metric_id: int, span: Span, *, has_histograms: bool) -> Iterator[dict[Slot, Statistics]]:
        """Give the slots of `span` that have points, growing with each step; percentiles need the histograms.

        It is always the same dict. The caller can let others run between the steps, each of a few milliseconds.
        """
        found: dict[Slot, Statistics] = {}
        step_s = HISTOGRAMS_STEP_S if has_histograms else TOTALS_STEP_S
        columns = _POINT_VALUES if has_histograms else "sum(samples), sum(total), min(lowest), max(highest), NULL"
        grouped = "" if has_histograms else " GROUP BY slot, unit"
        for from_s in range(span.from_s, span.to_s, step_s):
            rows: list[Any] = self._database.reader.execute(
                f"SELECT (at_s-?)/? AS slot, unit, {columns} FROM points"  # noqa: S608 - our own names
                f" WHERE metric_id=? AND resolution_s IN (60,300,3600) AND at_s>=? AND at_s<?{grouped}",
                (span.start_s, span.period_s, metric_id, from_s, min(from_s + step_s, span.to_s)),
            ).fetchall()
            for number, unit, samples, total, lowest, highest, buckets in rows:
                slot = (span.start_s + number * span.period_s, unit)
                statistics = Statistics(samples, total, lowest, highest, unpack(buckets))
                if (known := found.get(slot)) is not None:
                    known.add(statistics)
                else:
                    found[slot] = statistics
            yield found

    def metrics(
        self,
        account_id: str,
        region: str,
        *,
        namespace: str | None,
        name: str | None,
        active_since_s: int,
        after: int,
        count: int,
    ) -> list[tuple[int, Metric]]:
        """Give metrics that have points since `active_since_s`, with their ids in order, from the one after `after`."""
        rows = self._database.reader.execute(
            "SELECT id, namespace, name, dimensions FROM metrics WHERE account_id=?1 AND region=?2 AND id>?3"
            " AND last_s>=?4 AND (?5 IS NULL OR namespace=?5) AND (?6 IS NULL OR name=?6) ORDER BY id LIMIT ?7",
            (account_id, region, after, active_since_s, namespace, name, count),
        )
        return [
            (
                metric_id,
                Metric(account_id, region, of, called, tuple((key, value) for key, value in orjson.loads(dimensions))),
            )
            for metric_id, of, called, dimensions in rows
        ]


class _KnownMetrics:
    """Finds the metrics of one write's points, and makes new ones while there is room."""

    def __init__(self, cursor: apsw.Cursor, metrics_max: int) -> None:
        self._cursor = cursor
        self._metrics_max = metrics_max
        self._count: int | None = None  # asked for once, and only when there is a new one

    def id_of(self, point: Point) -> int | None:
        """Give the id of a point's metric and note that it is alive; None when there is no room for it."""
        metric = point.metric
        key = (metric.account_id, metric.region, metric.namespace, metric.name, _text(metric))
        row = self._cursor.execute(
            "SELECT id, last_s FROM metrics WHERE account_id=? AND region=? AND namespace=? AND name=?"
            " AND dimensions=?",
            key,
        ).fetchone()
        if row is None:
            return self._add(key, point.at_s)
        if row[1] < point.at_s:
            self._cursor.execute("UPDATE metrics SET last_s=? WHERE id=?", (point.at_s, row[0]))
        return int(row[0])

    def _add(self, key: tuple[str, ...], at_s: int) -> int | None:
        if self._count is None:
            row = self._cursor.execute("SELECT count(*) FROM metrics").fetchone()
            assert row is not None
            self._count = int(row[0])
        if self._count >= self._metrics_max:
            return None
        self._count += 1
        self._cursor.execute(
            "INSERT INTO metrics (account_id, region, namespace, name, dimensions, last_s) VALUES (?,?,?,?,?,?)",
            (*key, at_s),
        )
        return self._cursor.connection.last_insert_rowid()


def add_point(cursor: apsw.Cursor, key: PointKey, statistics: Statistics) -> None:
    """Add statistics to what there is of the same key."""
    row = cursor.execute(
        f"SELECT {_POINT_VALUES} FROM points"  # noqa: S608
        " WHERE metric_id=? AND resolution_s=? AND at_s=? AND unit=? AND source=?",
        key,
    ).fetchone()
    if row is not None:
        known = Statistics(row[0], row[1], row[2], row[3], unpack(row[4]))
        known.add(statistics)
        statistics = known
    cursor.execute(
        f"INSERT OR REPLACE INTO points ({_POINT_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)",  # noqa: S608
        (*key, *_columns(statistics)),
    )


def age(cursor: apsw.Cursor, now_s: int, *, bytes_max: int) -> int:
    """Roll up or delete some of the oldest points; give how many. In the writer."""
    for resolution_s, coarser_s in ((MINUTE_S, FIVE_MINUTES_S), (FIVE_MINUTES_S, HOUR_S)):
        rows = _oldest(cursor, resolution_s, before_s=rolled_up_before(now_s, resolution_s))
        for row in rows:
            metric_id, _, at_s, unit = row[:4]
            key = (metric_id, coarser_s, at_s - at_s % coarser_s, unit, "")
            add_point(cursor, key, Statistics(row[5], row[6], row[7], row[8], unpack(row[9])))
        if rows:
            _delete(cursor, rows)
            return len(rows)
    rows = _oldest(cursor, HOUR_S, before_s=now_s - KEPT_S[HOUR_S])
    if not rows and _bytes(cursor) > bytes_max:
        rows = next((found for one in reversed(RESOLUTIONS_S) if (found := _oldest(cursor, one, before_s=now_s))), [])
    _delete(cursor, rows)
    if not rows:
        cursor.execute("DELETE FROM metrics WHERE last_s<?", (now_s - KEPT_S[HOUR_S] - HOUR_S,))
    return len(rows)


def rolled_up_before(now_s: int, resolution_s: int) -> int:
    """Say from when on points of a resolution are still there: before that there are coarser ones only."""
    coarser_s = RESOLUTIONS_S[RESOLUTIONS_S.index(resolution_s) + 1]
    before_s = now_s - KEPT_S[resolution_s]
    return before_s - before_s % coarser_s


def _oldest(cursor: apsw.Cursor, resolution_s: int, *, before_s: int) -> list[Any]:
    return cursor.execute(
        f"SELECT {_POINT_COLUMNS} FROM points WHERE resolution_s=? AND at_s<? ORDER BY at_s LIMIT ?",  # noqa: S608
        (resolution_s, before_s, AGED_AT_ONCE),
    ).fetchall()


def _delete(cursor: apsw.Cursor, rows: Sequence[Any]) -> None:
    for row in rows:
        cursor.execute(
            "DELETE FROM points WHERE metric_id=? AND resolution_s=? AND at_s=? AND unit=? AND source=?", row[:5]
        )


def _bytes(cursor: apsw.Cursor) -> int:
    found = [cursor.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count", "page_size")]
    pages, free, size = (int(row[0]) for row in found if row is not None)
    return (pages - free) * size


def _columns(found: Statistics) -> tuple[float, float, float, float, bytes | None]:
    return found.samples, found.total, found.lowest, found.highest, pack(found.buckets)


def _text(metric: Metric) -> str:
    return orjson.dumps(metric.dimensions).decode()
