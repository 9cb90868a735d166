"""How the platform is: what `health` and `status` tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

TemplateStatus = Literal["waiting", "deploying", "deployed", "failed"]
TEMPLATE_STATUSES: tuple[TemplateStatus, ...] = ("waiting", "deploying", "deployed", "failed")


@dataclass(slots=True)
class PlatformState:
    """What the services role knows of the whole. `templates` are those that `up` was given, by path."""

    count_gateways: Callable[[], int]
    templates: dict[str, TemplateStatus] = field(default_factory=dict)
    figures: dict[tuple[str, ...], Mapping[str, Any]] = field(default_factory=dict)  # the gateways' last word
    gateway: Mapping[str, Any] = field(default_factory=dict)

    def health(self) -> tuple[int, dict[str, Any]]:
        """Give 200 once a gateway is connected and every template is deployed, else 503; with the state of each."""
        statuses = set(self.templates.values())
        has_gateway = self.count_gateways() > 0
        if "failed" in statuses:
            status = "failed"
        elif not has_gateway or statuses - {"deployed"}:
            status = "starting"
        else:
            status = "ready"
        body = {
            "status": status,
            "services": "ready",
            "gateway": "ready" if has_gateway else "not connected",
            "templates": dict(self.templates),
        }
        return (200 if status == "ready" else 503), body

    def set_template(self, path: str, status: TemplateStatus) -> None:
        """Note how far a template of `up` has come."""
        self.templates[path] = status

    def apis(self) -> Sequence[Mapping[str, Any]]:
        """Give the figures of every API and stage since the gateway's start."""
        return [dict(figures) for _, figures in sorted(self.figures.items())]
