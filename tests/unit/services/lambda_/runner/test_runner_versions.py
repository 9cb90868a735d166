"""Versions and aliases in the gateway: which code an ARN runs."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from gatepost.services.lambda_.model import Alias, ResourceNotFoundException
from tests.support.functions import LiveRunner, a_function

VERSION = """
def handler(event, context):
    return [{number}, context.function_version, context.invoked_function_arn, context.log_stream_name]
"""


def published(runner: LiveRunner):
    """A function with two versions, and $LATEST beyond them."""
    latest = runner.deploy(VERSION.format(number=3))
    for number in (1, 2):
        made = runner.deploy(VERSION.format(number=number), name=f"{latest.name}-source-{number}")
        runner.publish(replace(made, name=latest.name, arn=f"{latest.arn}:{number}", version=str(number)))
    return latest


def test_each_version_runs_its_own_code_in_workers_of_its_own(runner: LiveRunner) -> None:
    latest = published(runner)
    seen = {}
    for qualifier in ("", ":$LATEST", ":1", ":2"):
        result = runner.invoke(a_function(arn=latest.arn + qualifier))
        number, version, arn, stream = json.loads(result.payload)
        assert arn == latest.arn + qualifier
        assert re.search(r"\[(.+)\]", stream)[1] == version == result.executed_version
        seen[qualifier] = (number, version)
    assert seen == {"": (3, "$LATEST"), ":$LATEST": (3, "$LATEST"), ":1": (1, "1"), ":2": (2, "2")}
    assert any("Version: 2" in line for line in runner.log(latest))


def test_an_alias_runs_the_version_that_it_names_now(runner: LiveRunner) -> None:
    latest = published(runner)
    arn = f"{latest.arn}:live"
    alias = Alias("live", arn, "1", "r")

    def name(changed: Alias | None) -> None:
        runner.call(lambda: runner.runner.alias_changed(arn, changed.to_json() if changed else None))

    seen = []
    for version in ("1", "2", "$LATEST"):
        name(replace(alias, function_version=version))
        number, executed, invoked, _ = runner.value(a_function(arn=arn))
        assert invoked == arn
        seen.append((number, executed))
    assert seen == [(1, "1"), (2, "2"), (3, "$LATEST")]
    name(None)
    with pytest.raises(ResourceNotFoundException):
        runner.invoke(a_function(arn=arn))


def test_an_alias_divides_invocations_by_weight(runner: LiveRunner) -> None:
    latest = published(runner)
    arn = f"{latest.arn}:split"
    alias = Alias("split", arn, "1", "r", weights={"2": 0.3})
    chances = [0.1, 0.5, 0.29, 0.3, 0.99]
    runner.runner._chance = lambda: chances.pop(0)
    runner.call(lambda: runner.runner.alias_changed(arn, alias.to_json()))
    executed = [runner.invoke(a_function(arn=arn)).executed_version for _ in range(5)]
    assert executed == ["2", "1", "2", "1", "1"]
