"""Checks of this machine: each says what is wrong and how to mend it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import click

from gatepost.cli.options import data_option, json_option
from gatepost.kernel.clock import SystemClock
from gatepost.storage.data_directory import DataDirectory

DISK_BYTES_LOW: Final = 1 * 1024**3
PORTS: Final = ((8080, "--port"), (8081, "--private-port"), (4566, "--aws-port"), (8443, "--tls-port"))
BEFORE_GATEPOST_S: Final = 1_760_000_000  # a clock before October 2025 is wrong


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw. `fix` is empty when all is well."""

    check: str
    seen: str
    fix: str = ""


@click.command("doctor")
@data_option
@json_option
def doctor_command(data_dir: Path, as_json: bool) -> None:
    """Check ports, permissions, disk, clock, Python and name resolution; exit with 1 if something needs mending."""
    data = DataDirectory(data_dir.absolute())
    findings = [finding for check in CHECKS for finding in check(data)]
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(f"{'ok  ' if not finding.fix else 'FIX '} {finding.check:<12} {finding.seen}")
            if finding.fix:
                click.echo(f"                  -> {finding.fix}")
    if any(finding.fix for finding in findings):
        raise click.exceptions.Exit(1)


def check_python(data: DataDirectory) -> list[Finding]:
    """Look at the interpreter and the libraries that matter."""
    del data
    version = ".".join(map(str, sys.version_info[:3]))
    found = [Finding("python", f"{version} at {sys.executable}")]
    try:
        import apsw

        from gatepost.storage.sqlite import SQLITE_SAFE_FROM
    except ImportError as error:
        return [*found, Finding("libraries", str(error), "reinstall: pip install --force-reinstall gatepost")]
    sqlite = apsw.sqlite_lib_version()
    is_safe = tuple(map(int, sqlite.split("."))) >= SQLITE_SAFE_FROM
    return [*found, Finding("sqlite", sqlite, "" if is_safe else "it can lose data: pip install 'apsw>=3.54.1'")]


def check_ports(data: DataDirectory) -> list[Finding]:
    """See whether the default ports are free, or ours."""
    if data.owner() is not None:
        return [Finding("ports", f"the platform of {data.path} is running (process {data.owner()})")]
    found = []
    for port, flag in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                fix = f"stop what listens there (ss -ltnp 'sport = :{port}'), or start with {flag} 0"
                found.append(Finding("port", f"{port}: {error.strerror}", fix))
            else:
                found.append(Finding("port", f"{port} is free"))
    return found


def check_directory(data: DataDirectory) -> list[Finding]:
    """See whether the data directory can be written, and how much room there is."""
    place = data.path
    while not place.exists():
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return [Finding("directory", f"{place}: {error.strerror}", f"chown {os.getuid()} {place}, or choose --data")]
    found = [Finding("directory", f"{place} can be written")]
    free = shutil.disk_usage(place).free
    fix = "" if free >= DISK_BYTES_LOW else "make room: under 1 GiB is left"
    return [*found, Finding("disk", f"{free / 1024**3:.1f} GiB are free", fix)]


def check_clock(data: DataDirectory) -> list[Finding]:
    """See whether the clock can be right: signatures are refused when it is off by more than five minutes."""
    seconds = SystemClock().now_ms() / 1000
    newest = max((path.stat().st_mtime for path in data.path.glob("*") if path.exists()), default=0.0)
    seen = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    if seconds < max(BEFORE_GATEPOST_S, newest - 300):
        return [Finding("clock", seen, "set it: timedatectl set-ntp true; signatures depend on it")]
    return [Finding("clock", seen)]


def check_names(data: DataDirectory) -> list[Finding]:
    """See how localhost and its subdomains resolve."""
    del data
    found = []
    try:
        socket.getaddrinfo("localhost", 80)
        found.append(Finding("names", "localhost resolves"))
    except OSError:
        found.append(Finding("names", "localhost does not resolve", "add '127.0.0.1 localhost' to /etc/hosts"))
    try:
        socket.getaddrinfo("api.execute-api.us-east-1.localhost", 80)
        found.append(Finding("names", "*.localhost resolves"))
    except OSError:
        found.append(Finding("names", "*.localhost does not resolve here: use the path form, or curl and browsers"))
    return found


def check_functions(data: DataDirectory) -> list[Finding]:
    """Try what functions can be given to themselves."""
    del data
    from gatepost.services.lambda_.runner.isolation import best_box, isolation_words

    return [Finding("functions", isolation_words(best_box()))]


CHECKS: Final[tuple[Callable[[DataDirectory], list[Finding]], ...]] = (
    check_python,
    check_ports,
    check_directory,
    check_clock,
    check_names,
    check_functions,
)
