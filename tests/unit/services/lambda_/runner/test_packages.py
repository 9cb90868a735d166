"""The packages that functions find beside their own code."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from gatepost.services.lambda_.runner.interpreters import Interpreter, own_interpreter
from gatepost.services.lambda_.runner.packages import compile_packages, link_packages, runtime_packages


def test_boto3_and_what_it_needs_are_found_without_importing_them() -> None:
    found = runtime_packages()
    assert set(found) == {"boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py"}
    assert Path(found["six.py"]).is_file()
    assert Path(found["boto3"]) == Path(importlib.util.find_spec("boto3").origin).resolve().parent


def test_links_follow_the_installation(tmp_path) -> None:
    folder = tmp_path / "packages"
    link_packages(folder, {"a": "/one", "b": "/two"})
    link_packages(folder, {"a": "/other", "b": "/two"})
    assert {one.name: str(one.readlink()) for one in folder.iterdir()} == {"a": "/other", "b": "/two"}


def test_packages_are_compiled_once_for_an_interpreter(tmp_path) -> None:
    own = own_interpreter()
    for name in ("session", "broken"):
        (tmp_path / "boto3").mkdir(exist_ok=True)
        (tmp_path / "boto3" / f"{name}.py").write_text("x = 1" if name == "session" else "def (")
    packages = {"boto3": str(tmp_path / "boto3")}
    assert compile_packages(own, packages)
    tag = f"cpython-{own.version[0]}{own.version[1]}"
    assert [one.name for one in (tmp_path / "boto3" / "__pycache__").iterdir()] == [f"session.{tag}.pyc"]
    assert not compile_packages(own, packages)


def test_an_interpreter_that_cannot_compile_changes_nothing(tmp_path) -> None:
    (tmp_path / "boto3").mkdir()
    packages = {"boto3": str(tmp_path / "boto3")}
    assert not compile_packages(Interpreter((3, 11), Path("/nowhere"), ()), packages)
    assert not compile_packages(own_interpreter(), {})
