"""Damaged item stores: what can be read is kept, what cannot is told, and nothing else."""

from __future__ import annotations

import json
import random
import shutil

import apsw
import pytest

from gatepost.cli.main import main
from gatepost.services.dynamodb.salvage import salvage
from gatepost.storage.data_directory import DataDirectory
from tests.support.dynamodb import a_table, an_index, on_dynamodb
from tests.support.platform import gatepost

ITEMS = 1_500


def item(number, **more):
    return {
        "pk": {"S": f"p{number % 300}"},
        "sk": {"S": f"{number:06}"},
        "text": {"S": "x" * 200},
        "at": {"N": str(4_000_000_000 + number)},
        **more,
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Give a closed store: a table with a sparse index of everything and one of keys, a stream, expiries, a backup."""
    path = tmp_path_factory.mktemp("whole") / "items.db"

    async def scenario(db):
        indexes = [an_index("by_sk", "sk:S", projection="ALL"), an_index("by_text", "text:S", projection="KEYS_ONLY")]
        stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        await db("CreateTable", **a_table("full", GlobalSecondaryIndexes=indexes, StreamSpecification=stream))
        await db("CreateTable", **a_table("plain"))
        ttl = {"AttributeName": "at", "Enabled": True}
        await db("UpdateTimeToLive", TableName="plain", TimeToLiveSpecification=ttl)
        for name in ("full", "plain"):
            for start in range(0, ITEMS, 25):
                puts = [{"PutRequest": {"Item": item(number)}} for number in range(start, start + 25)]
                await db("BatchWriteItem", RequestItems={name: puts})

    on_dynamodb(scenario, path=path)
    return path


def contents(path):
    """Give all items of the salvaged store as DynamoDB gives them, and check what is derived from them."""

    async def scenario(db):
        found = {}
        for name in ("full", "plain"):
            found[name] = await scanned(db, name)
            described = (await db("DescribeTable", TableName=name))["Table"]
            assert described["ItemCount"] == len(found[name])
        assert await scanned(db, "full", IndexName="by_sk") == found["full"]
        keys_only = await scanned(db, "full", IndexName="by_text")
        assert [(one["pk"], one["sk"]) for one in keys_only] == [(one["pk"], one["sk"]) for one in found["full"]]
        await db("PutItem", TableName="plain", Item=item(999_999))
        await db("CreateTable", **a_table("more"))
        await db("PutItem", TableName="more", Item=item(1))
        return found

    return on_dynamodb(scenario, path=path)


async def scanned(db, name, **params):
    found, start = [], {}
    while True:
        page = await db("Scan", TableName=name, **params, **start)
        found += page["Items"]
        if "LastEvaluatedKey" not in page:
            return sorted(found, key=lambda one: one["sk"]["S"])
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def pages_of(path, relation):
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    rows = connection.execute(
        "SELECT pageno, pagetype FROM dbstat WHERE name=? ORDER BY pageno", (relation,)
    ).fetchall()
    connection.close()
    return [number for number, kind in rows if kind == "leaf"]


def relation_of(path, name):
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    table_id = connection.execute("SELECT id FROM catalogue WHERE name=?", (name,)).get
    connection.close()
    return f"t{table_id}"


def spoil(path, pages, page_size=4096):
    with path.open("r+b") as file:
        for page in pages:
            file.seek((page - 1) * page_size)
            file.write(random.Random(page).randbytes(page_size))


def salvaged(path, tmp_path):
    return salvage(path, tmp_path / "new.db", tmp_path / "aside.jsonl", progress=lambda *_: None)


@pytest.fixture
def store(whole, tmp_path):
    path = tmp_path / "items.db"
    shutil.copy(whole, path)
    return path


def test_a_store_that_is_whole_is_made_anew_without_a_loss(store, tmp_path):
    found = salvaged(store, tmp_path)
    assert found.is_whole
    assert {name: len(items) for name, items in contents(tmp_path / "new.db").items()} == {
        "full": ITEMS,
        "plain": ITEMS,
    }
    assert not (tmp_path / "aside.jsonl").exists()


@pytest.mark.parametrize("count", [1, 3])
def test_bad_pages_cost_their_own_items_and_these_are_told(store, tmp_path, count):
    relation = relation_of(store, "plain")
    leaves = pages_of(store, relation)
    step = len(leaves) // (count + 1)
    spoil(store, leaves[step::step][:count])
    found = salvaged(store, tmp_path)
    (table,) = [one for one in found.tables if one.name == "plain"]
    assert table.expected == ITEMS
    assert 0 < table.missing <= 25 * count
    assert table.kept + table.missing == ITEMS
    assert {gap.relation for gap in found.gaps} == {relation}
    assert len(contents(tmp_path / "new.db")["plain"]) == table.kept


def test_what_a_table_has_lost_comes_back_from_an_index_with_whole_items(store, tmp_path):
    spoil(store, pages_of(store, relation_of(store, "full"))[2:8])
    found = salvaged(store, tmp_path)
    (table,) = [one for one in found.tables if one.name == "full"]
    assert (table.kept, table.missing) == (ITEMS, 0)
    assert table.from_indexes > 0
    assert contents(tmp_path / "new.db")["full"] == [item(number) for number in range(ITEMS)]


def test_damaged_indexes_are_made_anew(store, tmp_path):
    relation = relation_of(store, "full")
    spoil(store, pages_of(store, f"{relation}_1") + pages_of(store, f"{relation}_2"))
    found = salvaged(store, tmp_path)
    assert found.is_whole
    assert len(contents(tmp_path / "new.db")["full"]) == ITEMS


def test_a_file_that_was_cut_short_gives_what_is_left(store, tmp_path):
    size = store.stat().st_size
    with store.open("r+b") as file:
        file.truncate(size * 2 // 3)
    found = salvaged(store, tmp_path)
    assert not found.is_whole
    kept = {table.name: table.kept for table in found.tables}
    assert sum(kept.values()) > ITEMS // 2
    assert {name: len(items) for name, items in contents(tmp_path / "new.db").items()} == kept
    assert all(table.kept + table.missing == ITEMS for table in found.tables if table.expected >= 0)


def test_a_row_that_can_be_read_but_is_no_item_is_set_aside_whole(store, tmp_path):
    relation = relation_of(store, "plain")
    connection = apsw.Connection(str(store))
    key, blob = connection.execute(f"SELECT key, item FROM {relation} LIMIT 1").fetchall()[0]
    broken = blob.replace(b'"pk"', b'"pq"')
    connection.execute(f"UPDATE {relation} SET item=? WHERE key=?", (broken, key))
    connection.close()
    found = salvaged(store, tmp_path)
    (line,) = [json.loads(text) for text in (tmp_path / "aside.jsonl").read_text().splitlines()]
    assert (line["table"], line["key"]) == ("plain", key.hex())
    assert found.set_aside == 1
    assert not found.is_whole


def test_items_of_a_table_whose_definition_is_lost_are_set_aside(store, tmp_path):
    connection = apsw.Connection(str(store))
    connection.execute("DELETE FROM catalogue WHERE name='plain'")
    connection.close()
    found = salvaged(store, tmp_path)
    assert len(found.lost_tables) == 1
    assert len((tmp_path / "aside.jsonl").read_text().splitlines()) == ITEMS == found.set_aside


def test_the_command_puts_the_new_store_in_place_and_keeps_the_damaged_one(store, tmp_path, capsys):
    data = DataDirectory(tmp_path / "data")
    data.prepare()
    shutil.copy(store, data.store / "items.db")
    spoil(data.store / "items.db", pages_of(store, relation_of(store, "plain"))[3:4])
    with pytest.raises(SystemExit) as ended:
        main(["tables", "salvage", "--data", str(data.path), "--json"])
    assert ended.value.code == 1
    report = json.loads(capsys.readouterr().out)
    assert [one["table"] for one in report["tables"]] == ["full", "plain"]
    assert report["unreadable"]
    with pytest.raises(SystemExit) as again:
        main(["tables", "salvage", "--data", str(data.path)])
    assert again.value.code == 0
    assert "nothing is missing" in capsys.readouterr().out
    assert len(list(data.store.glob("items.db.damaged-*"))) >= 1


def test_a_damaged_store_is_not_started_on_and_the_error_says_what_to_do(store, tmp_path):
    data = DataDirectory(tmp_path / "data")
    data.prepare()
    with store.open("rb") as file:
        (data.store / "items.db").write_bytes(file.read(200_000))
    ended = gatepost(
        "serve", "--data", str(data.path), "--port", "0", "--private-port", "0", "--aws-port", "0", timeout=60
    )
    assert ended.returncode == 1
    assert f"gatepost tables salvage --data {data.path}" in ended.stderr
