"""What a caller must acknowledge before a template may make it.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html (Capabilities)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gatepost.templates.document import ActiveResource

# Types that need an acknowledgement, each with the property that gives it a name of its own.
IAM_TYPES: Final = {
    "AWS::IAM::AccessKey": "",
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::GroupPolicy": "",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::OIDCProvider": "",
    "AWS::IAM::Policy": "",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::RolePolicy": "",
    "AWS::IAM::User": "UserName",
    "AWS::IAM::UserPolicy": "",
    "AWS::IAM::UserToGroupAddition": "",
}


def needed_capabilities(resources: Mapping[str, ActiveResource]) -> tuple[tuple[str, ...], str]:
    """Give the capabilities that `resources` need, with AWS's sentence of why."""
    types = sorted({resource.declaration.type for resource in resources.values()} & set(IAM_TYPES))
    return capabilities_of(
        types,
        is_named=any(
            IAM_TYPES.get(resource.declaration.type) in resource.properties
            for resource in resources.values()
            if IAM_TYPES.get(resource.declaration.type)
        ),
    )


def capabilities_of(types: list[str], *, is_named: bool) -> tuple[tuple[str, ...], str]:
    """Give the capabilities for these IAM types."""
    if not types:
        return (), ""
    reason = f"The following resource(s) require capabilities: [{', '.join(types)}]"
    return ("CAPABILITY_NAMED_IAM" if is_named else "CAPABILITY_IAM",), reason
