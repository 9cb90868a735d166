"""Suite 4: from the command to ready, and the memory of an idle server, beside every peer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from benchmarks.figures import Case, Metric, Suite
from benchmarks.installation import Installation
from benchmarks.options import Cores, Options
from benchmarks.peers.caddy import Caddy
from benchmarks.peers.dynalite import Dynalite
from benchmarks.peers.envoy import Envoy
from benchmarks.peers.gatepost import Gatepost
from benchmarks.peers.ministack import MiniStack
from benchmarks.peers.moto import Moto
from benchmarks.peers.nginx import start_nginx, start_nginx_lua
from benchmarks.peers.serverless import ServerlessOffline
from benchmarks.processes import PeerFailed, free_port
from benchmarks.suites.functions import HANDLER

MB: Final = 1_000_000
PEER_MEMORY_ROUNDS: Final = 2
ROLES: Final = {"gateway_role": "gateway MB", "services_role": "services MB", "serve": "supervisor MB"}
HOW: Final = [
    "Ready: the server answers its first request (Gatepost: `/_gatepost/health` says that both roles are). Both cores.",
    "Memory: proportional set size (PSS) of the server's whole process tree after a rest; one server at a time.",
]


def run(options: Options, cores: Cores, installation: Installation) -> Suite:
    """Measure the suite."""
    suite = Suite("start", "Start and memory, idle", list(HOW))
    start = suite.case("start", "From the command to ready", Metric("ready s", "{:.2f}", more_is_better=False))
    memory = suite.case(
        "memory",
        f"Memory {options.rest_seconds:g} s after ready",
        *(Metric(name, "{:.1f}", more_is_better=False) for name in ("tree MB", *ROLES.values(), "others MB")),
    )
    memory.notes.append("Others: the zygote from which functions' workers are forked, and the workers.")
    starts = _starts(options, cores, installation)
    for name, (program, _) in list(starts.items()):
        if program in installation.missing:
            start.missing[name] = memory.missing[name] = installation.missing[program]
            del starts[name]
    for turn in range(-1, options.rounds):
        for name, (_, begin) in list(starts.items()):
            try:
                _measure(name, begin(), turn, options, start, memory)
            except PeerFailed as error:
                start.missing[name] = memory.missing[name] = str(error)
                del starts[name]
        if turn >= 0:
            told = {name: round(figures["ready s"][-1], 2) for name, figures in start.samples.items()}
            print(f"    start, round {turn + 1}: {told}", flush=True)
    return suite


def _measure(name: str, server: Any, turn: int, options: Options, start: Case, memory: Case) -> None:
    try:
        ready_s = server.wait()
        if turn < 0:  # the first start fills caches of the disk
            return
        start.add(name, **{"ready s": ready_s})
        if name != "Gatepost" and turn >= PEER_MEMORY_ROUNDS:
            return
        time.sleep(options.rest_seconds)
        sizes = {command: size / MB for command, size in server.process.pss_bytes().items()}
        figures = {"tree MB": sum(sizes.values())}
        if name == "Gatepost":
            for role, column in ROLES.items():
                figures[column] = max((size for command, size in sizes.items() if _is_role(command, role)), default=0.0)
            figures["others MB"] = 2 * figures["tree MB"] - sum(figures.values())
        memory.add(name, **figures)
    finally:
        server.stop()


def _is_role(command: str, role: str) -> bool:
    return f".{role} " in f"{command} " if role != "serve" else " serve " in command


def _starts(options: Options, cores: Cores, installation: Installation) -> dict[str, tuple[str, Callable[[], Any]]]:
    programs, both, backend = installation.programs, cores.both, free_port()

    def path(name: str) -> Any:
        return programs[name].path

    return {
        "Gatepost": ("gatepost", lambda: Gatepost("start", cores=both, durability=options.durability)),
        "MiniStack": ("ministack", lambda: MiniStack(path("ministack"), cores=both)),
        "moto server": ("moto", lambda: Moto(path("moto"), cores=both)),
        "dynalite": ("dynalite", lambda: Dynalite(path("dynalite"), cores=both)),
        "serverless-offline": (
            "serverless-offline",
            lambda: ServerlessOffline(path("serverless-offline"), HANDLER, cores=both),
        ),
        "nginx": ("nginx", lambda: start_nginx(path("nginx"), backend, cores=both)),
        "nginx+Lua": ("nginx-lua", lambda: start_nginx_lua(path("nginx"), backend, cores=both)),
        "Envoy": ("envoy", lambda: Envoy(path("envoy"), backend, cores=both)),
        "Caddy": ("caddy", lambda: Caddy(path("caddy"), backend, cores=both)),
    }
