from __future__ import annotations

from pathlib import Path

from gatepost.services.lambda_.runner.worker.program import EXTENSIONS_MAX, bootstraps, extensions_in


def test_a_bootstrap_is_looked_for_in_the_package_first() -> None:
    assert bootstraps("/var/task", "") == ["/var/task/bootstrap"]
    assert bootstraps("/var/task", "/opt") == ["/var/task/bootstrap", "/opt/bootstrap"]


def test_extensions_are_programs_and_few(tmp_path: Path) -> None:
    assert extensions_in(str(tmp_path)) == []
    folder = tmp_path / "extensions"
    folder.mkdir()
    (folder / "folder").mkdir(mode=0o755)
    (folder / "notes.txt").write_text("")
    for number in range(EXTENSIONS_MAX + 2):
        (folder / f"agent{number:02}").write_text("#!/bin/sh\n")
        (folder / f"agent{number:02}").chmod(0o755)
    found = extensions_in(str(tmp_path))
    assert found == [f"{folder}/agent{number:02}" for number in range(EXTENSIONS_MAX)]
