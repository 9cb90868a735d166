"""What a call to Parameter Store touches: parameters' ARNs and tags, and the service's own condition keys.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gatepost.kernel.operations import Access, Call, tag_context
from gatepost.services.ssm.model import Parameter, arn_of

Find = Callable[[str], Parameter | None]


def access_of(find: Find, call: Call, params: Mapping[str, Any]) -> Sequence[Access]:
    """Say what a call touches: each parameter that it names, or the path."""
    action = f"ssm:{call.operation}"
    context = _context(params)
    if call.operation == "DescribeParameters":
        return (Access(action, "*", context),)
    if "SettingId" in params:
        asked = params["SettingId"]
        return (Access(action, asked if asked.startswith("arn:") else call.arn(f"servicesetting{asked}"), context),)
    if "Names" in params:
        return tuple(_one(find, call, action, name, context) for name in dict.fromkeys(params["Names"]))
    if "Path" in params:
        return (Access(action, arn_of(call.account_id, call.region, params["Path"].rstrip("/")), context),)
    return (_one(find, call, action, params.get("Name") or params["ResourceId"], context),)


def _one(find: Find, call: Call, action: str, name: str, context: Mapping[str, Any]) -> Access:
    is_arn = name.startswith("arn:")
    plain = ":".join(name.split(":")[:6]) if is_arn else name.partition(":")[0]
    parameter = find(plain)
    if parameter is None:
        return Access(action, plain if is_arn else arn_of(call.account_id, call.region, plain), dict(context))
    tags = {f"aws:resourcetag/{key.lower()}": value for key, value in parameter.tags.items()}
    own = {f"ssm:resourcetag/{key.lower()}": value for key, value in parameter.tags.items()}
    return Access(action, parameter.arn, {**context, **tags, **own})


def _context(params: Mapping[str, Any]) -> dict[str, str | tuple[str, ...]]:
    context: dict[str, str | tuple[str, ...]] = {}
    for member, key in (("Overwrite", "ssm:overwrite"), ("Recursive", "ssm:recursive")):
        if member in params:
            context[key] = "true" if params[member] else "false"
    tags = [(tag["Key"], tag["Value"]) for tag in params.get("Tags", ())]
    return context | tag_context(tags, params.get("TagKeys", ()))
