"""Canary releases: a part of a stage's traffic goes to another deployment, with stage variables of its own.

Each request is decided for itself, by chance: AWS promises no more ("API Gateway distributes the traffic at random").
Stage and canary are compiled together and put in effect by one assignment: a request sees one of them, whole.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/canary-release.html
"""

from __future__ import annotations

from dataclasses import replace

from gatepost.services.apigateway.deployment import StageSettings


def canary_settings(settings: StageSettings) -> StageSettings:
    """Give what holds for requests to the canary: its deployment, and its variables over the stage's."""
    canary = settings.canary
    assert canary is not None
    variables = {**settings.variables, **canary.stage_variable_overrides}
    return replace(settings, deployment_id=canary.deployment_id, variables=variables)
