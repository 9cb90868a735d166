"""Reading a stream for a function: in order, at least once, retried, bisected, given up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ports import Invocation, InvocationResult, StreamChange, StreamPage
from gatepost.services.lambda_.stream_lane import Lane, LaneParts, record_of
from gatepost.services.lambda_.stream_mapping import StreamMapping

STREAM = "arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/1"
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:orders"
MAPPING = StreamMapping("uuid", "arn:mapping", FUNCTION, STREAM, 0, 0)


class ListedStream:
    """A stream that is a list."""

    def __init__(self, clock: FixedClock) -> None:
        self.clock = clock
        self.changes: list[StreamChange] = []
        self.is_there = True

    def add(self, *keys: str, kind: str = "INSERT") -> None:
        for key in keys:
            number = len(self.changes) + 1
            record = {"eventName": kind, "dynamodb": {"Keys": {"id": {"S": key}}, "SequenceNumber": f"n{number}"}}
            self.changes.append(StreamChange(number, f"n{number}", self.clock.now_ms(), key, record))

    def start(self, stream_arn: str, *, since_ms: int | None) -> int | None:
        return 1 if since_ms is not None else len(self.changes) + 1

    def read(self, stream_arn: str, position: int, *, now_ms: int, count_max: int, bytes_max: int) -> StreamPage | None:
        if not self.is_there:
            return None
        found = [change for change in self.changes if change.sequence >= position][:count_max]
        return StreamPage(found, found[-1].sequence + 1 if found else len(self.changes) + 1, "shard-1")


class World:
    """A lane with everything around it. `answers` are what the function does, in turn; then it succeeds."""

    def __init__(self, *, position: int = 1, fits: Callable[[Any], bool] = lambda record: True, **mapping: Any) -> None:
        self.clock = FixedClock()
        self.stream = ListedStream(self.clock)
        self.mapping = replace(MAPPING, **mapping)
        self.answers: list[Any] = []
        self.batches: list[list[str]] = []
        self.pauses: list[float] = []
        self.kept: list[int] = []
        self.told: list[str] = []
        self.discarded: list[tuple[str, list[str], int]] = []
        self.problem = ""
        self.arriving: list[str] = []
        parts = LaneParts(self.stream, self, self.clock, self._pause, lambda: "id")
        self.lane = Lane(self.mapping, 0, position, parts=parts, keeper=self, fits=fits)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.advance(ms=int(seconds * 1000))
        if self.arriving:
            self.stream.add(self.arriving.pop(0))

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        records = json.loads(invocation.payload)["Records"]
        assert all(record["eventSourceARN"] == STREAM for record in records)
        keys = [record["dynamodb"]["Keys"]["id"]["S"] for record in records]
        self.batches.append(keys)
        answer = self.answers.pop(0) if self.answers else None
        if callable(answer):
            answer = answer(keys)
        if isinstance(answer, ServiceError):
            raise answer
        if answer == "fail":
            return InvocationResult(200, b"{}", "Unhandled")
        return InvocationResult(200, json.dumps(answer).encode())

    def may_read(self) -> str:
        return self.problem

    async def keep(self, lane: int, position: int) -> None:
        self.kept.append(position)

    def tell(self, result: str) -> None:
        self.told.append(result)

    async def discard(self, batch, condition: str, tries: int, result: Any, shard: str) -> None:
        self.discarded.append((condition, [change.key for change in batch], tries))

    def run(self, *keys: str, steps: int = 1) -> None:
        self.stream.add(*keys)

        async def scenario() -> None:
            for _ in range(steps):
                await self.lane.step()

        asyncio.run(scenario())


def failures(*numbers: int) -> dict[str, Any]:
    return {"batchItemFailures": [{"itemIdentifier": f"n{number}"} for number in numbers]}


def test_batches_are_in_order_and_as_large_as_the_mapping_says() -> None:
    world = World(batch_size=2)
    world.run("a", "b", "c", "d", "e", steps=4)
    assert world.batches == [["a", "b"], ["c", "d"], ["e"]]
    assert world.kept == [3, 5, 6]
    assert world.told == ["OK"] * 3


def test_a_batch_waits_for_its_window() -> None:
    world = World(window_s=1)
    world.arriving = ["b", "c"]
    world.run("a")
    assert world.batches == [["a", "b", "c"]]
    assert sum(world.pauses) == 1.0
    full = World(window_s=300, batch_size=1)
    full.run("a")
    assert (full.batches, full.pauses) == ([["a"]], [])


def test_what_does_not_fit_is_passed_over() -> None:
    world = World(fits=lambda record: record["eventName"] == "REMOVE")
    world.run("a", "b")
    assert (world.batches, world.kept) == ([], [3])
    world.stream.add("c", kind="REMOVE")
    world.run()
    assert (world.batches, world.kept) == ([["c"]], [3, 4])


def test_lanes_divide_the_keys_and_keep_each_in_order() -> None:
    seen: dict[int, list[str]] = {}
    keys = [f"{number % 7}-{number}" for number in range(50)]
    for number in range(3):
        world = World(lanes=3)
        world.lane._number = number
        for key in keys:
            world.stream.add(key.partition("-")[0])
        world.run()
        seen[number] = world.batches[0] if world.batches else []
    assert sorted(key for batch in seen.values() for key in batch) == sorted(key.partition("-")[0] for key in keys)
    assert all(not set(seen[a]) & set(seen[b]) for a, b in ((0, 1), (0, 2), (1, 2)))


def test_a_batch_that_fails_comes_again_until_it_succeeds() -> None:
    world = World()
    world.answers = ["fail", "fail"]
    world.run("a", "b")
    assert world.batches == [["a", "b"]] * 3
    assert world.pauses == [0.5, 1.0]
    assert (world.kept, world.discarded) == ([3], [])


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_batch_is_given_up_after_its_retries(retries: int) -> None:
    world = World(retries_max=retries)
    world.answers = ["fail"] * 9
    world.run("a", "b")
    assert len(world.batches) == retries + 1
    assert world.discarded == [("RetryAttemptsExhausted", ["a", "b"], retries + 1)]
    assert world.kept == [3]


def test_bisecting_finds_the_record_that_fails() -> None:
    world = World(does_bisect=True, retries_max=1)
    world.answers = [lambda keys: "fail" if "poison" in keys else None] * 99
    world.run("a", "b", "poison", "d")
    assert world.batches == [
        ["a", "b", "poison", "d"],
        ["a", "b"],
        ["poison", "d"],
        ["poison"],
        ["poison"],
        ["d"],
    ]
    assert world.discarded == [("RetryAttemptsExhausted", ["poison"], 2)]
    assert world.kept == [3, 4, 5]


def test_a_partial_answer_has_the_rest_come_again() -> None:
    world = World(reports_failures=True)
    world.answers = [failures(3, 2), failures(3), {"batchItemFailures": []}]
    world.run("a", "b", "c")
    assert world.batches == [["a", "b", "c"], ["b", "c"], ["c"]]
    assert world.kept == [2, 3, 4]


@pytest.mark.parametrize(
    ("answer", "is_success"),
    [
        (None, True), ({}, True), ({"batchItemFailures": None}, True), ({"batchItemFailures": []}, True),
        (failures(99), False), ({"batchItemFailures": [{"itemIdentifier": ""}]}, False),
        ({"batchItemFailures": [{}]}, False), ({"batchItemFailures": ["n1"]}, False), ("text", False),
    ],
)  # fmt: skip
def test_a_strange_partial_answer_makes_the_whole_batch_fail(answer: Any, is_success: bool) -> None:
    world = World(reports_failures=True)
    world.answers = [answer]
    world.run("a", "b")
    assert len(world.batches) == (1 if is_success else 2)


def test_without_the_setting_an_answer_says_nothing() -> None:
    world = World()
    world.answers = [failures(1)]
    world.run("a")
    assert len(world.batches) == 1


def test_records_that_are_too_old_are_given_up() -> None:
    world = World(age_s_max=60)
    world.answers = ["fail"] * 99
    world.run("a")
    assert world.discarded == [("RecordAgeExceeded", ["a"], len(world.batches))]
    assert 60 <= sum(world.pauses) <= 120


def test_being_throttled_is_no_try() -> None:
    world = World(retries_max=0)
    world.answers = [ServiceError("busy")] * 3
    world.run("a")
    assert (len(world.batches), world.pauses, world.discarded) == (4, [1.0, 2.0, 4.0], [])
    assert world.told == ["PROBLEM: busy"] * 3 + ["OK"]


def test_without_permission_or_stream_nothing_is_read() -> None:
    world = World()
    world.problem = "not allowed"
    world.run("a")
    world.problem, world.stream.is_there = "", False
    world.run()
    assert world.batches == []
    assert world.told == ["PROBLEM: not allowed", "PROBLEM: The stream does not exist any more"]


def test_a_large_batch_is_cut_to_what_lambda_takes() -> None:
    world = World(batch_size=1000)
    world.run(*("x" * 1_000_000 for _ in range(7)), steps=2)
    assert [len(batch) for batch in world.batches] == [5, 2]


def test_what_is_given_up_is_told_by_its_place() -> None:
    world = World()
    world.stream.add("a", "b")
    result = InvocationResult(200, b"{}", "Unhandled")
    record = record_of(
        MAPPING, world.stream.changes, condition="RetryAttemptsExhausted", tries=2, result=result, shard="s",
        request_id="r", now_ms=0,
    )  # fmt: skip
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["responseContext"]["functionError"] == "Unhandled"
    batch = record["DDBStreamBatchInfo"]
    assert (batch["startSequenceNumber"], batch["endSequenceNumber"], batch["batchSize"]) == ("n1", "n2", 2)
