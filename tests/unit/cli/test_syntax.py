"""What cannot be compiled is said with file and line, for the language that a function has."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatepost.cli.syntax import SyntaxCheck
from gatepost.services.lambda_.runner.interpreters import Interpreter, own_interpreter
from gatepost.services.lambda_.runner.runner import OWN_RUNTIME
from tests.support.nodes import RUNTIME, needs_node


def problem(folder: Path, name: str, content: str, runtime: str) -> str:
    (folder / name).write_text(content)
    check = SyntaxCheck()
    try:
        return check.problem_of([folder / name], runtime).replace(str(folder), "")
    finally:
        check.close()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("x = 1\n", ""),
        ("x = 1\ny = (\n", "/app.py:2: SyntaxError: '(' was never closed"),
        ("def f():\nreturn 1\n", "/app.py:2: IndentationError: expected an indented block"),
        ("x = '\\d'\n", ""),  # a warning is no error
        ("x = \0\n", "/app.py:1: "),
    ],
)
def test_python_says_file_and_line(tmp_path: Path, content: str, words: str) -> None:
    found = problem(tmp_path, "app.py", content, OWN_RUNTIME)
    assert found.startswith(words) if words else not found


def test_another_python_checks_what_runs_on_it(tmp_path: Path) -> None:
    own = own_interpreter()
    other = Interpreter((3, own.version[1] + 1), own.executable, own.visible)
    check = SyntaxCheck()
    check._pythons = [own, other]
    (tmp_path / "app.py").write_text("x = 1\ny = )\n")
    assert check.problem_of([tmp_path / "app.py"], f"python3.{other.version[1]}").startswith(
        f"{tmp_path}/app.py:2: Syn"
    )
    (tmp_path / "app.py").write_text("x = 1\n")
    assert not check.problem_of([tmp_path / "app.py"], f"python3.{other.version[1]}")


@needs_node
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("app.js", "exports.a = 1;\n", ""),
        ("app.js", "exports.a = 1;\nexports.b = {;\n", "/app.js:2: SyntaxError: Unexpected token"),
        ("app.js", "#!/usr/bin/env node\nif (1) return;\n", ""),
        ("app.js", "import fs from 'node:fs';\nexport const a = await 1;\n", ""),
        ("app.cjs", "import fs from 'node:fs';\n", "/app.cjs:1: SyntaxError: Cannot use import"),
        ("app.mjs", "export const a = 1;\n", ""),
        ("app.mjs", "\n\nexport const a = ;\n", "/app.mjs:3: SyntaxError: Unexpected token"),
    ],
)
def test_node_says_file_and_line(tmp_path: Path, name: str, content: str, words: str) -> None:
    found = problem(tmp_path, name, content, RUNTIME)
    assert found.startswith(words) if words else not found


def test_what_is_of_another_language_or_gone_is_no_problem(tmp_path: Path) -> None:
    assert not problem(tmp_path, "data.json", "{", OWN_RUNTIME)
    assert not problem(tmp_path, "app.py", "x = (", RUNTIME)
    assert not problem(tmp_path, "bootstrap", "x = (", "provided.al2023")
    assert not SyntaxCheck().problem_of([tmp_path / "gone.py"], OWN_RUNTIME)
