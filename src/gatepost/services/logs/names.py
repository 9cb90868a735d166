"""Which log group a call names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatepost.kernel.operations import Call
from gatepost.services.logs.model import (
    GroupName,
    InvalidParameterException,
    ResourceNotFoundException,
    group_of,
)


def group_key(call: Call, params: Mapping[str, Any]) -> GroupName:
    """Give the group that `params` name by name or ARN.

    Raises: InvalidParameterException; ResourceNotFoundException for those of others.
    """
    text = params.get("logGroupName") or params.get("logGroupIdentifier") or params.get("resourceArn") or ""
    if params.get("logGroupName") and params.get("logGroupIdentifier"):
        raise InvalidParameterException("logGroupName and logGroupIdentifier are mutually exclusive")
    key = group_of(text, account_id=call.account_id, region=call.region)
    if key is None:
        raise InvalidParameterException(f"{text!r} is not a log group's name or ARN")
    if key.account_id != call.account_id or key.region != call.region:
        raise ResourceNotFoundException("The specified log group does not exist.")
    return key
