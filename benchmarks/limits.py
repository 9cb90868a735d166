"""How exact each limit is under load, beside the arithmetic: `python -m benchmarks.limits`.

A platform with one method for each layer; each is driven at five times its rate, by the clock, over keep-alive
connections, and what was admitted is compared with `rate * time + burst` (a quota: with its limit). With `--state` two
platforms share a Valkey server and are driven together; with `--workers` each has several gateways. The last line
compares GetUsage with what the client counted.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.options import ROOT

BAR = 0.01  # of what the arithmetic says
CONNECTIONS = 8
RATE, BURST = 100.0, 50
ACCOUNT_RATE, ACCOUNT_BURST = 400.0, 100
QUOTA = 500
KEY = "a-key-for-the-load-run-0123456789"


@dataclass(frozen=True)
class Layer:
    """One limit: which path meets it, with a key or without, and what it admits in so many seconds."""

    name: str
    path: str
    has_key: bool
    rate: float
    burst: int

    def admitted(self, seconds: float) -> float:
        """Give what the arithmetic says."""
        return self.rate * seconds + self.burst


LAYERS = (
    Layer("plan, method", "/method", True, RATE / 2, BURST),
    Layer("plan", "/plan", True, RATE, BURST),
    Layer("stage, method", "/stage", False, RATE, BURST),
    Layer("account", "/account", False, ACCOUNT_RATE, ACCOUNT_BURST),
    Layer("quota", "/quota", True, 0.0, QUOTA),
)


def deploy(apigateway: Any, pinned: str) -> dict[str, str]:
    """Build the API and its plans; give the ids of the plans' keys."""
    api_id = apigateway.create_rest_api(name="limits", tags={"_custom_id_": pinned})["id"]
    root = apigateway.get_rest_api(restApiId=api_id)["rootResourceId"]
    for layer in LAYERS:
        resource = apigateway.create_resource(restApiId=api_id, parentId=root, pathPart=layer.path[1:])["id"]
        place = {"restApiId": api_id, "resourceId": resource, "httpMethod": "GET"}
        apigateway.put_method(**place, authorizationType="NONE", apiKeyRequired=layer.has_key)
        template = {"application/json": '{"statusCode": 200}'}
        apigateway.put_integration(**place, type="MOCK", requestTemplates=template)
        apigateway.put_method_response(**place, statusCode="200")
        apigateway.put_integration_response(**place, statusCode="200")
    apigateway.create_deployment(restApiId=api_id, stageName="prod")
    apigateway.update_stage(
        restApiId=api_id,
        stageName="prod",
        patchOperations=[
            {"op": "replace", "path": "/~1stage/GET/throttling/rateLimit", "value": str(RATE)},
            {"op": "replace", "path": "/~1stage/GET/throttling/burstLimit", "value": str(BURST)},
        ],
    )
    return {"api": api_id} | _plans(apigateway, api_id)


def _plans(apigateway: Any, api_id: str) -> dict[str, str]:
    """Make the plan and its key, again for each layer: one key has one plan for a stage."""
    found = {}
    for name, more in (
        ("/method", {"throttle": {"/method/GET": {"rateLimit": RATE / 2, "burstLimit": BURST}}}),
        ("/plan", {}),
        ("/quota", {}),
    ):
        plan: dict[str, Any] = {"name": name[1:], "tags": {"_custom_id_": f"plan{name[1:]}"}}
        if name == "/plan":
            plan["throttle"] = {"rateLimit": RATE, "burstLimit": BURST}
        if name == "/quota":
            plan["quota"] = {"limit": QUOTA, "period": "MONTH"}
        made = apigateway.create_usage_plan(**plan, apiStages=[{"apiId": api_id, "stage": "prod", **more}])
        key = apigateway.create_api_key(enabled=True, value=KEY + name, tags={"_custom_id_": f"key{name[1:]}"})
        apigateway.create_usage_plan_key(usagePlanId=made["id"], keyId=key["id"], keyType="API_KEY")
        found[name] = key["id"]
    return found


