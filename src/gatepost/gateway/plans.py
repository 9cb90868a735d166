"""The plans that are in effect, swapped by one assignment whenever a stage is published.

Private APIs stand apart: the public listener does not know them, nor the private one the others. What makes an API
private is its endpoint type as it is now (`api_endpoint`), not as it was deployed.

Requests that run keep the plan that they began with. A stage that cannot be read keeps its old plan, and the
failure is reported; a route that cannot work is the compiler's matter and reported too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gatepost.gateway.compiled_stage import CompiledStage
from gatepost.gateway.compiler import compile_stage
from gatepost.gateway.guards.endpoint import is_private
from gatepost.gateway.parts import Parts
from gatepost.kernel.ports import Replica
from gatepost.services.apigateway.deployment import (
    API_ENDPOINT,
    REST_API_STAGE,
    Deployment,
    deployment_from_json,
    stage_from_json,
)

log = logging.getLogger(__name__)

Apis = Mapping[str, Mapping[str, CompiledStage]]


@dataclass(frozen=True, slots=True)
class ApiEndpoint:
    """Where an API is reached that is private, or has a security policy of its own."""

    type: str
    vpc_endpoint_ids: frozenset[str] = frozenset()
    is_strict: bool = False


class ActivePlans:
    """Every deployed stage, by API id and stage name. `failures` holds the text of the last failure per stage."""

    def __init__(self, parts: Parts, *, changed: Callable[[str], None] | None = None) -> None:
        self._parts = parts
        self._changed = changed
        self.apis: Apis = {}
        self.private: Apis = {}
        self.endpoints: Mapping[str, ApiEndpoint] = {}
        self.strict: frozenset[str] = frozenset()  # AWS: endpointAccessMode
        self._published: dict[str, Mapping[str, Any]] = {}
        self.failures: dict[str, str] = {}

    def follow(self, replica: Replica) -> None:
        """Keep up with what is published from now on."""
        replica.watch(API_ENDPOINT, self.take_endpoint)
        replica.watch(REST_API_STAGE, self.take)

    def take_endpoint(self, api_id: str, value: Mapping[str, Any] | None) -> None:
        """Learn where an API is reached from now on, and make its stages anew; None: in public, without conditions."""
        endpoints = dict(self.endpoints)
        if value is None:
            endpoints.pop(api_id, None)
        else:
            endpoints[api_id] = _endpoint(value)
        self.endpoints = endpoints
        self.strict = frozenset(each for each, endpoint in endpoints.items() if endpoint.is_strict)
        for key, published in list(self._published.items()):
            if key.partition("/")[0] == api_id:
                self.take(key, published)

    def take(self, key: str, value: Mapping[str, Any] | None) -> None:
        """Put a stage (`{api_id}/{stage_name}`) into effect; None takes it away."""
        api_id, _, stage_name = key.partition("/")
        if value is None:
            self._replace(api_id, stage_name, None)
            self.failures.pop(key, None)
            self._published.pop(key, None)
            return
        self._published[key] = value
        try:
            settings = stage_from_json(value["stage"])
            deployment = self._placed(deployment_from_json(value["deployment"]))
            canary = self._placed(deployment_from_json(value["canary"])) if value.get("canary") is not None else None
            compiled = compile_stage(deployment, settings, self._parts, canary=canary)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            self.failures[key] = f"{type(error).__name__}: {error}"
            log.error("a stage was not put into effect", extra={"stage": key, "error": self.failures[key]})
            return
        self.failures.pop(key, None)
        for problem in compiled.problems:
            log.warning("a route cannot work", extra={"stage": key, "problem": problem})
        self._replace(api_id, stage_name, compiled)

    def _placed(self, deployment: Deployment) -> Deployment:
        """Give a deployment with the endpoint type that its API has now."""
        endpoint = self.endpoints.get(deployment.api_id)
        if endpoint is not None:
            return replace(deployment, endpoint_types=(endpoint.type,))
        return replace(deployment, endpoint_types=("REGIONAL",)) if is_private(deployment) else deployment

    def _replace(self, api_id: str, stage_name: str, compiled: CompiledStage | None) -> None:
        endpoint = self.endpoints.get(api_id)
        mine = endpoint is not None and endpoint.type == "PRIVATE"
        self.apis = _with(self.apis, api_id, stage_name, None if mine else compiled)
        self.private = _with(self.private, api_id, stage_name, compiled if mine else None)
        if self._changed is not None:
            self._changed(api_id)

    def problems(self) -> dict[str, list[str]]:
        """Give what does not work, per stage (`{api_id}/{stage_name}`)."""
        found = {
            f"{api_id}/{name}": list(compiled.problems)
            for api_id, stages in (*self.apis.items(), *self.private.items())
            for name, compiled in stages.items()
            if compiled.problems
        }
        for key, failure in self.failures.items():
            found.setdefault(key, []).append(f"the stage was not put into effect: {failure}")
        return found


def _endpoint(value: Mapping[str, Any]) -> ApiEndpoint:
    """Read an endpoint; one that cannot be read is private, and strict."""
    try:
        ids = frozenset(str(each) for each in value["vpc_endpoint_ids"])
        return ApiEndpoint(str(value["type"]), ids, is_strict=bool(value["is_strict"]))
    except (KeyError, TypeError, ValueError):
        return ApiEndpoint("PRIVATE", is_strict=True)


def _with(apis: Apis, api_id: str, stage_name: str, compiled: CompiledStage | None) -> Apis:
    """Give `apis` with a stage put in, or (None) taken out."""
    stages = dict(apis.get(api_id, {}))
    if compiled is not None:
        stages[stage_name] = compiled
    elif stages.pop(stage_name, None) is None:
        return apis
    changed = dict(apis)
    if stages:
        changed[api_id] = stages
    else:
        changed.pop(api_id, None)
    return changed
