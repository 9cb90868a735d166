"""Canary releases: a part of a stage's traffic goes to another deployment, with stage variables of its own.

Each request is decided for itself, by chance: AWS promises no more ("API Gateway distributes the traffic at random").
Stage and canary are compiled together and put in effect by one assignment: a request sees one of them, whole.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/canary-release.html
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from gatepost.services.apigateway.deployment import StageSettings

if TYPE_CHECKING:
    from gatepost.gateway.compiler import CompiledStage


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


def canary_settings(settings: StageSettings) -> StageSettings:
    """Give what holds for requests to the canary: its deployment, and its variables over the stage's."""
    canary = settings.canary
    assert canary is not None
    variables = {**settings.variables, **canary.stage_variable_overrides}
    return replace(settings, deployment_id=canary.deployment_id, variables=variables)
