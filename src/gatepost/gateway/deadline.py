"""Waiting for work no longer than an integration's timeout, while the work itself goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar, cast

from gatepost.kernel.errors import ServiceError
from gatepost.kernel.tasks import Tasks

T = TypeVar("T")


class DeadlinePassed(Exception):
    """The work did not end in time; it still runs."""


async def within(
    work: Awaitable[T], *, timeout_ms: int, tasks: Tasks, name: str, failures: type[Exception] = ServiceError
) -> T:
    """Give the result of `work`, waiting at most `timeout_ms`. `failures` are what the work may raise.

    A future is waited for as it is; a coroutine becomes a task of `tasks`, because it has to outlive us. Works
    where there is no current task (the server drives a handler's first step itself).

    Raises: DeadlinePassed; what the work raised.
    """
    loop = asyncio.get_running_loop()
    running: asyncio.Future[T | Exception]
    running = work if isinstance(work, asyncio.Future) else tasks.spawn(_caught(work, failures), name=name)
    if not running.done():
        woken: asyncio.Future[None] = loop.create_future()

        def wake(_done: object = None) -> None:
            if not woken.done():
                woken.set_result(None)

        running.add_done_callback(wake)
        timer = loop.call_later(timeout_ms / 1000, wake)
        try:
            await woken
        finally:
            timer.cancel()
            running.remove_done_callback(wake)
        if not running.done():
            running.add_done_callback(_forget)
            raise DeadlinePassed(f"{name} did not end within {timeout_ms} ms")
    result = running.result()
    if isinstance(result, failures):
        raise result
    return cast("T", result)


async def _caught(work: Awaitable[T], failures: type[Exception]) -> T | Exception:
    """Turn a failure into a value: nobody may be left to hear of it, and it is no failed task."""
    try:
        return await work
    except failures as failure:
        return failure


def _forget(done: asyncio.Future[T]) -> None:
    if not done.cancelled():
        done.exception()  # marks it as seen: the client was told 504 long ago
