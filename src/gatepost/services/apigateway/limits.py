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
    API_GATEWAY_INTEGRATION_TIMEOUT_MS_MAX,
    API_GATEWAY_PRIVATE_APIS_MAX,
    API_GATEWAY_RAISED_TIMEOUT_MS_MAX,
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
    private_apis: int = API_GATEWAY_PRIVATE_APIS_MAX
    client_certificates: int = API_GATEWAY_CLIENT_CERTIFICATES_MAX
    integration_timeout_ms: int = API_GATEWAY_INTEGRATION_TIMEOUT_MS_MAX

    def apis_max(self, endpoint_type: str) -> int:
        """Give how many APIs of an endpoint type an account may have in a region."""
        return {"REGIONAL": self.regional_apis, "PRIVATE": self.private_apis}.get(endpoint_type, self.edge_apis)

    def timeout_ms_max(self, endpoint_type: str) -> int:
        """Give how long an integration may take at most: more than 29 s only in regional and private APIs.

        Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
        """
        return API_GATEWAY_INTEGRATION_TIMEOUT_MS_MAX if endpoint_type == "EDGE" else self.integration_timeout_ms


AWS_LIMITS: Final = ApiLimits()
_BOUNDS: Final = {"integration-timeout-ms": (API_GATEWAY_INTEGRATION_TIMEOUT_MS_MAX, API_GATEWAY_RAISED_TIMEOUT_MS_MAX)}


def parse_limits(quotas: Iterable[tuple[str, str]]) -> ApiLimits:
    """Read `--quota NAME=N`, each 1 to 10,000 but the timeout; what is not named is AWS's. Raises: SettingsError."""
    known = {each.name.replace("_", "-"): each.name for each in fields(ApiLimits)}
    given: dict[str, int] = {}
    for name, text in quotas:
        if name not in known:
            raise SettingsError(f"--quota {name}: use one of {', '.join(known)}")
        low, high = _BOUNDS.get(name, (1, QUOTA_MAX))
        if not (text.isascii() and text.isdigit() and low <= int(text[:7]) <= high):
            raise SettingsError(f"--quota {name} is {text!r}: use {low} to {high}")
        given[known[name]] = int(text)
    return ApiLimits(**given)
