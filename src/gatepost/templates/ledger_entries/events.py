"""What happens to the properties of AWS::Events types."""

from __future__ import annotations

from typing import Final

from gatepost.templates.ledger import ENFORCED, TypeEntry, matching, one_of, refused

_INPUT_ONLY: Final = "targets are functions, which get Input or the event: remove it"
_TARGET: Final = (
    "AppSyncParameters",
    "BatchParameters",
    "DeadLetterConfig",
    "EcsParameters",
    "HttpParameters",
    "InputPath",
    "InputTransformer",
    "KinesisParameters",
    "RedshiftDataParameters",
    "RetryPolicy",
    "RoleArn",
    "RunCommandParameters",
    "SageMakerPipelineParameters",
    "SqsParameters",
)


def entries() -> tuple[TypeEntry, ...]:
    """Give the entries of this service."""
    properties = {
        "Description": ENFORCED,
        "EventBusName": one_of("default", otherwise="there is only the default bus: remove it"),
        "EventPattern": refused("no events are published here: use ScheduleExpression"),
        "Name": ENFORCED,
        "RoleArn": refused("functions say in their own policy who may invoke them: remove it"),
        "ScheduleExpression": ENFORCED,
        "State": one_of("ENABLED", "DISABLED", otherwise="use ENABLED or DISABLED"),
        "Tags": ENFORCED,
        "Targets": ENFORCED,
        "Targets/Arn": matching(r"arn:[^:]+:lambda:.+", otherwise="targets are Lambda functions"),
        **{f"Targets/{name}": refused(_INPUT_ONLY) for name in _TARGET},
    }
    return (TypeEntry("AWS::Events::Rule", ENFORCED, properties),)
