"""Sealed records: readable through the store, unreadable in the file, old ones sealed at the next start."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from gatepost.app.sealed_kinds import SEALED_KINDS
from gatepost.kernel.errors import StoreUnavailable, VersionConflict
from gatepost.kernel.operations import RecordKey
from gatepost.security.sealing import Seal
from gatepost.services.lambda_.model import FUNCTION
from gatepost.storage.base import Record, Write
from gatepost.storage.records import MIGRATIONS, SqliteRecords
from gatepost.storage.sealed import SEALED, SealedRecords, seal_plain
from gatepost.storage.sqlite import Database

SECRET = "correct horse battery staple"
SEAL = Seal(bytes(32))
KEY = RecordKey("secret.kind", "1", "r", "a")
OPEN = RecordKey("open.kind", "1", "r", "a")


def in_a_store(folder: Path, scenario: Callable[[Database], Coroutine[Any, Any, Any]]) -> Any:
    async def whole() -> Any:
        database = Database(folder / "records.db", durability="full", migrations=MIGRATIONS)
        await database.open()
        try:
            return await scenario(database)
        finally:
            await database.close()

    return asyncio.run(whole())


def said_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


def sealed(database: Database, seal: Seal = SEAL) -> SealedRecords:
    return SealedRecords(SqliteRecords(database), seal, {KEY.kind})


def test_what_is_sealed_is_read_as_it_was_written_and_stands_nowhere_in_the_file(tmp_path: Path) -> None:
    async def scenario(database: Database) -> list[Any]:
        records = sealed(database)
        written = await records.put(KEY, {"password": SECRET}, expected_version=0)
        await records.put(OPEN, {"name": "for all to read"}, expected_version=0)
        page = await records.page(KEY.kind, "1", "r")
        with pytest.raises(VersionConflict):
            await records.put(KEY, {}, expected_version=0)
        other = await records.commit([Write(KEY, {"password": SECRET, "n": 2}, 1), Write(OPEN, None)])
        return [written, await records.get(KEY), page, await records.scan(KEY.kind), other]

    written, got, page, scanned, other = in_a_store(tmp_path, scenario)
    assert written == Record(KEY, 1, {"password": SECRET})
    assert got == Record(KEY, 2, {"password": SECRET, "n": 2}) == scanned[0]
    assert page == [written]
    assert other == [got, None]
    assert SECRET.encode() not in said_in(tmp_path)


def test_records_of_before_are_sealed_and_keep_their_versions(tmp_path: Path) -> None:
    async def before(database: Database) -> None:
        plain = SqliteRecords(database)
        await plain.put(KEY, {"password": SECRET}, expected_version=0)
        await plain.put(KEY, {"password": SECRET, "n": 2}, expected_version=1)
        await plain.put(OPEN, {"name": "open"}, expected_version=0)

    async def after(database: Database) -> list[Any]:
        counts = [await seal_plain(database, SEAL, {KEY.kind}) for _ in range(2)]
        raw = await SqliteRecords(database).get(KEY)
        return [counts, await sealed(database).get(KEY), list(raw.value), await sealed(database).get(OPEN)]

    in_a_store(tmp_path, before)
    assert SECRET.encode() in said_in(tmp_path)
    counts, got, names, other = in_a_store(tmp_path, after)
    assert counts == [1, 0]
    assert got == Record(KEY, 2, {"password": SECRET, "n": 2})
    assert (names, other.value) == ([SEALED], {"name": "open"})
    assert SECRET.encode() not in said_in(tmp_path)


def test_plain_records_are_read_as_long_as_they_are_there(tmp_path: Path) -> None:
    async def scenario(database: Database) -> Record | None:
        await SqliteRecords(database).put(KEY, {"password": SECRET}, expected_version=0)
        return await sealed(database).get(KEY)

    assert in_a_store(tmp_path, scenario) == Record(KEY, 1, {"password": SECRET})


def test_a_sealed_value_opens_neither_with_another_key_nor_as_another_record(tmp_path: Path) -> None:
    async def scenario(database: Database) -> None:
        await sealed(database).put(KEY, {"password": SECRET}, expected_version=0)
        with pytest.raises(StoreUnavailable, match=r"seal\.key"):
            await sealed(database, Seal(bytes(31) + b"1")).get(KEY)
        plain = SqliteRecords(database)
        stolen = await plain.get(KEY)
        assert stolen is not None
        moved = KEY._replace(id="b")
        await plain.put(moved, stolen.value, expected_version=0)
        with pytest.raises(StoreUnavailable):
            await sealed(database).get(moved)

    in_a_store(tmp_path, scenario)


def test_functions_are_among_what_is_sealed() -> None:
    assert FUNCTION in SEALED_KINDS
