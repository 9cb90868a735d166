"""What a plan's parts know of their place: the stage that was deployed and the method that was matched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_PARAMETER: Final = re.compile(r"\{([^}+]+)\+?\}")


@dataclass(frozen=True, slots=True)
class StageFacts:
    """The constants of one deployed stage."""

    account_id: str
    region: str
    api_id: str
    api_name: str
    stage_name: str
    deployment_id: str
    variables: Mapping[str, str] = field(default_factory=dict)
    binary_media_types: tuple[str, ...] = ()
    has_canary: bool = False
    is_canary: bool = False  # these are the canary's
    is_traced: bool = False  # AWS: tracingEnabled
    is_edge: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one resource. `http_method` is as declared, `ANY` included.

    `parameter_names` are the path's parameters from left to right, without braces and plus.
    """

    resource_id: str
    resource_path: str
    http_method: str
    parameter_names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.http_method} {self.resource_path}" if self.resource_path else "(no route)"


NO_ROUTE: Final = Route("", "", "")
"""Where a request is that no method of the API takes."""


def parameter_names(resource_path: str) -> tuple[str, ...]:
    """Give the names of the parameters of `/orders/{orderId}/{proxy+}`, in order."""
    return tuple(_PARAMETER.findall(resource_path))
