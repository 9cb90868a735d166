"""How long it takes from a save to the new code answering, with `gatepost up --watch`: `python -m benchmarks.watch`."""

from __future__ import annotations

import argparse
import http.client
import random
import shutil
import sys
import sysconfig
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from benchmarks.options import ROOT

BAR_MS = 250  # p95, of issue 3
DEPENDENCIES = 3_000  # files beside the function's own, in the third kind
FUNCTION = """
  {name}:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: {runtime}
      Handler: app.handler
      CodeUri: {folder}/
      Events:
        Get: {{Type: Api, Properties: {{Path: /{folder}, Method: get}}}}
"""


def python_code(count: int) -> str:
    """Give a Python function that says `v{count}`."""
    return f"def handler(event, context):\n    return {{'statusCode': 200, 'body': 'v{count}'}}\n"


def node_code(count: int) -> str:
    """Give a Node function that says `v{count}`."""
    return f"exports.handler = async () => ({{ statusCode: 200, body: 'v{count}' }});\n"


def add_dependencies(folder: Path, count: int) -> None:
    """Fill a function's folder with modules as an installer would: those of the standard library, time and again."""
    sources = sorted(Path(sysconfig.get_path("stdlib")).glob("*/*.py"))
    for number in range(count):
        source = sources[number % len(sources)]
        target = folder / f"package{number // len(sources)}_{source.parent.name.replace('-', '_')}" / source.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(source.read_bytes())


def measure(
    save: Callable[[int], object], get: Callable[[], str], saves: int, pause_s: tuple[float, float]
) -> list[float]:
    """Save so often and give how long each took, in milliseconds, sorted.

    One save before them is not counted: the folder is compressed once, in the seconds after the start.
    """
    found = []
    for count in range(1, saves + 2):
        began = time.monotonic()
        save(count)
        while get() != f"v{count}":
            if time.monotonic() - began > 10:
                raise SystemExit(f"the save {count} was never answered")
            time.sleep(0.002)
        found.append((time.monotonic() - began) * 1000)
        time.sleep(random.uniform(*pause_s))
    return sorted(found[1:])


def main(arguments: list[str]) -> int:
    """Measure; 1 when the bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watch", description=__doc__)
    parser.add_argument("--saves", type=int, default=60, help="of each kind (default 60)")
    parser.add_argument("--kinds", default="", help="only these: Python,Large,Node")
    chosen = parser.parse_args(arguments)
    saves = chosen.saves
    sys.path.insert(0, str(ROOT))
    from tests.support.platform import start_platform

    python = f"python3.{sys.version_info.minor}"
    kinds = [("Python", python, "app.py", python_code), ("Large", python, "app.py", python_code)]
    if shutil.which("node"):
        kinds.append(("Node", "nodejs22.x", "app.js", node_code))
    kinds = [kind for kind in kinds if kind[0] in (chosen.kinds or kind[0]).split(",")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        template = "Transform: AWS::Serverless-2016-10-31\nResources:"
        for kind, runtime, file, code in kinds:
            (folder / kind.lower()).mkdir()
            (folder / kind.lower() / file).write_text(code(0))
            if kind == "Large":
                add_dependencies(folder / kind.lower(), DEPENDENCIES)
            template += FUNCTION.format(name=kind, runtime=runtime, folder=kind.lower())
        (folder / "template.yaml").write_text(template)
        platform = start_platform(folder / "data", str(folder / "template.yaml"), "--watch", command="up")
        try:
            api_id = platform.client("apigateway").get_rest_apis()["items"][0]["id"]
            base = platform.stage_url(api_id, "Prod")
            slowest = max(
                report(kind, f"{base}/{kind.lower()}", folder / kind.lower() / file, code, saves, pause_s)
                for kind, _, file, code in kinds
                for pause_s in ((0.1, 0.4), (1.4, 2.4))  # in a row; and while the stack is brought up to date
            )
        finally:
            platform.stop()
    return 1 if slowest > BAR_MS else 0


def report(
    kind: str, url: str, path: Path, code: Callable[[int], str], saves: int, pause_s: tuple[float, float]
) -> float:
    """Measure one kind of function, print the figures, and give p95 in milliseconds."""
    address = urllib.parse.urlsplit(url)

    def get() -> str:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        connection.request("GET", address.path)
        return connection.getresponse().read().decode()

    count = saves if pause_s[0] < 1 else max(10, saves // 3)
    found = measure(lambda number: path.write_text(code(number)), get, count, pause_s)
    p95 = found[min(count - 1, int(count * 0.95))]
    apart = f"{pause_s[0]}-{pause_s[1]} s apart"
    print(f"{kind:6} {count:3} saves, {apart}: p50 {found[count // 2]:.0f}, p95 {p95:.0f}, max {found[-1]:.0f} ms")
    return p95


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
