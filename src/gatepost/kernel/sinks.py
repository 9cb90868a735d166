"""What takes what one service has to say for another: values of metrics, and lines of log groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class MetricSink(Protocol):
    """Takes values of metrics from other services."""

    async def record(self, account_id: str, region: str, namespace: str, data: Sequence[Mapping[str, Any]]) -> None:
        """Add values, given as PutMetricData's `MetricData`. Raises: ServiceError, StoreUnavailable."""
        ...


class LogDelivery(Protocol):
    """Writes lines to log groups for services that act for their owner's resources."""

    async def deliver(self, group_arn: str, log_stream: str, message: str, *, service: str, source_arn: str) -> None:
        """Write one line to a group that exists, when a resource policy lets `service` in for `source_arn`.

        The stream is made as needed. Raises: ServiceError (AccessDenied, ResourceNotFound, ServiceUnavailable).
        """
        ...
