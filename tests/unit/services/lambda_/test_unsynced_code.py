"""Code that was not on the disk when the machine stopped is unpacked again."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from gatepost.services.lambda_.code import extract, remove_leftovers
from gatepost.services.lambda_.unsynced_code import mark, mark_path, settle
from gatepost.storage.data_directory import run_of_the_machine

SHA = "a" * 64


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    """A folder of functions with one that was unpacked just now."""
    folder = tmp_path / "functions"
    folder.mkdir()
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("app.py", "x = 1")
    extract(tmp_path / "code.zip", SHA, folder)
    (folder / f".{SHA}.python3.11").touch()
    return folder


def test_code_is_marked_until_it_is_on_the_disk(functions: Path) -> None:
    assert mark_path(functions, SHA).read_text() == run_of_the_machine()
    settle(functions, SHA)
    settle(functions, SHA)
    assert {path.name for path in functions.iterdir()} == {SHA, f".{SHA}.python3.11"}


def test_a_process_that_ended_before_the_disk_had_it_does_no_harm(functions: Path) -> None:
    remove_leftovers(functions)
    assert {path.name for path in functions.iterdir()} == {SHA, f".{SHA}.python3.11"}


def test_code_of_an_earlier_run_of_the_machine_is_not_trusted(functions: Path) -> None:
    mark_path(functions, SHA).write_text("another run")
    (functions / f".{'b' * 64}.unsynced").write_text("another run")  # the power went before the directory had its name
    (functions / ".x.unsynced").write_text("another run")  # nothing of ours
    remove_leftovers(functions)
    assert [path.name for path in functions.iterdir()] == [".x.unsynced"]


def test_where_the_machine_does_not_tell_its_runs_nothing_is_marked(
    functions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatepost.services.lambda_.unsynced_code.run_of_the_machine", lambda: "")
    assert not mark(functions, "b" * 64)
