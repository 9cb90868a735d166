"""What a stage's tags ask of Gatepost alone: tags are how an extension gets to a stage on AWS without harm.

Templates declare them under `Metadata: Gatepost:` (`templates/extensions.py`) and need not know the tags; boto3 sets
them by TagResource or when it makes the stage. A tag that begins with `gatepost:` and means nothing is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gatepost.services.apigateway.usage_model import COUNT_MAX, RATE_MAX, Throttle

PREFIX: Final = "gatepost:"
ADDRESS_THROTTLE: Final = "gatepost:address-throttle"  # {rate}/{burst}
RATE_LIMIT_HEADERS: Final = "gatepost:rate-limit-headers"  # true, false
COLLAPSE_CACHE_MISSES: Final = "gatepost:collapse-cache-misses"  # true, false


@dataclass(frozen=True, slots=True)
class StageExtensions:
    """A stage's extensions. `address_throttle` is what each address of callers without credentials may."""

    address_throttle: Throttle | None = None
    has_rate_limit_headers: bool = False
    collapses_cache_misses: bool = False  # simultaneous misses of one entry: one integration call


def stage_extensions(tags: Mapping[str, str]) -> StageExtensions:
    """Read a stage's tags. Raises: ValueError with a sentence when one of ours means nothing."""
    throttle, headers, collapses = None, False, False
    for name, value in tags.items():
        if not name.startswith(PREFIX):
            continue
        if name == ADDRESS_THROTTLE:
            throttle = _throttle(value)
        elif name == RATE_LIMIT_HEADERS and value in ("true", "false"):
            headers = value == "true"
        elif name == COLLAPSE_CACHE_MISSES and value in ("true", "false"):
            collapses = value == "true"
        else:
            raise ValueError(
                f"the tag {name}={value[:100]} means nothing: use {ADDRESS_THROTTLE}=RATE/BURST, "
                f"{RATE_LIMIT_HEADERS}=true or {COLLAPSE_CACHE_MISSES}=true"
            )
    return StageExtensions(throttle, headers, collapses)


def _throttle(text: str) -> Throttle:
    rate_text, _, burst_text = text.partition("/")
    try:
        rate, burst = float(rate_text), int(burst_text)
    except ValueError:
        rate, burst = math.nan, 0
    if not (0 < rate <= RATE_MAX and 1 <= burst <= COUNT_MAX):
        raise ValueError(f"the tag {ADDRESS_THROTTLE}={text[:100]} needs a rate and a burst: 10/20")
    return Throttle(rate, burst)
