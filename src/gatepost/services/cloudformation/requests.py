"""From an operation's parameters to what a stack is to be: the template's text, parameters, tags, capabilities."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.limits import CLOUDFORMATION_TEMPLATE_BYTES_MAX
from gatepost.kernel.operations import Call
from gatepost.kernel.ports import Assets
from gatepost.services.cloudformation.engine import Prepared
from gatepost.services.cloudformation.model import (
    InsufficientCapabilitiesException,
    Stack,
    StackRequest,
    ValidationError,
)
from gatepost.services.cloudformation.stack_policy import given_policy

TAGS_MAX: Final = 50
_ASSET_URL: Final = re.compile(
    r"(?:s3://|https?://)(?:[^/]*/)?(?:gatepost-assets(?:\.s3[^/]*)?/)?([0-9a-f]{64})(?:/.*)?"
)
# What we would have to ignore: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
_REFUSED: Final[Mapping[str, str]] = {
    "ResourceTypes": "it needs templates to be checked against a list of types: leave it out",
    "ResourcesToImport": "resources cannot be imported: create them with the stack",
    "ImportExistingResources": "resources cannot be imported: create them with the stack",
    "DeploymentMode": "drift is not detected: leave it out",
    "DeploymentConfig": "it is not here: leave it out",
    "DisableValidation": "templates are always validated: leave it out",
    "DeletionMode": "a deletion is never forced: retain what cannot be deleted with RetainResources",
}


def refuse_unsupported(params: Mapping[str, Any]) -> None:
    """Refuse what would have to be ignored. Raises: ValidationError."""
    for name, instead in _REFUSED.items():
        value = params.get(name)
        if value in (None, "", [], {}, False) or (name, value) in (
            ("DeletionMode", "STANDARD"),
            ("DeploymentMode", "STANDARD"),
        ):
            continue
        raise ValidationError(f"Gatepost does not support {name}: {instead}")
    if (params.get("RollbackConfiguration") or {}).get("RollbackTriggers"):
        raise ValidationError("Gatepost does not support RollbackTriggers: alarms cannot stop a deployment")
    if params.get("NotificationARNs"):
        raise ValidationError("Gatepost does not support NotificationARNs: follow DescribeStackEvents")


async def template_sha256(params: Mapping[str, Any], assets: Assets, previous: Stack | None) -> str:
    """Give the template among the assets, put there when it came as text. Raises: ValidationError."""
    body, url = params.get("TemplateBody"), params.get("TemplateURL")
    if params.get("UsePreviousTemplate"):
        if body or url or previous is None or previous.request is None:
            raise ValidationError("UsePreviousTemplate needs an existing stack and no other template")
        return str(previous.request["template_sha256"])
    if bool(body) == bool(url):
        raise ValidationError("Either Template URL or Template Body must be specified.")
    if body:
        return await assets.put(checked_body(str(body)).encode())
    found = _ASSET_URL.fullmatch(str(url))
    if found is None or assets.path(found.group(1)) is None:
        raise ValidationError(f"TemplateURL {url} is no uploaded template: `gatepost deploy` uploads local files")
    return found.group(1)


def checked_body(body: str) -> str:
    """Check a template's size. AWS takes 51,200 bytes inline; a local platform has no bucket to go round that.

    Raises: ValidationError.
    """
    if len(body.encode("utf-8", "surrogatepass")) > CLOUDFORMATION_TEMPLATE_BYTES_MAX:
        raise ValidationError(f"Template may not exceed {CLOUDFORMATION_TEMPLATE_BYTES_MAX} bytes in size.")
    return body


async def template_text(params: Mapping[str, Any], assets: Assets) -> str:
    """Give a template's text without keeping it. Raises: ValidationError."""
    if params.get("TemplateBody"):
        return checked_body(str(params["TemplateBody"]))
    sha256 = await template_sha256(params, assets, None)
    path = assets.path(sha256)
    if path is None:
        raise ValidationError("The template is gone")
    return path.read_text(encoding="utf-8")


