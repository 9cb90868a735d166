"""`requirements.txt` beside a function's code: installed once into a cache, for the interpreter that will run it."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gatepost.kernel.errors import SettingsError
from gatepost.kernel.ids import random_id
from gatepost.services.lambda_.runner.interpreters import choose, find_interpreters

CACHE_FORMAT: Final = "1"
INSTALL_S_MAX: Final = 900
INCLUDED_FILES_MAX: Final = 20
ERROR_LINES: Final = 12
_MARK: Final = ".gatepost-complete"


class Requirements:
    """Installs requirements below `cache_dir`; what was installed once is found by its content."""

    def __init__(self, cache_dir: Path, *, progress: Callable[[str], None], python: str = sys.executable) -> None:
        self._cache_dir = cache_dir / "requirements"
        self._progress = progress
        self._python = python

    def key(self, file: Path, runtime: str) -> str:
        """Give what the installed packages depend on: the file with all it includes, runtime and interpreters.

        Raises: SettingsError.
        """
        digest = hashlib.sha256(f"{CACHE_FORMAT}\0{runtime}\0{sys.version}\0{sys.platform}".encode())
        digest.update((shutil.which(runtime) or "").encode())
        for content in _contents(file):
            digest.update(b"\0" + content)
        return digest.hexdigest()

    def install(self, file: Path, runtime: str) -> Path:
        """Give the folder with the installed packages. Raises: SettingsError with pip's own last lines."""
        folder = self._cache_dir / self.key(file, runtime)
        if (folder / _MARK).exists():
            return folder
        self._progress(f"{file.parent.name}/{file.name}: installing for {runtime}")
        fresh = folder.with_name(f".{folder.name}.{random_id(8)}")
        try:
            fresh.parent.mkdir(parents=True, exist_ok=True)
            self._run(file, runtime, fresh)
            fresh.mkdir(exist_ok=True)  # an empty file installs nothing
            (fresh / _MARK).touch()
            if not folder.exists():
                fresh.rename(folder)
        except OSError as fault:
            raise SettingsError(f"{file}: the packages cannot be kept in {self._cache_dir}: {fault}") from fault
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        self._progress(f"{file.parent.name}/{file.name}: installed")
        return folder

    def _run(self, file: Path, runtime: str, target: Path) -> None:
        command = [*_installer(self._python), "--quiet", "--target", str(target), "-r", str(file)]
        chosen = choose(runtime, find_interpreters())
        if chosen is not None and chosen.interpreter.version != sys.version_info[:2]:
            # Packages with compiled parts must fit the interpreter that will run them.
            version = ".".join(str(part) for part in chosen.interpreter.version)
            command += ["--python-version", version, "--only-binary=:all:"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=INSTALL_S_MAX, check=False, cwd=file.parent
            )
        except subprocess.TimeoutExpired as fault:
            raise SettingsError(f"{file}: pip did not finish within {INSTALL_S_MAX} s") from fault
        if done.returncode != 0:
            lines = (done.stderr or done.stdout).strip().splitlines()[-ERROR_LINES:]
            raise SettingsError(f"{file}: pip cannot install it:\n  " + "\n  ".join(lines))


def _installer(python: str) -> list[str]:
    """Give the command that installs packages: pip, or uv where an environment has no pip. Raises: SettingsError."""
    if importlib.util.find_spec("pip") is not None:
        return [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    uv = shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--python", python]
    raise SettingsError(
        f"{python} has no pip, and there is no uv on PATH: install one of them to build requirements.txt"
    )


def _contents(file: Path) -> list[bytes]:
    """Give a requirements file's content and those of all it includes by -r and -c. Raises: SettingsError."""
    todo, seen = [file], []
    contents: list[bytes] = []
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.append(current)
        if len(seen) > INCLUDED_FILES_MAX:
            raise SettingsError(f"{file}: it includes more than {INCLUDED_FILES_MAX} files")
        try:
            content = current.read_bytes()
        except OSError as fault:
            raise SettingsError(f"{current}: {fault.strerror or fault}") from fault
        contents.append(content)
        for line in content.decode("utf-8", "replace").splitlines():
            words = line.strip().split()
            if len(words) == 2 and words[0] in ("-r", "--requirement", "-c", "--constraint"):
                todo.append(current.parent / words[1])
    return contents
