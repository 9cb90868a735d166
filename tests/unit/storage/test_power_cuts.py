import asyncio
import random

import apsw
import pytest

from gatepost.storage.sqlite import Database, Migration
from tests.support.power_cuts import DatabaseOnDisk, Disk, RecordingVfs

TABLE = (Migration(1, ("CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB)",)),)


async def cut_while_writing(folder, seed, *, durability):
    """Write until the power goes, start again from what the disk holds, and give what is missing."""
    chance = random.Random(seed)
    disk = Disk()
    name = f"cut-{seed}-{durability}"
    vfs = RecordingVfs(name, disk)
    before = folder / f"{name}-before"
    before.mkdir()
    database = DatabaseOnDisk(before / "store.db", durability=durability, migrations=TABLE, vfs=name)
    await database.open()
    acknowledged: set[int] = set()
    cut_after = chance.randrange(1, 60)
    after = folder / f"{name}-after"
    after.mkdir()

    async def client(number):
        for key in range(number * 1000, number * 1000 + 40):
            value = chance.randbytes(chance.randrange(1, 9000))
            await database.write(
                lambda cursor, key=key, value=value: cursor.execute("INSERT INTO t VALUES (?,?)", (key, value))
            )
            if after_cut:
                return
            acknowledged.add(key)
            if len(acknowledged) == cut_after:
                disk.after_power_cut(after, chance)
                after_cut.append(True)

    after_cut: list[bool] = []
    await asyncio.gather(*(client(number) for number in range(4)))
    await database.close()
    del vfs
    again = Database(after / "store.db", durability=durability, migrations=TABLE)
    await again.open()
    assert again.reader.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    found = {key for (key,) in again.reader.execute("SELECT k FROM t")}
    await again.close()
    return acknowledged - found


def missing(folder, seed, durability="full"):
    return asyncio.run(cut_while_writing(folder, seed, durability=durability))


@pytest.mark.parametrize("seed", range(6))
def test_no_acknowledged_write_is_lost_when_the_power_goes(tmp_path, seed):
    assert missing(tmp_path, seed) == set()


@pytest.mark.soak
def test_no_acknowledged_write_is_lost_in_hundreds_of_power_cuts(tmp_path):
    for seed in range(100, 500):
        assert missing(tmp_path, seed) == set(), f"seed {seed}"


def test_the_disk_does_lose_what_was_not_synced(tmp_path):
    """The other tests mean something: with durability "process", writes are lost when the power goes."""
    lost = set()
    for seed in range(20):
        lost |= missing(tmp_path, seed, "process")
        if lost:
            return
    pytest.fail("twenty power cuts without a sync lost nothing: the disk of this test is too kind")


def test_apsw_vfs_is_what_sqlite_uses(tmp_path):
    disk = Disk()
    vfs = RecordingVfs("seen", disk)
    connection = apsw.Connection(str(tmp_path / "x.db"), vfs="seen")
    connection.execute("CREATE TABLE t (k)")
    connection.close()
    del vfs
    assert bytes(disk.synced[str(tmp_path / "x.db")][:15]) == b"SQLite format 3"
