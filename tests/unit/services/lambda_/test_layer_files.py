"""Merging layers: a later one over an earlier, without changing either."""

from __future__ import annotations

from pathlib import Path

from gatepost.services.lambda_.layer_files import merge, merged_digest


def a_layer(functions: Path, name: str, files: dict[str, str]) -> str:
    for path, content in files.items():
        (functions / name / path).parent.mkdir(parents=True, exist_ok=True)
        (functions / name / path).write_text(content)
    return name


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_a_single_layer_is_its_own() -> None:
    assert merged_digest([]) == ""
    assert merged_digest(["a"]) == "a"
    assert len({merged_digest(["a", "b"]), merged_digest(["b", "a"])}) == 2


def test_a_later_layer_wins(tmp_path) -> None:
    first = a_layer(tmp_path, "1", {"python/a.py": "1", "python/b.py": "1", "bin": "file", "lib/x": "1"})
    second = a_layer(
        tmp_path, "2", {"python/b.py": "2", "bin/tool": "2", "lib": "file", "python/__pycache__/b.pyc": ""}
    )
    (tmp_path / second / "python" / "c.py").symlink_to("b.py")
    before = [contents(tmp_path / name) for name in (first, second)]
    merge(tmp_path, [first, second])
    merged = tmp_path / merged_digest([first, second])
    assert contents(merged) == {
        "python/a.py": "1",
        "python/b.py": "2",
        "python/c.py": "2",
        "bin/tool": "2",
        "lib": "file",
    }
    assert [contents(tmp_path / name) for name in (first, second)] == before
    merge(tmp_path, [first, second])  # it is there already
    merge(tmp_path, [first])  # nothing to do
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([first, second, merged.name])
