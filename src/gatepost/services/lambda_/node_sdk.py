"""The AWS SDK for JavaScript, which Lambda's Node.js runtimes bring: the packages that a function lacks, from npm.

A set of packages is installed once, when the first function that lacks it is deployed, into a folder of its own that
functions read and nobody writes. No script of a package ever runs. Where nothing can be installed the deployment goes
on, with a warning: the function fails when it loads what is not there, and the error says what would work.

Source: https://docs.aws.amazon.com/lambda/latest/dg/lambda-nodejs.html (SDK version 3 is part of the runtimes).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.ids import random_id
from gatepost.kernel.ports import Assets
from gatepost.services.lambda_.model import Function
from gatepost.services.lambda_.runner.nodes import node_major
from gatepost.services.lambda_.sdk_names import lacking_packages

log = logging.getLogger(__name__)

FORMAT: Final = "1"
INSTALL_S_MAX: Final = 50  # clients of AWS wait a minute for an answer
TRIES_MAX: Final = 3  # a package that the registry does not have is left out of the next
SETS_MAX: Final = 32
PAUSE_NS: Final = 60 * 10**9  # after a failure: a stack without a network is not to wait for each of its functions
_OPTIONS: Final = (
    "--ignore-scripts",
    "--no-audit",
    "--no-fund",
    "--no-package-lock",
    "--no-update-notifier",
    "--prefer-offline",
    "--loglevel=error",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",  # ms, as the next
    "--fetch-timeout=20000",
)
_VERSION: Final = {"@aws-sdk": "@^3", "@smithy": ""}  # the SDK's parts have versions of their own
_PASSED: Final = re.compile(
    r"PATH|HOME|LANG|TMPDIR|npm_config_.*|(https?|no|all)_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)", re.IGNORECASE
)
_NO_SUCH: Final = re.compile(
    r"(?:E?404|No matching version).*?(@(?:aws-sdk|smithy))(?:/|%2f)([a-z0-9-]+)", re.IGNORECASE
)


class _NotInstalled(Exception):
    """Why packages could not be installed: for the next set it would be the same."""


class _NotThese(_NotInstalled):
    """Why these packages could not be: it says nothing of others."""


class NodeSdk:
    """Installs sets of packages below `folder`, one at a time. `named` gives those that functions have now."""

    def __init__(self, folder: Path | None, assets: Assets, clock: Clock, named: Callable[[], set[str]]) -> None:
        self._folder = folder
        self._assets = assets
        self._clock = clock
        self._named = named
        self._turn = asyncio.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._failed: tuple[int, str] | None = None  # until when, and why

    async def supplied(self, function: Function) -> Function:
        """Give a function with the name of the set that it lacks, which is there then; or with why it is not."""
        if node_major(function.runtime) is None or self._folder is None:
            return replace(function, node_sdk="", state_reason="")
        digests = (function.code_sha256, *(layer["sha256"] for layer in function.layers))
        archives = [path for digest in digests if (path := self._assets.path(digest)) is not None]
        names = await asyncio.get_running_loop().run_in_executor(None, lacking_packages, archives)
        if not names:
            return replace(function, node_sdk="", state_reason="")
        name = set_name(names, function.runtime)
        try:
            async with self._turn:
                await self._have(names, self._folder / name)
        except _NotInstalled as reason:
            words = (
                f"Lambda's runtime brings {', '.join(names)}, which cannot be installed here ({reason}): the function "
                "will not find it; put it into the function's package (npm install)"
            )
            log.warning(f"function {function.name}: {words}")
            return replace(function, node_sdk="", state_reason=words)
        return replace(function, node_sdk=name, state_reason="")

    async def _have(self, names: Sequence[str], folder: Path) -> None:
        loop = asyncio.get_running_loop()
        if await loop.run_in_executor(None, _is_there, folder):
            return
        now_ns = self._clock.monotonic_ns()
        if self._failed is not None and now_ns < self._failed[0]:
            raise _NotInstalled(self._failed[1])
        log.info(f"AWS SDK for JavaScript: installing {', '.join(names)}")
        try:
            await loop.run_in_executor(None, self._install, names, folder)
        except _NotThese:
            raise
        except (_NotInstalled, OSError) as error:
            self._failed = (self._clock.monotonic_ns() + PAUSE_NS, str(error))
            raise _NotInstalled(str(error)) from error
        log.info(f"AWS SDK for JavaScript: installed in {(self._clock.monotonic_ns() - now_ns) / 1e9:.1f} s")

    def _install(self, names: Sequence[str], folder: Path) -> None:
        """Install a set; its folder appears whole or not at all. Raises: OSError."""
        npm = shutil.which("npm")
        if npm is None:
            raise _NotInstalled("there is no npm on the PATH of the platform")
        deadline_ns = self._clock.monotonic_ns() + INSTALL_S_MAX * 10**9
        self._make_room(folder.parent)
        fresh = folder.with_name(f".{folder.name}.{random_id(8)}")
        fresh.mkdir(mode=0o755)
        try:
            fresh.chmod(0o755)
            wanted = list(names)
            for _ in range(TRIES_MAX):
                absent = self._run(npm, wanted, fresh, (deadline_ns - self._clock.monotonic_ns()) / 1e9)
                if not absent:
                    break
                wanted = [name for name in wanted if name not in absent]
                if not wanted:
                    raise _NotThese("npm's registry has no such package")
            else:
                raise _NotThese("npm's registry lacks several of them")
            fresh.rename(folder)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _run(self, npm: str, names: Sequence[str], folder: Path, timeout_s: float) -> set[str]:
        """Run npm once and give those of `names` that its registry does not have: then it has installed nothing."""
        specifiers = [f"{name}{_VERSION[name.partition('/')[0]]}" for name in names]
        self._process = subprocess.Popen(
            [npm, "install", *_OPTIONS, "--prefix", str(folder), "--", *specifiers],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd=folder,
            env={name: value for name, value in os.environ.items() if _PASSED.fullmatch(name)},
            umask=0o022,
        )
        try:
            with self._process as process:
                _, said = process.communicate(timeout=max(0.1, timeout_s))
        except subprocess.TimeoutExpired as error:
            raise _NotInstalled(f"npm did not end within {INSTALL_S_MAX} s") from error
        finally:
            self._process.kill()
            self._process = None
        if process.returncode == 0:
            return set()
        absent = {f"{scope}/{name}".lower() for scope, name in _NO_SUCH.findall(said)} & set(names)
        if not absent:
            raise _NotInstalled(_reason(said))
        return absent

    def _make_room(self, folder: Path) -> None:
        """Remove what was left behind, and the sets that were not used for longest where there are too many."""
        folder.mkdir(mode=0o711, exist_ok=True)
        sets = []
        for path in folder.iterdir():
            if path.name.startswith("."):
                shutil.rmtree(path, ignore_errors=True)  # one is installed at a time: nobody works on it
            else:
                sets.append((path.stat().st_mtime_ns, path))
        spare = len(sets) - SETS_MAX + 1
        named = self._named()
        for path in [path for _, path in sorted(sets) if path.name not in named][: max(0, spare)]:
            shutil.rmtree(path, ignore_errors=True)
            spare -= 1
        if spare > 0:
            raise _NotThese(f"functions have {SETS_MAX} different sets of packages already")

    def close(self) -> None:
        """End an installation that is under way."""
        if self._process is not None:
            self._process.kill()


def set_name(names: Sequence[str], runtime: str) -> str:
    """Give the name of a set's folder: it depends on the packages and on the runtime's version."""
    text = "\0".join((FORMAT, str(node_major(runtime)), *names))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _is_there(folder: Path) -> bool:
    """Say whether a set is installed, and note that it is used: the one that was used last is removed last."""
    try:
        os.utime(folder)
    except FileNotFoundError:
        return False
    except OSError:  # it cannot be written any more, and needs not
        pass
    return True


def _reason(said: str) -> str:
    """Give the first line of npm's that says something, without its prefix."""
    lines = [line.removeprefix("npm error").removeprefix("npm ERR!").strip() for line in said.splitlines()]
    plain = [line for line in lines if line and not line.startswith(("code ", "errno ", "syscall ", "A complete log"))]
    return f"npm: {plain[0][:200]}" if plain else "npm failed and gave no reason"
