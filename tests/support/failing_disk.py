"""A disk that fails on demand under a whole platform: a library that is preloaded, and a file that says what fails."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")


class FailingDisk:
    """Calls on files below the platform's `store` folder fail inside `with disk.fails("sync")` (write, open, space)."""

    def __init__(self, folder: Path) -> None:
        self.library = folder / "failing_disk.so"
        self.control = folder / "failing"
        subprocess.run(
            ["gcc", "-shared", "-fPIC", "-O1", "-o", str(self.library), str(SOURCE), "-ldl"], check=True, timeout=60
        )

    @property
    def environment(self) -> dict[str, str]:
        """Give what the platform's environment must hold."""
        return {"LD_PRELOAD": str(self.library), "FAILING_DISK": str(self.control)}

    @contextmanager
    def fails(self, what: str) -> Iterator[None]:
        """Let calls fail for a while."""
        self.control.write_text(what)
        try:
            yield
        finally:
            self.control.unlink()


def has_compiler() -> bool:
    """Say whether the library can be made."""
    return shutil.which("gcc") is not None
