"""Files of items in every format: read, written, and refused with the line that is wrong."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from gatepost.cli.table_files import (
    CsvWriter,
    ExportWriter,
    FileRefused,
    JsonLinesWriter,
    data_files,
    format_of,
    read_items,
)

ITEMS = [
    {"pk": {"S": "a"}, "n": {"N": "1.50"}, "m": {"M": {"x": {"BOOL": True}}}},
    {"pk": {"S": 'b,"\n'}, "s": {"SS": ["x"]}},
]
TABLE = {"TableArn": "arn", "TableId": "id", "TableSizeBytes": 7}


def items_of(path: Path, kind: str, **types: str) -> list[Any]:
    told: list[int] = []
    return [item for _, item in read_items(path, kind, types, told.append)]


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.csv", "csv"), ("a.jsonl", "jsonl"), ("a.csv.gz", "csv"), ("a.json.gz", "dynamodb"), ("folder", "dynamodb")],
)
def test_a_name_tells_the_format(name: str, kind: str) -> None:
    assert format_of(Path(name)) == kind


def test_json_lines_come_back(tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    with path.open("w") as file:
        writer = JsonLinesWriter(file)
        for item in ITEMS:
            writer.write(item)
    assert items_of(path, "jsonl") == ITEMS
    packed = tmp_path / "items.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert items_of(packed, "jsonl") == ITEMS


def test_csv_has_types_for_keys_only(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    with path.open("w", newline="") as file:
        writer = CsvWriter(file, ["pk", "n", "m", "s"])
        for item in ITEMS:
            writer.write(item)
    first, second = items_of(path, "csv", n="N")
    assert first == {"pk": {"S": "a"}, "n": {"N": "1.50"}, "m": {"S": '{"x": true}'}}
    assert second["pk"] == {"S": 'b,"\n'}


def test_an_export_has_its_manifests(tmp_path: Path) -> None:
    writer = ExportWriter(tmp_path / "out", TABLE, now_ms=0)
    for item in ITEMS:
        writer.write(item)
    writer.close()
    assert items_of(tmp_path / "out", "dynamodb") == ITEMS
    summary = json.loads((tmp_path / "out" / "manifest-summary.json").read_text())
    assert (summary["itemCount"], summary["outputFormat"]) == (2, "DYNAMODB_JSON")
    (file,) = (json.loads(line) for line in (tmp_path / "out" / "manifest-files.json").read_text().splitlines())
    assert tmp_path / file["dataFileS3Key"] in data_files(tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b'{"a": 1}\n{"a"\n', "a.jsonl:2: "),
        ("a.jsonl", b"\n[]\n", "a.jsonl:2: an item is a JSON object"),
        ("a.json", b'{"Item": {"a": 1}}\n', "a.json:1: a line is"),
        ("a.jsonl", b"\xff\n", "a.jsonl: "),
        ("a.jsonl.gz", b"no", "a.jsonl.gz: "),
    ],
)
def test_what_is_no_item_is_refused_with_its_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FileRefused) as refused:
        items_of(path, format_of(path))
    assert message in str(refused.value)
