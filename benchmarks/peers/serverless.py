"""serverless-offline: API Gateway and Lambda in one Node.js process; Python handlers in child processes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from benchmarks.options import HOME
from benchmarks.processes import ServerProcess, answers, free_port

NAME = "serverless-offline"
SERVICE: Final = """\
service: bench
frameworkVersion: "3"
provider:
  name: aws
  runtime: python3.11
  stage: prod
functions:
  hello:
    handler: function.handler
    memorySize: 256
    timeout: 10
    events:
      - http: { path: "hello/{name}", method: get }
plugins:
  - serverless-offline
"""


class ServerlessOffline:
    """A `serverless offline` process with one function."""

    def __init__(self, package: Path, code: str, *, cores: str) -> None:
        self.port, lambda_port = free_port(), free_port()
        home = HOME / "run" / "serverless"
        home.mkdir(parents=True, exist_ok=True)
        (home / "serverless.yml").write_text(SERVICE)
        (home / "function.py").write_text(code)
        modules = home / "node_modules"
        if not modules.is_symlink():
            modules.symlink_to(package.parent)
        arguments = ["offline", "--host", "127.0.0.1", "--httpPort", str(self.port), "--lambdaPort", str(lambda_port)]
        self.configuration = SERVICE + "\nserverless offline --host 127.0.0.1 --httpPort P --lambdaPort Q"
        self.process = ServerProcess(
            ["node", str(package.parent / "serverless" / "bin" / "serverless.js"), *arguments],
            cores=cores,
            log=HOME / "run" / "serverless.log",
            cwd=home,
            env={
                "SLS_TELEMETRY_DISABLED": "1",
                "SLS_NOTIFICATIONS_MODE": "off",
                "SLS_DEPRECATION_DISABLE": "*",
                "CI": "1",
                "HOME": str(home),
            },
        )

    def wait(self) -> float:
        """Wait until it answers."""
        return self.process.wait_until(lambda: answers(self.port))

    def stop(self) -> None:
        """End it."""
        self.process.stop()
