"""Suite 6: answers from a stage's cache for callers with API keys, throttles and quotas, beside nginx with Lua."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.figures import COMPILED, GATEPOST, Case, Metric, Suite
from benchmarks.installation import Installation
from benchmarks.load.generators import run_paced, run_wrk
from benchmarks.load.requests import render, write
from benchmarks.options import HOME, ROOT, Cores, Options
from benchmarks.peers.gatepost import Gatepost
from benchmarks.peers.nginx import start_upstream
from benchmarks.peers.nginx_policies import start_limits
from benchmarks.processes import PeerFailed
from benchmarks.rounds import interleave
from benchmarks.routes import SHOPS, STAGE

CONNECTIONS: Final = 64
CATEGORIES: Final = ("coffee", "tea", "kitchen", "garden", "books")
PAGES: Final = 10
CALLERS: Final = 8
RATE: Final = 1e6
BURST: Final = 1_000_000
QUOTA: Final = 2**31 - 1
HITS, OPEN, ALL, VALKEY = "hits", "open", "all", "valkey"
TITLES: Final = {
    HITS: "Answers from the cache: a key, two buckets, a quota",
    OPEN: "The same without key, plan and quota",
    ALL: "The same with every limit: plan's method, plan, quota, stage's method, account",
    VALKEY: "As the first, sharing state with a Valkey server",
}
METRICS: Final = (
    Metric("requests/s"),
    Metric("CPU-s/1000", "{:.4f}", more_is_better=False),
    Metric("p50 µs", more_is_better=False),
    Metric("p99 µs", more_is_better=False),
)
HOW: Final = [
    f"{CONNECTIONS} keep-alive connections, GET of {SHOPS * len(CATEGORIES) * PAGES:,} answers over {SHOPS} routes, "
    f"keyed by two query parameters, all of them in the cache, from {CALLERS} callers, each with an API key and "
    "connections of its own.",
    "Every server finds the route, finds the key by a hash of it, takes from the bucket of its plan and of the account "
    "and from its quota for the month, answers from its cache, writes a JSON access-log line, adds a request id and "
    "counts requests, latencies and each key's requests of the day (nginx+Lua: in shared dictionaries). Gatepost also "
    "keeps counts and quotas on disk. The account's bucket cannot be switched off: it is in every row.",
    "`requests/s` and `CPU-s/1000`: wrk as fast as answers come. `p50` and `p99`: our own client at half of that rate.",
    "Valkey runs on the load's core; its CPU time is not counted.",
]


@dataclass(frozen=True, slots=True)
class Target:
    """A server, and the requests for it: a file for each caller."""

    server: Any
    port: int
    files: list[Path]


def run(options: Options, cores: Cores, installation: Installation) -> Suite:
    """Measure the suite."""
    suite = Suite("limits", "API keys, throttles, quotas and a stage's cache on one core", list(HOW))
    cases = {name: suite.case(name, title, *METRICS) for name, title in TITLES.items()}
    targets: dict[str, dict[str, Target]] = {name: {} for name in cases}
    with ExitStack() as stack:
        _start(options, cores, installation, suite, targets, stack)
        for name, running in targets.items():
            for server, target in running.items():
                suite.configurations.setdefault(f"{server}, {name}", target.server.configuration)
            measure = full_and_half(running, cases[name], options, str(cores.load))
            interleave(list(running), options.rounds, measure, cases[name])
    return suite


def _start(
    options: Options,
    cores: Cores,
    installation: Installation,
    suite: Suite,
    targets: dict[str, dict[str, Target]],
    stack: ExitStack,
) -> None:
    """Start every server and fill it; `stack` ends them."""
    sys.path.insert(0, str(ROOT))
    from tests.support.valkeys import a_valkey

    if "nginx" not in installation.programs:
        raise PeerFailed("nginx is missing, and it is the upstream of the cached routes")
    program = installation.programs["nginx"].path
    upstream = start_upstream(program, cores=str(cores.load))
    stack.callback(upstream.stop)
    upstream.wait()
    keys = [f"benchmark-key-{number:04d}-0123456789abcdef" for number in range(CALLERS)]
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    valkey = stack.enter_context(a_valkey(folder))
    for name, source in {GATEPOST: None, COMPILED: installation.compiled}.items():
        if name == COMPILED and source is None:
            for case in suite.cases.values():
                case.missing[name] = installation.missing["gatepost-compiled"]
            continue
        for kind, flags in (("limits", ()), ("limits-valkey", ("--state", valkey.url))):
            place = f"{kind}-compiled" if source else kind
            platform = Gatepost(
                place, cores=str(cores.server), durability=options.durability, source=source, flags=flags
            )
            stack.callback(platform.stop)
            platform.wait()
            for each in (HITS, OPEN, ALL) if not flags else (VALKEY,):
                api_id = cached_api(platform, upstream.port, keys, case=each)
                host = f"{api_id}.execute-api.us-east-1.localhost:{platform.public_port}"
                files = request_files(f"{place}-{each}", host, keys)
                targets[each][name] = Target(platform, platform.public_port, files)
    if "nginx-lua" in installation.missing:
        suite.cases[HITS].missing["nginx+Lua"] = installation.missing["nginx-lua"]
        return
    nginx = start_limits(program, upstream.port, keys, rate=RATE, burst=BURST, quota=QUOTA, cores=str(cores.server))
    stack.callback(nginx.stop)
    nginx.wait()
    files = request_files("limits-nginx", f"localhost:{nginx.port}", keys)
    targets[HITS]["nginx+Lua"] = Target(nginx, nginx.port, files)


def full_and_half(
    running: dict[str, Target], case: Case, options: Options, load_core: str
) -> Callable[[str, bool], None]:
    """Give what measures a server: as fast as answers come, then at half of that rate."""

    def measure(name: str, is_counted: bool) -> None:
        target = running[name]
        process, port = target.server.process, target.port
        seconds = options.seconds if is_counted else 1.0
        full = run_wrk(process, target.files, port, connections=CONNECTIONS, seconds=seconds, cores=load_core)
        if not is_counted:
            return
        half = run_paced(
            process,
            target.files,
            port,
            connections=CONNECTIONS,
            rate=full.per_second / 2,
            seconds=seconds,
            cores=load_core,
        )
        figures = {
            "requests/s": full.per_second,
            "CPU-s/1000": 1000 * full.cpu_seconds / full.requests,
            "p50 µs": half.p50_us,
            "p99 µs": half.p99_us,
        }
        case.add(name, **figures)

    return measure


def cached_api(platform: Gatepost, upstream_port: int, keys: list[str], *, case: str) -> str:
    """Deploy the cached API with the limits of a case, and the callers' keys for it; give its id."""
    aws = platform.aws()
    api = aws.apigateway
    body = json.dumps(document(upstream_port, has_keys=case != OPEN)).encode()
    api_id = str(api.import_rest_api(body=body)["id"])
    api.create_deployment(restApiId=api_id, stageName=STAGE, cacheClusterEnabled=True, cacheClusterSize="0.5")
    chosen: dict[str, object] = {"caching/enabled": "true", "caching/ttlInSeconds": "3600"}
    if case == ALL:
        chosen |= {"throttling/rateLimit": f"{RATE:g}", "throttling/burstLimit": str(BURST)}
    patches = [{"op": "replace", "path": f"/*/*/{name}", "value": value} for name, value in chosen.items()]
    api.update_stage(restApiId=api_id, stageName=STAGE, patchOperations=patches)
    if case == OPEN:
        return api_id
    throttle = {"rateLimit": RATE, "burstLimit": BURST}
    stage: dict[str, Any] = {"apiId": api_id, "stage": STAGE}
    if case == ALL:
        stage["throttle"] = {f"/shop{shop}/products/GET": throttle for shop in range(SHOPS)}
    plan = api.create_usage_plan(
        name=case, apiStages=[stage], throttle=throttle, quota={"limit": QUOTA, "period": "MONTH"}
    )
    for number, value in enumerate(keys):
        found = api.get_api_keys(nameQuery=f"caller{number}")["items"]
        key = found[0] if found else api.create_api_key(name=f"caller{number}", value=value, enabled=True)
        api.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")
    return api_id


