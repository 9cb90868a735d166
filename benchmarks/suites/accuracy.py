"""Suite 8: how exact limits are under load, beside the arithmetic: on one platform, and on four that share a server.

A platform has one method for each layer of limits. Each is driven at five times its rate, by the clock, over keep-alive
connections, and what was admitted is compared with `rate * time + burst` (a quota: with its limit). The account's
limit, which all share, is driven afterwards. The last row compares GetUsage with what the client counted.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.figures import Case, Metric, Suite
from benchmarks.installation import Installation
from benchmarks.options import ROOT, Cores, Options
from gatepost.state.leases import batch_max

BAR: Final = 0.01  # of what the arithmetic says
CONNECTIONS: Final = 8
TIMES: Final = 5.0  # what is sent is so many times what is admitted
NODES: Final = 4
RATE, BURST = 100.0, 50
ACCOUNT_RATE, ACCOUNT_BURST = 400.0, 100
QUOTA: Final = 500
KEY: Final = "a-key-for-the-load-run-0123456789"
LOST: Final = "the shared state is lost"
METRICS: Final = (
    Metric("sent"),
    Metric("admitted"),
    Metric("refused", more_is_better=False),
    Metric("arithmetic"),
    Metric("off %", "{:.2f}", more_is_better=False),
    Metric("bound %", "{:.2f}"),
)
HOW: Final = [
    f"Five times what a layer admits is sent by the clock, over {CONNECTIONS} connections to all platforms in turn; "
    "the account's layer alone, the others at the same time.",
    "`arithmetic` is `rate * time + burst`; of a quota its limit. `bound` on one platform is 1 %; on several it is "
    "that and what lies in leases, `platforms * max(1, min(rate / 20, burst / 10))`, and where a platform lost the "
    "server, what it admits alone until it is back (of a quota, what each knew to remain).",
]


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


LAYERS: Final = (
    Layer("plan, method", "/method", True, RATE / 2, BURST),
    Layer("plan", "/plan", True, RATE, BURST),
    Layer("stage, method", "/stage", False, RATE, BURST),
    Layer("quota", "/quota", True, 0.0, QUOTA),
)
ACCOUNT: Final = Layer("account", "/account", False, ACCOUNT_RATE, ACCOUNT_BURST)


@dataclass(frozen=True)
class Found:
    """What came of one layer."""

    layer: Layer
    statuses: Counter[int]
    expected: float
    bound: float  # a share of what was expected

    @property
    def off(self) -> float:
        """Give how far the admitted count is from the arithmetic, as a share of that."""
        return abs(self.statuses[200] - self.expected) / self.expected


def run(options: Options, cores: Cores, installation: Installation) -> Suite:
    """Measure the suite."""
    del cores, installation
    suite = Suite("accuracy", "How exact limits are at five times their rates", list(HOW))
    seconds = min(60.0, 20 * options.seconds)
    for key, count in (("one", 1), ("four", NODES)):
        title = "One platform" if count == 1 else f"{count} platforms that share a Valkey server"
        case = suite.case(key, f"{title}, {seconds:.0f} s", *METRICS)
        with some_platforms(count) as platforms:
            measure(platforms, seconds, case)
        suite.configurations[title] = f"gatepost serve --account-throttle-rate {ACCOUNT_RATE:g} …"
    return suite


@contextmanager
def some_platforms(count: int, *, workers: int = 1) -> Iterator[list[Any]]:
    """Have platforms with the API and its plans; several share a server."""
    sys.path.insert(0, str(ROOT))
    from tests.support.platform import start_platform
    from tests.support.valkeys import a_valkey

    flags = ["--durability", "process", "--account-throttle-rate", str(ACCOUNT_RATE)]
    flags += ["--account-throttle-burst", str(ACCOUNT_BURST), "--workers", str(workers)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if count > 1:
            flags += ["--state", stack.enter_context(a_valkey(folder)).url]
        platforms = []
        for number in range(count):
            platforms.append(start_platform(folder / f"data{number}", *flags))
            stack.callback(platforms[-1].stop)
        yield platforms


def measure(platforms: Sequence[Any], seconds: float, case: Case | None = None, *, workers: int = 1) -> list[Found]:
    """Deploy, drive every layer, and compare what was counted too; give what was found, usage last.

    `workers`: gateway processes of each platform.
    """
    ids = [deploy(platform.client("apigateway"), "limits0000") for platform in platforms]
    urls = [platform.stage_url(ids[0]["api"], "prod") for platform in platforms]
    found = asyncio.run(_drive_all(platforms, urls, LAYERS, seconds, workers))
    time.sleep(2.0)  # the account's bucket is full again, and leases are back
    found += asyncio.run(_drive_all(platforms, urls, (ACCOUNT,), seconds, workers))
    counted = sum(each.statuses[200] for each in found if each.layer.has_key)
    used = _used([platform.client("apigateway") for platform in platforms], ids[0], counted)
    found.append(Found(Layer("GetUsage", "", True, 0.0, counted), Counter({200: used}), counted, 0.0))
    for each in found if case is not None else ():
        figures = {
            "sent": each.statuses.total(),
            "admitted": each.statuses[200],
            "refused": each.statuses[429],
            "arithmetic": each.expected,
            "off %": 100 * each.off,
            "bound %": 100 * each.bound,
        }
        case.add(each.layer.name, **figures)  # type: ignore[union-attr]
        if odd := {status: count for status, count in each.statuses.items() if status not in (200, 429)}:
            case.notes.append(f"{each.layer.name}: other statuses {odd}")  # type: ignore[union-attr]
    return found


def deploy(apigateway: Any, pinned: str) -> dict[str, str]:
    """Build the API and its plans; give the ids of the plans' keys."""
    api_id = apigateway.create_rest_api(name="limits", tags={"_custom_id_": pinned})["id"]
    root = apigateway.get_rest_api(restApiId=api_id)["rootResourceId"]
    for layer in (*LAYERS, ACCOUNT):
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


