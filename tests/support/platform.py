"""A whole running platform, as a user starts it: `gatepost serve` in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REGION = "us-east-1"
ACCOUNT_ID = "000000000000"
READY_WITHIN_S = 60.0


@dataclass
class Answer:
    """What a client got."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Read the body as JSON."""
        return json.loads(self.body)


@dataclass
class RunningPlatform:
    """A platform's process and where it answers."""

    data: Path
    process: subprocess.Popen[bytes]
    aws: str
    public: str
    key: dict[str, str]
    output: Path
    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str, **credentials: str) -> Any:
        """Give a boto3 client; without credentials the administrator's."""
        import boto3
        from botocore.config import Config

        if not credentials and service in self.clients:
            return self.clients[service]
        made = boto3.Session().client(
            service,
            endpoint_url=self.aws,
            region_name=REGION,
            config=Config(retries={"max_attempts": 1}, read_timeout=30, connect_timeout=5),
            **(credentials or self.boto_key()),
        )
        if not credentials:
            self.clients[service] = made
        return made

    def boto_key(self) -> dict[str, str]:
        """Give the administrator's key under boto3's names."""
        return {
            "aws_access_key_id": self.key["access_key_id"],
            "aws_secret_access_key": self.key["secret_access_key"],
        }

    def environment(self) -> dict[str, str]:
        """Give the variables of `gatepost env` on top of ours."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return ours | {
            "AWS_ENDPOINT_URL": self.aws,
            "AWS_ACCESS_KEY_ID": self.key["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": self.key["secret_access_key"],
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_PAGER": "",
            "GATEPOST_DATA": str(self.data),
        }

    def upload(self, content: bytes) -> str:
        """Keep a file as an asset and give its SHA-256."""
        from gatepost.cli.endpoint import Endpoint, read_addresses
        from gatepost.cli.stack_deployment import Deployer
        from gatepost.storage.data_directory import DataDirectory

        addresses = read_addresses(DataDirectory(self.data.absolute()))
        assert addresses is not None
        endpoint = Endpoint(addresses, **self.key)
        try:
            return Deployer(endpoint, say=lambda _: None).uploads().put(content)
        finally:
            endpoint.close()

    def stage_url(self, api_id: str, stage: str) -> str:
        """Give the path form of a stage's address."""
        return f"{self.public}/_aws/execute-api/{api_id}/{stage}"

    def stop(self, *, within_s: float = 15.0) -> int:
        """Stop as Ctrl-C does and give the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(within_s)


def gatepost(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the `gatepost` command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "gatepost.cli", *arguments], capture_output=True, text=True, check=False, **options
    )


def start_platform(
    data: Path, *arguments: str, command: str = "serve", ports: tuple[int, int, int] = (0, 0, 0)
) -> RunningPlatform:
    """Start a platform on free ports and wait until it is ready."""
    output = data.with_name(data.name + ".out")
    flags = ["--data", str(data), "--port", str(ports[0]), "--private-port", str(ports[1]), "--aws-port", str(ports[2])]
    flags += ["--tls-port", "0"]
    with output.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "gatepost.cli", command, *flags, *arguments],
            stdout=out,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"the platform ended with {process.returncode}: {output.read_text()}")
        try:
            told = json.loads((data / "endpoints.json").read_bytes())
            with urllib.request.urlopen(told["aws"] + "/_gatepost/health", timeout=2):
                pass
            key = json.loads((data / "administrator.json").read_bytes())
        except (OSError, ValueError, urllib.error.URLError):
            time.sleep(0.02)
            continue
        return RunningPlatform(data, process, told["aws"], told["public"], key, output)
    process.kill()
    raise AssertionError(f"the platform was not ready in time: {output.read_text()}")


def ask(
    method: str,
    url: str,
    body: bytes | str | None = None,
    headers: dict[str, str] | None = None,
    *,
    timeout_s: float = 40.0,
) -> Answer:
    """Send one HTTP request; give whatever came, errors too."""
    sent = body.encode() if isinstance(body, str) else body
    request = urllib.request.Request(url, data=sent, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            return Answer(answer.status, dict(answer.headers), answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, dict(error.headers), error.read())
