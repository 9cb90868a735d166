"""What a run measures, and for how long."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
HOME: Final = ROOT / ".benchmarks"  # peers, logs and samples; not under version control
RESULTS: Final = ROOT / "benchmarks" / "RESULTS.md"
SUITES: Final = (
    *("http", "methods", "limits", "workers", "keys", "tokens", "signin", "accuracy"),
    *("functions", "tables", "start"),
)


@dataclass(frozen=True, slots=True)
class Options:
    """How long and how often; every loop is bounded by these."""

    rounds: int = 5
    seconds: float = 3.0  # of one measurement
    suites: tuple[str, ...] = SUITES
    large_table_items: int = 1_000_000
    large_table_seconds_max: float = 180.0  # loading stops here and the report says how far it came
    api_keys: int = 1_000_000
    rest_seconds: float = 10.0  # from ready to the measurement of memory
    durability: str = "full"

    @property
    def is_complete(self) -> bool:
        """Say whether this run may replace the published results."""
        return self.suites == SUITES and self.rounds >= 5 and self.large_table_items >= 1_000_000


QUICK: Final = Options(
    rounds=1,
    seconds=1.0,
    large_table_items=20_000,
    large_table_seconds_max=15.0,
    api_keys=20_000,
    rest_seconds=2.0,
)


@dataclass(frozen=True, slots=True)
class Cores:
    """Which core serves and which one makes the load."""

    server: int
    load: int

    @property
    def both(self) -> str:
        """Give both as `taskset -c` wants them."""
        return f"{self.server},{self.load}"


def find_cores() -> Cores:
    """Take the first two cores that this process may use. Raises: SystemExit."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise SystemExit("The benchmarks need two cores: one serves, one makes the load.")
    return Cores(cores[0], cores[1])
