"""What happens to the properties of AWS::CloudWatch types."""

from __future__ import annotations

from typing import Final

from gatepost.templates.ledger import ENFORCED, Entry, TypeEntry, approximated, arn_of, one_of, refused

_ACTION: Final = arn_of("lambda")
_NO_ANOMALIES: Final = "there is no anomaly detection: compare with a Threshold"
_ALARM: Final = (
    "ActionsEnabled",
    "AlarmDescription",
    "AlarmName",
    "DatapointsToAlarm",
    "Dimensions",
    "EvaluationPeriods",
    "ExtendedStatistic",
    "MetricName",
    "Metrics",
    "Namespace",
    "Period",
    "Statistic",
    "Tags",
    "Threshold",
    "TreatMissingData",
    "Unit",
)
_COMPARISONS: Final = (
    "GreaterThanOrEqualToThreshold",
    "GreaterThanThreshold",
    "LessThanThreshold",
    "LessThanOrEqualToThreshold",
)


def entries() -> tuple[TypeEntry, ...]:
    """Give the entries of this service."""
    return (_alarm(), _composite(), _dashboard())


def _actions() -> dict[str, Entry]:
    return dict.fromkeys(("AlarmActions", "InsufficientDataActions", "OKActions"), _ACTION)


def _alarm() -> TypeEntry:
    properties = {
        **dict.fromkeys(_ALARM, ENFORCED),
        **_actions(),
        "ActionConfiguration": refused("actions have no settings: remove it"),
        "ComparisonOperator": one_of(*_COMPARISONS, otherwise=_NO_ANOMALIES),
        "EvaluateLowSampleCountPercentile": one_of("evaluate", otherwise="percentiles of few values count: remove it"),
        "EvaluationCriteria": refused("there are no PromQL alarms: remove it"),
        "EvaluationInterval": refused("there are no PromQL alarms: remove it"),
        "EvaluationWindow": refused("alarms look at sliding windows: remove it"),
        "ThresholdMetricId": refused(_NO_ANOMALIES),
        "WarmUpConfiguration": refused("alarms begin at once: remove it"),
    }
    sentence = "it looks at whole minutes every ten seconds, at periods of a minute and more"
    return TypeEntry("AWS::CloudWatch::Alarm", approximated(sentence), properties)


def _composite() -> TypeEntry:
    names = ("ActionsEnabled", "AlarmDescription", "AlarmName", "AlarmRule", "Tags")
    suppressor = refused("no alarm suppresses the actions of another: remove it")
    properties = {
        **dict.fromkeys(names, ENFORCED),
        **_actions(),
        "ActionConfiguration": refused("actions have no settings: remove it"),
        "ActionsSuppressor": suppressor,
        "ActionsSuppressorExtensionPeriod": suppressor,
        "ActionsSuppressorWaitPeriod": suppressor,
    }
    return TypeEntry("AWS::CloudWatch::CompositeAlarm", ENFORCED, properties)


def _dashboard() -> TypeEntry:
    properties = {
        "DashboardBody": approximated("it is kept and can be read; nothing draws it"),
        "DashboardName": ENFORCED,
        "Tags": refused("dashboards have no tags here: remove them"),
    }
    return TypeEntry("AWS::CloudWatch::Dashboard", ENFORCED, properties)
