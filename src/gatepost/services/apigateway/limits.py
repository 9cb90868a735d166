"""How many of everything an account or an API may hold: AWS's quotas, which the operator may raise or lower.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-service-limits-table.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Final

from gatepost.kernel.errors import SettingsError
from gatepost.kernel.limits import (
    API_GATEWAY_AUTHORIZERS_PER_API_MAX,
    API_GATEWAY_CLIENT_CERTIFICATES_MAX,
    API_GATEWAY_EDGE_APIS_MAX,
    API_GATEWAY_REGIONAL_APIS_MAX,
    API_GATEWAY_RESOURCES_PER_API_MAX,
    API_GATEWAY_STAGES_PER_API_MAX,
)

QUOTA_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class ApiLimits:
    """The quotas by their names in `--quota`, which has hyphens where these have underscores."""

    resources_per_api: int = API_GATEWAY_RESOURCES_PER_API_MAX
    stages_per_api: int = API_GATEWAY_STAGES_PER_API_MAX
    authorizers_per_api: int = API_GATEWAY_AUTHORIZERS_PER_API_MAX
    regional_apis: int = API_GATEWAY_REGIONAL_APIS_MAX
    edge_apis: int = API_GATEWAY_EDGE_APIS_MAX
    client_certificates: int = API_GATEWAY_CLIENT_CERTIFICATES_MAX


AWS_LIMITS: Final = ApiLimits()


def parse_limits(quotas: Iterable[tuple[str, str]]) -> ApiLimits:
    """Read `--quota NAME=N`, each 1 to 10,000; what is not named is AWS's. Raises: SettingsError."""
    known = {each.name.replace("_", "-"): each.name for each in fields(ApiLimits)}
    given: dict[str, int] = {}
    for name, text in quotas:
        if name not in known:
            raise SettingsError(f"--quota {name}: use one of {', '.join(known)}")
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= QUOTA_MAX):
            raise SettingsError(f"--quota {name} is {text!r}: use 1 to {QUOTA_MAX}")
        given[known[name]] = int(text)
    return ApiLimits(**given)
