"""Packages of others that demonstrations run unmodified: installed once into a cache, or a reason to skip."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "gatepost-tests"


def python_packages(*names: str) -> Path:
    """Give a folder with these packages and what they need, for this Python; skips the test where pip cannot."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return _installed(
        f"python{version} {' '.join(names)}",
        lambda folder: [sys.executable, "-m", "pip", "install", "-q", "--no-input", "--disable-pip-version-check",
                        "--timeout", "5", "--retries", "0", "--target", str(folder), *names],
    )  # fmt: skip


def node_packages(*names: str) -> Path:
    """Give a folder whose `node_modules` has these packages; skips the test where npm cannot."""
    if shutil.which("npm") is None:
        pytest.skip("there is no npm on this machine")
    options = ["--no-audit", "--no-fund", "--silent", "--fetch-retries", "0", "--fetch-timeout", "20000"]
    return _installed(
        f"node {' '.join(names)}",
        lambda folder: ["npm", "install", *options, "--prefix", str(folder), *names],
    )


def _installed(what: str, command) -> Path:
    folder = CACHE / hashlib.sha256(what.encode()).hexdigest()[:24]
    if folder.is_dir():
        return folder
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        done = subprocess.run(command(fresh), capture_output=True, text=True, timeout=180, check=False)
    except subprocess.TimeoutExpired:
        shutil.rmtree(fresh, ignore_errors=True)
        pytest.skip(f"installing {what} took too long")
    if done.returncode:
        shutil.rmtree(fresh, ignore_errors=True)
        pytest.skip(f"cannot install {what}: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")
    try:
        fresh.rename(folder)
    except OSError:  # somebody else was faster
        shutil.rmtree(fresh, ignore_errors=True)
    return folder
