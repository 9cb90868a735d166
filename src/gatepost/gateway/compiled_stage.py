"""A stage as the gateway serves it: its plans, found by path and method, and its canary's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gatepost.gateway.plan import Plan
from gatepost.gateway.route import StageFacts
from gatepost.gateway.router import PathMatcher

Plans = Mapping[str, Plan]
"""The plans of a path, by method."""


class CompiledStage:
    """A stage as the gateway serves it. `problems` says, per route, what cannot work and why."""

    __slots__ = ("canary", "matcher", "plans", "problems", "region", "stage", "unrouted")

    def __init__(
        self,
        stage: StageFacts,
        matcher: PathMatcher[Plans],
        plans: tuple[Plan, ...],
        unrouted: Plan,
        problems: tuple[str, ...],
    ) -> None:
        self.stage = stage
        self.region = stage.region
        self.matcher = matcher
        self.plans = plans
        self.unrouted = unrouted
        self.problems = problems
        self.canary: Canary | None = None

    def find(self, path: str, method: str) -> tuple[Plan, tuple[str, ...]]:
        """Give the plan for a path below the stage, with the raw values of its parameters."""
        found = self.matcher.match(path)
        if found is None:
            return self.unrouted, ()
        plans, values = found
        plan = plans.get(method)
        return (self.unrouted, ()) if plan is None else (plan, values)

    def __repr__(self) -> str:
        return "\n".join(repr(plan) for plan in (*self.plans, self.unrouted))


class Canary:
    """The other side of a stage. `uses_stage_cache`: its answers are cached together with the stage's."""

    __slots__ = ("_chance", "_share", "compiled", "uses_stage_cache")

    def __init__(
        self, compiled: CompiledStage, *, percent: float, chance: Callable[[], float], uses_stage_cache: bool
    ) -> None:
        """Take the compiled canary. `chance` gives numbers from 0 to below 1."""
        self.compiled = compiled
        self.uses_stage_cache = uses_stage_cache
        self._share = percent / 100
        self._chance = chance

    def is_chosen(self) -> bool:
        """Decide for one request whether it goes to the canary."""
        share = self._share
        return share > 0 and (share >= 1 or self._chance() < share)

    def __repr__(self) -> str:
        return f"Canary({self._share:.2%} to deployment {self.compiled.stage.deployment_id})"
