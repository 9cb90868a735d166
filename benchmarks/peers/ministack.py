"""MiniStack: AWS in one Python process, state in memory, functions in warm subprocesses."""

from __future__ import annotations

from pathlib import Path

from benchmarks.options import HOME
from benchmarks.peers.aws import Aws
from benchmarks.processes import ServerProcess, answers, free_port

NAME = "MiniStack"


class MiniStack:
    """A MiniStack process."""

    configuration = (
        "AUTH=false (its default) GATEWAY_PORT=P LOG_LEVEL=WARNING SFTP_ENABLED=0 IOT_MTLS_ENABLED=0 ministack"
    )

    def __init__(self, program: Path, *, cores: str) -> None:
        self.port = free_port()
        home = HOME / "run" / "ministack"
        home.mkdir(parents=True, exist_ok=True)
        self.process = ServerProcess(
            [str(program)],
            cores=cores,
            log=HOME / "run" / "ministack.log",
            cwd=home,
            env={
                "GATEWAY_PORT": str(self.port),
                "LOG_LEVEL": "WARNING",
                "SFTP_ENABLED": "0",
                "IOT_MTLS_ENABLED": "0",
                "STATE_DIR": str(home / "state"),
                "TMPDIR": str(home),
            },
        )

    def wait(self) -> float:
        """Wait until it answers."""
        return self.process.wait_until(lambda: answers(self.port, "/_ministack/health", status=200))

    def aws(self) -> Aws:
        """Give an AWS client."""
        return Aws(self.port)

    def stop(self) -> None:
        """End it."""
        self.process.stop()
