from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine

import pytest

from gatepost.gateway.exchange import NO_FACTS
from gatepost.gateway.plan import CLIENT_GONE, ObserverFailures, Plan
from gatepost.gateway.responses import THROTTLED, GatewayResponses, Refusal
from gatepost.wire.messages import Response
from tests.support.gateways import a_route, a_stage, an_exchange


class Part:
    """Any part: notes that it was called, then does what the test says."""

    needs = writes = NO_FACTS

    def __init__(self, name, calls, does=None):
        self.name = name
        self.calls = calls
        self.does = does

    def _run(self):
        self.calls.append(self.name)
        if isinstance(self.does, Exception):
            raise self.does
        return self.does() if callable(self.does) else self.does

    def check(self, exchange):
        return self._run()

    answer = check

    def finish(self, exchange, response):
        self._run()
        response.headers.append((b"X-Finished", b"yes"))

    def observe(self, exchange, response):
        self.calls.append((self.name, response.status))
        if isinstance(self.does, Exception):
            raise self.does


async def wait_a_moment():
    await asyncio.sleep(0)


async def answer_later():
    await asyncio.sleep(0)
    return Response(200, [], b"late")


def a_plan(calls, *, guards=(), answers=None, finish=None, observe=None, failures=None):
    return Plan(
        a_route(),
        guards=[Part(f"guard {at}", calls, does) for at, does in enumerate(guards)],
        backend=Part("backend", calls, answers if answers is not None else Response(200, [], b"ok")),
        finishers=[Part("finisher", calls, finish)],
        observers=[Part("observer", calls, observe), Part("second observer", calls)],
        responses=GatewayResponses((), a_stage()),
        failures=failures or ObserverFailures(),
    )


def run(plan, exchange=None):
    async def scenario():
        answered = plan.run(exchange or an_exchange())
        return answered if isinstance(answered, Response) else await answered

    return asyncio.run(scenario())


def test_parts_run_in_their_order():
    calls = []
    response = run(a_plan(calls, guards=[None, None]))
    assert calls == ["guard 0", "guard 1", "backend", "finisher", ("observer", 200), ("second observer", 200)]
    assert response.body == b"ok"


def test_what_never_waits_is_answered_without_a_coroutine():
    assert isinstance(a_plan([], guards=[None]).run(an_exchange()), Response)


def test_a_guard_or_backend_that_waits_makes_a_coroutine_of_the_rest():
    calls = []
    plan = a_plan(calls, guards=[None, wait_a_moment, None, wait_a_moment], answers=answer_later)
    answered = plan.run(an_exchange())
    assert isinstance(answered, Coroutine)
    assert asyncio.run(answered).body == b"late"
    assert calls[:5] == ["guard 0", "guard 1", "guard 2", "guard 3", "backend"]


@pytest.mark.parametrize("waits_first", [False, True])
def test_a_refusal_ends_the_line_and_is_finished_and_observed(waits_first):
    calls = []
    guards = [wait_a_moment if waits_first else None, Refusal(THROTTLED, detail="bucket empty"), None]
    response = run(a_plan(calls, guards=guards))
    assert (response.status, response.body) == (429, b'{"message":"Too Many Requests"}')
    assert (b"X-Finished", b"yes") in response.headers
    assert calls == ["guard 0", "guard 1", "finisher", ("observer", 429), ("second observer", 429)]


@pytest.mark.parametrize("waits_first", [False, True])
def test_a_guard_that_breaks_fails_closed(waits_first, caplog):
    calls = []
    response = run(a_plan(calls, guards=[wait_a_moment if waits_first else None, RuntimeError("secret host name")]))
    assert (response.status, response.body) == (500, b'{"message": "Internal server error"}')
    assert (b"x-amzn-ErrorType", b"InternalServerErrorException") in response.headers
    assert "backend" not in calls
    assert "a part of a plan failed" in caplog.text


def test_a_backend_that_breaks_is_an_internal_server_error():
    assert run(a_plan([], answers=RuntimeError("no"))).status == 500


def test_a_finisher_that_breaks_is_an_internal_server_error_and_observed():
    calls = []
    assert run(a_plan(calls, finish=RuntimeError("no"))).status == 500
    assert ("observer", 500) in calls


def test_an_observer_that_breaks_is_counted_and_the_client_never_notices(caplog):
    calls, failures = [], ObserverFailures()
    response = run(a_plan(calls, observe=RuntimeError("no"), failures=failures))
    assert response.status == 200
    assert failures.count == 1
    assert calls[-1] == ("second observer", 200)
    assert "an observer failed" in caplog.text


def test_a_client_that_leaves_is_observed():
    calls = []

    async def scenario():
        async def forever():
            await asyncio.get_running_loop().create_future()

        task = asyncio.ensure_future(a_plan(calls, answers=forever).run(an_exchange()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert calls[-1] == ("second observer", CLIENT_GONE)


@pytest.mark.parametrize(
    ("guards", "answers", "expected"),
    [
        ([None], Refusal(THROTTLED), "backend"),
        ([wait_a_moment], Refusal(THROTTLED), "backend"),
        ([wait_a_moment, Refusal(THROTTLED)], None, "guard 1"),
    ],
)
def test_the_decisions_name_the_part_that_refused(guards, answers, expected):
    exchange = an_exchange()
    run(a_plan([], guards=guards, answers=answers), exchange)
    assert exchange.decisions[0][0].name == expected


def test_a_refusal_leaves_its_reason_in_the_decisions_and_one_line_in_the_log(caplog):
    caplog.set_level(logging.INFO)
    exchange = an_exchange()
    run(a_plan([], guards=[None, Refusal(THROTTLED, detail="bucket empty")]), exchange)
    ((part, refusal),) = exchange.decisions
    assert (part.name, refusal.detail) == ("guard 1", "bucket empty")
    assert [record.message for record in caplog.records] == ["refused"]
