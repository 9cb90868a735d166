"""Suite 2: AWS_PROXY invocations beside MiniStack and serverless-offline, the same Python handler."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.figures import COMPILED, GATEPOST, Metric, Suite
from benchmarks.installation import Installation
from benchmarks.load.generators import run_paced, run_wrk
from benchmarks.load.requests import render, write
from benchmarks.options import HOME, Cores, Options
from benchmarks.peers.gatepost import Gatepost
from benchmarks.peers.ministack import MiniStack
from benchmarks.peers.serverless import ServerlessOffline
from benchmarks.processes import PeerFailed
from benchmarks.rounds import interleave

HANDLER: Final = """\
import json


def handler(event, context):
    name = event["pathParameters"]["name"]
    body = {"greeting": "Hello, " + name, "request": context.aws_request_id, "stage": event["requestContext"]["stage"]}
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(body)}
"""
CLIENTS: Final = (2, 16)
PACED: Final = "paced"
PACED_CONNECTIONS: Final = 64
PACED_PER_SECOND: Final = 5_000
PADDING: Final = "x" * 500  # stands twice in the event, in headers and in multiValueHeaders: with it an event has 2 KB
OURS: Final = (GATEPOST, COMPILED)
METRICS: Final = (
    Metric("invocations/s"),
    Metric("CPU-s/1000", "{:.4f}", more_is_better=False),
    Metric("p50 µs", more_is_better=False),
    Metric("p99 µs", more_is_better=False),
)
PACED_METRICS: Final = (Metric("p50 µs", more_is_better=False), Metric("p99 µs", more_is_better=False))
HOW: Final = [
    "`GET /hello/{name}` by AWS_PROXY; the handler reads the event and the context and answers JSON. Both cores are "
    "shared by the server, its workers and wrk.",
    "Latency is of a closed loop: each client sends its next request when the last one is answered.",
    f"`{PACED}`: {PACED_CONNECTIONS} connections at {PACED_PER_SECOND:,} requests/s offered, whatever the server does "
    "(`benchmarks/load/paced.py`); latency counts from the time that was planned. Events have about 2 KB.",
]


def run(options: Options, cores: Cores, installation: Installation) -> Suite:
    """Measure the suite."""
    suite = Suite("functions", "Functions: AWS_PROXY with a Python handler", list(HOW))
    for clients in CLIENTS:
        suite.case(str(clients), f"AWS_PROXY, {clients} clients", *METRICS)
    paced = suite.case(
        PACED, f"AWS_PROXY, {PACED_CONNECTIONS} connections, {PACED_PER_SECOND:,}/s offered", *PACED_METRICS
    )
    running: dict[str, tuple[Any, int, Any]] = {}  # server, port, file of requests
    try:
        for name in (GATEPOST, COMPILED, "MiniStack", "serverless-offline"):
            try:
                running[name] = _start(name, options, cores, installation)
                suite.configurations[name] = running[name][0].configuration
            except PeerFailed as error:
                for case in suite.cases.values():
                    case.missing[name] = str(error)
        for clients in CLIENTS:
            case = suite.cases[str(clients)]

            def measure(name: str, is_counted: bool, clients: int = clients, case: Any = case) -> None:
                server, port, file = running[name]
                seconds = options.seconds if is_counted else 2.0
                load = run_wrk(server.process, file, port, connections=clients, seconds=seconds, cores=cores.both)
                if is_counted:
                    figures = {
                        "invocations/s": load.per_second,
                        "CPU-s/1000": 1000 * load.cpu_seconds / load.requests,
                        "p50 µs": load.p50_us,
                        "p99 µs": load.p99_us,
                    }
                    case.add(name, **figures)

            interleave(list(running), options.rounds, measure, case)
        ours = [name for name in running if name in OURS]  # the others are full long before

        def measure_paced(name: str, is_counted: bool) -> None:
            server, port, file = running[name]
            load = run_paced(
                server.process,
                file,
                port,
                connections=PACED_CONNECTIONS,
                rate=PACED_PER_SECOND,
                seconds=options.seconds if is_counted else 2.0,
                cores=cores.both,
            )
            if is_counted:
                paced.add(name, **{"p50 µs": load.p50_us, "p99 µs": load.p99_us})

        interleave(ours, options.rounds, measure_paced, paced)
    finally:
        for server, _, _ in running.values():
            server.stop()
    return suite


def _start(name: str, options: Options, cores: Cores, installation: Installation) -> tuple[Any, int, Any]:
    """Start one server with the function behind its API. Raises: PeerFailed."""
    server: Any
    program = "gatepost-compiled" if name == COMPILED else name.lower()
    if program in installation.missing:
        raise PeerFailed(installation.missing[program])
    if name in OURS:
        source = installation.compiled if name == COMPILED else None
        folder = "functions-compiled" if source else "functions"
        server = Gatepost(folder, cores=cores.both, durability=options.durability, source=source)
    elif name == "MiniStack":
        server = MiniStack(installation.programs["ministack"].path, cores=cores.both)
    else:
        server = ServerlessOffline(installation.programs["serverless-offline"].path, HANDLER, cores=cores.both)
    try:
        server.wait()
        path, port = "/prod/hello/world", getattr(server, "port", 0)
        host = "localhost"
        if name != "serverless-offline":
            aws = server.aws()
            api_id = aws.deploy_function_api(aws.create_function("hello", HANDLER), "prod")
            path = f"/_aws/execute-api/{api_id}/prod/hello/world"
        if name in OURS:
            port = server.public_port
            path, host = "/prod/hello/world", f"{api_id}.execute-api.us-east-1.localhost"
    except PeerFailed:
        server.stop()
        raise
    except Exception as error:
        server.stop()
        raise PeerFailed(f"{type(error).__name__}: {error}") from error
    headers = [("Host", f"{host}:{port}"), ("Accept", "*/*"), ("User-Agent", "bench/1")]
    headers.append(("X-Padding", PADDING))
    return server, port, write(HOME / "run" / f"requests-hello-{name}", [render("GET", path, headers)])
