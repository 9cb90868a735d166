"""Throttles of stages, and how exact limits are: at five times the rate arithmetic says what is admitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gatepost.gateway.guards.throttle import stage_throttle
from gatepost.gateway.route import Route
from gatepost.services.apigateway.deployment import StageSettings
from gatepost.services.apigateway.usage_model import Throttle
from tests.unit.gateway.guards.test_usage import OPEN, a_gateway


def settings(rate: float, burst: int) -> dict[str, Any]:
    return {"throttlingRateLimit": rate, "throttlingBurstLimit": burst}


@pytest.mark.parametrize(
    ("method_settings", "expected"),
    [
        ({}, None),
        ({"*/*": settings(-1.0, -1)}, None),
        ({"*/*": settings(5.0, 2)}, Throttle(5.0, 2)),
        ({"*/*": settings(5.0, 2), "~1a~1{b}/GET": settings(1.0, 1)}, Throttle(1.0, 1)),
        ({"*/*": settings(5.0, 2), "~1a~1{b}/GET": settings(-1.0, -1)}, None),
        ({"~1a~1{b}/POST": settings(1.0, 1)}, None),
        ({"*/*": settings(0.0, 0)}, Throttle(0.0, 0)),
        ({"*/*": settings(2.5, -1)}, Throttle(2.5, 2)),
        ({"*/*": settings(-1.0, 7)}, Throttle(7.0, 7)),
        ({"*/*": {"metricsEnabled": True}}, None),
    ],
)
def test_a_method_has_its_own_throttle_or_the_stages(
    method_settings: dict[str, Any], expected: Throttle | None
) -> None:
    assert stage_throttle(method_settings, Route("r", "/a/{b}", "GET")) == expected


@pytest.mark.parametrize(("rate", "burst"), [(10, 5), (100, 20)])
def test_at_five_times_the_rate_the_admitted_are_rate_times_time_and_burst(
    tmp_path: Path, rate: int, burst: int
) -> None:
    seconds = 10
    stage = StageSettings("prod", "dep123", method_settings={"*/*": settings(float(rate), burst)})
    gateway = a_gateway(tmp_path, OPEN, stage=stage)
    admitted = 0
    for _ in range(5 * rate * seconds):
        admitted += gateway.call(count=1) == [200]
        gateway.clock.advance(ms=1_000 // (5 * rate))
    expected = rate * seconds + burst
    assert abs(admitted - expected) <= max(1, expected * 0.01)
