"""A stage's settings for one method: its own, else those of all methods (`*/*`).

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-stage-settings.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gatepost.gateway.route import Route

ALL_METHODS: Final = "*/*"


def method_settings_of(settings: Mapping[str, Mapping[str, object]], route: Route) -> Mapping[str, object]:
    """Give the settings of a route, by AWS's names; empty when there are none.

    AWS's key of a method is its resource path with `~1` for `/`, and the verb: `~1orders~1{id}/GET`.
    """
    path = route.resource_path.replace("~", "~0").replace("/", "~1")
    return settings.get(f"{path}/{route.http_method}") or settings.get(ALL_METHODS) or {}
