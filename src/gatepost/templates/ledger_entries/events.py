"""What happens to the properties of AWS::Events types."""

from __future__ import annotations

from typing import Final

from gatepost.templates.ledger import ENFORCED, TypeEntry, approximated, arn_of, one_of, refused

_TARGET: Final = (
    "AppSyncParameters",
    "BatchParameters",
    "DeadLetterConfig",
    "EcsParameters",
    "HttpParameters",
    "KinesisParameters",
    "RedshiftDataParameters",
    "RunCommandParameters",
    "SageMakerPipelineParameters",
    "SqsParameters",
)


def entries() -> tuple[TypeEntry, ...]:
    """Give the entries of this service."""
    return (_bus(), _policy(), _rule())


def _rule() -> TypeEntry:
    properties = {
        "Description": ENFORCED,
        "EventBusName": ENFORCED,
        "EventPattern": ENFORCED,
        "Name": ENFORCED,
        "RoleArn": approximated("targets let EventBridge in by their own policies: the role is kept and not assumed"),
        "ScheduleExpression": ENFORCED,
        "State": one_of("ENABLED", "DISABLED", otherwise="use ENABLED or DISABLED"),
        "Tags": ENFORCED,
        "Targets": ENFORCED,
        "Targets/Arn": arn_of("lambda", "logs", "events"),
        "Targets/RetryPolicy": approximated("what is busy is tried again in memory: a restart forgets it"),
        "Targets/RoleArn": approximated("targets let EventBridge in by their own policies: the role is not assumed"),
        **{f"Targets/{name}": refused(f"{name} of targets is not here: remove it") for name in _TARGET},
    }
    return TypeEntry("AWS::Events::Rule", ENFORCED, properties)


def _bus() -> TypeEntry:
    properties = {
        "DeadLetterConfig": refused("events are delivered or given up: remove it"),
        "Description": ENFORCED,
        "EventSourceName": refused("there are no partner event sources: remove it"),
        "KmsKeyIdentifier": refused("events are not encrypted with a key of yours: remove it"),
        "LogConfig": refused("buses do not write logs: remove it"),
        "Name": ENFORCED,
        "Policy": ENFORCED,
        "Tags": ENFORCED,
    }
    return TypeEntry("AWS::Events::EventBus", ENFORCED, properties)


def _policy() -> TypeEntry:
    names = ("Action", "Condition", "EventBusName", "Principal", "Statement", "StatementId")
    return TypeEntry("AWS::Events::EventBusPolicy", ENFORCED, dict.fromkeys(names, ENFORCED))
