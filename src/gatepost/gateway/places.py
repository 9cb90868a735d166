"""Where requests lead that name an API by its Host or by their path: a stage, the plans under a path, its values.

Clients ask for the same paths again and again, so the last ones are remembered: one look-up instead of taking host
and path apart and walking the tree of resources. What is remembered holds for one set of stages in effect and goes
with it. Only what leads to a resource is remembered: nonsense pushes nothing out.
"""

from __future__ import annotations

from typing import Final

from gatepost.gateway.compiled_stage import CompiledStage, Plans
from gatepost.gateway.plans import Apis
from gatepost.gateway.router import Hosts, parse_path_form, split_stage

PLACES_MAX: Final = 4_096
NAME_CHARACTERS_MAX: Final = 512
"""Of a host and path that are remembered: together with `PLACES_MAX` at most about 4 MB."""


class Place:
    """A path of a stage. `plans` are those of the resource that takes it, None when there is none."""

    __slots__ = ("domain", "full_path", "path", "plans", "stage", "values")

    def __init__(self, stage: CompiledStage, path: str, full_path: str, domain: str) -> None:
        self.stage = stage
        self.path = path
        self.full_path = full_path
        self.domain = domain
        found = stage.matcher.match(path)
        self.plans: Plans | None = None if found is None else found[0]
        self.values: tuple[str, ...] = () if found is None else found[1]


class Places:
    """Finds the place of a request."""

    __slots__ = ("_apis", "_count", "_hosts", "_known")

    def __init__(self) -> None:
        self._hosts = Hosts()
        self._apis: Apis = {}
        self._known: dict[str, dict[str, Place]] = {}  # by host, then by path
        self._count = 0

    def find(self, apis: Apis, host: str, path: str) -> Place | None:
        """Give the place in those stages; None: they are no API's, or have no such stage."""
        if apis is not self._apis:
            self._forget(apis)
        paths = self._known.get(host)
        if paths is not None:
            known = paths.get(path)
            if known is not None:
                return known
        place = self._look(host, path)
        if place is not None and place.plans is not None and len(host) + len(path) <= NAME_CHARACTERS_MAX:
            if self._count >= PLACES_MAX:
                self._forget(apis)
            self._known.setdefault(host, {})[path] = place
            self._count += 1
        return place

    def _forget(self, apis: Apis) -> None:
        self._apis = apis
        self._known = {}
        self._count = 0

    def _look(self, host: str, path: str) -> Place | None:
        by_host = self._hosts.find(host)
        if by_host.api_id:
            stage_name, rest = split_stage(path)
            return self._place(by_host.api_id, stage_name, rest, path, by_host.domain, by_host.region)
        address = parse_path_form(path)
        if address is None:
            return None
        return self._place(address.api_id, address.stage_name, address.path, address.full_path, "", "")

    def _place(self, api_id: str, stage_name: str, path: str, full_path: str, domain: str, region: str) -> Place | None:
        stage = self._apis.get(api_id, {}).get(stage_name)
        if stage is None or (region and region != stage.region):
            return None
        return Place(stage, path, full_path, domain or f"{stage.stage.api_id}.execute-api.{stage.region}.localhost")
