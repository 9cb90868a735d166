"""What happens to the properties of AWS::CloudFormation types, of custom resources and of CDK's marker."""

from __future__ import annotations

from typing import Final

from gatepost.templates.ledger import ENFORCED, TypeEntry, approximated, inert, refused

_SIGNALS = "nothing here sends signals: use a custom resource, which can wait"


ENTRIES: Final = (
    TypeEntry("AWS::CDK::Metadata", inert("it tells AWS which constructs were used")),
    TypeEntry(
        "AWS::CloudFormation::CustomResource",
        approximated(
            "its function is invoked synchronously; one that fails without an answer fails the resource at once, "
            "and is not asked to delete it"
        ),
    ),
    TypeEntry(
        "AWS::CloudFormation::Stack",
        ENFORCED,
        {
            "NotificationARNs": refused("there are no topics to notify: remove it"),
            "Parameters": ENFORCED,
            "Tags": ENFORCED,
            "TemplateURL": ENFORCED,
            "TimeoutInMinutes": ENFORCED,
        },
    ),
    TypeEntry("AWS::CloudFormation::Macro", refused("AWS::CloudFormation::Macro: macros cannot run here")),
    TypeEntry("AWS::CloudFormation::WaitCondition", refused(f"AWS::CloudFormation::WaitCondition: {_SIGNALS}")),
    TypeEntry(
        "AWS::CloudFormation::WaitConditionHandle",
        refused(f"AWS::CloudFormation::WaitConditionHandle: {_SIGNALS}"),
    ),
)


def entries() -> tuple[TypeEntry, ...]:
    """Give the entries of this service."""
    return ENTRIES
