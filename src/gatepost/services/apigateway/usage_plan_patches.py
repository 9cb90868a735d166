"""What can be patched of a usage plan.

Unverified against https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html . A throttled method is
written `/apiStages/{api}:{stage}/throttle/{path with ~1 for /}/{VERB}`; the path with its slashes is understood as
well, because clients send it so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from gatepost.services.apigateway.model import BadRequestException, NotFoundException
from gatepost.services.apigateway.patches import Patch, PatchTable, integer, rule
from gatepost.services.apigateway.usage_model import COUNT_MAX, RATE_MAX, ApiStage, Quota, Throttle, UsagePlan


def throttle_of(given: Mapping[str, Any] | None) -> Throttle | None:
    """Read the shape ThrottleSettings. Raises: BadRequestException.

    unverified: without a burst AWS's own is not known; ours is the rate, rounded up.
    """
    if not given:
        return None
    if "rateLimit" not in given:
        raise BadRequestException("Usage Plan throttle needs a rateLimit beside its burstLimit")
    rate = float(given["rateLimit"])
    throttle = Throttle(rate, given["burstLimit"] if "burstLimit" in given else _burst_for(rate))
    check_throttle(throttle)
    return throttle


def _burst_for(rate: float) -> int:
    return max(1, math.ceil(rate)) if 0 < rate <= RATE_MAX else 0


def check_throttle(throttle: Throttle | None) -> None:
    """Check a rate and a burst. Raises: BadRequestException."""
    if throttle is None:
        return
    if not 0 <= throttle.rate_per_second <= RATE_MAX:  # NaN compares as false
        raise BadRequestException(f"Usage Plan rate limit must be between 0 and {RATE_MAX:.0f}")
    if not 0 <= throttle.burst <= COUNT_MAX:
        raise BadRequestException(f"Usage Plan burst limit must be between 0 and {COUNT_MAX}")


def _rate(patch: Patch) -> float:
    try:
        rate = float(patch.value)
    except ValueError:
        rate = math.nan
    if not 0 <= rate <= RATE_MAX:
        raise BadRequestException(f"Invalid patch value  '{patch.value}' specified for path '{patch.path}'")
    return rate


def _throttled(throttle: Throttle | None, limit: str, patch: Patch) -> Throttle:
    """Give a throttle with another rate or burst."""
    if limit == "rateLimit":
        rate = _rate(patch)
        return Throttle(rate, _burst_for(rate)) if throttle is None else replace(throttle, rate_per_second=rate)
    burst = integer(patch)
    return Throttle(float(burst), burst) if throttle is None else replace(throttle, burst=burst)


def _plan_throttle(plan: UsagePlan, patch: Patch) -> UsagePlan:
    if patch.op == "remove":
        return replace(plan, throttle=None)
    return replace(plan, throttle=_throttled(plan.throttle, patch.path.rpartition("/")[2], patch))


def _quota(plan: UsagePlan, patch: Patch) -> UsagePlan:
    if patch.op == "remove":
        return replace(plan, quota=None)
    quota = plan.quota or Quota(0, "DAY")
    member = patch.path.rpartition("/")[2]
    if member == "period":
        return replace(plan, quota=replace(quota, period=patch.value))
    if member == "limit":
        return replace(plan, quota=replace(quota, limit=integer(patch)))
    return replace(plan, quota=replace(quota, offset=integer(patch)))


def _stages(plan: UsagePlan, patch: Patch) -> UsagePlan:
    api_id, _, stage = patch.value.partition(":")
    if patch.op == "add":
        if plan.stages and any(each.name == patch.value for each in plan.stages):
            return plan
        if not api_id or not stage:
            raise NotFoundException(f"API Stage not found: {patch.value}")
        return replace(plan, stages=(*plan.stages, ApiStage(api_id, stage)))
    _stage(plan, patch.value)
    return replace(plan, stages=tuple(each for each in plan.stages if each.name != patch.value))


def _stage(plan: UsagePlan, name: str) -> ApiStage:
    for each in plan.stages:
        if each.name == name:
            return each
    raise NotFoundException(f"API Stage not found: {name}")


def _stage_throttles(plan: UsagePlan, patch: Patch) -> UsagePlan:
    """Change the throttles of all methods of a stage."""
    stage = _stage(plan, patch.names[0])
    return _with(plan, stage, {} if patch.op == "remove" else _all_throttles(patch))


def _method_throttle(plan: UsagePlan, patch: Patch) -> UsagePlan:
    """Change a method's throttle, or its rate or burst."""
    name, path, verb, *limit = patch.names
    stage = _stage(plan, name)
    throttles = dict(stage.throttle)
    method = f"{path}/{verb}" if path.startswith("/") or path == "*" else f"/{path}/{verb}"
    if patch.op == "remove":
        if method not in throttles:
            raise BadRequestException(f"Invalid patch path  '{patch.path}' specified for op 'remove'")
        del throttles[method]
    elif limit[0] in ("rateLimit", "burstLimit"):
        throttles[method] = _throttled(throttles.get(method), limit[0], patch)
    else:
        raise BadRequestException(f"Invalid patch path  '{patch.path}' specified for op '{patch.op}'")
    return _with(plan, stage, throttles)


