"""`tables salvage`: a damaged item store is made anew of what can be read, while no platform runs on it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import click

from gatepost.kernel.clock import SystemClock
from gatepost.storage.data_directory import DataDirectory, sync_folder

STORE: Final = "items.db"


def salvage_store(data_dir: Path, *, as_json: bool) -> bool:
    """Make the item store of a data directory anew; say whether nothing was lost. Raises: SettingsError.

    The damaged files stay beside it, renamed. The new store is in place only when it is whole and synced.
    """
    from gatepost.services.dynamodb.salvage import salvage

    data = DataDirectory(data_dir.absolute())
    store = data.store / STORE
    if not store.exists():
        raise click.ClickException(f"{store} is not there: is --data {data_dir} a data directory?")
    owned = data.own()
    try:
        stamp = f"damaged-{SystemClock().now_ms() // 1000}"
        fresh = data.store / f"{STORE}.new"
        aside = data.store / f"{STORE}.{stamp}.rows.jsonl"
        fresh.unlink(missing_ok=True)
        with_progress = _Progress(as_json=as_json)
        with with_progress:
            found = salvage(store, fresh, aside, progress=with_progress.told)
        _sync(fresh)
        for suffix in ("", "-wal", "-shm"):
            path = store.with_name(STORE + suffix)
            if path.exists():
                path.rename(path.with_name(f"{STORE}.{stamp}{suffix}"))
        fresh.rename(store)
        sync_folder(data.store)
    finally:
        os.close(owned)
    report = {
        "tables": [
            {
                "table": table.name,
                "counted_before": None if table.expected < 0 else table.expected,
                "kept": table.kept,
                "missing": None if table.expected < 0 else table.missing,
                "from_indexes": table.from_indexes,
                "set_aside": table.set_aside,
            }
            for table in found.tables
        ],
        "lost_tables": found.lost_tables,
        "unreadable": [
            {"relation": gap.relation, "after": gap.low, "before": gap.high, "reason": gap.reason} for gap in found.gaps
        ],
        "set_aside": found.set_aside,
        "set_aside_in": str(aside) if found.set_aside else None,
        "damaged_store": str(store.with_name(f"{STORE}.{stamp}")),
        "is_whole": found.is_whole,
    }
    _print(report, as_json=as_json)
    return found.is_whole


class _Progress:
    """Shows how many items of which table are read."""

    def __init__(self, *, as_json: bool) -> None:
        from rich.progress import Progress, TextColumn

        from gatepost.cli.output import console

        out = console(stderr=True)
        columns = (TextColumn("salvage {task.description}"), TextColumn("{task.fields[items]:,} items"))
        self._progress = Progress(*columns, console=out, disable=as_json or not out.is_terminal, transient=True)
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> None:
        self._progress.start()

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def told(self, table: str, count: int) -> None:
        """Hear of a table's items."""
        if table not in self._tasks:
            self._tasks[table] = self._progress.add_task(table, total=None, items=0)
        self._progress.update(self._tasks[table], items=count)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _print(report: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    from gatepost.cli.output import a_table, console, print_table

    out = console()
    table = a_table("TABLE", "COUNTED", "KEPT", "MISSING", "FROM INDEXES", "SET ASIDE")
    for one in report["tables"]:
        known = one["counted_before"] is not None
        table.add_row(
            one["table"],
            f"{one['counted_before']:,}" if known else "unknown",
            f"{one['kept']:,}",
            f"{one['missing']:,}" if known else "unknown",
            f"{one['from_indexes']:,}",
            f"{one['set_aside']:,}",
        )
    print_table(out, table)
    for name in report["lost_tables"]:
        out.print(f"the definition of table number {name[1:]} is lost: its items are set aside")
    for gap in report["unreadable"]:
        out.print(f"unreadable: {gap['relation']} between keys {gap['after'] or 'first'} and {gap['before'] or 'last'}")
    if report["set_aside"]:
        out.print(f"{report['set_aside']:,} rows that can be read but not used are in {report['set_aside_in']}")
    out.print(f"the damaged store is kept: {report['damaged_store']}")
    out.print("nothing is missing" if report["is_whole"] else "[bold]not everything could be kept[/]: see above")
