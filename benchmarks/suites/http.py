"""Suite 1: a MOCK route and an HTTP_PROXY route beside nginx, nginx with Lua, Envoy and Caddy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from benchmarks.figures import COMPILED, GATEPOST, LUA_BUCKET, Case, Metric, Suite
from benchmarks.installation import Installation
from benchmarks.load.generators import run_paced, run_wrk
from benchmarks.load.requests import render, write
from benchmarks.options import HOME, Cores, Options
from benchmarks.peers.caddy import Caddy
from benchmarks.peers.envoy import Envoy
from benchmarks.peers.gatepost import Gatepost
from benchmarks.peers.nginx import start_nginx, start_nginx_lua, start_nginx_lua_bucket, start_upstream
from benchmarks.processes import PeerFailed
from benchmarks.rounds import interleave
from benchmarks.routes import BODY, STAGE, openapi_document, request_paths

CONNECTIONS: Final = 64
OFFERED_PER_SECOND: Final = 4_000
METRICS: Final = (
    Metric("requests/s"),
    Metric("CPU-s/1000", "{:.4f}", more_is_better=False),
    Metric("p50 µs", more_is_better=False),
    Metric("p99 µs", more_is_better=False),
)
HOW: Final = [
    f"{CONNECTIONS} keep-alive connections, GET of 1,000 paths over 20 of 40 routes, {len(BODY)} bytes of JSON back.",
    "`requests/s` and `CPU-s/1000` (CPU seconds of the server's whole process tree per 1,000 requests): wrk as fast as "
    "answers come.",
    f"`p50` and `p99`: our own client at {OFFERED_PER_SECOND:,} requests/s offered (`benchmarks/load/paced.py`: a "
    "kernel timer for each request, latency counted from the planned time).",
    "Every server finds the route, writes a JSON access-log line with the same facts (Caddy: its own form, which holds "
    "more) and adds a request id. Counters for each route: "
    "Gatepost (count, errors, two latency histograms), nginx+Lua (the same in a shared dictionary), Envoy (virtual "
    "clusters). Plain nginx has none; Caddy counts by handler.",
    f"Gatepost takes a token of the account's bucket for each request and refuses when there is none, as API Gateway "
    f"does. `{LUA_BUCKET}` does the same, in memory that nginx's workers share; the other peers have no such limit.",
    "One worker each (nginx `worker_processes 1`, Envoy `--concurrency 1`, Caddy `GOMAXPROCS=1`, Gatepost 1 gateway). "
    "The upstream is an nginx on the load's core that answers from memory.",
]


def run(options: Options, cores: Cores, installation: Installation) -> Suite:
    """Measure the suite."""
    suite = Suite("http", "Gateway: MOCK and HTTP_PROXY on one core", list(HOW))
    cases = {
        "mock": suite.case("mock", "MOCK", *METRICS),
        "proxy": suite.case("proxy", "HTTP_PROXY", *METRICS),
    }
    server_core, load_core = str(cores.server), str(cores.load)
    programs = installation.programs
    if "nginx" not in programs:
        raise PeerFailed("nginx is missing, and it is the upstream of the proxied routes")
    upstream = start_upstream(programs["nginx"].path, cores=load_core)
    running: dict[str, tuple[Any, int, str]] = {}  # name -> server, port, host
    sources = {GATEPOST: None, COMPILED: installation.compiled}
    try:
        upstream.wait()
        for name, source in sources.items():
            if name == COMPILED and source is None:
                for case in cases.values():
                    case.missing[name] = installation.missing["gatepost-compiled"]
                continue
            folder = "http-compiled" if source else "http"
            platform = Gatepost(folder, cores=server_core, durability=options.durability, source=source)
            running[name] = (platform, 0, "")
            platform.wait()
            api_id = platform.aws().import_api(openapi_document(upstream.port), STAGE)
            running[name] = (platform, platform.public_port, f"{api_id}.execute-api.us-east-1.localhost")
        nginx = programs["nginx"].path
        starts: dict[str, tuple[str, Callable[[], Any]]] = {
            "nginx": ("nginx", lambda: start_nginx(nginx, upstream.port, cores=server_core)),
            "nginx+Lua": ("nginx-lua", lambda: start_nginx_lua(nginx, upstream.port, cores=server_core)),
            LUA_BUCKET: ("nginx-lua", lambda: start_nginx_lua_bucket(nginx, upstream.port, cores=server_core)),
            "Envoy": ("envoy", lambda: Envoy(programs["envoy"].path, upstream.port, cores=server_core)),
            "Caddy": ("caddy", lambda: Caddy(programs["caddy"].path, upstream.port, cores=server_core)),
        }
        for name, (program, start) in starts.items():
            _start(name, program, start, installation, running, cases)
        for name, (server, _, _) in running.items():
            suite.configurations[name] = server.configuration
        _measure(options, load_core, running, cases)
    finally:
        for server, _, _ in running.values():
            server.stop()
        upstream.stop()
    return suite


def _start(
    name: str,
    program: str,
    start: Callable[[], Any],
    installation: Installation,
    running: dict[str, tuple[Any, int, str]],
    cases: dict[str, Case],
) -> None:
    reason = installation.missing.get(program)
    if reason is None:
        server = start()
        running[name] = (server, server.port, "localhost")
        try:
            server.wait()
            return
        except PeerFailed as error:
            server.stop()
            del running[name]
            reason = str(error)
    for case in cases.values():
        case.missing[name] = reason


def _measure(
    options: Options, load_core: str, running: dict[str, tuple[Any, int, str]], cases: dict[str, Case]
) -> None:
    for kind, case in cases.items():
        files = {}
        for name, (_, port, host) in running.items():
            requests = [
                render("GET", path, [("Host", f"{host}:{port}"), ("Accept", "*/*"), ("User-Agent", "bench/1")])
                for path in request_paths(kind)
            ]
            files[name] = write(HOME / "run" / f"requests-{kind}-{name}", requests)

        def measure(name: str, is_counted: bool, case: Case = case, files: Any = files) -> None:
            server, port, _ = running[name]
            seconds = options.seconds if is_counted else 1.0
            full = run_wrk(server.process, files[name], port, connections=CONNECTIONS, seconds=seconds, cores=load_core)
            if not is_counted:
                return
            paced = run_paced(
                server.process,
                files[name],
                port,
                connections=CONNECTIONS,
                rate=OFFERED_PER_SECOND,
                seconds=seconds,
                cores=load_core,
            )
            figures = {
                "requests/s": full.per_second,
                "CPU-s/1000": 1000 * full.cpu_seconds / full.requests,
                "p50 µs": paced.p50_us,
                "p99 µs": paced.p99_us,
            }
            case.add(name, **figures)

        interleave(list(running), options.rounds, measure, case)