def _with(plan: UsagePlan, stage: ApiStage, throttles: Mapping[str, Throttle]) -> UsagePlan:
    changed = replace(stage, throttle=throttles)
    return replace(plan, stages=tuple(changed if each.name == stage.name else each for each in plan.stages))


def _json(patch: Patch) -> Any:
    try:
        return orjson.loads(patch.value)
    except orjson.JSONDecodeError:
        raise BadRequestException(
            f"Invalid patch value  '{patch.value[:200]}' specified for path '{patch.path}'"
        ) from None


def _all_throttles(patch: Patch) -> dict[str, Throttle]:
    given = _json(patch)
    if not isinstance(given, dict):
        raise BadRequestException(f"Invalid patch value  '{patch.value[:200]}' specified for path '{patch.path}'")
    return {path: _one_throttle(each, patch) for path, each in given.items()}


def _one_throttle(given: Any, patch: Patch) -> Throttle:
    is_throttle = (
        isinstance(given, dict)
        and set(given) <= {"rateLimit", "burstLimit"}
        and type(given.get("rateLimit")) in (int, float)
        and type(given.get("burstLimit", 0)) is int
    )
    throttle = throttle_of(given) if is_throttle else None
    if throttle is None:
        raise BadRequestException(f"Invalid patch value  '{patch.value[:200]}' specified for path '{patch.path}'")
    return throttle


_TABLE: Final[PatchTable[UsagePlan]] = PatchTable(
    (
        rule("/name", "replace", lambda plan, patch: replace(plan, name=patch.value)),
        rule("/description", "replace", lambda plan, patch: replace(plan, description=patch.value)),
        rule("/productCode", "add replace", lambda plan, patch: replace(plan, product_code=patch.value)),
        rule("/productCode", "remove", lambda plan, _patch: replace(plan, product_code="")),
        rule("/throttle/rateLimit", "add replace", _plan_throttle),
        rule("/throttle/burstLimit", "add replace", _plan_throttle),
        rule("/throttle", "remove", _plan_throttle),
        rule("/quota/limit", "add replace", _quota),
        rule("/quota/offset", "add replace", _quota),
        rule("/quota/period", "add replace", _quota),
        rule("/quota", "remove", _quota),
        rule("/apiStages", "add remove", _stages),
        rule("/apiStages/*/throttle", "add replace remove", _stage_throttles),
        rule("/apiStages/*/throttle/*/*", "remove", _method_throttle),
        rule("/apiStages/*/throttle/*/*/*", "add replace", _method_throttle),
    )
)
_THROTTLE: Final = "/throttle/"


def patched(plan: UsagePlan, params: Mapping[str, Any]) -> UsagePlan:
    """Carry out the request's `patchOperations`. Raises: BadRequestException, NotFoundException."""
    operations = [{**each, "path": _escaped(each.get("path", ""))} for each in params.get("patchOperations", ())]
    return _TABLE.apply(plan, {"patchOperations": operations})


def _escaped(path: str) -> str:
    """Write the method in the path of a stage's throttle in the one form that the table knows."""
    if not path.startswith("/apiStages/") or _THROTTLE not in path:
        return path
    head, _, rest = path.partition(_THROTTLE)
    limit = ""
    for member in ("/rateLimit", "/burstLimit"):
        if rest.endswith(member):
            rest, limit = rest.removesuffix(member), member
    resource, _, verb = rest.rpartition("/")
    return f"{head}{_THROTTLE}{resource.replace('/', '~1') or '~1'}/{verb}{limit}"
