"""moto's server: AWS in one Python process, state in memory."""

from __future__ import annotations

from pathlib import Path

from benchmarks.options import HOME
from benchmarks.peers.aws import Aws
from benchmarks.processes import ServerProcess, answers, free_port

NAME = "moto server"


class Moto:
    """A moto_server process."""

    configuration = "moto_server -H 127.0.0.1 -p P"

    def __init__(self, program: Path, *, cores: str) -> None:
        self.port = free_port()
        self.process = ServerProcess(
            [str(program), "-H", "127.0.0.1", "-p", str(self.port)], cores=cores, log=HOME / "run" / "moto.log"
        )

    def wait(self) -> float:
        """Wait until it answers."""
        return self.process.wait_until(lambda: answers(self.port, "/moto-api/"))

    def aws(self) -> Aws:
        """Give an AWS client."""
        return Aws(self.port)

    def stop(self) -> None:
        """End it."""
        self.process.stop()
