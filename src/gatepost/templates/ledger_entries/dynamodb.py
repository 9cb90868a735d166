"""What happens to the properties of AWS::DynamoDB types."""

from __future__ import annotations

from typing import Final

from gatepost.templates.ledger import ENFORCED, TypeEntry, inert, one_of, refused

_CAPACITY = inert("a local table is as fast as the machine: no capacity is reserved and none is throttled")


ENTRIES: Final = (
    TypeEntry(
        "AWS::DynamoDB::Table",
        ENFORCED,
        {
            "AttributeDefinitions": ENFORCED,
            "BillingMode": inert("nothing is billed; PROVISIONED capacity is remembered and not throttled by"),
            "ContributorInsightsSpecification": refused("there is no Contributor Insights: remove it"),
            "DeletionProtectionEnabled": ENFORCED,
            "GlobalSecondaryIndexes": ENFORCED,
            "GlobalSecondaryIndexes/ContributorInsightsSpecification": refused(
                "there is no Contributor Insights: remove it"
            ),
            "GlobalSecondaryIndexes/OnDemandThroughput": _CAPACITY,
            "GlobalSecondaryIndexes/ProvisionedThroughput": _CAPACITY,
            "GlobalSecondaryIndexes/WarmThroughput": _CAPACITY,
            "ImportSourceSpecification": refused("there is no S3 to import from: seed the table by BatchWriteItem"),
            "KeySchema": ENFORCED,
            "KinesisStreamSpecification": refused("there is no Kinesis: remove it"),
            "LocalSecondaryIndexes": refused("local secondary indexes are not here yet: use a global one"),
            "OnDemandThroughput": _CAPACITY,
            "PointInTimeRecoverySpecification": refused("there are no point-in-time backups: use `gatepost backup`"),
            "ProvisionedThroughput": _CAPACITY,
            "ResourcePolicy": refused("tables have no resource policies here yet: grant it to the role"),
            "SSESpecification": inert("items lie in the data directory with the rights of its owner"),
            "StreamSpecification": refused("streams are not here yet: write to the second table in a transaction"),
            "TableClass": one_of("STANDARD", "STANDARD_INFREQUENT_ACCESS", otherwise="use STANDARD"),
            "TableName": ENFORCED,
            "Tags": ENFORCED,
            "TimeToLiveSpecification": refused("items do not expire yet: delete them"),
            "VectorIndexes": refused("vector indexes are not here: remove them"),
            "WarmThroughput": _CAPACITY,
        },
    ),
)


def entries() -> tuple[TypeEntry, ...]:
    """Give the entries of this service."""
    return ENTRIES
