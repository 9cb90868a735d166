"""Measured figures: samples by case, server and metric; medians, spread and ratios. Pure."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any, Final

GATEPOST: Final = "Gatepost"
COMPILED: Final = "Gatepost compiled"
LUA_BUCKET: Final = "nginx+Lua, account's bucket"


@dataclass(frozen=True, slots=True)
class Metric:
    """One column: what it is called, its unit's place in the text, and what is better."""

    name: str
    form: str = "{:,.0f}"
    more_is_better: bool = True


@dataclass(slots=True)
class Case:
    """One table: servers doing the same work, several rounds of it."""

    title: str
    metrics: tuple[Metric, ...]
    notes: list[str] = field(default_factory=list)
    samples: dict[str, dict[str, list[float]]] = field(default_factory=dict)  # server -> metric -> rounds
    missing: dict[str, str] = field(default_factory=dict)  # server -> why there are no figures

    def add(self, server: str, **values: float) -> None:
        """Take one round's figures; metric names have `_` for a space here."""
        for name, value in values.items():
            self.samples.setdefault(server, {}).setdefault(name, []).append(value)

    def median(self, server: str, metric: str) -> float | None:
        """Give the median of the rounds, or None where there is none."""
        rounds = self.samples.get(server, {}).get(metric)
        return statistics.median(rounds) if rounds else None

    def ratio(self, metric: str, server: str, beside: str) -> float | None:
        """Give `server`'s median over `beside`'s."""
        ours, theirs = self.median(server, metric), self.median(beside, metric)
        return ours / theirs if ours is not None and theirs else None


@dataclass(slots=True)
class Suite:
    """One suite's tables, and how each server was configured for it."""

    name: str
    title: str
    how: list[str] = field(default_factory=list)
    configurations: dict[str, str] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)

    def case(self, key: str, title: str, *metrics: Metric) -> Case:
        """Begin a table."""
        self.cases[key] = Case(title, metrics)
        return self.cases[key]


@dataclass(frozen=True, slots=True)
class Bar:
    """What was promised, what was measured, and whether that is enough; None where it was not measured.

    `compiled` and `is_met_compiled` are the same with the hot modules compiled.
    """

    promise: str
    measured: str
    is_met: bool | None
    compiled: str = "-"
    is_met_compiled: bool | None = None


@dataclass(slots=True)
class Run:
    """Everything that a run found out."""

    facts: dict[str, str]  # date, machine, commit, versions
    suites: dict[str, Suite] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)  # peers that could not be installed

    def to_json(self) -> dict[str, Any]:
        """Give the raw samples."""
        return {
            "facts": self.facts,
            "missing": self.missing,
            "suites": {
                name: {key: {"samples": case.samples, "missing": case.missing} for key, case in suite.cases.items()}
                for name, suite in self.suites.items()
            },
        }
