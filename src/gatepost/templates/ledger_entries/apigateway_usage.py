"""What happens to the properties of AWS::ApiGateway::ApiKey, UsagePlan and UsagePlanKey."""

from __future__ import annotations

from gatepost.templates.ledger import ENFORCED, Entry, TypeEntry, approximated


def entries() -> list[TypeEntry]:
    """Give the entries of keys and plans."""
    return [
        TypeEntry(
            "AWS::ApiGateway::ApiKey",
            ENFORCED,
            {
                "CustomerId": ENFORCED,
                "Description": ENFORCED,
                "Enabled": ENFORCED,
                "GenerateDistinctId": Entry(
                    "enforced", refused_values={"false": "the key's value would be its identifier: leave it out"}
                ),
                "Name": ENFORCED,
                "StageKeys": ENFORCED,
                "Tags": ENFORCED,
                "Value": ENFORCED,
            },
        ),
        TypeEntry(
            "AWS::ApiGateway::UsagePlan",
            ENFORCED,
            {
                "ApiStages": ENFORCED,
                "Description": ENFORCED,
                "Quota": ENFORCED,
                "Quota/Limit": ENFORCED,
                "Quota/Offset": ENFORCED,
                "Quota/Period": approximated("a week begins on Sunday, in UTC", exact=("DAY", "MONTH")),
                "Tags": ENFORCED,
                "Throttle": ENFORCED,
                "UsagePlanName": ENFORCED,
            },
        ),
        TypeEntry(
            "AWS::ApiGateway::UsagePlanKey",
            ENFORCED,
            {"KeyId": ENFORCED, "KeyType": ENFORCED, "UsagePlanId": ENFORCED},
        ),
    ]
