"""`gatepost tables` against a running platform: looking, changing, importing, exporting."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.support.platform import RunningPlatform, gatepost


@pytest.fixture
def table(platform: RunningPlatform) -> Any:
    name = f"looked-{uuid.uuid4().hex[:8]}"
    dynamodb = platform.client("dynamodb")
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "customer", "AttributeType": "S"},
            {"AttributeName": "number", "AttributeType": "N"},
        ],
        KeySchema=[
            {"AttributeName": "customer", "KeyType": "HASH"},
            {"AttributeName": "number", "KeyType": "RANGE"},
        ],
    )
    yield name
    dynamodb.delete_table(TableName=name)


def run(platform: RunningPlatform, *arguments: str, code: int = 0, **options: Any) -> str:
    ended = gatepost("tables", *arguments, "--data", str(platform.data), **options)
    assert ended.returncode == code, ended.stderr
    return ended.stdout if code == 0 else ended.stderr


def test_people_look_and_write(platform: RunningPlatform, table: str) -> None:
    item = {"customer": "ann", "number": 1, "tags": {"$SS": ["a", "b"]}, "note": "[bold]" + "x" * 60}
    assert "written" in run(platform, "put", table, json.dumps(item))
    run(platform, "put", table, "-", input='{"customer": "ann", "number": 12.50}')
    assert json.loads(run(platform, "get", table, "customer=ann", "number=1")) == item
    assert "no such item" in run(platform, "get", table, "customer=ann", "number=9", code=1)
    shown = run(platform, "scan", table)
    assert "customer" in shown
    assert "[bold]" in shown
    assert "2 items" in shown
    found = run(platform, "query", table, "customer=ann", "--sort", ">", "2", "--json")
    assert json.loads(found) == {"customer": "ann", "number": 12.5}
    (listed,) = [one for one in json.loads(run(platform, "list", "--json")) if one["TableName"] == table]
    assert listed["ItemCount"] == 2
    assert table in run(platform, "list")
    run(platform, "query", table, "name=ann", code=2)
    assert "there is no table nothing-here" in run(platform, "scan", "nothing-here", code=1)


@pytest.mark.parametrize("name", ["items.csv", "items.jsonl", "folder"])
def test_items_go_out_and_come_back(platform: RunningPlatform, table: str, tmp_path: Path, name: str) -> None:
    source = tmp_path / "source.jsonl"
    items = [{"customer": f"c{n}", "number": n, "text": "é" * (n % 7), "flag": n % 2 == 0} for n in range(260)]
    source.write_text("".join(json.dumps(item) + "\n" for item in items))
    assert "260 items imported" in run(platform, "import", table, str(source))
    out = tmp_path / name
    assert json.loads(run(platform, "export", table, str(out), "--json")) == {"exported": 260}
    assert "there already" in run(platform, "export", table, str(out), code=1)
    copy = f"{table}-copy"
    dynamodb = platform.client("dynamodb")
    described = dynamodb.describe_table(TableName=table)["Table"]
    keys = {part: described[part] for part in ("AttributeDefinitions", "KeySchema")}
    dynamodb.create_table(TableName=copy, BillingMode="PAY_PER_REQUEST", **keys)
    assert "260 items imported" in run(platform, "import", copy, str(out))
    key = {"customer": {"S": "c8"}, "number": {"N": "8"}}
    item = dynamodb.get_item(TableName=copy, Key=key)["Item"]
    assert item["text"] == {"S": "é"}
    assert item["flag"] == ({"S": "true"} if name.endswith("csv") else {"BOOL": True})
    dynamodb.delete_table(TableName=copy)


def test_an_item_that_the_table_does_not_take_is_named(platform: RunningPlatform, table: str, tmp_path: Path) -> None:
    source = tmp_path / "bad.jsonl"
    source.write_text('{"customer": "a", "number": 1}\n{"customer": "b"}\n')
    refused = run(platform, "import", table, str(source), code=1)
    assert "bad.jsonl, item 1 and the 1 after it" in refused
    assert "Missing the key number" in refused
