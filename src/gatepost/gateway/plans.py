"""The plans that are in effect, swapped by one assignment whenever a stage is published.

Requests that run keep the plan that they began with. A stage that cannot be read keeps its old plan, and the
failure is reported; a route that cannot work is the compiler's matter and reported too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from gatepost.gateway.compiler import CompiledStage, Parts, compile_stage
from gatepost.kernel.ports import Replica
from gatepost.services.apigateway.deployment import REST_API_STAGE, deployment_from_json, stage_from_json

log = logging.getLogger(__name__)

Apis = Mapping[str, Mapping[str, CompiledStage]]


class ActivePlans:
    """Every deployed stage, by API id and stage name. `failures` holds the text of the last failure per stage."""

    def __init__(self, parts: Parts, *, changed: Callable[[str], None] | None = None) -> None:
        self._parts = parts
        self._changed = changed
        self.apis: Apis = {}
        self.failures: dict[str, str] = {}

    def follow(self, replica: Replica) -> None:
        """Keep up with what is published from now on."""
        replica.watch(REST_API_STAGE, self.take)

    def take(self, key: str, value: Mapping[str, Any] | None) -> None:
        """Put a stage (`{api_id}/{stage_name}`) into effect; None takes it away."""
        api_id, _, stage_name = key.partition("/")
        if value is None:
            self._replace(api_id, stage_name, None)
            self.failures.pop(key, None)
            return
        try:
            deployment, settings = deployment_from_json(value["deployment"]), stage_from_json(value["stage"])
            canary = deployment_from_json(value["canary"]) if value.get("canary") is not None else None
            compiled = compile_stage(deployment, settings, self._parts, canary=canary)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            self.failures[key] = f"{type(error).__name__}: {error}"
            log.error("a stage was not put into effect", extra={"stage": key, "error": self.failures[key]})
            return
        self.failures.pop(key, None)
        for problem in compiled.problems:
            log.warning("a route cannot work", extra={"stage": key, "problem": problem})
        self._replace(api_id, stage_name, compiled)

    def _replace(self, api_id: str, stage_name: str, compiled: CompiledStage | None) -> None:
        stages = dict(self.apis.get(api_id, {}))
        if compiled is None:
            stages.pop(stage_name, None)
        else:
            stages[stage_name] = compiled
        apis = dict(self.apis)
        if stages:
            apis[api_id] = stages
        else:
            apis.pop(api_id, None)
        self.apis = apis
        if self._changed is not None:
            self._changed(api_id)

    def problems(self) -> dict[str, list[str]]:
        """Give what does not work, per stage (`{api_id}/{stage_name}`)."""
        found = {
            f"{api_id}/{name}": list(compiled.problems)
            for api_id, stages in self.apis.items()
            for name, compiled in stages.items()
            if compiled.problems
        }
        for key, failure in self.failures.items():
            found.setdefault(key, []).append(f"the stage was not put into effect: {failure}")
        return found
