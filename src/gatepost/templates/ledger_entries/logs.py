"""What happens to the properties of AWS::Logs types."""

from __future__ import annotations

from typing import Final

from gatepost.templates.ledger import ENFORCED, TypeEntry, inert, one_of, refused

ENTRIES: Final = (
    TypeEntry(
        "AWS::Logs::LogGroup",
        ENFORCED,
        {
            "BearerTokenAuthenticationEnabled": refused("logs are read with signed requests only: remove it"),
            "DataProtectionPolicy": refused("nothing masks what is logged: remove it and log no secrets"),
            "DeletionProtectionEnabled": one_of("false", otherwise="protect the stack instead"),
            "FieldIndexPolicies": refused("there is no Logs Insights to index for: remove it"),
            "KmsKeyId": inert("logs lie in the data directory with the rights of its owner, not in KMS's care"),
            "LogGroupClass": one_of("STANDARD", otherwise="STANDARD is the only class"),
            "LogGroupName": ENFORCED,
            "ResourcePolicyDocument": refused("log groups have no resource policies here: grant it to the role"),
            "RetentionInDays": ENFORCED,
            "Tags": ENFORCED,
        },
    ),
    TypeEntry("AWS::Logs::LogStream", ENFORCED, {"LogGroupName": ENFORCED, "LogStreamName": ENFORCED}),
)


def entries() -> tuple[TypeEntry, ...]:
    """Give the entries of this service."""
    return ENTRIES