async def drive(urls: list[str], layer: Layer, seconds: float) -> tuple[Counter[int], float]:
    """Send five times what a layer admits, spread evenly; give statuses and the seconds that it took."""
    rate = 5 * (layer.rate or layer.burst / seconds)
    statuses: Counter[int] = Counter()
    began = time.perf_counter()
    sent = 0

    async def one_connection(number: int) -> None:
        nonlocal sent
        address = urlsplit(urls[number % len(urls)])
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        key = f"x-api-key: {KEY}{layer.path}\r\n" if layer.has_key else ""
        request = f"GET {address.path}{layer.path} HTTP/1.1\r\nHost: {address.netloc}\r\n{key}\r\n".encode()
        while (passed := time.perf_counter() - began) < seconds:
            if sent >= passed * rate:
                await asyncio.sleep(0.001)
                continue
            sent += 1
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
            await reader.readexactly(length)
            statuses[int(head.split(b" ", 2)[1])] += 1
        writer.close()

    await asyncio.gather(*(one_connection(number) for number in range(CONNECTIONS)))
    return statuses, time.perf_counter() - began


def main(arguments: list[str]) -> int:
    """Measure; 1 when a layer misses the bar."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="for each layer (default 10; the bar asks for 60)")
    parser.add_argument("--state", action="store_true", help="two platforms that share a Valkey server")
    parser.add_argument("--workers", type=int, default=1, help="gateway processes of each platform (default 1)")
    chosen = parser.parse_args(arguments)
    sys.path.insert(0, str(ROOT))
    from tests.support.platform import start_platform
    from tests.support.valkeys import a_valkey

    flags = ["--durability", "process", "--account-throttle-rate", str(ACCOUNT_RATE)]
    flags += ["--account-throttle-burst", str(ACCOUNT_BURST)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if chosen.state:
            flags += ["--state", stack.enter_context(a_valkey(folder)).url]
        flags += ["--workers", str(chosen.workers)]
        platforms = [start_platform(folder / f"data{number}", *flags) for number in range(1 + chosen.state)]
        for platform in platforms:
            stack.callback(platform.stop)
        ids = [deploy(platform.client("apigateway"), "limits0000") for platform in platforms]
        urls = [platform.stage_url(ids[0]["api"], "prod") for platform in platforms]
        worst, counted = _layers(urls, chosen.seconds)
        used = sum(_used(platform.client("apigateway"), ids[0], counted) for platform in platforms)
        print(f"GetUsage says {used} requests, the client counted {counted}")
    return 1 if worst > BAR or used != counted else 0


def _layers(urls: list[str], seconds: float) -> tuple[float, int]:
    """Drive each layer and print its line; give the worst deviation and what was admitted with keys."""
    worst, counted = 0.0, 0
    print(f"{'layer':15} {'sent':>7} {'admitted':>9} {'refused':>8} {'arithmetic':>11} {'off':>7}")
    for layer in LAYERS:
        time.sleep(1.5)  # the account's bucket is full again
        statuses, took = asyncio.run(drive(urls, layer, seconds))
        expected = layer.admitted(took)
        off = abs(statuses[200] - expected) / expected
        worst = max(worst, off)
        counted += statuses[200] if layer.has_key else 0
        odd = {status: count for status, count in statuses.items() if status not in (200, 429)}
        print(
            f"{layer.name:15} {statuses.total():7} {statuses[200]:9} {statuses[429]:8} {expected:11.0f} {off:7.2%}"
            f"{f'  {odd}' if odd else ''}"
        )
    return worst, counted


def _used(apigateway: Any, ids: dict[str, str], expected: int) -> int:
    """Give what a platform counted today for all keys, once it does not change any more."""
    today = datetime.now(UTC).date().isoformat()
    before = -1
    for _ in range(20):
        total = 0
        for name in ("/method", "/plan", "/quota"):
            usage = apigateway.get_usage(usagePlanId=f"plan{name[1:]}", startDate=today, endDate=today)
            total += sum(row[0] for row in usage["items"][ids[name]])
        if total in (before, expected):
            return total
        before = total
        time.sleep(1.0)
    return before


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
