"""`trust`: have this machine trust the local certificate authority, or no longer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import click

from gatepost.cli.options import data_option, json_option
from gatepost.storage.data_directory import DataDirectory

NAME: Final = "gatepost-local-ca"
TIMEOUT_S: Final = 60
DEBIAN: Final = Path("/usr/local/share/ca-certificates")
FEDORA: Final = Path("/etc/pki/ca-trust/source/anchors")
KEYCHAIN: Final = "/Library/Keychains/System.keychain"

Run = Callable[[Sequence[str]], subprocess.CompletedProcess[str]]


@dataclass(frozen=True, slots=True)
class Step:
    """What was done to one store. `failed` says why it could not be, "" when it was."""

    store: str
    done: str
    failed: str = ""


@click.command("trust")
@data_option
@json_option
@click.option("--undo", "is_undone", is_flag=True, help="Remove the root again.")
def trust_command(data_dir: Path, as_json: bool, is_undone: bool) -> None:
    """Have this machine and its browsers trust the local certificate authority; exit with 1 when a store refuses.

    The root is name-constrained: it vouches for localhost, names below it, and the domains of --tls-name, nothing else.
    """
    root = DataDirectory(data_dir.absolute()).tls / "ca.pem"
    if not is_undone and not root.exists():
        raise click.ClickException(f"{root} does not exist: start the platform once with this --data")
    stores = Stores(root, run)
    steps = stores.remove() if is_undone else stores.install()
    if as_json:
        import json

        click.echo(json.dumps([asdict(step) for step in steps], indent=2))
    else:
        for step in steps:
            click.echo(f"{step.store}: {step.failed or step.done}")
    if any(step.failed for step in steps):
        raise click.exceptions.Exit(1)


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a program of the system's to its end."""
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)


class Stores:
    """The stores of this machine that there are: the system's, and the NSS databases of browsers."""

    def __init__(
        self,
        root: Path,
        run: Run,
        *,
        home: Path | None = None,
        folders: tuple[tuple[Path, tuple[str, ...]], ...] = (
            (DEBIAN, ("update-ca-certificates",)),
            (FEDORA, ("update-ca-trust", "extract")),
        ),
        platform: str = sys.platform,
    ) -> None:
        self._root = root
        self._run = run
        self._home = home or Path.home()
        self._folders = folders
        self._is_mac = platform == "darwin"

    def install(self) -> list[Step]:
        """Put the root into each store."""
        steps = [self._into_keychain()] if self._is_mac else self._into_folders()
        return [*steps, *self._into_databases()]

    def remove(self) -> list[Step]:
        """Take the root out of each store; where it is not, nothing happens."""
        steps = [self._from_keychain()] if self._is_mac else self._from_folders()
        return [*steps, *self._from_databases()]

    # -- folders of certificates (Linux)

    def _into_folders(self) -> list[Step]:
        for folder, command in self._folders:
            if folder.is_dir() and shutil.which(command[0]):
                target = folder / f"{NAME}.crt"
                try:
                    target.write_bytes(self._root.read_bytes())
                    target.chmod(0o644)
                except OSError as error:
                    return [
                        Step(str(folder), "", f"{error.strerror}: run it as root, with --data {self._root.parents[1]}")
                    ]
                return [self._step(str(folder), f"trusted, as {target}", command)]
        return [Step("system", "", f"no store is known here: add {self._root} to it by its own tools")]

    def _from_folders(self) -> list[Step]:
        steps = []
        for folder, command in self._folders:
            target = folder / f"{NAME}.crt"
            if target.exists():
                try:
                    target.unlink()
                except OSError as error:
                    steps.append(Step(str(folder), "", f"{error.strerror}: run it as root"))
                    continue
                fresh = (*command, "--fresh") if command[0] == "update-ca-certificates" else command
                steps.append(self._step(str(folder), "no longer trusted", fresh))
        return steps or [Step("system", "nothing was there")]

    # -- macOS, as far as it can be known without one (unverified)

    def _into_keychain(self) -> Step:
        command = ("security", "add-trusted-cert", "-d", "-r", "trustRoot", "-k", KEYCHAIN, str(self._root))
        return self._step("System keychain", "trusted", command)

    def _from_keychain(self) -> Step:
        command = ("security", "remove-trusted-cert", "-d", str(self._root))
        return self._step("System keychain", "no longer trusted", command)

    # -- NSS databases: Firefox, Chromium

    def _databases(self) -> list[Path]:
        found = [self._home / ".pki/nssdb"]
        for pattern in (
            ".mozilla/firefox/*",
            "snap/firefox/common/.mozilla/firefox/*",
            "Library/Application Support/Firefox/Profiles/*",
        ):
            found.extend(sorted(self._home.glob(pattern)))
        return [folder for folder in found if (folder / "cert9.db").exists()]

    def _into_databases(self) -> list[Step]:
        if not shutil.which("certutil"):
            return []
        arguments = ("-A", "-t", "C,,", "-n", NAME, "-i", str(self._root))
        return [
            self._step(str(folder), "trusted", ("certutil", "-d", f"sql:{folder}", *arguments))
            for folder in self._databases()
        ]

    def _from_databases(self) -> list[Step]:
        if not shutil.which("certutil"):
            return []
        steps = []
        for folder in self._databases():
            database = ("certutil", "-d", f"sql:{folder}")
            if self._run((*database, "-L", "-n", NAME)).returncode == 0:
                steps.append(self._step(str(folder), "no longer trusted", (*database, "-D", "-n", NAME)))
        return steps

    def _step(self, store: str, done: str, command: Sequence[str]) -> Step:
        try:
            ended = self._run(command)
        except (OSError, subprocess.TimeoutExpired) as error:
            return Step(store, "", f"{command[0]}: {error}")
        if ended.returncode != 0:
            words = (ended.stderr or ended.stdout).strip().splitlines()[-1:] or [f"exit code {ended.returncode}"]
            as_root = " (run it as root)" if os.geteuid() != 0 else ""
            return Step(store, "", f"{command[0]}: {words[0]}{as_root}")
        return Step(store, done)
