"""Packages: what any zip reader reads, the same bytes each time, and nothing compressed twice."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gatepost.templates.package_zip import PackageZip, ZippedFile


class Reads:
    """Reads files, and remembers which."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def __call__(self, path: Path) -> bytes:
        self.paths.append(path.name)
        return path.read_bytes()


def a_file(path: Path, name: str = "", *, is_executable: bool = False) -> ZippedFile:
    details = path.stat()
    return ZippedFile(path, name or path.name, details.st_size, details.st_mtime_ns, is_executable)


def test_a_package_is_read_as_it_was_made_whatever_the_order_and_the_dates(tmp_path: Path) -> None:
    contents = {"app.py": b"x = 1\n" * 1000, "empty": b"", "größe.bin": os.urandom(5000)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    files = [a_file(tmp_path / name, f"lib/{name}", is_executable=name == "empty") for name in contents]
    made = PackageZip(Reads()).make(files)
    assert made == PackageZip(Reads()).make(files[::-1])
    for path in tmp_path.iterdir():
        os.utime(path, (1, 1))
    assert made == PackageZip(Reads()).make(files)
    with zipfile.ZipFile(io.BytesIO(made)) as package:
        assert package.testzip() is None
        assert {name: package.read(f"lib/{name}") for name in contents} == contents
        modes = {entry.filename: entry.external_attr >> 16 for entry in package.infolist()}
    assert modes == {"lib/app.py": 0o100644, "lib/empty": 0o100755, "lib/größe.bin": 0o100644}
    assert len(made) < 8_000


def test_only_what_has_changed_is_read_again(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    reads = Reads()
    package = PackageZip(reads)
    first = package.make([a_file(tmp_path / name) for name in ("a", "b")])
    (tmp_path / "b").write_text("changed")
    second = package.make([a_file(tmp_path / name) for name in ("a", "b")])
    assert reads.paths == ["a", "b", "b"]
    with zipfile.ZipFile(io.BytesIO(second)) as content:
        assert (content.read("a"), content.read("b")) == (b"a", b"changed")
    assert first != second


def test_a_file_that_was_saved_while_it_was_read_is_not_remembered(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("longer than it was")
    reads = Reads()
    package = PackageZip(reads)
    stale = ZippedFile(tmp_path / "a", "a", 1, 1, is_executable=False)
    package.make([stale])
    package.make([stale])
    assert reads.paths == ["a", "a"]


@given(st.dictionaries(st.text("abc./é", min_size=1, max_size=8), st.binary(max_size=200), max_size=6))
def test_zipfile_reads_every_package(contents: dict[str, bytes]) -> None:
    paths = {Path(f"/{number}"): name for number, name in enumerate(contents)}
    files = [ZippedFile(path, name, len(contents[name]), 0, is_executable=False) for path, name in paths.items()]
    made = PackageZip(lambda path: contents[paths[path]]).make(files)
    with zipfile.ZipFile(io.BytesIO(made)) as package:
        assert package.testzip() is None
        assert package.namelist() == sorted(contents)
