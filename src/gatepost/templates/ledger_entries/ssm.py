"""What happens to the properties of AWS::SSM types."""

from __future__ import annotations

from typing import Final

from gatepost.templates.ledger import ENFORCED, TypeEntry, one_of

ENTRIES: Final = (
    TypeEntry(
        "AWS::SSM::Parameter",
        ENFORCED,
        {
            "AllowedPattern": ENFORCED,
            "DataType": one_of("text", "aws:ec2:image", otherwise="there is no Automation to integrate with"),
            "Description": ENFORCED,
            "Name": ENFORCED,
            "Policies": ENFORCED,
            "Tags": ENFORCED,
            "Tier": ENFORCED,
            "Type": one_of("String", "StringList", otherwise="CloudFormation makes no SecureString: use a secret"),
            "Value": ENFORCED,
        },
    ),
)


def entries() -> tuple[TypeEntry, ...]:
    """Give the entries of this service."""
    return ENTRIES
