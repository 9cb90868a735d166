"""Modules to bytecode."""

from __future__ import annotations

import importlib.util
import marshal

import pytest

from gatepost.services.lambda_.runner.worker.compiling import SOURCE_BYTES_MAX, bytecode_of, modules_of


def test_modules_are_found_and_nothing_else(tmp_path) -> None:
    for name in ("app.py", "lib/deep.py", "lib/__pycache__/x.py", "data.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1")
    (tmp_path / "link.py").symlink_to("app.py")
    assert sorted(modules_of(str(tmp_path))) == ["app.py", "lib/deep.py"]


def test_bytecode_is_what_python_reads(tmp_path) -> None:
    path = tmp_path / "app.py"
    path.write_text("x = 41 + 1")
    content = bytecode_of(str(path))
    assert content[:4] == importlib.util.MAGIC_NUMBER
    namespace: dict[str, int] = {}
    exec(marshal.loads(content[16:]), namespace)
    assert namespace["x"] == 42


@pytest.mark.parametrize("source", ["def (", "x = '" + "x" * SOURCE_BYTES_MAX + "'"])
def test_what_does_not_compile_raises(tmp_path, source: str) -> None:
    path = tmp_path / "app.py"
    path.write_text(source)
    with pytest.raises((SyntaxError, ValueError)):
        bytecode_of(str(path))
