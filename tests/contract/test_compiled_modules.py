"""What modules must keep to, so that compiling them with mypyc (`tools/compile`) changes nothing but their speed."""

import ast
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMPILE = runpy.run_path(str(ROOT / "tools" / "compile"))
SOURCES = [ROOT / path for path in COMPILE["sources"](ROOT)]
WAITS = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield, ast.YieldFrom)


def named(path):
    return path.stem


def functions(path):
    tree = ast.parse(path.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_nothing_waits_while_it_handles_an_error(path):
    """mypyc would leave the error behind as the one that the whole thread is handling."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Try):
            handling = [*node.handlers, *node.finalbody]
            waits = [found.lineno for part in handling for found in ast.walk(part) if isinstance(found, WAITS)]
            assert not waits, f"{path.name} waits in lines {waits}, in an except or finally clause"


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_one_name_stands_for_one_type_of_error(path):
    """To mypyc a name has the type of its first clause; an error of another type would be a TypeError."""
    for function in functions(path):
        types = {}
        for node in ast.walk(function):
            if isinstance(node, ast.ExceptHandler) and node.name and node.type is not None:
                types.setdefault(node.name, set()).add(ast.unparse(node.type))
        mixed = {name: sorted(found) for name, found in types.items() if len(found) > 1}
        assert not mixed, f"{path.name}, {function.name}: {mixed}"


def test_what_is_compiled_fits_its_sources():
    checked = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "compile"), "--check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_a_wheel_is_pure_even_when_modules_are_compiled(tmp_path):
    package = tmp_path / "src" / "gatepost" / "wire"
    package.mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "src" / "gatepost" / "__init__.py").write_bytes((ROOT / "src/gatepost/__init__.py").read_bytes())
    (package / "__init__.py").write_text("")
    (package / "headers.cpython-311-x86_64-linux-gnu.so").write_bytes(b"stale")
    (tmp_path / "src" / "gatepost__mypyc.cpython-311-x86_64-linux-gnu.so").write_bytes(b"stale")
    script = """
import sys, zipfile, tarfile
from hatchling.build import build_sdist, build_wheel
print(*zipfile.ZipFile(f"{sys.argv[1]}/{build_wheel(sys.argv[1])}").namelist())
print(*tarfile.open(f"{sys.argv[1]}/{build_sdist(sys.argv[1])}").getnames())
"""
    built = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "gatepost/wire/__init__.py" in built.stdout
    assert ".so" not in built.stdout
    assert "py3-none-any" in " ".join(path.name for path in tmp_path.glob("*.whl"))


def test_nothing_that_stays_interpreted_inherits_from_what_is_compiled():
    """mypyc's classes refuse it when the subclass is made: at the start of a compiled platform, and nowhere else."""
    compiled = {".".join(path.relative_to(ROOT / "src").with_suffix("").parts): path for path in SOURCES}
    open_to_all = {
        (module, each.name)
        for module, path in compiled.items()
        for each in ast.parse(path.read_text()).body
        if isinstance(each, ast.ClassDef)
        and any(ast.unparse(base).split("[")[0] in ("Protocol", "Exception", "ValueError") for base in each.bases)
    }
    found = []
    for path in (ROOT / "src" / "gatepost").rglob("*.py"):
        if path in compiled.values():
            continue
        tree = ast.parse(path.read_text())
        named = {
            alias.asname or alias.name: (node.module, alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module in compiled
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases = {named.get(ast.unparse(base)) for base in node.bases} - {None}
                found += [f"{path.name}: {node.name} inherits from {base}" for base in bases - open_to_all]
    assert not found, "compile these, too, or have them hold what they inherit from"
