"""Cold starts of functions, and what idle ones cost: `python -m benchmarks.cold`."""

from __future__ import annotations

import argparse
import http.client
import io
import os
import shutil
import sys
import tempfile
import time
import urllib.parse
import zipfile
from pathlib import Path
from typing import Any

from benchmarks.options import ROOT

BARS_MS = {"Python": 30, "Python with boto3": 80, "Node.js": 200}  # p95, of issue 3
IDLE_FUNCTIONS = 100
TRUST = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},'
    '"Action":"sts:AssumeRole"}]}'
)
PYTHON = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'x'}\n"
BOTO3 = "import boto3\ntable = boto3.resource('dynamodb').Table('things')\nclient = boto3.client('dynamodb')\n" + PYTHON
NODE = "exports.handler = async () => ({ statusCode: 200, body: 'x' });\n"


def a_zip(name: str, content: str) -> bytes:
    """Give a package of one file."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr(name, content)
    return archive.getvalue()


class Functions:
    """Functions on a platform that was started for this, each called by its URL."""

    def __init__(self, platform: Any) -> None:
        self._lambda = platform.client("lambda")
        self._public = urllib.parse.urlsplit(platform.public)
        iam = platform.client("iam")
        self._role = iam.create_role(RoleName="cold", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]

    def create(self, name: str, runtime: str, file: str, code: str) -> str:
        """Create a function and give the path of its URL."""
        self._lambda.create_function(
            FunctionName=name,
            Runtime=runtime,
            Role=self._role,
            Handler="app.handler",
            Code={"ZipFile": a_zip(file, code)},
            MemorySize=256,
        )
        url = self._lambda.create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
        grants: list[tuple[str, dict[str, Any]]] = [
            ("lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
            ("lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
        ]
        for number, (action, more) in enumerate(grants):
            self._lambda.add_permission(
                FunctionName=name, StatementId=str(number), Principal="*", Action=action, **more
            )
        return f"/_aws/lambda-url/{url.split('//')[1].split('.')[0]}/"

    def renew(self, name: str, number: int) -> None:
        """Change a function's environment, so that its next invocation starts a worker."""
        self._lambda.update_function_configuration(
            FunctionName=name, Environment={"Variables": {"NUMBER": str(number)}}
        )

    def call_ms(self, path: str) -> float:
        """Call it on a connection that is open already, and give how long that took."""
        connection = http.client.HTTPConnection(self._public.hostname or "", self._public.port, timeout=30)
        connection.connect()
        began = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        took = (time.perf_counter() - began) * 1000
        if answer.status != 200:
            raise SystemExit(f"{path} answered {answer.status}")
        return took


def workers() -> int:
    """Count the processes of users that only functions' workers are."""
    count = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                count += 60_000 <= entry.stat().st_uid < 65_000
            except OSError:
                continue
    return count


def main(arguments: list[str]) -> int:
    """Measure; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold", description=__doc__)
    parser.add_argument("--starts", type=int, default=40, help="of each kind (default 40)")
    starts = parser.parse_args(arguments).starts
    sys.path.insert(0, str(ROOT))
    from tests.support.platform import start_platform

    python = f"python3.{sys.version_info.minor}"
    kinds = [("Python", python, "app.py", PYTHON), ("Python with boto3", python, "app.py", BOTO3)]
    if shutil.which("node"):
        kinds.append(("Node.js", "nodejs22.x", "app.js", NODE))
    missed = 0
    with tempfile.TemporaryDirectory() as name:
        platform = start_platform(Path(name) / "data")
        try:
            functions = Functions(platform)
            for index, (kind, runtime, file, code) in enumerate(kinds):
                path = functions.create(f"cold-{index}", runtime, file, code)
                functions.call_ms(path)
                found = []
                for number in range(starts):
                    functions.renew(f"cold-{index}", number)
                    time.sleep(0.05)
                    found.append(functions.call_ms(path))
                found.sort()
                warm = sorted(functions.call_ms(path) for _ in range(starts))
                p95 = found[min(starts - 1, int(starts * 0.95))]
                missed += p95 > BARS_MS[kind]
                print(
                    f"{kind:18} cold start p50 {found[starts // 2]:.0f}, p95 {p95:.0f} ms"
                    f" (bar {BARS_MS[kind]}); warm p50 {warm[starts // 2]:.1f} ms"
                )
            if os.geteuid() == 0:
                before = workers()
                for number in range(IDLE_FUNCTIONS):
                    functions.create(f"idle-{number}", python, "app.py", PYTHON)
                added = workers() - before
                missed += added > 0
                print(f"{IDLE_FUNCTIONS} functions that nobody calls: {added} processes more")
        finally:
            platform.stop()
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
