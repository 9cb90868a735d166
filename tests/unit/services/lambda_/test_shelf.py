"""A shelf: what is in memory is what is in the store, several changes at a time or none."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from gatepost.services.lambda_.model import ResourceConflictException
from gatepost.services.lambda_.shelf import Shelf, commit
from tests.support.rest_apis import KeptChanges
from tests.support.stores import some_records

ARN = "arn:aws:lambda:us-east-1:000000000000:thing:a"


@dataclass(frozen=True)
class Thing:
    arn: str
    size: int = 1

    def to_json(self) -> dict[str, Any]:
        return {"arn": self.arn, "size": self.size}


def a_shelf(topic: str = "things") -> Shelf[Thing]:
    return Shelf("thing", lambda value: Thing(**value), topic=topic)


def test_what_was_committed_is_found_after_a_restart_and_published(tmp_path) -> None:
    async def scenario():
        async with some_records(tmp_path) as records:
            shelf, told = a_shelf(), KeptChanges()
            await commit(records, told, [shelf.adding(Thing(ARN)), shelf.adding(Thing(f"{ARN}:1"))])
            again = a_shelf()
            await again.load(records)
            return shelf.all(), again.all(), told.held, [change.key for change in again.published()]

    now, then, held, published = asyncio.run(scenario())
    assert sorted(then, key=lambda thing: thing.arn) == now == [Thing(ARN), Thing(f"{ARN}:1")]
    assert sorted(held) == sorted(published) == [ARN, f"{ARN}:1"]


def test_of_a_commit_with_a_stale_change_nothing_happens(tmp_path) -> None:
    async def scenario():
        async with some_records(tmp_path) as records:
            shelf, told = a_shelf(), KeptChanges()
            old = Thing(ARN)
            await commit(records, told, [shelf.adding(old)])
            await commit(records, told, [shelf.replacing(old, Thing(ARN, 2))])
            steps = [shelf.adding(Thing(f"{ARN}:1")), shelf.replacing(old, Thing(ARN, 3))]
            with pytest.raises(ResourceConflictException, match="An update is in progress"):
                await commit(records, told, steps)
            return shelf.all(), told.held

    held, published = asyncio.run(scenario())
    assert held == [Thing(ARN, 2)]
    assert published == {ARN: {"arn": ARN, "size": 2}}


def test_what_is_deleted_is_gone_for_the_gateway_too(tmp_path) -> None:
    async def scenario():
        async with some_records(tmp_path) as records:
            shelf, told = a_shelf(), KeptChanges()
            await commit(records, told, [shelf.adding(Thing(ARN))])
            await commit(records, told, [shelf.deleting(shelf.all()[0])])
            return shelf.find(ARN), told.held

    assert asyncio.run(scenario()) == (None, {})


def test_a_shelf_without_a_topic_publishes_nothing(tmp_path) -> None:
    async def scenario():
        async with some_records(tmp_path) as records:
            shelf, told = a_shelf(topic=""), KeptChanges()
            await commit(records, told, [shelf.adding(Thing(ARN))])
            return shelf.published(), told.told

    assert asyncio.run(scenario()) == ([], [])


def test_what_belongs_to_a_function_is_not_what_belongs_to_its_namesake(tmp_path) -> None:
    async def scenario():
        async with some_records(tmp_path) as records:
            shelf = a_shelf()
            steps = [shelf.adding(Thing(arn)) for arn in (ARN, f"{ARN}:1", f"{ARN}b", f"{ARN}b:1")]
            await commit(records, KeptChanges(), steps)
            return [thing.arn for thing in shelf.of_function(ARN)]

    assert asyncio.run(scenario()) == [ARN, f"{ARN}:1"]
