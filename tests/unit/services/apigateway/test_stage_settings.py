from __future__ import annotations

import pytest

from gatepost.services.apigateway.deployment import StageSettings
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.patches import PatchTable
from gatepost.services.apigateway.stage_settings import DEFAULTS, METHOD_SETTING_PATCHES

TABLE = PatchTable(METHOD_SETTING_PATCHES)


def patched(*patches: tuple[str, str], op: str = "replace") -> StageSettings:
    operations = [{"op": op, "path": path, "value": value} for path, value in patches]
    return TABLE.apply(StageSettings("prod", "d1"), {"patchOperations": operations})


def test_the_settings_of_a_method_stand_under_its_path_and_verb() -> None:
    settings = patched(("/*/*/metrics/enabled", "true"), ("/~1orders~1{id}/GET/metrics/enabled", "true"))
    assert set(settings.method_settings) == {"*/*", "~1orders~1{id}/GET"}
    assert settings.method_settings["*/*"] == {**DEFAULTS, "metricsEnabled": True}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("logging/loglevel", "OFF"),
        ("logging/loglevel", "ERROR"),
        ("logging/loglevel", "INFO"),
        ("logging/dataTrace", "false"),
        ("logging/dataTrace", "true"),
        ("throttling/burstLimit", "-1"),
        ("throttling/burstLimit", "5"),
        ("throttling/burstLimit", "0"),
        ("throttling/rateLimit", "0.5"),
        ("throttling/rateLimit", "-1.0"),
        ("caching/enabled", "false"),
        ("caching/ttlInSeconds", "3600"),
        ("caching/dataEncrypted", "true"),
        ("caching/requireAuthorizationForCacheControl", "false"),
        ("caching/unauthorizedCacheControlHeaderStrategy", "FAIL_WITH_403"),
    ],
)
def test_what_asks_for_nothing_that_is_missing_is_taken(path: str, value: str) -> None:
    assert patched((f"/*/*/{path}", value)).method_settings["*/*"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("logging/loglevel", "LOUD"),
        ("logging/dataTrace", "perhaps"),
        ("throttling/burstLimit", "-2"),
        ("throttling/burstLimit", "99999999999"),
        ("throttling/burstLimit", "x"),
        ("throttling/rateLimit", "-0.5"),
        ("throttling/rateLimit", "nan"),
        ("throttling/rateLimit", "inf"),
        ("throttling/rateLimit", "x"),
        ("caching/enabled", "perhaps"),
        ("caching/ttlInSeconds", "3601"),
        ("caching/ttlInSeconds", "-1"),
        ("caching/unauthorizedCacheControlHeaderStrategy", "NOTHING"),
        ("metrics/enabled", "perhaps"),
        ("metrics/nothing", "true"),
    ],
)
def test_what_is_not_enforced_or_wrong_is_refused(path: str, value: str) -> None:
    with pytest.raises(BadRequestException):
        patched((f"/*/*/{path}", value))


def test_the_settings_of_a_method_are_taken_away_together() -> None:
    settings = TABLE.apply(
        patched(("/~1a/GET/metrics/enabled", "true")), {"patchOperations": [{"op": "remove", "path": "/~1a/GET"}]}
    )
    assert settings.method_settings == {}
    with pytest.raises(BadRequestException, match="does not exist"):
        patched(("/~1a/GET", ""), op="remove")