async def _drive_all(
    platforms: Sequence[Any], urls: list[str], layers: Sequence[Layer], seconds: float, workers: int
) -> list[Found]:
    lost_before = _times_lost(platforms)
    driven = await asyncio.gather(*(drive(urls, layer, seconds) for layer in layers))
    lost = max(0, _times_lost(platforms) - lost_before)  # the oldest logs go
    found = []
    for layer, (statuses, took) in zip(layers, driven, strict=True):
        expected = layer.admitted(took)
        nodes = len(platforms) * workers
        bound = BAR
        if not layer.rate:  # exact, unless gateways alone admitted what each of them knew to remain
            bound = nodes - 1.0 if lost else 0.0
        elif nodes > 1:
            leased = nodes * batch_max(rate_per_second=layer.rate, burst=layer.burst)
            alone = lost * layer.rate * 2.5  # a second's tokens, and until it has connected again
            bound += (leased + alone) / expected
        found.append(Found(layer, statuses, expected, bound))
    return found


def _times_lost(platforms: Sequence[Any]) -> int:
    logs = [log for platform in platforms for log in platform.data.glob("logs/gateway*.log*")]
    return sum(log.read_text(errors="replace").count(LOST) for log in logs)


async def drive(urls: list[str], layer: Layer, seconds: float) -> tuple[Counter[int], float]:
    """Send five times what a layer admits, spread evenly; give statuses and the seconds until the last answer.

    A client that was held up sends what is due at once: what it could have been admitted meanwhile, it asks for.
    """
    rate = TIMES * (layer.rate or layer.burst / seconds)
    total = round(rate * seconds)
    statuses: Counter[int] = Counter()
    began = ended = time.perf_counter()
    sent = 0

    async def one_connection(number: int) -> None:
        nonlocal sent, ended
        address = urlsplit(urls[number % len(urls)])
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        key = f"x-api-key: {KEY}{layer.path}\r\n" if layer.has_key else ""
        request = f"GET {address.path}{layer.path} HTTP/1.1\r\nHost: {address.netloc}\r\n{key}\r\n".encode()
        while sent < total:
            if sent >= (time.perf_counter() - began) * rate:
                await asyncio.sleep(0.001)
                continue
            sent += 1
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
            await reader.readexactly(length)
            statuses[int(head.split(b" ", 2)[1])] += 1
            ended = time.perf_counter()
        writer.close()

    await asyncio.gather(*(one_connection(number) for number in range(CONNECTIONS)))
    return statuses, ended - began


def _used(clients: list[Any], ids: dict[str, str], expected: int) -> int:
    """Give what all platforms counted today for all keys, once it does not change any more."""
    before = -1
    for _ in range(20):
        today = datetime.now(UTC).date().isoformat()
        total = 0
        for apigateway in clients:
            for name in ("/method", "/plan", "/quota"):
                usage = apigateway.get_usage(usagePlanId=f"plan{name[1:]}", startDate=today, endDate=today)
                total += sum(row[0] for row in usage["items"].get(ids[name], ()))
        if total in (before, expected):
            return total
        before = total
        time.sleep(1.0)
    return before
