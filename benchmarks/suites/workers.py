"""Suite 10: one gateway process and two, on two cores that they share with the load."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

from benchmarks.figures import COMPILED, GATEPOST, Metric, Suite
from benchmarks.installation import Installation
from benchmarks.load.generators import run_wrk
from benchmarks.options import Cores, Options
from benchmarks.peers.gatepost import Gatepost
from benchmarks.peers.nginx import start_upstream
from benchmarks.processes import PeerFailed
from benchmarks.rounds import interleave
from benchmarks.suites.limits import CALLERS, CONNECTIONS, HITS, Target, cached_api, request_files

WORKERS: Final = (1, 2)
METRICS: Final = (Metric("requests/s"), Metric("CPU-s/1000", "{:.4f}", more_is_better=False))
HOW: Final = [
    f"{CONNECTIONS} keep-alive connections; cached answers for callers with keys, buckets and quotas, as in the suite "
    "`limits`. Gateways, their state process (of two) and wrk share both cores, so that two gateways cannot answer "
    "twice as much here: CPU per request says what the sharing costs, requests/s what is left of the machine for it.",
]


def run(options: Options, cores: Cores, installation: Installation) -> Suite:
    """Measure the suite."""
    suite = Suite("workers", "One gateway process and two", list(HOW))
    if "nginx" not in installation.programs:
        raise PeerFailed("nginx is missing, and it is the upstream of the cached routes")
    keys = [f"benchmark-key-{number:04d}-0123456789abcdef" for number in range(CALLERS)]
    for name, source in {GATEPOST: None, COMPILED: installation.compiled}.items():
        case = suite.case(name, name, *METRICS)
        if name == COMPILED and source is None:
            case.missing[name] = installation.missing["gatepost-compiled"]
            continue
        running: dict[str, Target] = {}
        with ExitStack() as stack:
            upstream = start_upstream(installation.programs["nginx"].path, cores=cores.both)
            stack.callback(upstream.stop)
            upstream.wait()
            for count in WORKERS:
                flags = ("--workers", str(count))
                place = f"workers-{count}"
                platform = Gatepost(place, cores=cores.both, durability=options.durability, source=source, flags=flags)
                stack.callback(platform.stop)
                platform.wait()
                api_id = cached_api(platform, upstream.port, keys, case=HITS)
                host = f"{api_id}.execute-api.us-east-1.localhost:{platform.public_port}"
                files = request_files(place, host, keys)
                running[f"{count} gateway{'s' if count > 1 else ''}"] = Target(platform, platform.public_port, files)
            for server, target in running.items():
                suite.configurations[f"{name}, {server}"] = target.server.configuration

            def measure(server: str, is_counted: bool, running: dict[str, Target] = running, name: str = name) -> None:
                target = running[server]
                seconds = options.seconds if is_counted else 1.0
                load = run_wrk(
                    target.server.process,
                    target.files,
                    target.port,
                    connections=CONNECTIONS,
                    seconds=seconds,
                    cores=cores.both,
                )
                if is_counted:
                    figures = {
                        "requests/s": load.per_second,
                        "CPU-s/1000": 1000 * load.cpu_seconds / load.requests,
                    }
                    suite.cases[name].add(server, **figures)

            interleave(list(running), options.rounds, measure, case)
    return suite
