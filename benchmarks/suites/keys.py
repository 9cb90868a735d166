"""Suite 9: a gateway with a million API keys: its memory, how long they take to load, and what they cost a request."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

from benchmarks.figures import COMPILED, GATEPOST, Case, Metric, Suite
from benchmarks.installation import Installation
from benchmarks.load.generators import Load, run_paced, run_wrk
from benchmarks.load.keys import value_of
from benchmarks.options import HOME, ROOT, Cores, Options
from benchmarks.peers.gatepost import Gatepost
from benchmarks.peers.nginx import start_upstream
from benchmarks.processes import PeerFailed
from benchmarks.routes import STAGE
from benchmarks.suites.limits import CALLERS, CONNECTIONS, HITS, cached_api, request_files

OFFERED_PER_SECOND: Final = 1_000
LOADING_SECONDS: Final = 25.0
RECORDS: Final = "store/records.db*"
FILLING_SECONDS_MAX: Final = 1_800
METRICS: Final = (
    Metric("gateway MB", more_is_better=False),
    Metric("loaded s", "{:.1f}", more_is_better=False),
    Metric("longest pause ms", "{:.0f}", more_is_better=False),
    Metric("p99 ms meanwhile", "{:.1f}", more_is_better=False),
    Metric("µs CPU few keys", "{:.1f}", more_is_better=False),
    Metric("µs CPU all keys", "{:.1f}", more_is_better=False),
)
HOW: Final = [
    "A gateway serves cached answers to a few callers with API keys. Then its services process is ended and starts "
    "again on records that hold all the keys: the gateway takes them over while it serves.",
    "`loaded`: from the start of services until a request with one of the new keys passes. `longest pause` and `p99`: "
    f"of {OFFERED_PER_SECOND:,} requests/s offered by our own client meanwhile, counted from the planned time.",
    "`gateway MB`: proportional set size afterwards. CPU: of all processes, per request, as fast as answers come, from "
    f"{CALLERS} callers: with few keys, and with all keys, of which theirs are.",
]


def run(options: Options, cores: Cores, installation: Installation) -> Suite:
    """Measure the suite."""
    suite = Suite("keys", f"A gateway with {options.api_keys:,} API keys", list(HOW))
    case = suite.case("keys", f"{options.api_keys:,} API keys", *METRICS)
    if "nginx" not in installation.programs:
        raise PeerFailed("nginx is missing, and it is the upstream of the cached routes")
    upstream = start_upstream(installation.programs["nginx"].path, cores=str(cores.load))
    filled = HOME / "keys-filled"  # made once, for both
    try:
        upstream.wait()
        for name, source in {GATEPOST: None, COMPILED: installation.compiled}.items():
            if name == COMPILED and source is None:
                case.missing[name] = installation.missing["gatepost-compiled"]
                continue
            platform = Gatepost("keys", cores=str(cores.server), durability="process", source=source)
            try:
                _measure(name, platform, upstream.port, options, cores, case, filled)
                suite.configurations[name] = platform.configuration
            finally:
                platform.stop()
    finally:
        upstream.stop()
        shutil.rmtree(filled, ignore_errors=True)
    return suite


def _measure(
    name: str, platform: Gatepost, upstream_port: int, options: Options, cores: Cores, case: Case, filled: Path
) -> None:
    platform.wait()
    few = [f"benchmark-key-{number:04d}-0123456789abcdef" for number in range(CALLERS)]
    if filled.exists():  # the records of the first platform: APIs, plans and keys are the same
        platform.restart(lambda: _take(filled / "few", platform.data))
        (api_id,) = (each["id"] for each in platform.aws().apigateway.get_rest_apis()["items"])
    else:
        api_id = cached_api(platform, upstream_port, few, case=HITS)
        (plan,) = platform.aws().apigateway.get_usage_plans()["items"]
        platform.restart(lambda: _fill(platform.data, plan["id"], options.api_keys, filled))
    host = f"{api_id}.execute-api.us-east-1.localhost:{platform.public_port}"
    requests = request_files("keys-few", host, few)
    seconds, load_core = options.seconds, str(cores.load)
    port = platform.public_port

    def full(files: list[Path]) -> float:
        loads = []
        for turn in range(options.rounds + 1):
            load = run_wrk(platform.process, files, port, connections=CONNECTIONS, seconds=seconds, cores=load_core)
            loads += [1e6 * load.cpu_seconds / load.requests] if turn else []
        return sorted(loads)[len(loads) // 2]

    cpu_few = full(requests)
    loads: list[Load] = []
    paced = threading.Thread(
        target=lambda: loads.append(
            run_paced(
                platform.process,
                requests,
                port,
                connections=CONNECTIONS,
                rate=OFFERED_PER_SECOND,
                seconds=LOADING_SECONDS,
                cores=load_core,
            )
        )
    )
    paced.start()
    time.sleep(1.0)
    loaded = _load(platform, filled / "all", host, value_of(options.api_keys - 1), within_s=4 * LOADING_SECONDS)
    paced.join()
    new = [value_of(number * (options.api_keys // CALLERS)) for number in range(CALLERS)]
    figures = {
        "loaded s": loaded,
        "longest pause ms": loads[0].longest_us / 1000,
        "p99 ms meanwhile": loads[0].p99_us / 1000,
        "µs CPU few keys": cpu_few,
        "µs CPU all keys": full(request_files("keys-all", host, new)),
        "gateway MB": _pss_mb(platform.role("gateway")),
    }
    case.add(name, **figures)


def _fill(data: Path, plan_id: str, count: int, filled: Path) -> None:
    """Keep the records as they are, and once more with all the keys."""
    _take(data, filled / "few")
    shutil.copytree(filled / "few", filled / "all")
    command = [sys.executable, "-m", "benchmarks.load.keys", str(filled / "all"), plan_id, str(count)]
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    began = time.monotonic()
    subprocess.run(command, check=True, timeout=FILLING_SECONDS_MAX, env=env, cwd=ROOT)
    print(f"    {count:,} keys written in {time.monotonic() - began:.0f} s", flush=True)


def _take(source: Path, target: Path) -> None:
    """Take over records and what opens them."""
    (target / "store").mkdir(parents=True, exist_ok=True)
    for path in target.glob(RECORDS):
        path.unlink()
    for path in [*source.glob(RECORDS), source / "seal.key", source / "administrator.json"]:
        shutil.copy2(path, target / path.relative_to(source))


def _load(platform: Gatepost, records: Path, host: str, key: str, *, within_s: float) -> float:
    """Let services start again on other records; give the seconds until the gateway knows `key`."""
    os.kill(platform.process.pid, signal.SIGSTOP)  # the supervisor, so that services stays down for a moment
    try:
        services = platform.role("services")
        os.kill(services, signal.SIGKILL)
        while Path(f"/proc/{services}/fd").exists() and any(Path(f"/proc/{services}/fd").iterdir()):
            time.sleep(0.01)
        _take(records, platform.data)
    finally:
        os.kill(platform.process.pid, signal.SIGCONT)
    began = time.monotonic()
    while not _passes(platform.public_port, host, key):
        if time.monotonic() - began > within_s:
            raise PeerFailed(f"the keys were not loaded within {within_s:.0f} s: {platform.process.log_end()}")
        time.sleep(0.05)
    return time.monotonic() - began


def _passes(port: int, host: str, key: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        path = f"/{STAGE}/shop0/products?category=coffee&page=0"
        connection.request("GET", path, headers={"Host": host, "x-api-key": key})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _pss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise PeerFailed("the gateway's memory cannot be read")
