"""A stage's method settings: logging, metrics, throttling and caching of one method or, by `*/*`, of all.

Paths, unverified against https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html : a method is
`/{resource path with ~1 for /}/{verb}`, and its settings stand below it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from gatepost.services.apigateway.deployment import StageSettings
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.patches import Patch, Rule, boolean, integer, one_of, rule
from gatepost.services.apigateway.support import check_supported
from gatepost.services.apigateway.usage_model import COUNT_MAX, RATE_MAX

DEFAULTS: Final[dict[str, Any]] = {
    "metricsEnabled": False,
    "dataTraceEnabled": False,
    "throttlingBurstLimit": -1,
    "throttlingRateLimit": -1.0,
    "cachingEnabled": False,
    "cacheTtlInSeconds": 300,
    "cacheDataEncrypted": False,
    "requireAuthorizationForCacheControl": True,
    "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
}
VERBS: Final = ("*", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "ANY")
CACHE_TTL_S_MAX: Final = 3_600


def _rate(patch: Patch) -> float:
    """Read a rate: requests a second, or -1 for none of its own."""
    try:
        rate = float(patch.value)
    except ValueError:
        rate = math.nan
    if not 0 <= rate <= RATE_MAX and rate != -1:
        raise BadRequestException(f"Invalid patch value  '{patch.value}' specified for path '{patch.path}'")
    return rate


def _burst(patch: Patch) -> int:
    """Read a burst: requests at once, or -1 for none of its own."""
    burst = integer(patch)
    if not -1 <= burst <= COUNT_MAX:
        raise BadRequestException(f"Invalid patch value  '{patch.value}' specified for path '{patch.path}'")
    return burst


def _ttl(patch: Patch) -> int:
    seconds = integer(patch)
    if not 0 <= seconds <= CACHE_TTL_S_MAX:
        raise BadRequestException(f"Invalid cache TTL, must be between 0 and {CACHE_TTL_S_MAX}")
    return seconds


def _setter(setting: str, read: Callable[[Patch], Any]) -> Callable[[StageSettings, Patch], StageSettings]:
    def apply(settings: StageSettings, patch: Patch) -> StageSettings:
        value = read(patch)
        if value != DEFAULTS.get(setting):  # what changes nothing asks nothing
            check_supported(setting, value)
        key = _key(patch)
        changed = {**DEFAULTS, **settings.method_settings.get(key, {}), setting: value}
        return replace(settings, method_settings={**settings.method_settings, key: changed})

    return apply


def _remove(settings: StageSettings, patch: Patch) -> StageSettings:
    key = _key(patch)
    if key not in settings.method_settings:
        raise BadRequestException(f"Invalid patch path  '{patch.path}' specified for op 'remove': it does not exist")
    return replace(settings, method_settings={k: v for k, v in settings.method_settings.items() if k != key})


def _key(patch: Patch) -> str:
    """Give AWS's key of a method: `*/*`, `~1orders~1{id}/GET`."""
    path, verb = patch.names
    if verb not in VERBS:
        raise BadRequestException(
            f"Invalid patch path  '{patch.path}' specified for op '{patch.op}'. Must be one of: "
            "[/{resourcePath}/{httpMethod}/…]"
        )
    return f"{path.replace('~', '~0').replace('/', '~1')}/{verb}"


def _level(patch: Patch) -> str:
    return one_of(patch, ("OFF", "ERROR", "INFO"))


def _strategy(patch: Patch) -> str:
    strategies = ("FAIL_WITH_403", "SUCCEED_WITH_RESPONSE_HEADER", "SUCCEED_WITHOUT_RESPONSE_HEADER")
    return one_of(patch, strategies)


METHOD_SETTING_PATCHES: Final[tuple[Rule[StageSettings], ...]] = (
    rule("/*/*/metrics/enabled", "replace", _setter("metricsEnabled", boolean)),
    rule("/*/*/logging/loglevel", "replace", _setter("loggingLevel", _level)),
    rule("/*/*/logging/dataTrace", "replace", _setter("dataTraceEnabled", boolean)),
    rule("/*/*/throttling/burstLimit", "replace", _setter("throttlingBurstLimit", _burst)),
    rule("/*/*/throttling/rateLimit", "replace", _setter("throttlingRateLimit", _rate)),
    rule("/*/*/caching/enabled", "replace", _setter("cachingEnabled", boolean)),
    rule("/*/*/caching/ttlInSeconds", "replace", _setter("cacheTtlInSeconds", _ttl)),
    rule("/*/*/caching/dataEncrypted", "replace", _setter("cacheDataEncrypted", boolean)),
    rule(
        "/*/*/caching/requireAuthorizationForCacheControl",
        "replace",
        _setter("requireAuthorizationForCacheControl", boolean),
    ),
    rule(
        "/*/*/caching/unauthorizedCacheControlHeaderStrategy",
        "replace",
        _setter("unauthorizedCacheControlHeaderStrategy", _strategy),
    ),
    rule("/*/*", "remove", _remove),
)
