"""Lists of what nobody can make here: they are empty. What would make, change or name one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost.kernel.operations import Call, operation

Params = Mapping[str, Any]
Answer = dict[str, Any]


class AbsentOperations:
    """Lists of nothing."""

    @operation("ListCodeSigningConfigs")
    def list_code_signing_configs(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"CodeSigningConfigs": []}

    @operation("ListCapacityProviders")
    def list_capacity_providers(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"CapacityProviders": []}
