"""Applications in the shape of AWS's samples, and AWS's own libraries in them, deploy and answer unmodified."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatepost.services.lambda_.runner.runner import OWN_RUNTIME
from tests.support.installed import node_packages, python_packages
from tests.support.nodes import RUNTIME, needs_node
from tests.support.platform import RunningPlatform, ask, gatepost, start_platform

SAMPLES = Path(__file__).parent / "samples"
POWERTOOLS = ("aws-lambda-powertools==3.*",)
SDK = ("@aws-sdk/client-dynamodb@3", "@aws-sdk/lib-dynamodb@3")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    running = start_platform(tmp_path_factory.mktemp("samples") / "data")
    yield running
    running.stop()


class App:
    """A sample that was deployed: asks its API with JSON."""

    def __init__(self, platform: RunningPlatform, folder: Path, runtime: str) -> None:
        done = gatepost(
            "deploy", str(folder / "template.yaml"), "--data", str(platform.data), "--parameter", f"Runtime={runtime}"
        )
        assert done.returncode == 0, done.stdout + done.stderr
        stack = platform.client("cloudformation").describe_stacks(StackName=folder.name)["Stacks"][0]
        [url] = [output["OutputValue"] for output in stack["Outputs"]]
        self._base = platform.stage_url(url.split("//")[1].split(".")[0], "Prod")

    def __call__(self, method: str, path: str, content: object = None) -> tuple[int, Any]:
        body = None if content is None else json.dumps(content).encode()
        answer = ask(method, f"{self._base}{path}", body, {"Content-Type": "application/json"})
        return answer.status, json.loads(answer.body)


@pytest.fixture(scope="module")
def orders(platform: RunningPlatform, tmp_path_factory: pytest.TempPathFactory) -> App:
    packages = python_packages(*POWERTOOLS)
    folder = tmp_path_factory.mktemp("s") / "orders-python"
    shutil.copytree(SAMPLES / "orders-python", folder)
    for code in ("api", "stream"):
        shutil.copytree(packages, folder / code, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    return App(platform, folder, OWN_RUNTIME)


def test_powertools_idempotency_does_an_order_once_however_often_it_is_sent(orders: App) -> None:
    order = {"customer": "c1", "reference": "r1", "product": "tea"}
    status, placed = orders("POST", "/orders", order)
    assert (status, placed["product"]) == (201, "tea")
    assert [orders("POST", "/orders", order) for _ in range(3)] == [(201, placed)] * 3
    status, other = orders("POST", "/orders", {**order, "reference": "r2"})
    assert other["id"] != placed["id"]
    assert orders("GET", f"/orders/{placed['id']}") == (200, placed)
    assert orders("GET", "/orders/none") == (404, {"message": "Not found"})
    assert orders("POST", "/orders", {"product": "tea"})[0] == 502  # Powertools wants its key


def test_powertools_batches_count_from_the_stream_and_try_again_what_failed(orders: App) -> None:
    for number in range(5):
        product = "flaky" if number == 2 else "coffee"
        assert orders("POST", "/orders", {"customer": "c2", "reference": f"r{number}", "product": product})[0] == 201
    deadline = time.monotonic() + 30
    while True:
        found = [orders("GET", f"/counts/{product}")[1] for product in ("coffee", "flaky")]
        if all("orders" in one for one in found) and found[0]["orders"] == "4":
            break
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    assert found[1]["orders"] == "1"
    assert found[1]["tries"] == "2"


@needs_node
def test_the_javascript_sdk_reaches_tables_from_a_node_application(platform: RunningPlatform, tmp_path: Path) -> None:
    packages = node_packages(*SDK)
    folder = tmp_path / "items-node"
    shutil.copytree(SAMPLES / "items-node", folder)
    shutil.copytree(packages / "node_modules", folder / "src" / "node_modules", symlinks=True)
    items = App(platform, folder, RUNTIME)
    item = {"id": "1", "name": "kettle", "price": 12.5, "tags": ["a", "b"]}
    assert items("POST", "/", item) == (201, item)
    assert items("POST", "/", item) == (409, {"message": "It is there already"})
    assert items("GET", "/1") == (200, item)
    assert items("GET", "/2") == (404, {"message": "Not found"})
    assert items("GET", "/") == (200, [item])


@needs_node
@pytest.mark.parametrize("suffix", ["mjs", "cjs"])
def test_an_application_finds_the_sdk_that_lambdas_runtime_brings(
    platform: RunningPlatform, tmp_path: Path, suffix: str
) -> None:
    node_packages(*SDK)  # or there is no registry to have it from
    folder = tmp_path / f"runtime-sdk-{suffix}"
    shutil.copytree(SAMPLES / "items-node", folder)
    if suffix == "cjs":
        (folder / "src/items.mjs").rename(folder / "src/items.cjs")
        (folder / "src/items.cjs").write_text(common((folder / "src/items.cjs").read_text()))
    items = App(platform, folder, RUNTIME)
    item = {"id": "1", "name": "kettle", "price": 12.5, "tags": ["a", "b"]}
    assert items("POST", "/", item) == (201, item)
    assert items("GET", "/1") == (200, item)
    assert items("GET", "/") == (200, [item])


def common(text: str) -> str:
    """Write an ES module as a CommonJS one."""
    text = re.sub(r"import \{(.*?)\} from ('.*?');", r"const {\1} = require(\2);", text)
    return re.sub(r"export const (\w+) =", r"const \1 = exports.\1 =", text)
