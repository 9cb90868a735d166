"""What happens to the properties of AWS::Logs types."""

from __future__ import annotations

from typing import Final

from gatepost.templates.ledger import ENFORCED, TypeEntry, inert, matching, one_of, refused

ENTRIES: Final = (
    TypeEntry(
        "AWS::Logs::LogGroup",
        ENFORCED,
        {
            "BearerTokenAuthenticationEnabled": refused("logs are read with signed requests only: remove it"),
            "DataProtectionPolicy": refused("nothing masks what is logged: remove it and log no secrets"),
            "DeletionProtectionEnabled": one_of("false", otherwise="protect the stack instead"),
            "FieldIndexPolicies": refused("queries need no index here: remove it"),
            "KmsKeyId": inert("logs lie in the data directory with the rights of its owner, not in KMS's care"),
            "LogGroupClass": one_of("STANDARD", otherwise="STANDARD is the only class"),
            "LogGroupName": ENFORCED,
            "ResourcePolicyDocument": refused("log groups have no resource policies here: grant it to the role"),
            "RetentionInDays": ENFORCED,
            "Tags": ENFORCED,
        },
    ),
    TypeEntry("AWS::Logs::LogStream", ENFORCED, {"LogGroupName": ENFORCED, "LogStreamName": ENFORCED}),
    TypeEntry(
        "AWS::Logs::MetricFilter",
        ENFORCED,
        {
            "ApplyOnTransformedLogs": one_of("false", otherwise="there are no transformers"),
            "EmitSystemFieldDimensions": refused("there are no centralized log groups: remove it"),
            "FieldSelectionCriteria": refused("there are no centralized log groups: remove it"),
            "FilterName": ENFORCED,
            "FilterPattern": ENFORCED,
            "LogGroupName": ENFORCED,
            "MetricTransformations": ENFORCED,
        },
    ),
    TypeEntry(
        "AWS::Logs::QueryDefinition",
        ENFORCED,
        {
            "LogGroupNames": ENFORCED,
            "Name": ENFORCED,
            "Parameters": refused("saved queries have no parameters here: remove them"),
            "QueryLanguage": one_of("CWLI", otherwise="CWLI is the only language"),
            "QueryString": ENFORCED,
        },
    ),
    TypeEntry("AWS::Logs::ResourcePolicy", ENFORCED, {"PolicyDocument": ENFORCED, "PolicyName": ENFORCED}),
    TypeEntry(
        "AWS::Logs::SubscriptionFilter",
        ENFORCED,
        {
            "ApplyOnTransformedLogs": one_of("false", otherwise="there are no transformers"),
            "DestinationArn": matching(r"arn:[^:]+:lambda:.+", otherwise="destinations are functions"),
            "Distribution": one_of("ByLogStream", otherwise="there are no Kinesis streams"),
            "EmitSystemFields": refused("there are no centralized log groups: remove it"),
            "FieldSelectionCriteria": refused("there are no centralized log groups: remove it"),
            "FilterName": ENFORCED,
            "FilterPattern": ENFORCED,
            "LogGroupName": ENFORCED,
            "RoleArn": refused("functions let CloudWatch Logs in by their own policies: remove it"),
        },
    ),
)


def entries() -> tuple[TypeEntry, ...]:
    """Give the entries of this service."""
    return ENTRIES