def document(upstream_port: int, *, has_keys: bool) -> dict[str, Any]:
    """Give the API as OpenAPI: a route for each shop, cached by category and page."""
    parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("category", "page")]
    paths = {}
    for shop in range(SHOPS):
        path = f"/shop{shop}/products"
        operation: dict[str, Any] = {
            "parameters": parameters,
            "responses": {"200": {"description": "products"}},
            "x-amazon-apigateway-integration": {
                "type": "http_proxy",
                "httpMethod": "GET",
                "uri": f"http://127.0.0.1:{upstream_port}{path}",
                "cacheKeyParameters": ["method.request.querystring.category", "method.request.querystring.page"],
            },
        }
        if has_keys:
            operation["security"] = [{"api_key": []}]
        paths[path] = {"get": operation}
    schemes = {"api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"}}
    return {
        "openapi": "3.0.1",
        "info": {"title": "limits", "version": "1"},
        "components": {"securitySchemes": schemes},
        "paths": paths,
    }


def request_files(name: str, host: str, keys: list[str]) -> list[Path]:
    """Write the requests of each caller: every answer in turn, each caller beginning with another one."""
    asked = [
        f"/{STAGE}/shop{shop}/products?category={category}&page={page}"
        for page in range(PAGES)
        for category in CATEGORIES
        for shop in range(SHOPS)
    ]
    files = []
    for number, key in enumerate(keys):
        headers = [("Host", host), ("Accept", "*/*"), ("User-Agent", "bench/1"), ("x-api-key", key)]
        begin = len(asked) * number // len(keys)
        requests = [render("GET", path, headers) for path in (*asked[begin:], *asked[:begin])]
        files.append(write(HOME / "run" / f"requests-{name}-{number}", requests))
    return files
