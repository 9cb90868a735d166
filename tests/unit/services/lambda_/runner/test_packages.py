"""The packages that functions find beside their own code."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from gatepost.services.lambda_.runner.packages import link_packages, runtime_packages


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
