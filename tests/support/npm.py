"""Packages from npm for clients that nobody here wrote: installed once into a cached folder, or not at all."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

NODE = shutil.which("node")
WITHIN_S = 90.0


def npm_packages(*packages: str) -> Path | None:
    """Give a folder whose `node_modules` has the packages; None: there is no npm, or no registry to reach."""
    npm = shutil.which("npm")
    if NODE is None or npm is None:
        return None
    name = "-".join(package.replace("/", "_").replace("@", "_") for package in packages)
    folder = Path(tempfile.gettempdir()) / f"gatepost-npm-{os.getuid()}" / name
    done = folder / "installed"
    if done.exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), *packages]
    try:
        ended = subprocess.run(command, capture_output=True, check=False, timeout=WITHIN_S)
    except subprocess.TimeoutExpired:
        return None
    if ended.returncode != 0:
        return None
    done.touch()
    return folder
