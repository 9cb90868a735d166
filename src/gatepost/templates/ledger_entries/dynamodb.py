"""What happens to the properties of AWS::DynamoDB types.

What DynamoDB's operations do not do yet stands in `services/dynamodb/schema.py`; it is read here, so that the ledger
and the operations say the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gatepost.services.dynamodb.schema import REFUSED_CREATE
from gatepost.templates.ledger import ENFORCED, Entry, TypeEntry, approximated, inert, refused

ELSEWHERE: Final = "tables-elsewhere"  # --tables URL: a cluster of the operator's does what it does
UNTHROTTLED: Final = "tables-unthrottled"  # --no-table-throttling
_CLUSTERS: Final = {ELSEWHERE: ENFORCED}
_PROVISIONED: Final = replace(
    approximated(
        "throttled by one bucket per table and index with AWS's burst of 300 s; partitions have no limits of their own"
    ),
    under={**_CLUSTERS, UNTHROTTLED: inert("nothing is throttled: --no-table-throttling")},
)
_ON_DEMAND: Final = replace(
    approximated("one bucket per table and index with a burst of 300 s"),
    under={**_CLUSTERS, UNTHROTTLED: inert("nothing is throttled: --no-table-throttling")},
)
_KEYS: Final = approximated("the key is recorded and described; there is no KMS to encrypt the table's files")
_INSIGHTS: Final = refused("there is no Contributor Insights: remove it")


def supported(parameter: str) -> Entry:
    """Give the entry of a property by what CreateTable does with its parameter."""
    noun = REFUSED_CREATE.get(parameter)
    if not noun:
        return ENFORCED
    return replace(refused(f"Gatepost does not have {noun} yet: remove it"), under=_CLUSTERS)


def entries() -> tuple[TypeEntry, ...]:
    """Give the entries of this service."""
    properties = {
        "AttributeDefinitions": ENFORCED,
        "BillingMode": ENFORCED,
        "ContributorInsightsSpecification": _INSIGHTS,
        "DeletionProtectionEnabled": ENFORCED,
        "GlobalSecondaryIndexes": ENFORCED,
        "GlobalSecondaryIndexes/ContributorInsightsSpecification": _INSIGHTS,
        "GlobalSecondaryIndexes/OnDemandThroughput": _ON_DEMAND,
        "GlobalSecondaryIndexes/ProvisionedThroughput": _PROVISIONED,
        "GlobalSecondaryIndexes/WarmThroughput": supported("WarmThroughput"),
        "ImportSourceSpecification": refused("there is no S3 to import from: seed the table by BatchWriteItem"),
        "KeySchema": ENFORCED,
        "KinesisStreamSpecification": refused("there is no Kinesis: remove it"),
        "LocalSecondaryIndexes": ENFORCED,
        "OnDemandThroughput": _ON_DEMAND,
        "PointInTimeRecoverySpecification": ENFORCED,
        "ProvisionedThroughput": _PROVISIONED,
        "ResourcePolicy": replace(
            ENFORCED, under={ELSEWHERE: refused("policies of a cluster's tables are made at the cluster: remove it")}
        ),
        "SSESpecification": ENFORCED,
        "SSESpecification/KMSMasterKeyId": replace(
            _KEYS, under={ELSEWHERE: refused("ask the cluster for this yourself: remove it")}
        ),
        "SSESpecification/SSEEnabled": replace(_KEYS, under=_CLUSTERS),
        "SSESpecification/SSEType": replace(_KEYS, under=_CLUSTERS),
        "StreamSpecification": ENFORCED,
        "StreamSpecification/ResourcePolicy": refused("streams have no resource policies: remove it"),
        "StreamSpecification/Tags": refused("streams have no tags: remove them"),
        "TableClass": inert("it decides prices only"),
        "TableName": ENFORCED,
        "Tags": ENFORCED,
        "TimeToLiveSpecification": ENFORCED,
        "VectorIndexes": supported("VectorIndexes"),
        "WarmThroughput": supported("WarmThroughput"),
    }
    return (TypeEntry("AWS::DynamoDB::Table", ENFORCED, properties),)
