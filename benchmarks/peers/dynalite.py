"""dynalite: DynamoDB in one Node.js process, tables in memory."""

from __future__ import annotations

from pathlib import Path

from benchmarks.options import HOME
from benchmarks.peers.aws import Aws
from benchmarks.processes import ServerProcess, answers, free_port

NAME = "dynalite"


class Dynalite:
    """A dynalite process."""

    configuration = "dynalite --host 127.0.0.1 --port P --createTableMs 0"

    def __init__(self, package: Path, *, cores: str) -> None:
        self.port = free_port()
        command = ["node", str(package / "cli.js"), "--host", "127.0.0.1", "--port", str(self.port)]
        self.process = ServerProcess([*command, "--createTableMs", "0"], cores=cores, log=HOME / "run" / "dynalite.log")

    def wait(self) -> float:
        """Wait until it answers."""
        return self.process.wait_until(lambda: answers(self.port))

    def aws(self) -> Aws:
        """Give an AWS client."""
        return Aws(self.port)

    def stop(self) -> None:
        """End it."""
        self.process.stop()
