"""What a watcher tells, and when a folder's code takes the short way."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatepost.cli.stack_deployment import Target
from gatepost.cli.watch import Project, line_of
from gatepost.templates.packaging import Packaged, PackagedFunction


def a_project(folder: Path, *functions: PackagedFunction, folders: tuple[Path, ...]) -> Project:
    template = folder / "template.yaml"
    template.write_text("Resources: {}")
    packaged = Packaged(str(template), "", files=(template,), folders=folders, functions=functions)
    return Project(template, [Target("stack", packaged, {})])


def a_function(code: Path, *, is_plain: bool = True, logical_id: str = "Fn") -> PackagedFunction:
    return PackagedFunction(logical_id, code, "python3.11", "0" * 64, is_plain)


def test_code_that_only_plain_functions_have_takes_the_short_way(tmp_path: Path) -> None:
    code = tmp_path / "code"
    one, other = a_function(code), a_function(code, logical_id="Other")
    assert a_project(tmp_path, one, folders=(code,)).functions(code) == [("stack", one)]
    # Named once by Globals, used by two.
    assert a_project(tmp_path, one, other, folders=(code,)).functions(code) == [("stack", one), ("stack", other)]


def test_versions_layers_and_nested_templates_take_a_whole_deployment(tmp_path: Path) -> None:
    code = tmp_path / "code"
    assert a_project(tmp_path, a_function(code, is_plain=False), folders=(code,)).functions(code) is None
    assert a_project(tmp_path, a_function(code), folders=(code, code)).functions(code) is None  # a layer has it, too
    assert a_project(tmp_path, folders=(code,)).functions(code) is None


def test_what_was_saved_since_is_found_without_a_watch(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    layer.mkdir()
    (layer / "a.py").write_text("a = 1")
    project = a_project(tmp_path, folders=(layer,))
    project.note()
    assert project.saved_since() == []
    (layer / "b.py").write_text("b = 1")
    (layer / "node_modules").mkdir()
    assert project.saved_since() == [layer]
    project.note()
    project.template.write_text("Resources: {A: {}}")
    assert project.saved_since() == [project.template]


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ({"watch": "updated", "files": ["a.py"], "functions": ["F", "G"], "took_ms": 9}, "watch: a.py → F, G, 9 ms"),
        ({"watch": "deployed", "files": ["t.yaml"], "stacks": ["s"], "took_ms": 9}, "watch: t.yaml → s, 9 ms"),
        ({"watch": "kept", "error": "a.py:1: no"}, "watch: a.py:1: no"),
        ({"watch": "ended", "error": "no room"}, "watch: no longer watching: no room"),
        ({"watch": "installing"}, "watch: installing"),
    ],
)
def test_a_person_reads_a_line(told: dict, line: str) -> None:
    assert line_of(told) == line
