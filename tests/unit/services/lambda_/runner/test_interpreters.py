"""Which Python stands for a runtime."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gatepost.services.lambda_.runner.interpreters import Interpreter, choose, find_interpreters, probe


def pythons(*minors: int) -> list[Interpreter]:
    return [Interpreter((3, minor), Path(f"/usr/bin/python3.{minor}"), ()) for minor in minors]


@pytest.mark.parametrize(
    ("runtime", "minors", "chosen"),
    [
        ("python3.12", (11, 12, 13), 12),
        ("python3.12", (11,), 11),
        ("python3.12", (11, 13), 13),
        ("python3.9", (11, 13), 11),
        ("python3.14", (11, 13), 13),
    ],
)
def test_the_nearest_version_runs_a_function(runtime: str, minors, chosen: int) -> None:
    choice = choose(runtime, pythons(*minors))
    assert choice.interpreter.version == (3, chosen)
    assert bool(choice.warning) is (f"3.{chosen}" != runtime.removeprefix("python"))


@pytest.mark.parametrize("runtime", ["nodejs22.x", "python2.7", "provided.al2023", "python3.x", ""])
def test_another_language_has_no_interpreter(runtime: str) -> None:
    assert choose(runtime, pythons(11)) is None


def test_without_an_interpreter_there_is_no_choice() -> None:
    assert choose("python3.12", []) is None


def test_our_own_interpreter_is_found_with_what_it_needs() -> None:
    found = {interpreter.version: interpreter for interpreter in find_interpreters()}
    own = found[sys.version_info[:2]]
    assert Path(own.executable).exists()
    assert sys.base_prefix in own.visible


@pytest.mark.parametrize("executable", ["/bin/true", "/bin/false", "/nowhere", "/bin/echo"])
def test_what_is_no_python_is_none(executable: str) -> None:
    assert probe(executable) is None
