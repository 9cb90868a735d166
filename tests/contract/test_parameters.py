"""Enforce or refuse: every parameter of every operation that we have is named in its service's code."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from gatepost.awsapi.shapes import ServiceModels
from tests.contract.test_service_errors import providers

# Parameters that have no effect on AWS either, or that our answer does not depend on.
WITHOUT_EFFECT = {
    ("cloudformation", "CreateChangeSet", "ClientToken"),  # a second change set of a name is refused anyway
    ("cloudformation", "DescribeChangeSet", "IncludePropertyValues"),  # approximated, see docs/templates.md
    ("cognito-identity", "ListIdentities", "HideDisabled"),  # no identity is ever disabled
    ("dynamodb", "ListContributorInsights", "MaxResults"),  # of nothing there is one page, whatever its length
    ("dynamodb", "ListExports", "MaxResults"),
    ("dynamodb", "ListGlobalTables", "ExclusiveStartGlobalTableName"),
    ("dynamodb", "ListGlobalTables", "RegionName"),
    ("dynamodb", "ListImports", "PageSize"),
    ("events", "DeleteRule", "Force"),  # for rules that AWS's services manage: here are none
    ("events", "RemoveTargets", "Force"),
    ("lambda", "CreateEventSourceMapping", "StartingPositionTimestamp"),  # with AT_TIMESTAMP, which is refused
    ("logs", "FilterLogEvents", "interleaved"),  # AWS: "the value is ignored"
    ("logs", "PutLogEvents", "sequenceToken"),  # AWS: "the sequence token is now ignored"
}


def operations_of(kind: Any) -> set[str]:
    marks = [getattr(getattr(kind, name), "__gatepost_operation__", None) for name in dir(kind)]
    return {mark.name for mark in marks if mark is not None}


def absent_operations_of(kind: Any) -> set[str]:
    """Give the lists of what there is none of (`absent.py`): whatever is asked for, the answer is empty."""
    methods = [getattr(kind, name) for name in dir(kind)]
    return {
        method.__gatepost_operation__.name
        for method in methods
        if hasattr(method, "__gatepost_operation__") and method.__module__.endswith(".absent")
    }


def sources_of(kind: Any) -> str:
    """Give all code that may read the parameters: the service's, and the template engine's for CloudFormation."""
    folder = Path(inspect.getfile(kind)).parent
    text = "\n".join(path.read_text() for path in sorted(folder.rglob("*.py")))
    if kind.service == "cloudformation":
        engine = Path(importlib.import_module("gatepost.templates").__path__[0])
        text += "\n".join(path.read_text() for path in sorted(engine.glob("*.py")))
    return text


@pytest.mark.parametrize("kind", providers())
def test_no_parameter_is_taken_and_forgotten(kind: Any) -> None:
    model = ServiceModels().get(kind.service)
    assert model is not None
    named = set(re.findall(r"[\"'](\w+)[\"']", sources_of(kind)))
    forgotten = set()
    for name in operations_of(kind) - absent_operations_of(kind):
        taken = model.operation(name).input
        forgotten |= {
            (kind.service, name, member) for member in (taken.members if taken else {}) if member not in named
        }
    expected = {entry for entry in WITHOUT_EFFECT if entry[0] == kind.service}
    assert forgotten - expected == set(), "do what it asks for, or refuse it"
    assert expected - forgotten == set(), "take it off WITHOUT_EFFECT"
