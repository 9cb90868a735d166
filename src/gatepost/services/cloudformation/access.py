"""What a CloudFormation operation touches, for authorization.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gatepost.kernel.operations import Access, Call, pass_role, tag_context

_WITHOUT_RESOURCE: Final = frozenset(
    {"ListStacks", "ListExports", "ListImports", "ValidateTemplate", "GetTemplateSummary"}
)


def access_of(call: Call, params: Mapping[str, Any]) -> Sequence[Access]:
    """Say which stack a call touches, with AWS's condition keys."""
    action = f"cloudformation:{call.operation}"
    name = str(params.get("StackName", ""))
    change_set = str(params.get("ChangeSetName", ""))
    if call.operation in _WITHOUT_RESOURCE or not (name or change_set.startswith("arn:")):
        return [Access(action)]
    if name.startswith("arn:"):
        resource = name
    elif name:
        resource = call.arn(f"stack/{name}/*", service="cloudformation")
    else:
        resource = "*"
    context: dict[str, str | tuple[str, ...]] = {}
    for member, key in (
        ("ChangeSetName", "cloudformation:changesetname"),
        ("RoleARN", "cloudformation:rolearn"),
        ("TemplateURL", "cloudformation:templateurl"),
    ):
        if params.get(member):
            context[key] = str(params[member])
    context |= tag_context((tag["Key"], tag["Value"]) for tag in params.get("Tags") or ())
    found = [Access(action, resource, context)]
    if params.get("RoleARN"):
        found.append(pass_role(str(params["RoleARN"]), "cloudformation.amazonaws.com"))
    return found
