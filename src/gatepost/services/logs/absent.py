"""Lists of what nobody can make here: they are empty. What would make, change or name one is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost.kernel.operations import Call, operation

Params = Mapping[str, Any]
Answer = dict[str, Any]


class AbsentOperations:
    """Lists of nothing."""

    @operation("DescribeExportTasks")
    def describe_export_tasks(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"exportTasks": []}

    @operation("DescribeDestinations")
    def describe_destinations(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"destinations": []}

    @operation("DescribeDeliveries")
    def describe_deliveries(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"deliveries": []}

    @operation("DescribeDeliveryDestinations")
    def describe_delivery_destinations(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"deliveryDestinations": []}

    @operation("DescribeDeliverySources")
    def describe_delivery_sources(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"deliverySources": []}

    @operation("DescribeAccountPolicies")
    def describe_account_policies(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"accountPolicies": []}

    @operation("ListLogAnomalyDetectors")
    def list_log_anomaly_detectors(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"anomalyDetectors": []}

    @operation("ListAnomalies")
    def list_anomalies(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"anomalies": []}

    @operation("ListIntegrations")
    def list_integrations(self, call: Call, params: Params) -> Answer:
        """Give none."""
        del call, params
        return {"integrationSummaries": []}
