"""Which folders are watched, and what changed paths mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatepost.cli.watched_files import WatchedFiles, is_ignored


def a_project(folder: Path) -> Path:
    for name in ("fn/lib", "fn/node_modules/left-pad", "fn/.venv/bin", "fn/__pycache__", "docs"):
        (folder / name).mkdir(parents=True)
    for name in ("template.yaml", "fn/app.py", "fn/lib/a.py", "docs/openapi.yaml", "code.zip"):
        (folder / name).write_text("x")
    return folder.resolve()


def test_folders_are_watched_without_those_that_installers_fill(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    files = WatchedFiles([root / "template.yaml", root / "docs/openapi.yaml"], [root / "fn", root / "code.zip"])
    assert files.places() == [root, root / "docs", root / "fn", root / "fn/lib"]


def test_a_path_means_a_named_file_or_the_code_folder_that_it_lies_in(tmp_path: Path) -> None:
    root = a_project(tmp_path)
    files = WatchedFiles([root / "template.yaml"], [root / "fn", root / "code.zip"])
    paths = ["template.yaml", "code.zip", "fn/app.py", "fn/lib/a.py", "fn/lib", "README", "fn/node_modules/x.js"]
    meaning = files.meaning(root / path for path in paths)
    assert meaning.files == {root / "template.yaml", root / "code.zip"}
    assert meaning.code == {root / "fn": [root / "fn/app.py", root / "fn/lib/a.py", root / "fn/lib"]}
    assert meaning.has_new_folders


@pytest.mark.parametrize("name", ["a.pyc", ".app.py.swp", "app.py~", ".#app.py", "4913", "node_modules", ".git"])
def test_what_editors_and_tools_leave_means_nothing(tmp_path: Path, name: str) -> None:
    root = a_project(tmp_path)
    assert is_ignored(name)
    meaning = WatchedFiles([], [root / "fn"]).meaning([root / "fn" / name])
    assert (meaning.code, meaning.has_new_folders) == ({}, False)


def test_a_code_folder_inside_of_an_ignored_one_is_watched_all_the_same(tmp_path: Path) -> None:
    built = tmp_path.resolve() / ".aws-sam" / "build" / "Fn"
    built.mkdir(parents=True)
    files = WatchedFiles([], [built])
    assert files.places() == [built]
    assert files.meaning([built / "app.py"]).code == {built: [built / "app.py"]}
