import asyncio

import apsw
import pytest

from gatepost.kernel.errors import SettingsError, StoreFull, StoreUnavailable
from gatepost.storage.sqlite import GROUP_MAX, Database, Migration
from tests.support.stores import a_database

TABLE = (Migration(1, ("CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT)",)),)


def insert(key, value="x"):
    return lambda cursor: cursor.execute("INSERT INTO t VALUES (?,?)", (key, value))


def rows(database):
    return [key for (key,) in database.reader.execute("SELECT k FROM t ORDER BY k")]


def test_a_write_is_readable_once_it_is_acknowledged(tmp_path):
    async def scenario():
        async with a_database(tmp_path, TABLE) as database:
            await database.write(insert(1))
            return rows(database)

    assert asyncio.run(scenario()) == [1]


def test_writes_that_wait_together_share_one_commit(tmp_path):
    async def scenario():
        async with a_database(tmp_path, TABLE) as database:
            await database.write(insert(0))
            before = database.commits
            await asyncio.gather(*(database.write(insert(key)) for key in range(1, 200)))
            return database.commits - before, len(rows(database))

    commits, count = asyncio.run(scenario())
    assert commits < 100
    assert count == 200


def test_a_write_that_raises_undoes_itself_and_nobody_else(tmp_path):
    def bad(cursor):
        cursor.execute("INSERT INTO t VALUES (2,'bad')")
        raise ValueError("no")

    async def scenario():
        async with a_database(tmp_path, TABLE) as database:
            results = await asyncio.gather(
                database.write(insert(1)), database.write(bad), database.write(insert(3)), return_exceptions=True
            )
            return [type(result) for result in results], rows(database)

    kinds, stored = asyncio.run(scenario())
    assert kinds[1] is ValueError
    assert stored == [1, 3]


def test_a_write_alone_in_its_group_undoes_itself_when_it_raises(tmp_path):
    def bad(cursor):
        cursor.execute("INSERT INTO t VALUES (2,'bad')")
        raise ValueError("no")

    async def scenario():
        async with a_database(tmp_path, TABLE) as database:
            with pytest.raises(ValueError, match="no"):
                await database.write(bad)
            await database.write(insert(3))
            return rows(database)

    assert asyncio.run(scenario()) == [3]


def turn_rows(database):
    return [key for (key,) in database.turn_reader.execute("SELECT k FROM t ORDER BY k").fetchall()]


def test_the_reads_of_one_turn_see_one_state_and_those_of_the_next_what_was_written_since(tmp_path):
    async def scenario():
        async with a_database(tmp_path, TABLE) as database:
            before = turn_rows(database)
            other = apsw.Connection(str(database.path))
            other.execute("INSERT INTO t VALUES (1,'x')")
            same_turn = turn_rows(database)
            await asyncio.sleep(0)
            return before, same_turn, turn_rows(database)

    assert asyncio.run(scenario()) == ([], [], [1])


def test_more_writes_than_a_group_holds_are_committed_in_several(tmp_path):
    async def scenario():
        async with a_database(tmp_path, TABLE) as database:
            await asyncio.gather(*(database.write(insert(key)) for key in range(GROUP_MAX + 1)))
            return database.commits, len(rows(database))

    assert asyncio.run(scenario()) == (2, GROUP_MAX + 1)


def test_closing_finishes_what_was_written_in_the_same_turn(tmp_path):
    async def scenario():
        async with a_database(tmp_path, TABLE) as database:
            written = database.write(insert(1))
        await written
        async with a_database(tmp_path, TABLE) as database:
            return rows(database)

    assert asyncio.run(scenario()) == [1]


def test_whoever_hears_of_a_write_reads_it_whatever_was_read_before_in_the_same_turn(tmp_path):
    async def scenario():
        async with a_database(tmp_path, TABLE) as database:
            found = []
            for key in range(50):
                written = database.write(insert(key))
                written.add_done_callback(lambda _, key=key: found.append(key in turn_rows(database)))
                while not written.done():
                    turn_rows(database)  # an old state is open whenever the writer answers
                    await asyncio.sleep(0)
            await asyncio.sleep(0)
            return found

    assert asyncio.run(scenario()) == [True] * 50


def test_no_transaction_of_the_reader_outlives_its_turn(tmp_path):
    async def scenario():
        async with a_database(tmp_path, TABLE) as database:
            turn_rows(database)
            inside = database.reader.in_transaction
            await asyncio.sleep(0)
            return inside, database.reader.in_transaction

    assert asyncio.run(scenario()) == (True, False)


def test_the_reader_cannot_write(tmp_path):
    async def scenario():
        async with a_database(tmp_path, TABLE) as database:
            with pytest.raises(apsw.ReadOnlyError):
                database.reader.execute("INSERT INTO t VALUES (1,'x')")

    asyncio.run(scenario())


def test_what_was_written_is_there_after_reopening(tmp_path):
    async def scenario():
        async with a_database(tmp_path, TABLE) as database:
            await database.write(insert(7))
        async with a_database(tmp_path, TABLE) as database:
            return rows(database)

    assert asyncio.run(scenario()) == [7]


def test_a_new_migration_runs_once_on_an_old_file(tmp_path):
    second = (*TABLE, Migration(2, ("ALTER TABLE t ADD COLUMN extra TEXT DEFAULT 'new'",)))

    async def scenario():
        async with a_database(tmp_path, TABLE) as database:
            await database.write(insert(1))
        for _ in range(2):
            async with a_database(tmp_path, second) as database:
                found = database.reader.execute("SELECT extra FROM t").fetchall()
        return found

    assert asyncio.run(scenario()) == [("new",)]


def test_a_file_of_a_newer_version_is_refused(tmp_path):
    async def scenario():
        async with a_database(tmp_path, (*TABLE, Migration(2, ()))):
            pass
        async with a_database(tmp_path, TABLE):
            pass

    with pytest.raises(SettingsError, match="schema version 2 and this Gatepost knows 1"):
        asyncio.run(scenario())


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "store.db").write_bytes(b"not a database, but long enough to be read as one" * 100)

    async def scenario():
        async with a_database(tmp_path, TABLE):
            pass

    with pytest.raises(SettingsError, match="damaged"):
        asyncio.run(scenario())


def test_a_full_disk_refuses_the_write_and_keeps_what_was_there(tmp_path):
    async def scenario():
        async with a_database(tmp_path, TABLE) as database:
            await database.write(insert(1))
            await database.write(lambda cursor: cursor.execute("PRAGMA max_page_count=4").fetchall())
            with pytest.raises(StoreFull, match="disk is full"):
                await database.write(insert(2, "x" * 100_000))
            await database.write(insert(3))
            return rows(database)

    assert asyncio.run(scenario()) == [1, 3]


def test_a_closed_store_takes_no_writes(tmp_path):
    async def scenario():
        async with a_database(tmp_path, TABLE) as database:
            pass
        with pytest.raises(StoreUnavailable):
            database.write(insert(1))
        with pytest.raises(StoreUnavailable):
            _ = database.reader

    asyncio.run(scenario())


def test_durability_full_syncs_every_commit(tmp_path):
    async def scenario(durability):
        async with a_database(tmp_path, TABLE, durability=durability) as database:
            return await database.write(lambda cursor: cursor.execute("PRAGMA synchronous").fetchone()[0])

    assert asyncio.run(scenario("full")) == 2
    assert asyncio.run(scenario("process")) == 1


def test_migrations_with_a_gap_are_a_bug(tmp_path):
    with pytest.raises(ValueError, match="without gaps"):
        Database(tmp_path / "x.db", durability="full", migrations=(Migration(2, ()),))
