"""Gatepost itself: started as an operator starts it, filled through boto3."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.options import HOME
from benchmarks.peers.aws import Aws
from benchmarks.processes import PeerFailed, ServerProcess, answers

NAME = "Gatepost"


class Gatepost:
    """A running platform on a fresh data directory. `source` is a compiled copy of `src`, `flags` are more options."""

    def __init__(
        self,
        folder: str,
        *,
        cores: str,
        durability: str = "full",
        source: Path | None = None,
        flags: Sequence[str] = (),
    ) -> None:
        self.data = HOME / "run" / folder
        shutil.rmtree(self.data, ignore_errors=True)
        command = [
            *(str(Path(sys.executable).parent / "gatepost"), "serve", "--data", str(self.data)),
            *("--port", "0", "--private-port", "0", "--aws-port", "0", "--durability", durability),
            *("--account-throttle-rate", "1e9", "--account-throttle-burst", "1000000000"),
            *flags,
        ]
        self.configuration = f"gatepost serve --data D --durability {durability} --account-throttle-rate 1e9 …"
        self.configuration += "".join(f" {flag}" for flag in flags)
        env = None
        if source is not None:
            env = {"PYTHONPATH": str(source)}
            self.configuration += "  # with the modules of tools/compile"
        self._start = partial(ServerProcess, command, cores=cores, log=HOME / "run" / f"{folder}.log", env=env)
        self.process = self._start()
        self.endpoints: dict[str, Any] = {}

    def wait(self) -> float:
        """Wait until both roles are ready; give the seconds since the start."""
        return self.process.wait_until(self._is_ready)

    def _is_ready(self) -> bool:
        try:
            self.endpoints = json.loads((self.data / "endpoints.json").read_text())
        except (OSError, ValueError):
            return False
        return answers(self.aws_port, "/_gatepost/health", status=200)

    @property
    def aws_port(self) -> int:
        """Give the AWS endpoint's port."""
        return urlsplit(self.endpoints["aws"]).port or 0

    @property
    def public_port(self) -> int:
        """Give the public listener's port."""
        return urlsplit(self.endpoints["public"]).port or 0

    def aws(self) -> Aws:
        """Give an AWS client with the administrator's key."""
        key = json.loads((self.data / "administrator.json").read_text())
        return Aws(self.aws_port, key["access_key_id"], key["secret_access_key"])

    def restart(self, between: Callable[[], None] = lambda: None) -> None:
        """End the platform, do something with its data, and start it again on other ports."""
        self.process.stop()
        between()
        (self.data / "endpoints.json").unlink(missing_ok=True)
        self.process = self._start()
        self.wait()

    def role(self, name: str) -> int:
        """Give the process id of a role: `gateway`, `services`."""
        for facts in self.process.tree():
            if f"gatepost.app.{name}_role" in facts.command:
                return facts.pid
        raise PeerFailed(f"there is no process for the role {name}")

    def stop(self) -> None:
        """End the platform and remove its data."""
        self.process.stop()
        shutil.rmtree(self.data, ignore_errors=True)
