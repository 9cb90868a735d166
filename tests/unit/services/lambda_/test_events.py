"""Asynchronous invocations: recorded first, run, retried, taken up after a restart."""

from __future__ import annotations

import asyncio
import base64

import pytest

from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ports import InvocationResult
from gatepost.services.lambda_.events import AGE_MS_MAX, EVENT, Ending, FunctionEvent, FunctionEvents, Rules
from gatepost.services.lambda_.model import ResourceNotFoundException, TooManyRequestsException
from tests.support.functions import EchoInvoker, LambdaControl, with_lambda
from tests.support.stores import some_records

ARN = "arn:aws:lambda:us-east-1:000000000000:function:orders"
FAILED = InvocationResult(200, b"{}", "Unhandled")


def an_event(clock: FixedClock, **fields) -> FunctionEvent:
    return FunctionEvent("id-1", ARN, base64.b64encode(b'{"a":1}').decode(), clock.now_ms(), **fields)


def deliver(tmp_path, *results, pause_ms: int = 0):
    """Accept one event, let it come to its end; give the invoker, the pauses, what is recorded then."""
    clock, invoker, pauses = FixedClock(), EchoInvoker(), []
    invoker.results = list(results)

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        clock.advance(ms=pause_ms or int(seconds * 1000))

    async def scenario():
        async with some_records(tmp_path) as records:
            events = FunctionEvents(records, invoker, clock, pause=pause)
            await events.accept(an_event(clock))
            recorded = await records.scan(EVENT)
            while len(events):
                await asyncio.sleep(0)
            await events.close()
            return recorded, await records.scan(EVENT)

    before, after = asyncio.run(scenario())
    assert len(before) == 1
    return invoker, pauses, after


def test_an_event_is_recorded_then_run_then_forgotten(tmp_path) -> None:
    invoker, pauses, left = deliver(tmp_path)
    assert [(one.payload, one.request_id) for one in invoker.invocations] == [(b'{"a":1}', "id-1")]
    assert (pauses, left) == ([], [])


@pytest.mark.parametrize(
    ("failures", "runs", "pauses"), [(1, 2, [60]), (2, 3, [60, 120]), (3, 3, [60, 120]), (9, 3, [60, 120])]
)
def test_a_function_that_fails_is_tried_twice_more(tmp_path, failures: int, runs: int, pauses: list[int]) -> None:
    invoker, waited, left = deliver(tmp_path, *[FAILED] * failures)
    assert (len(invoker.invocations), waited, left) == (runs, pauses, [])


def test_an_event_without_a_place_waits_longer_and_longer(tmp_path) -> None:
    invoker, waited, left = deliver(tmp_path, *[TooManyRequestsException("busy")] * 4)
    assert (len(invoker.invocations), waited, left) == (5, [1, 2, 4, 8], [])


def test_an_event_is_given_up_after_six_hours(tmp_path) -> None:
    invoker, _, left = deliver(tmp_path, *[TooManyRequestsException("busy")] * 9, pause_ms=AGE_MS_MAX // 3 + 1)
    assert (len(invoker.invocations), left) == (3, [])


def test_an_event_of_a_deleted_function_is_dropped(tmp_path) -> None:
    invoker, waited, left = deliver(tmp_path, ResourceNotFoundException("gone"))
    assert (len(invoker.invocations), waited, left) == (1, [], [])


def test_recorded_events_are_taken_up_at_the_next_start(tmp_path) -> None:
    clock, invoker = FixedClock(), EchoInvoker()

    async def never(seconds: float) -> None:
        await asyncio.Event().wait()

    async def scenario():
        async with some_records(tmp_path) as records:
            invoker.results = [FAILED]
            first = FunctionEvents(records, invoker, clock, pause=never)
            await first.accept(an_event(clock))
            while not (await records.scan(EVENT))[0].value["failures"]:
                await asyncio.sleep(0)
            await first.close()
            second = FunctionEvents(records, invoker, clock)
            await second.start()
            while len(second):
                await asyncio.sleep(0)
            await second.close()
            return await records.scan(EVENT)

    assert asyncio.run(scenario()) == []
    assert len(invoker.invocations) == 2


def test_invoke_answers_202_for_an_event(tmp_path) -> None:
    async def scenario(aws: LambdaControl):
        await aws.a_function()
        answer = await aws("Invoke", FunctionName="orders", InvocationType="Event", Payload=b"[1]")
        while not aws.invoker.invocations:
            await asyncio.sleep(0)
        return answer, aws.invoker.invocations[0].payload

    assert with_lambda(tmp_path, scenario) == ({"StatusCode": 202}, b"[1]")


def test_a_service_error_of_the_link_waits_too(tmp_path) -> None:
    invoker, waited, _ = deliver(tmp_path, ServiceError("no gateway"))
    assert (len(invoker.invocations), waited) == (2, [1])


class Given:
    """Rules that are given, and what they heard."""

    def __init__(self, **rules) -> None:
        self._rules = Rules(**rules)
        self.heard: list[Ending] = []

    def rules(self, function_arn: str) -> Rules:
        return self._rules

    async def ended(self, event: FunctionEvent, ending: Ending) -> FunctionEvent | None:
        self.heard.append(ending)
        return None


def deliver_by(tmp_path, given: Given, *results) -> tuple[list[float], list[Ending]]:
    clock, invoker, pauses = FixedClock(), EchoInvoker(), []
    invoker.results = list(results)

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        clock.advance(ms=int(seconds * 1000))

    async def scenario() -> None:
        async with some_records(tmp_path) as records:
            events = FunctionEvents(records, invoker, clock, rules=given, pause=pause)
            await events.accept(an_event(clock))
            while len(events):
                await asyncio.sleep(0)
            await events.close()

    asyncio.run(scenario())
    return pauses, given.heard


@pytest.mark.parametrize(("retries", "pauses"), [(0, []), (1, [60]), (2, [60, 120])])
def test_a_function_says_how_often_it_is_tried(tmp_path, retries: int, pauses: list[int]) -> None:
    waited, heard = deliver_by(tmp_path, Given(retries_max=retries), *[FAILED] * 9)
    assert waited == pauses
    assert heard == [Ending("RetriesExhausted", retries + 1, FAILED)]


def test_an_event_ends_when_it_is_too_old_and_not_later(tmp_path) -> None:
    waited, heard = deliver_by(tmp_path, Given(age_ms_max=90_000), *[FAILED] * 9)
    assert waited == [60, 30]
    assert heard == [Ending("EventAgeExceeded", 2, FAILED)]
    (tmp_path / "2").mkdir()
    waited, heard = deliver_by(tmp_path / "2", Given(age_ms_max=60_000), *[TooManyRequestsException("busy")] * 99)
    assert sum(waited) == 60
    assert heard == [Ending("EventAgeExceeded", 0)]


def test_an_event_of_a_function_that_is_off_is_not_run(tmp_path) -> None:
    assert deliver_by(tmp_path, Given(is_off=True)) == ([], [Ending("ZeroReservedConcurrency", 0)])


def test_success_is_told(tmp_path) -> None:
    _, heard = deliver_by(tmp_path, Given(), FAILED)
    assert [(one.condition, one.invocations) for one in heard] == [("Success", 2)]
