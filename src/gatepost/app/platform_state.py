"""How the platform is: what `health` and `status` tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from gatepost.app.gateway_place import gateway_id, role_name

TemplateStatus = Literal["waiting", "deploying", "deployed", "failed"]
TEMPLATE_STATUSES: tuple[TemplateStatus, ...] = ("waiting", "deploying", "deployed", "failed")
_SUMS: Final = ("count", "4xx", "5xx")
_MEANS: Final = ("latency_p50_ms", "integration_latency_p50_ms")  # by count: the nearest that can be told of medians


@dataclass(slots=True)
class PlatformState:
    """What the services role knows of the whole. `templates` are those that `up` was given, by path."""

    count_gateways: Callable[[], int]
    templates: dict[str, TemplateStatus] = field(default_factory=dict)
    _figures: dict[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)  # each gateway's last word
    _pids: dict[str, int] = field(default_factory=dict)
    _ready: dict[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)

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

    def take_figures(self, gateway: str, pid: int, figures: Sequence[Mapping[str, Any]]) -> None:
        """Take a gateway's figures since its start."""
        self._figures[gateway] = figures
        self._pids[gateway] = pid

    def take_readiness(self, gateway: str, ready: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
        """Take which provisioned workers stand ready in a gateway, and give the same of all gateways together."""
        self._ready[gateway] = ready
        found: dict[str, dict[str, Any]] = {}
        for each in self._ready.values():
            for arn, heard in each.items():
                known = found.setdefault(arn, {"ready": 0, "failure": ""})
                known["ready"] += heard.get("ready", 0)
                known["failure"] = known["failure"] or heard.get("failure", "")
        return found

    def gateway_roles(self, serving: AbstractSet[str], workers: int) -> list[dict[str, Any]]:
        """Give a row for each gateway process that this machine should have: name, state, process."""
        found = []
        for number in range(1, workers + 1):
            name = gateway_id(number)
            row: dict[str, Any] = {"role": role_name(number), "state": "not connected"}
            if name in serving:
                row["state"] = "ready"
            if name in self._pids:
                row["pid"] = self._pids[name]
            found.append(row)
        return found

    def apis(self) -> Sequence[Mapping[str, Any]]:
        """Give the figures of every API and stage since the gateways' start, of all gateways together.

        Of several gateways' medians the mean is told, and of their 99th percentiles the highest.
        """
        found: dict[tuple[str, ...], dict[str, Any]] = {}
        for figures in self._figures.values():
            for each in figures:
                key = tuple(each["key"])
                found[key] = _together(found[key], each) if key in found else dict(each)
        return [figures for _, figures in sorted(found.items())]


def _together(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    count = one["count"] + other["count"]
    both = dict(one) | {name: one[name] + other[name] for name in _SUMS}
    for name in _MEANS:
        both[name] = (one[name] * one["count"] + other[name] * other["count"]) / count if count else 0.0
    both["latency_p99_ms"] = max(one["latency_p99_ms"], other["latency_p99_ms"])
    return both
