"""Work that goes on without the loop: promises, and what is driven by them."""

from __future__ import annotations

import asyncio

import pytest

from gatepost.kernel.tasks import Driven, Promise, Rest, begin


class Given:
    """What a request's work gives."""


def driven(work, ended):
    """Begin `work`, which has to wait, and drive the rest of it."""
    rest = begin(lambda _: work, None, Given)
    assert isinstance(rest, Rest)
    rest.ended = ended.append
    return Driven(rest)


def test_an_answer_of_the_usual_type_is_given_as_it_is_and_a_coroutine_is_begun():
    given = Given()

    async def at_once():
        return given

    assert begin(lambda _: given, None, Given) is given
    assert begin(lambda _: given, None, int) is given
    assert begin(lambda _: at_once(), None, Given) is given


def test_driven_work_goes_on_in_the_moment_in_which_its_promise_is_settled():
    async def scenario():
        promise, ended = Promise(), []

        async def work():
            return await promise + 1

        driven(work(), ended)
        before = list(ended)
        promise.settle(41)
        promise.settle(99)  # only the first counts
        promise.fail(ValueError())
        return before, ended

    assert asyncio.run(scenario()) == ([], [42])


def test_what_a_promise_fails_with_is_raised_where_it_is_waited_for():
    async def scenario():
        promise, ended = Promise(), []

        async def work():
            try:
                await promise
            except ValueError as error:
                return str(error)

        driven(work(), ended)
        promise.fail(ValueError("no"))
        return ended

    assert asyncio.run(scenario()) == ["no"]


def test_work_that_is_cancelled_gives_its_promise_up_and_ends_soon_but_not_at_once():
    async def scenario():
        given_up, ended, seen = [], [], []
        promise = Promise(lambda: given_up.append(1))

        async def work():
            try:
                await promise
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        running = driven(work(), ended)
        running.cancel()
        at_once = list(seen)
        promise.settle(1)  # too late
        await asyncio.sleep(0)
        return given_up, at_once, seen, ended

    assert asyncio.run(scenario()) == ([1], [], ["cancelled"], [None])


def test_tasks_may_wait_for_a_promise_as_for_a_future():
    async def scenario():
        one, other, failing, gone = Promise(), Promise(), Promise(), Promise()

        async def both():
            return await one + await other

        task = asyncio.ensure_future(both())
        gathered = asyncio.gather(one, failing, gone, return_exceptions=True)
        without = asyncio.gather(one, gone)
        await asyncio.sleep(0)
        one.settle(1)
        other.settle(2)
        failing.fail(KeyError("k"))
        assert gone.cancel()
        assert not gone.cancel()
        answers = [type(each).__name__ for each in await gathered]
        with pytest.raises(KeyError):
            await failing
        with pytest.raises(asyncio.CancelledError):
            await without
        return await task, answers, await other, one.exception(), type(failing.exception()), gone.cancelled()

    assert asyncio.run(scenario()) == (3, ["int", "KeyError", "CancelledError"], 2, None, KeyError, True)


def test_a_task_that_is_cancelled_cancels_the_promise_that_it_waits_for():
    async def scenario():
        given_up = []
        promise = Promise(lambda: given_up.append(1))

        async def work():
            await promise

        task = asyncio.ensure_future(work())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return given_up, task.cancelled(), promise.done()

    assert asyncio.run(scenario()) == ([1], True, True)


def test_a_promise_has_no_answer_before_it_ends_and_forgets_callbacks_that_are_removed():
    async def scenario():
        promise, called = Promise(), []
        with pytest.raises(asyncio.InvalidStateError):
            promise.result()
        with pytest.raises(asyncio.InvalidStateError):
            promise.exception()
        promise.add_done_callback(called.append)
        promise.add_done_callback(called.clear)
        removed = promise.remove_done_callback(called.clear)
        promise.settle(1)
        promise.add_done_callback(called.append)
        promise.then(lambda: called.append("then"))
        await asyncio.sleep(0)
        return removed, called == [promise, promise, "then"]

    assert asyncio.run(scenario()) == (1, True)