def parameters_of(params: Mapping[str, Any], previous: Stack | None, declared: frozenset[str]) -> dict[str, str]:
    """Give the parameters' texts; those with UsePreviousValue as they were. Raises: ValidationError."""
    standing: Mapping[str, str] = (previous.request or {}).get("parameters", {}) if previous else {}
    texts: dict[str, str] = {}
    for parameter in params.get("Parameters", []):
        key = str(parameter.get("ParameterKey", ""))
        if key in texts:
            raise ValidationError(f"Parameter {key} is given twice")
        if parameter.get("UsePreviousValue"):
            if "ParameterValue" in parameter:
                raise ValidationError(
                    f"Invalid input for parameter key {key}. Cannot specify usePreviousValue as true and non empty "
                    "value for a parameter"
                )
            if key in standing:
                texts[key] = standing[key]
            elif key not in declared or previous is None:
                raise ValidationError(f"Parameter {key} has no previous value")
        else:
            texts[key] = str(parameter.get("ParameterValue", ""))
    return texts


def tags_of(params: Mapping[str, Any], previous: Stack | None) -> dict[str, str]:
    """Give the stack's tags; without any in the request they stay. Raises: ValidationError."""
    if "Tags" not in params:
        return dict((previous.request or {}).get("tags", {})) if previous else {}
    tags = {str(tag["Key"]): str(tag["Value"]) for tag in params["Tags"]}
    if len(tags) > TAGS_MAX:
        raise ValidationError(f"A stack has at most {TAGS_MAX} tags")
    for key in tags:
        if key.lower().startswith("aws:"):
            raise ValidationError(f"aws: prefixed tag key names are not allowed for external use: {key}")
    return tags


async def request_of(
    call: Call, params: Mapping[str, Any], assets: Assets, previous: Stack | None, declared: frozenset[str]
) -> StackRequest:
    """Make the request of an operation's parameters. Raises: ValidationError."""
    del call
    refuse_unsupported(params)
    standing = StackRequest.from_json(previous.request) if previous and previous.request else None
    return StackRequest(
        template_sha256=await template_sha256(params, assets, previous),
        parameters=parameters_of(params, previous, declared),
        tags=tags_of(params, previous),
        capabilities=tuple(params.get("Capabilities", ())),
        role_arn=str(params.get("RoleARN") or (standing.role_arn if standing else "")),
        on_failure=str(params.get("OnFailure", "")),
        is_rollback_disabled=bool(params.get("DisableRollback", False)),
        retain_except_on_create=bool(params.get("RetainExceptOnCreate", False)),
        timeout_minutes=int(params.get("TimeoutInMinutes", 0)),
        token=str(params.get("ClientRequestToken", "")),
        parent_id=standing.parent_id if standing else "",
        root_id=standing.root_id if standing else "",
        depth=standing.depth if standing else 0,
        update_policy=given_policy(params, "StackPolicyDuringUpdateBody", "StackPolicyDuringUpdateURL")
        or (previous.policy if previous else ""),
    )


def check_capabilities(prepared: Prepared, given: tuple[str, ...], *, is_reviewed: bool) -> None:
    """Refuse a template that does what was not acknowledged.

    A change set is a review: its transforms need no acknowledgement.
    Raises: InsufficientCapabilitiesException.
    """
    missing = []
    for capability in prepared.capabilities:
        covering = {capability, "CAPABILITY_NAMED_IAM"} if capability == "CAPABILITY_IAM" else {capability}
        if not covering & set(given):
            missing.append(capability)
    if prepared.transforms and not is_reviewed and "CAPABILITY_AUTO_EXPAND" not in given:
        missing.append("CAPABILITY_AUTO_EXPAND")
    if missing:
        raise InsufficientCapabilitiesException(f"Requires capabilities : [{', '.join(missing)}]")
