"""A stage's canary: a part of its traffic for another deployment, with stage variables of its own.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/canary-release.html
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.services.apigateway.deployment import CanarySettings, StageSettings
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.patches import Patch, Rule, boolean, rule, set_entry, text_map

PERCENT_MAX: Final = 100.0


def canary_from_aws(given: Mapping[str, Any], deployment_id: str) -> CanarySettings:
    """Read canary settings with AWS's field names. Raises: BadRequestException."""
    canary = CanarySettings(
        deployment_id=deployment_id,
        percent_traffic=float(given.get("percentTraffic", 0.0)),
        stage_variable_overrides=given.get("stageVariableOverrides", {}),
        uses_stage_cache=given.get("useStageCache", False),
    )
    check_percent(canary)
    return canary


def check_percent(canary: CanarySettings) -> None:
    """Check the share of traffic. Raises: BadRequestException."""
    if not 0 <= canary.percent_traffic <= PERCENT_MAX or not math.isfinite(canary.percent_traffic):
        raise BadRequestException(
            f"Invalid canary percent traffic {canary.percent_traffic}: it must be between 0.0 and {PERCENT_MAX}"
        )


def _canary(settings: StageSettings) -> CanarySettings:
    """Give the canary that a patch changes; a stage without one gets one of its own deployment, without traffic."""
    return settings.canary or CanarySettings(settings.deployment_id)


def _percent(settings: StageSettings, patch: Patch) -> StageSettings:
    try:
        canary = replace(_canary(settings), percent_traffic=float(patch.value))
    except ValueError:
        message = f"Invalid patch value  '{patch.value}' specified for path '{patch.path}'"
        raise BadRequestException(message) from None
    check_percent(canary)
    return replace(settings, canary=canary)


def _deployment(settings: StageSettings, patch: Patch) -> StageSettings:
    return replace(settings, canary=replace(_canary(settings), deployment_id=patch.value))


def _cache(settings: StageSettings, patch: Patch) -> StageSettings:
    return replace(settings, canary=replace(_canary(settings), uses_stage_cache=boolean(patch)))


def _override(settings: StageSettings, patch: Patch) -> StageSettings:
    canary = _canary(settings)
    overrides = set_entry(canary.stage_variable_overrides, patch, patch.value)
    return replace(settings, canary=replace(canary, stage_variable_overrides=overrides))


def _overrides(settings: StageSettings, patch: Patch) -> StageSettings:
    return replace(settings, canary=replace(_canary(settings), stage_variable_overrides=text_map(patch)))


def _no_overrides(settings: StageSettings, _patch: Patch) -> StageSettings:
    return replace(settings, canary=replace(_canary(settings), stage_variable_overrides={}))


def _remove(settings: StageSettings, patch: Patch) -> StageSettings:
    if settings.canary is None:
        raise BadRequestException(f"Invalid patch path  '{patch.path}' specified for op 'remove': it does not exist")
    return replace(settings, canary=None)


def _held(settings: StageSettings, patch: Patch, source: str) -> CanarySettings:
    if patch.source != source:
        raise BadRequestException(f"Invalid copy path  '{patch.source}' specified. Must be one of: [{source}]")
    if settings.canary is None:
        raise BadRequestException(f"Invalid copy path  '{patch.source}' specified: the stage has no canary")
    return settings.canary


def _promote(settings: StageSettings, patch: Patch) -> StageSettings:
    canary = _held(settings, patch, "/canarySettings/deploymentId")
    return replace(settings, deployment_id=canary.deployment_id)


def _promote_variables(settings: StageSettings, patch: Patch) -> StageSettings:
    # Variables that the canary does not override stay (unverified: JSON Patch alone would take them away).
    canary = _held(settings, patch, "/canarySettings/stageVariableOverrides")
    return replace(settings, variables={**settings.variables, **canary.stage_variable_overrides})


CANARY_PATCHES: Final[tuple[Rule[StageSettings], ...]] = (
    rule("/canarySettings", "remove", _remove),
    rule("/canarySettings/deploymentId", "replace", _deployment),
    rule("/canarySettings/percentTraffic", "replace", _percent),
    rule("/canarySettings/stageVariableOverrides", "replace", _overrides),
    rule("/canarySettings/stageVariableOverrides", "remove", _no_overrides),
    rule("/canarySettings/stageVariableOverrides/*", "add replace remove", _override),
    rule("/canarySettings/useStageCache", "replace", _cache),
    rule("/deploymentId", "copy", _promote),
    rule("/variables", "copy", _promote_variables),
)
