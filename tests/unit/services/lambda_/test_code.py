"""Zips of strangers: what is unpacked, and what is refused."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import zipfile
import zlib
from pathlib import Path

import pytest

from gatepost.services.lambda_.code import BadCode, extract, remove_leftovers
from gatepost.services.lambda_.unchanged_code import Twin
from gatepost.services.lambda_.unsynced_code import mark_path

SHA = "a" * 64


def a_folder(tmp_path: Path) -> Path:
    (tmp_path / "functions").mkdir(exist_ok=True)
    return tmp_path / "functions"


def an_archive(tmp_path: Path, *entries: tuple[str, bytes, int]) -> Path:
    """A zip with names, contents and modes as given."""
    path = tmp_path / "code.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return path


FILE, PROGRAM, LINK = stat.S_IFREG | 0o600, stat.S_IFREG | 0o700, stat.S_IFLNK | 0o777


def test_code_is_readable_for_everyone_and_programs_stay_programs(tmp_path) -> None:
    archive = an_archive(
        tmp_path, ("app.py", b"x = 1", FILE), ("bin/tool", b"#!", PROGRAM), ("lib/app", b"../app.py", LINK)
    )
    target = extract(archive, SHA, a_folder(tmp_path))
    assert stat.S_IMODE((target / "app.py").stat().st_mode) == 0o644
    assert stat.S_IMODE((target / "bin/tool").stat().st_mode) == 0o755
    assert stat.S_IMODE((target / "bin").stat().st_mode) == 0o755
    assert (target / "lib/app").read_bytes() == b"x = 1"
    assert {one.name for one in a_folder(tmp_path).iterdir()} == {SHA, mark_path(a_folder(tmp_path), SHA).name}


def test_code_that_is_there_is_not_unpacked_again(tmp_path) -> None:
    target = a_folder(tmp_path) / SHA
    target.mkdir()
    assert extract(tmp_path / "nowhere.zip", SHA, a_folder(tmp_path)) == target


@pytest.mark.parametrize(
    "entries",
    [
        [("../out.py", b"x", FILE)],
        [("a/../../out.py", b"x", FILE)],
        [("/etc/passwd", b"x", FILE)],
        [("a\\b", b"x", FILE)],
        [("link", b"/etc/passwd", LINK)],
        [("link", b"../../x", LINK)],
        [("a/link", b"../../x", LINK)],
        [("p", b".", LINK), ("link", b"p/p/p/../../..", LINK)],
        [("d/x", b"y", FILE), ("up", b"d/..", LINK), ("a/b", b"../up/up/../../x", LINK)],
        [("link", b"", LINK)],
        [("link", b"target", LINK), ("link/x", b"y", FILE)],
        [("a", b"x", FILE), ("a/b", b"y", FILE)],
        [("a", b"x", FILE), ("a", b"y", FILE)],
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_would_leave_the_directory_is_refused(tmp_path, entries) -> None:
    with pytest.raises(BadCode):
        extract(an_archive(tmp_path, *entries), SHA, a_folder(tmp_path))
    assert list(a_folder(tmp_path).iterdir()) == []
    assert not (tmp_path / "out.py").exists()


def test_more_than_250_mb_are_refused_by_what_the_zip_says(tmp_path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(6):
            archive.writestr(f"{number}", bytes(50_000_000))
    with pytest.raises(BadCode, match="Unzipped size must be smaller than 262144000 bytes"):
        extract(path, SHA, a_folder(tmp_path))


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path) -> None:
    path = an_archive(tmp_path, ("app.py", b"0123456789" * 1000, FILE))
    content = bytearray(path.read_bytes())
    for at in (content.find(b"PK\x03\x04") + 22, content.rfind(b"PK\x01\x02") + 24):
        content[at : at + 4] = (5).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(BadCode):
        extract(path, SHA, a_folder(tmp_path))
    assert list(a_folder(tmp_path).iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip", b"PK\x05\x06" + b"\x00" * 10])
def test_what_is_no_zip_is_refused_in_lambdas_words(tmp_path, content: bytes) -> None:
    path = tmp_path / "code.zip"
    path.write_bytes(content)
    with pytest.raises(BadCode, match="Could not unzip uploaded file"):
        extract(path, SHA, a_folder(tmp_path))


def test_a_damaged_entry_is_refused(tmp_path) -> None:
    path = an_archive(tmp_path, ("app.py", os.urandom(1000), FILE))
    content = bytearray(path.read_bytes())
    content[100] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(BadCode):
        extract(path, SHA, a_folder(tmp_path))


def test_an_encrypted_zip_is_refused(tmp_path) -> None:
    path = an_archive(tmp_path, ("app.py", b"x", FILE))
    content = bytearray(path.read_bytes())
    for at in (content.find(b"PK\x03\x04") + 6, content.rfind(b"PK\x01\x02") + 8):
        content[at] |= 1
    path.write_bytes(content)
    with pytest.raises(BadCode):
        extract(path, SHA, a_folder(tmp_path))


def test_an_empty_zip_is_an_empty_directory(tmp_path) -> None:
    content = io.BytesIO()
    zipfile.ZipFile(content, "w").close()
    path = tmp_path / "code.zip"
    path.write_bytes(content.getvalue())
    assert list(extract(path, SHA, a_folder(tmp_path)).iterdir()) == []


def test_what_a_killed_process_left_behind_is_removed(tmp_path) -> None:
    folder = a_folder(tmp_path)
    dead, living = f".{SHA}.{2**22 + 1}.0123abcd", f".{SHA}.{os.getpid()}.0123abcd"
    for name in (dead, living, SHA):
        (folder / name).mkdir()
    (folder / f".{SHA}.python3.11").touch()
    remove_leftovers(folder)
    assert {one.name for one in folder.iterdir()} == {living, SHA, f".{SHA}.python3.11"}


def a_package(folder: Path, name: str, files: dict[str, bytes], *, mode: int = 0o644) -> tuple[Path, str]:
    archive = folder / f"{name}.zip"
    with zipfile.ZipFile(archive, "w") as content:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = (0o100000 | mode) << 16
            content.writestr(entry, data)
    return archive, hashlib.sha256(archive.read_bytes()).hexdigest()


def test_files_that_have_not_changed_are_shared_with_the_code_before(tmp_path: Path) -> None:
    functions = tmp_path / "functions"
    functions.mkdir()
    files = {"app.py": b"x = 1\n", "lib/a.py": b"a = 1\n", "lib/data": b"d"}
    archive, sha256 = a_package(tmp_path, "old", files)
    old = extract(archive, sha256, functions)
    (old / "lib" / "__pycache__").mkdir()
    (old / "lib" / "__pycache__" / "a.cpython-311.pyc").write_bytes(b"code")
    (old / "lib" / "__pycache__" / "other.cpython-311.pyc").write_bytes(b"code")
    changed, digest = a_package(tmp_path, "new", {**files, "app.py": b"x = 2\n"})
    new = extract(changed, digest, functions, Twin(archive, sha256))
    assert {path: (new / path).read_bytes() for path in files} == {**files, "app.py": b"x = 2\n"}
    assert [(old / path).samefile(new / path) for path in files] == [False, True, True]
    assert (new / "lib" / "__pycache__" / "a.cpython-311.pyc").read_bytes() == b"code"
    assert not (new / "lib" / "__pycache__" / "other.cpython-311.pyc").exists()
    shutil.rmtree(old)
    assert (new / "lib" / "a.py").read_bytes() == b"a = 1\n"


def test_what_differs_in_its_mode_or_is_no_file_is_written_anew(tmp_path: Path) -> None:
    functions = tmp_path / "functions"
    functions.mkdir()
    archive, sha256 = a_package(tmp_path, "old", {"run": b"#!", "moved": b"m"})
    old = extract(archive, sha256, functions)
    (old / "moved").unlink()
    (old / "moved").symlink_to("/etc/passwd")  # nobody does so; it would not be followed
    changed, digest = a_package(tmp_path, "new", {"run": b"#!", "moved": b"m"}, mode=0o755)
    new = extract(changed, digest, functions, Twin(archive, sha256))
    assert not (old / "run").samefile(new / "run")
    assert ((new / "run").stat().st_mode & 0o777, (new / "moved").read_bytes()) == (0o755, b"m")
    same, again = a_package(tmp_path, "same", {"run": b"#!", "moved": b"m", "x": b""})
    third = extract(same, again, functions, Twin(archive, sha256))
    assert not (third / "moved").is_symlink()


def test_code_whose_package_is_gone_is_unpacked_as_if_there_were_none_before(tmp_path: Path) -> None:
    archive, digest = a_package(tmp_path, "new", {"a": b"a"})
    (tmp_path / "functions").mkdir()
    new = extract(archive, digest, tmp_path / "functions", Twin(tmp_path / "gone.zip", "0" * 64))
    assert (new / "a").read_bytes() == b"a"


HONEST, FORGED = b"x = 'honest'  # abcdefgh\n", b"x = 'forged'#0000009xMrj="


def test_a_file_with_the_size_and_checksum_of_another_is_not_taken_for_it(tmp_path: Path) -> None:
    functions = a_folder(tmp_path)
    assert (zlib.crc32(HONEST), len(HONEST)) == (zlib.crc32(FORGED), len(FORGED))
    archive, sha256 = a_package(tmp_path, "forged", {"m.py": FORGED})
    extract(archive, sha256, functions)
    honest, digest = a_package(tmp_path, "honest", {"m.py": HONEST})
    assert (extract(honest, digest, functions, Twin(archive, sha256)) / "m.py").read_bytes() == HONEST


@pytest.mark.parametrize("place", ["__pycache__", "./__pycache__", ".//__pycache__/.", "hidden"])
def test_bytecode_of_another_package_does_not_stand_for_a_module(tmp_path: Path, place: str) -> None:
    """Bytecode need not belong to the module beside it (PEP 552): only what was compiled here is taken over."""
    functions = a_folder(tmp_path)
    archive, sha256 = a_package(tmp_path, "before", {"m.py": HONEST, f"{place}/m.cpython-311.pyc": b"forged"})
    old = extract(archive, sha256, functions)
    if place == "hidden":
        (old / "__pycache__").symlink_to(place)  # as a link in the zip would be
    honest, digest = a_package(tmp_path, "honest", {"m.py": HONEST})
    new = extract(honest, digest, functions, Twin(archive, sha256))
    assert (old / "m.py").samefile(new / "m.py")
    assert not (new / "__pycache__").exists()


def test_few_entries_cannot_ask_for_millions_of_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatepost.services.lambda_.code.ENTRIES_MAX", 50)
    names = [f"{number}/" + "/".join("abcdefghi") + "/x" for number in range(10)]
    with pytest.raises(BadCode, match="folders") as refusal:
        extract(an_archive(tmp_path, *((name, b"", FILE) for name in names)), SHA, a_folder(tmp_path))
    assert refusal.value.is_too_large
    assert list(a_folder(tmp_path).iterdir()) == []
