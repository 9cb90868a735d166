"""Zips of strangers: what is unpacked, and what is refused."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from pathlib import Path

import pytest

from gatepost.services.lambda_.code import BadCode, extract, remove_leftovers

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
    assert [one.name for one in a_folder(tmp_path).iterdir()] == [SHA]


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
