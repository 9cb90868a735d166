"""Packages: what any zip reader reads, the same bytes each time, and nothing compressed twice."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
import zlib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gatepost.storage.asset_patches import old_digest, patched
from gatepost.templates.package_zip import Package, PackageZip, ZippedFile


class Reads:
    """Reads files, and remembers which."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def __call__(self, path: str) -> bytes:
        self.paths.append(Path(path).name)
        return Path(path).read_bytes()


def a_file(path: Path, name: str = "", *, is_executable: bool = False) -> ZippedFile:
    details = path.stat()
    return ZippedFile(str(path), name or path.name, details.st_size, details.st_mtime_ns, is_executable)


def test_a_package_is_read_as_it_was_made_whatever_the_order_and_the_dates(tmp_path: Path) -> None:
    contents = {"app.py": b"x = 1\n" * 1000, "empty": b"", "größe.bin": os.urandom(5000)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    files = [a_file(tmp_path / name, f"lib/{name}", is_executable=name == "empty") for name in contents]
    made = PackageZip(Reads()).make(files).content()
    assert made == PackageZip(Reads()).make(files[::-1]).content()
    for path in tmp_path.iterdir():
        os.utime(path, (1, 1))
    assert made == PackageZip(Reads()).make(files).content()
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
    with zipfile.ZipFile(io.BytesIO(second.content())) as content:
        assert (content.read("a"), content.read("b")) == (b"a", b"changed")
    assert first.sha256 != second.sha256


def test_a_file_that_was_saved_while_it_was_read_is_not_remembered(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("longer than it was")
    reads = Reads()
    package = PackageZip(reads)
    stale = ZippedFile(str(tmp_path / "a"), "a", 1, 1, is_executable=False)
    package.make([stale])
    package.make([stale])
    assert reads.paths == ["a", "a"]


@given(st.dictionaries(st.text("abc./é", min_size=1, max_size=8), st.binary(max_size=200), max_size=6))
def test_zipfile_reads_every_package(contents: dict[str, bytes]) -> None:
    made = a_package(PackageZip(lambda path: contents[path]), contents)
    assert made.sha256 == hashlib.sha256(made.content()).hexdigest()
    with zipfile.ZipFile(io.BytesIO(made.content())) as package:
        assert package.testzip() is None
        assert package.namelist() == sorted(contents)


def a_package(packages: PackageZip, contents: dict[str, bytes]) -> Package:
    """Files that have changed have other times."""
    return packages.make(
        [
            ZippedFile(name, name, len(content), zlib.crc32(content), is_executable=False)
            for name, content in contents.items()
        ]
    )


FOLDERS = st.dictionaries(st.sampled_from("abcdef"), st.binary(max_size=20), max_size=6)


@given(FOLDERS, FOLDERS)
def test_a_patch_makes_one_package_of_another(before: dict[str, bytes], after: dict[str, bytes]) -> None:
    now: dict[str, bytes] = {}
    packages = PackageZip(lambda path: now[path])
    now.update(before)
    old = a_package(packages, before)
    now.update(after)
    new = a_package(packages, after)
    patch = new.patch_of(old)
    assert old_digest(patch) == old.sha256
    assert patched(lambda count, at: old.content()[at : at + count], patch, bytes_max=1_000_000) == new.content()


def test_a_patch_holds_what_has_changed_only() -> None:
    contents = {f"{number}.py": os.urandom(1000) for number in range(50)}
    packages = PackageZip(lambda path: contents[path])
    old = a_package(packages, contents)
    contents["25.py"] = os.urandom(1000)
    assert 1000 < len(a_package(packages, contents).patch_of(old)) < 5000
