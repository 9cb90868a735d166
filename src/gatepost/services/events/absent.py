"""Lists of what nobody can make here: they are empty. What would make, change or name one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost.kernel.operations import Call, operation

Params = Mapping[str, Any]
Answer = dict[str, Any]


class AbsentOperations:
    """Lists of nothing."""

    @operation("ListConnections")
    def list_connections(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"Connections": []}

    @operation("ListApiDestinations")
    def list_api_destinations(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"ApiDestinations": []}

    @operation("ListEndpoints")
    def list_endpoints(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"Endpoints": []}

    @operation("ListEventSources")
    def list_event_sources(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"EventSources": []}
