"""The shape of the code: what STYLE promises a reader, checked over every module."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "gatepost"
MODULES = sorted(SOURCE.rglob("*.py"))
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 60
JUNK_DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "core", "manager"}
BANNED_CALLS = {"time.time", "datetime.now", "datetime.utcnow", "uuid.uuid4", "uuid4", "asyncio.create_task"}
BANNED_IMPORTS = {"random", "uuid"}
CATCH_ALL_HOMES = {"gateway/plan.py", "awsapi/server.py", "kernel/tasks.py"}
UNTESTED = ROOT / "tests" / "contract" / "untested_modules.txt"


def name_of(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def runs_in_workers(path: Path) -> bool:
    """Code that runs in a function's process has no kernel to ask."""
    return "runner/worker" in path.as_posix()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_what_it_is_for(path):
    docstring = ast.get_docstring(tree_of(path))
    assert docstring, "begin with a sentence that says what belongs here"
    assert docstring.splitlines()[0].endswith((".", ":")), "the first line is a sentence"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_file_or_function_outgrows_a_reader(path):
    assert len(path.read_text().splitlines()) <= FILE_LINES_MAX, "split it by noun"
    long = [
        f"{node.name}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert not long


def test_there_are_no_junk_drawers():
    assert [name_of(path) for path in MODULES if path.stem in JUNK_DRAWERS] == []


@pytest.mark.parametrize("path", [path for path in MODULES if not name_of(path).startswith("kernel/")], ids=name_of)
def test_time_chance_and_tasks_come_from_the_kernel(path):
    if runs_in_workers(path):
        return
    found = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in BANNED_CALLS:
            found.append(f"line {node.lineno}: {ast.unparse(node.func)}")
        if isinstance(node, ast.Import) and {alias.name for alias in node.names} & BANNED_IMPORTS:
            found.append(f"line {node.lineno}: import")
    assert not found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_catching_everything_has_three_homes(path):
    if name_of(path) in CATCH_ALL_HOMES or runs_in_workers(path):
        return
    found = [
        node.lineno
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
        and not (
            name_of(path) == "storage/sqlite.py" and ast.unparse(node.type or ast.Constant(None)) == "BaseException"
        )
    ]
    assert not found, "catch what you can answer for, by name"


def imported_by_tests() -> set[str]:
    """Every module of ours that some test imports, by its dotted name below gatepost."""
    found: set[str] = set()
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gatepost"):
                found.add(node.module)
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
    return {name.removeprefix("gatepost.") for name in found}


def test_modules_without_a_test_stand_in_a_list_that_only_shrinks():
    tests = {path.stem.removeprefix("test_") for path in (ROOT / "tests").rglob("test_*.py")}
    imported = imported_by_tests()
    untested = [
        name_of(path)
        for path in MODULES
        if path.stem != "__init__"
        and path.stem not in tests
        and name_of(path).removesuffix(".py").replace("/", ".") not in imported
    ]
    listed = [line for line in UNTESTED.read_text().splitlines() if line and not line.startswith("#")]
    assert untested == listed, "test the module; take those that have tests off tests/contract/untested_modules.txt"


def test_every_dependency_has_its_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = {re.split(r"[><=\[ ]", line)[0].lower() for line in declared}
    page = (ROOT / "docs" / "dependencies.md").read_text()
    explained = set(re.findall(r"^\| `([a-z0-9_-]+)`", page, re.MULTILINE))
    assert explained == names


def test_help_imports_no_heavy_library():
    program = (
        "import sys; from gatepost.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'boto3', 'botocore', 'samtranslator', 'apsw', 'uvloop', 'rich', 'yaml', 'cryptography', 're2'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "Usage" in ended.stdout


def test_the_gateway_loads_nothing_of_what_services_is_made_of():
    program = (
        "import sys, gatepost.app.gateway_role\n"
        "heavy = {'apsw', 'yaml', 're2', 'samtranslator', 'gatepost.templates', 'gatepost.app.services_core'}\n"
        "providers = {name for name in sys.modules if name.endswith('.provider')}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules) | providers)) or 0)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
