"""Lists of what nobody can make here: they are empty. What would make, change or name one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost.kernel.operations import Call, operation

Params = Mapping[str, Any]
Answer = dict[str, Any]


class AbsentOperations:
    """Lists of nothing."""

    @operation("ListStackSets")
    def list_stack_sets(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"Summaries": []}

    @operation("ListGeneratedTemplates")
    def list_generated_templates(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"Summaries": []}

    @operation("ListResourceScans")
    def list_resource_scans(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"ResourceScanSummaries": []}

    @operation("ListStackRefactors")
    def list_stack_refactors(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"StackRefactorSummaries": []}
