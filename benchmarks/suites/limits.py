"""Suite 6: answers from a stage's cache for callers with API keys, throttles and quotas, beside nginx with Lua."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks.figures import COMPILED, GATEPOST, Case, Metric, Suite
from benchmarks.installation import Installation
from benchmarks.load.generators import run_paced, run_wrk
from benchmarks.load.requests import render, write
from benchmarks.options import HOME, Cores, Options
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
    "keeps counts and quotas on disk.",
    "`requests/s` and `CPU-s/1000`: wrk as fast as answers come. `p50` and `p99`: our own client at half of that rate.",
]


def run(options: Options, cores: Cores, installation: Installation) -> Suite:
    """Measure the suite."""
    suite = Suite("limits", "API keys, throttles, quotas and a stage's cache on one core", list(HOW))
    hits = suite.case("hits", "Answers from the cache, limited", *METRICS)
    programs = installation.programs
    if "nginx" not in programs:
        raise PeerFailed("nginx is missing, and it is the upstream of the cached routes")
    server_core, load_core = str(cores.server), str(cores.load)
    upstream = start_upstream(programs["nginx"].path, cores=load_core)
    running: dict[str, tuple[Any, int, list[Path]]] = {}  # by name: server, port, file of requests
    keys = [f"benchmark-key-{number:04d}-0123456789abcdef" for number in range(CALLERS)]
    try:
        upstream.wait()
        for name, source in {GATEPOST: None, COMPILED: installation.compiled}.items():
            if name == COMPILED and source is None:
                hits.missing[name] = installation.missing["gatepost-compiled"]
                continue
            folder = "limits-compiled" if source else "limits"
            platform = Gatepost(folder, cores=server_core, durability=options.durability, source=source)
            running[name] = (platform, 0, [])
            platform.wait()
            api_id = limited_api(platform, upstream.port, keys)
            port = platform.public_port
            host = f"{api_id}.execute-api.us-east-1.localhost:{port}"
            running[name] = (platform, port, request_files(f"limits-{name}", host, keys))
        if "nginx-lua" in installation.missing:
            hits.missing["nginx+Lua"] = installation.missing["nginx-lua"]
        else:
            nginx = start_limits(
                programs["nginx"].path, upstream.port, keys, rate=RATE, burst=BURST, quota=QUOTA, cores=server_core
            )
            running["nginx+Lua"] = (nginx, nginx.port, request_files("limits-nginx", f"localhost:{nginx.port}", keys))
            nginx.wait()
        for name, (server, _, _) in running.items():
            suite.configurations[name] = server.configuration
        interleave(list(running), options.rounds, full_and_half(running, hits, options, load_core), hits)
    finally:
        for server, _, _ in running.values():
            server.stop()
        upstream.stop()
    return suite


def full_and_half(
    running: dict[str, tuple[Any, int, list[Path]]], case: Case, options: Options, load_core: str
) -> Callable[[str, bool], None]:
    """Give what measures a server: as fast as answers come, then at half of that rate."""

    def measure(name: str, is_counted: bool) -> None:
        server, port, file = running[name]
        seconds = options.seconds if is_counted else 1.0
        full = run_wrk(server.process, file, port, connections=CONNECTIONS, seconds=seconds, cores=load_core)
        if not is_counted:
            return
        half = run_paced(
            server.process,
            file,
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


def limited_api(platform: Gatepost, upstream_port: int, keys: list[str], *, has_keys: bool = True) -> str:
    """Deploy the cached API, with a plan and its keys; give its id."""
    aws = platform.aws()
    api = aws.apigateway
    api_id = str(api.import_rest_api(body=json.dumps(document(upstream_port, has_keys=has_keys)).encode())["id"])
    api.create_deployment(restApiId=api_id, stageName=STAGE, cacheClusterEnabled=True, cacheClusterSize="0.5")
    chosen = {"caching/enabled": "true", "caching/ttlInSeconds": "3600"}
    patches = [{"op": "replace", "path": f"/*/*/{name}", "value": value} for name, value in chosen.items()]
    api.update_stage(restApiId=api_id, stageName=STAGE, patchOperations=patches)
    if has_keys:
        plan = api.create_usage_plan(
            name="callers",
            apiStages=[{"apiId": api_id, "stage": STAGE}],
            throttle={"rateLimit": RATE, "burstLimit": BURST},
            quota={"limit": QUOTA, "period": "MONTH"},
        )
        for number, key in enumerate(keys):
            made = api.create_api_key(name=f"caller{number}", value=key, enabled=True)
            api.create_usage_plan_key(usagePlanId=plan["id"], keyId=made["id"], keyType="API_KEY")
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
