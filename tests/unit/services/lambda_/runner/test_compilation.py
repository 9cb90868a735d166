"""Bytecode is made ahead, in the sandbox, and lands beside its module and nowhere else."""

from __future__ import annotations

import marshal
import time
from pathlib import Path

import pytest

from gatepost.services.lambda_.runner.compilation import write_bytecode
from tests.support.functions import LiveRunner

HANDLER = "import lib.deep\ndef handler(event, context):\n    return lib.deep.VALUE\n"


def test_modules_are_compiled_once_their_code_is_there(runner: LiveRunner) -> None:
    function = runner.deploy(
        {"app.py": HANDLER, "lib/__init__.py": "", "lib/deep.py": "VALUE = 7", "broken.py": "def (", "data.txt": "x"}
    )
    folder = runner.folder / "functions" / function.code_sha256
    end = time.monotonic() + 5
    while not list(runner.folder.glob(f"functions/.{function.code_sha256}.python*")) and time.monotonic() < end:
        time.sleep(0.01)
    made = sorted(path.relative_to(folder).as_posix().split(".")[0] for path in folder.rglob("*.pyc"))
    assert made == ["__pycache__/app", "lib/__pycache__/__init__", "lib/__pycache__/deep"]
    # Python takes it: other bytecode with the same head runs instead of the source.
    [bytecode] = folder.glob("lib/__pycache__/deep.*.pyc")
    other = compile("VALUE = 8", "deep.py", "exec")
    bytecode.write_bytes(bytecode.read_bytes()[:16] + marshal.dumps(other))
    assert runner.value(function) == 8


def a_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    (folder / "lib").mkdir(parents=True)
    (folder / "app.py").write_text("x = 1")
    (folder / "lib" / "deep.py").write_text("x = 1")
    (tmp_path / "outside.py").write_text("x = 1")
    (folder / "link.py").symlink_to("../outside.py")
    return folder


@pytest.mark.parametrize(
    ("module", "name", "is_written"),
    [
        ("app.py", "app.cpython-311.pyc", True),
        ("lib/deep.py", "deep.cpython-311.pyc", True),
        ("app.py", "other.cpython-311.pyc", False),
        ("app.py", "app.so", False),
        ("app.py", "../app.cpython-311.pyc", False),
        ("lost.py", "lost.cpython-311.pyc", False),
        ("../outside.py", "outside.cpython-311.pyc", False),
        ("link.py", "link.cpython-311.pyc", False),
        ("/etc/passwd", "passwd.cpython-311.pyc", False),
        ("lib", "lib.cpython-311.pyc", False),
    ],
)
def test_bytecode_lands_beside_its_module_only(tmp_path, module: str, name: str, is_written: bool) -> None:
    folder = a_folder(tmp_path)
    assert write_bytecode(folder, module, name, b"code") is is_written
    assert len(list(tmp_path.rglob("*.pyc"))) == is_written
    assert not list(tmp_path.rglob("*.so"))


def test_a_cache_that_points_elsewhere_is_left_alone(tmp_path) -> None:
    folder = a_folder(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (folder / "__pycache__").symlink_to("../elsewhere")
    assert not write_bytecode(folder, "app.py", "app.cpython-311.pyc", b"code")
    assert list((tmp_path / "elsewhere").iterdir()) == []
