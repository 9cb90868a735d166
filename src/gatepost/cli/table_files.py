"""Files of items: CSV, JSON lines, and the folders that DynamoDB's own export writes.

Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html and
S3DataImport.Format.html: a CSV file gives every attribute as a string, except those that are keys.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, TextIO, cast

from gatepost.cli.item_text import Item, cell, item_json, parse_item
from gatepost.kernel.clock import iso_8601

FORMATS: Final = ("csv", "jsonl", "dynamodb")
FILE_ITEMS_MAX: Final = 1_000_000  # in one data file of an export
_SUFFIXES: Final = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


class FileRefused(ValueError):
    """A file's content is no item. The text says where and why."""


def format_of(path: Path) -> str:
    """Guess a file's format by its name: a folder, or what ends in .json or .json.gz, is DynamoDB's own."""
    suffixes = [suffix for suffix in path.suffixes if suffix != ".gz"]
    return _SUFFIXES.get(suffixes[-1] if suffixes else "", "dynamodb")


def data_files(path: Path) -> list[Path]:
    """Give the files to read: the one itself, or those of an export's folder."""
    if not path.is_dir():
        return [path]
    found = sorted(one for one in path.rglob("*.json*") if not one.name.startswith("manifest-"))
    return [one for one in found if one.parent.name == "data"] or found


def read_items(
    path: Path, kind: str, types: Mapping[str, str], progress: Callable[[int], None]
) -> Iterator[tuple[str, Item]]:
    """Give every item of a file with where it stands; `progress` hears how many bytes were read.

    Raises: FileRefused.
    """
    for file in data_files(path):
        with file.open("rb") as raw:
            text = cast("IO[bytes]", gzip.GzipFile(fileobj=raw) if file.suffix == ".gz" else raw)
            for number, item in enumerate(_items_of(file, text, kind, types), start=1):
                if number % 100 == 0:
                    progress(raw.tell())
                yield f"{file}, item {number}", item
            progress(raw.tell())


def _items_of(file: Path, content: IO[bytes], kind: str, types: Mapping[str, str]) -> Iterator[Item]:
    lines = (line.decode("utf-8-sig" if number == 0 else "utf-8") for number, line in enumerate(content))
    try:
        if kind == "csv":
            yield from _csv_items(lines, types)
            return
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield parse_item(line) if kind == "jsonl" else _exported(line)
            except (ValueError, AttributeError, TypeError) as error:
                raise FileRefused(f"{file}:{number}: {error}") from error
    except (UnicodeDecodeError, csv.Error, gzip.BadGzipFile, EOFError) as error:
        raise FileRefused(f"{file}: {error}") from error


def _exported(line: str) -> Item:
    found = json.loads(line)
    item = found.get("Item", found)
    if not isinstance(item, dict) or not all(isinstance(value, dict) for value in item.values()):
        raise ValueError('a line is {"Item": {"name": {"S": "value"}}}')
    return item


def _csv_items(lines: Iterable[str], types: Mapping[str, str]) -> Iterator[Item]:
    for row in csv.DictReader(lines):
        yield {name: {types.get(name, "S"): text} for name, text in row.items() if name and text}


class CsvWriter:
    """Writes items as rows under the names that were found before."""

    def __init__(self, file: TextIO, names: Sequence[str]) -> None:
        self._names = names
        self._rows = csv.writer(file)
        self._rows.writerow(names)

    def write(self, item: Item) -> None:
        """Write one item."""
        self._rows.writerow([cell(item.get(name)) for name in self._names])


class JsonLinesWriter:
    """Writes items as lines of plain JSON."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, item: Item) -> None:
        """Write one item."""
        self._file.write(item_json(item) + "\n")


class ExportWriter:
    """Writes the folder that DynamoDB's export writes to S3: data files and two manifests."""

    def __init__(self, folder: Path, table: Mapping[str, Any], *, now_ms: int) -> None:
        self._folder = folder
        self._data = folder / "data"
        self._data.mkdir(parents=True)
        self._table = table
        self._now_ms = now_ms
        self._files: list[dict[str, Any]] = []
        self._file: gzip.GzipFile | None = None
        self._count = 0

    def write(self, item: Item) -> None:
        """Write one item."""
        if self._file is None:
            self._file = gzip.GzipFile(self._data / f"{len(self._files):08d}.json.gz", "wb", compresslevel=6)
            self._count = 0
        self._file.write(json.dumps({"Item": item}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        self._count += 1
        if self._count >= FILE_ITEMS_MAX:
            self._end_file()

    def _end_file(self) -> None:
        if self._file is None:
            return
        self._file.close()
        self._file = None
        path = self._data / f"{len(self._files):08d}.json.gz"
        digest = hashlib.md5(usedforsecurity=False)
        with path.open("rb") as content:
            while chunk := content.read(1 << 20):
                digest.update(chunk)
        self._files.append(
            {
                "itemCount": self._count,
                "md5Checksum": digest.hexdigest(),
                "etag": digest.hexdigest(),
                "dataFileS3Key": f"{self._folder.name}/data/{path.name}",
            }
        )

    def close(self) -> None:
        """Write the manifests."""
        self._end_file()
        lines = "".join(json.dumps(file) + "\n" for file in self._files)
        (self._folder / "manifest-files.json").write_text(lines)
        summary = {
            "version": "2020-06-30",
            "startTime": iso_8601(self._now_ms),
            "exportTime": iso_8601(self._now_ms),
            "tableArn": self._table["TableArn"],
            "tableId": self._table["TableId"],
            "manifestFilesS3Key": f"{self._folder.name}/manifest-files.json",
            "billedSizeBytes": self._table["TableSizeBytes"],
            "itemCount": sum(file["itemCount"] for file in self._files),
            "outputFormat": "DYNAMODB_JSON",
        }
        (self._folder / "manifest-summary.json").write_text(json.dumps(summary, indent=1) + "\n")
