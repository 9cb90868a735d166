"""What a result depends on: the machine, the day, the commit and the versions."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.installation import Installation
from benchmarks.options import ROOT, Cores, Options


def describe(options: Options, cores: Cores, installation: Installation) -> dict[str, str]:
    """Give the facts that stand at the head of the results."""
    facts = {
        "Date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "Commit": _commit(),
        "Machine": f"{_processor()}, {os.cpu_count()} cores, {_memory_gb():.0f} GB, Linux {platform.release()}",
        "Load average before": " ".join(f"{load:.1f}" for load in os.getloadavg()),
        "Cores": f"server on core {cores.server}, load on core {cores.load}, except where a table says otherwise",
        "Rounds": f"{options.rounds}, interleaved, of {options.seconds:g} s each; medians [lowest to highest]",
        "Durability": f"Gatepost `--durability {options.durability}`; the peers keep tables in memory",
        "Python": f"{platform.python_version()}; `Gatepost compiled` is the same source after `tools/compile`",
    }
    for name, program in sorted(installation.programs.items()):
        facts[name] = program.version
    return facts


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
        ).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", "src")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" with local changes" if changed else "")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
