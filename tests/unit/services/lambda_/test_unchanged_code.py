"""Files of a package that was unpacked before are found by their bytes; see also `test_code`."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from gatepost.services.lambda_.code import BadCode, extract
from gatepost.services.lambda_.unchanged_code import Twin

FILES = {f"package{number % 3}/module{number}.py": f"x = {number}\n" * 50 for number in range(30)}


def a_package(folder: Path, name: str, files: dict[str, str]) -> tuple[Path, str]:
    archive = folder / name
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as content:
        for path, text in files.items():
            content.writestr(zipfile.ZipInfo(path), text)
    return archive, hashlib.sha256(archive.read_bytes()).hexdigest()


def test_all_but_what_was_changed_is_linked_with_its_bytecode(tmp_path: Path) -> None:
    functions = tmp_path / "functions"
    functions.mkdir()
    archive, sha256 = a_package(tmp_path, "old.zip", FILES)
    old = extract(archive, sha256, functions)
    for name in FILES:
        cache = old / Path(name).parent / "__pycache__"
        cache.mkdir(exist_ok=True)
        (cache / f"{Path(name).stem}.cpython-311.pyc").write_bytes(b"code")
    changed = "package1/module1.py"
    archive_now, now = a_package(tmp_path, "new.zip", {**FILES, changed: "y = 1\n"})
    new = extract(archive_now, now, functions, Twin(archive, sha256))
    assert [name for name in FILES if not (old / name).samefile(new / name)] == [changed]
    assert (new / changed).read_text() == "y = 1\n"
    caches = {str(path.relative_to(new)) for path in new.rglob("*.pyc")}
    assert len(caches) == len(FILES) - 1
    assert "package1/__pycache__/module1.cpython-311.pyc" not in caches  # module10's and others are there
    assert {(new / f"package{number}" / "__pycache__").stat().st_mode & 0o777 for number in range(3)} == {0o755}


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_comes_twice_is_refused_among_unchanged_files_too(tmp_path: Path) -> None:
    functions = tmp_path / "functions"
    functions.mkdir()
    archive, sha256 = a_package(tmp_path, "old.zip", {"a.py": "x = 1"})
    extract(archive, sha256, functions)
    twice = tmp_path / "twice.zip"
    with zipfile.ZipFile(twice, "w", zipfile.ZIP_DEFLATED) as content:
        for _ in range(2):
            content.writestr(zipfile.ZipInfo("a.py"), "x = 1")
    with pytest.raises(BadCode, match="twice"):
        extract(twice, "f" * 64, functions, Twin(archive, sha256))
