"""The packages that Lambda's Python runtimes bring: boto3 and what it needs, apart from our own dependencies."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Final

RUNTIME_PACKAGES: Final = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six")


def runtime_packages() -> dict[str, str]:
    """Give the real path of each package by the name it has on `sys.path`. All are pure Python."""
    found = {}
    for name in RUNTIME_PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        path = Path(spec.origin).resolve()
        path = path.parent if path.name == "__init__.py" else path
        found[path.name] = str(path)
    return found


def link_packages(folder: Path, packages: Mapping[str, str]) -> Path:
    """Make `folder` hold symbolic links to `packages`, for workers without a file system of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    for name, source in packages.items():
        link = folder / name
        if not (link.is_symlink() and str(link.readlink()) == source):
            link.unlink(missing_ok=True)
            link.symlink_to(source)
    return folder
