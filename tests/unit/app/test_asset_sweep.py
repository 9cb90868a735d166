"""The sweep of assets: what anything names stays, and so does what was asked for lately."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gatepost.app.asset_sweep import AssetSweep
from gatepost.kernel.clock import SystemClock
from gatepost.kernel.operations import RecordKey
from gatepost.security.sealing import Seal
from gatepost.services.lambda_.model import FUNCTION
from gatepost.storage.assets import FileAssets
from gatepost.storage.records import MIGRATIONS, SqliteRecords
from gatepost.storage.sealed import SealedRecords
from gatepost.storage.sqlite import Database

SEAL = Seal(bytes(32))
DAY_S = 24 * 3600


class Swept:
    """A folder of assets beside records, and its sweep."""

    def __init__(self, folder: Path, database: Database, *, seal: Seal = SEAL) -> None:
        (folder / "assets").mkdir(exist_ok=True)
        self.assets = FileAssets(folder / "assets")
        self.records = SealedRecords(SqliteRecords(database), SEAL, {FUNCTION})
        self.sweep = AssetSweep(folder / "assets", database.path, seal, SystemClock())

    def an_asset(self, content: bytes, *, age_s: float = 2 * DAY_S) -> str:
        sha256 = self.assets.put_now(content)
        path = self.assets.path(sha256)
        assert path is not None
        os.utime(path, (time.time() - age_s,) * 2)
        return sha256

    async def name(self, kind: str, record_id: str, **value: Any) -> None:
        await self.records.put(RecordKey(kind, "1", "r", record_id), value, expected_version=None)

    async def swept(self) -> None:
        for _ in range(2):
            await self.sweep.sweep()

    def has(self, *names: str) -> list[bool]:
        return [self.assets.path(name) is not None for name in names]


def run(folder: Path, scenario: Callable[[Swept], Any], **options: Any) -> Any:
    async def whole() -> Any:
        database = Database(folder / "records.db", durability="full", migrations=MIGRATIONS)
        await database.open()
        try:
            return await scenario(Swept(folder, database, **options))
        finally:
            await database.close()

    return asyncio.run(whole())


def test_what_nothing_names_goes_at_the_second_sweep_and_what_is_named_stays(tmp_path: Path) -> None:
    async def scenario(swept: Swept) -> list[Any]:
        unused, code, template = (swept.an_asset(content) for content in (b"unused", b"PK\x03\x04code", b"body"))
        await swept.name(FUNCTION, "f", code_sha256=code)  # sealed
        await swept.name("some.kind", "s", text=f"https://bucket/{template}")
        first = await swept.sweep.sweep()
        seen = [first, swept.has(unused)]
        return [*seen, await swept.sweep.sweep(), swept.has(unused, code, template)]

    assert run(tmp_path, scenario) == [0, [True], 1, [False, True, True]]


def test_what_a_template_in_use_names_is_in_use(tmp_path: Path) -> None:
    async def scenario(swept: Swept) -> list[bool]:
        code = swept.an_asset(b"PK\x03\x04code")
        nested = swept.an_asset(f"Code: s3://gatepost-assets/{code}".encode())
        template = swept.an_asset(f"TemplateURL: https://x/{nested}".encode())
        lost = swept.an_asset(b"PK\x03\x04lost")
        package = swept.an_asset(b"PK\x03\x04" + lost.encode())  # a package names nothing
        await swept.name("cloudformation.stack", "s", template=template, package=package)
        await swept.swept()
        return swept.has(code, nested, template, package, lost)

    assert run(tmp_path, scenario) == [True, True, True, True, False]


def test_what_was_uploaded_or_asked_for_within_a_day_stays(tmp_path: Path) -> None:
    async def scenario(swept: Swept) -> list[bool]:
        fresh = swept.an_asset(b"fresh", age_s=DAY_S - 60)
        asked, again = swept.an_asset(b"asked"), swept.an_asset(b"again")
        assert swept.assets.ask(asked)
        await swept.assets.put(b"again")
        old = swept.an_asset(b"old", age_s=DAY_S + 60)
        await swept.swept()
        return swept.has(fresh, asked, again, old)

    assert run(tmp_path, scenario) == [True, True, True, False]


def test_when_a_record_cannot_be_opened_nothing_goes(tmp_path: Path) -> None:
    async def scenario(swept: Swept) -> list[bool]:
        unused = swept.an_asset(b"unused")
        await swept.name(FUNCTION, "f", code_sha256="0" * 64)
        await swept.swept()
        return swept.has(unused)

    assert run(tmp_path, scenario, seal=Seal(b"1" * 32)) == [True]


def test_a_folder_that_cannot_be_read_ends_no_sweeping(tmp_path: Path) -> None:
    async def scenario(swept: Swept) -> None:
        (tmp_path / "assets").rmdir()
        assert await swept.sweep.sweep() == 0
        (tmp_path / "assets").mkdir()
        unused = swept.an_asset(b"unused")
        await swept.swept()
        assert swept.has(unused) == [False]

    run(tmp_path, scenario)
