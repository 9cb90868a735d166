"""Lists of what nobody can make here: they are empty. What would make, change or name one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost.kernel.operations import Call, operation

Params = Mapping[str, Any]
Answer = dict[str, Any]


class AbsentOperations:
    """Lists of nothing."""

    @operation("DescribeAnomalyDetectors")
    def describe_anomaly_detectors(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"AnomalyDetectors": []}

    @operation("DescribeInsightRules")
    def describe_insight_rules(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"InsightRules": []}

    @operation("ListMetricStreams")
    def list_metric_streams(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"Entries": []}
