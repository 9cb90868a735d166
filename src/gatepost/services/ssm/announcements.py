"""What Parameter Store tells EventBridge: changes of parameters, and what their policies did.

https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-cwe.html
"""

from __future__ import annotations

from typing import Any

from gatepost.kernel.ports import EventSink
from gatepost.services.ssm.model import Parameter
from gatepost.services.ssm.policies import ParameterPolicy


class Announcements:
    """Tells a sink, where there is one."""

    def __init__(self, sink: EventSink | None) -> None:
        self._sink = sink

    async def changed(self, parameter: Parameter, operation: str) -> None:
        """Tell that a parameter was changed: Create, Update, Delete or LabelParameterVersion."""
        detail = {"operation": operation, "name": parameter.name, "type": parameter.type}
        if parameter.current.description:
            detail["description"] = parameter.current.description
        await self._tell(parameter, "Parameter Store Change", detail)

    async def acted(self, parameter: Parameter, policy: ParameterPolicy) -> None:
        """Tell that a policy was due: the parameter expired, or it is only told of it."""
        detail = {
            "parameter-name": parameter.name,
            "parameter-type": parameter.type,
            "policy-type": policy.type,
            "policy-content": policy.text,
            "action-status": "Success",
            "action-reason": f"The {policy.type} policy was due.",
        }
        await self._tell(parameter, "Parameter Store Policy Action", detail)

    async def _tell(self, parameter: Parameter, detail_type: str, detail: dict[str, Any]) -> None:
        if self._sink is not None:
            await self._sink.announce(
                parameter.account_id,
                parameter.region,
                source="aws.ssm",
                detail_type=detail_type,
                resources=[parameter.arn],
                detail=detail,
            )
