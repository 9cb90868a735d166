"""Background work: every task has an owner that logs its failure and ends it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Generic, TypeVar, cast

log = logging.getLogger(__name__)


class Tasks:
    """Tasks that live as long as their owner: failures are logged, `close()` cancels what still runs."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._running: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Start `work` and keep it referenced until it ends; its failure is logged under `name`."""
        task = asyncio.get_running_loop().create_task(work, name=f"{self._owner}.{name}")
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task failed", extra={"task": task.get_name()}, exc_info=error)

    def __len__(self) -> int:
        return len(self._running)

    async def close(self) -> None:
        """Cancel what still runs and wait until it has ended."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


Argument = TypeVar("Argument")
Answer = TypeVar("Answer")


class Rest(Coroutine[Any, Any, None], Generic[Answer]):
    """What is left of a coroutine after a first step outside any task: put it into one with `Tasks.spawn`.

    `first` is what that step waits for; the task gets it before anything else. `ended` is called with the
    answer, or with None after a failure (logged) or a cancellation, in the very step in which the work ends.
    """

    def __init__(self, work: Coroutine[Any, Any, Answer], first: Any) -> None:
        self.work = work
        self.first = first
        self._has_first = True
        self.ended: Callable[[Answer | None], None] | None = None

    def send(self, value: Any) -> Any:
        """Go on to the next wait."""
        if self._has_first:
            self._has_first = False
            first, self.first = self.first, None
            return first
        return self._step(self.work.send, value)

    def throw(self, *error: Any) -> Any:
        """Raise `error` where the work waits."""
        self._has_first = False
        self.first = None
        return self._step(self.work.throw, *error)

    def _step(self, step: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return step(*arguments)
        except StopIteration as end:
            answer = end.value
        except asyncio.CancelledError:
            self._end(None)
            raise
        except Exception:
            log.exception("request failed")
            answer = None
        self._end(answer)
        raise StopIteration

    def _end(self, answer: Answer | None) -> None:
        ended, self.ended = self.ended, None  # the owner and this object must not keep each other alive
        if ended is not None:
            ended(answer)

    def close(self) -> None:
        """Close the work."""
        self.work.close()

    def __await__(self) -> Any:
        raise TypeError("the rest of a coroutine runs in a task: spawn it")


def begin(
    work: Callable[[Argument], Answer | Coroutine[Any, Any, Answer]], argument: Argument, usual: type[object]
) -> Answer | Rest[Answer] | None:
    """Do `work`, and when it is a coroutine its first step, without making a task of it.

    `usual` is the type of an answer that is there at once: it is known without asking whether it is a coroutine.

    Returns: the answer; the rest of the work when it has to wait; None when it failed, which is logged.
    """
    try:
        answer = work(argument)
        if type(answer) is usual:
            return cast("Answer", answer)
        send = getattr(answer, "send", None)  # not by type: a compiled coroutine has its own
        if send is None:
            return cast("Answer", answer)
        try:
            first = send(None)
        except StopIteration as end:
            return cast("Answer", end.value)
    except (Exception, asyncio.CancelledError):
        log.exception("request failed")
        return None
    return Rest(cast("Coroutine[Any, Any, Answer]", answer), first)


def go_on(rest: Rest[Any]) -> asyncio.Task[None]:
    """Make a task of the rest of a request's work. The caller keeps the task; `rest` logs its own failure."""
    return asyncio.get_running_loop().create_task(rest)


class Promise(Generic[Answer]):
    """An answer that comes later, as a future's does, but without the event loop in between.

    Work in `Driven` goes on inside `settle` and `fail`: neither a future nor a turn of the loop is paid for, which is
    about 1 us (uvloop, CPython 3.11). So whoever settles a promise does so last, and holds nothing half done. Tasks
    and everything else that knows futures may wait for it too, and are woken by the loop. `given_up` is called when
    the one who waits does not want the answer any more.
    """

    __slots__ = ("_answer", "_asyncio_future_blocking", "_callbacks", "_error", "_given_up", "_is_done", "_then")

    def __init__(self, given_up: Callable[[], None] | None = None) -> None:
        self._asyncio_future_blocking = False  # by this, asyncio knows what can be waited for
        self._is_done = False
        self._answer: Answer | None = None
        self._error: BaseException | None = None
        self._given_up = given_up
        self._then: Callable[[], None] | None = None
        self._callbacks: list[tuple[Callable[[Any], object], Context | None]] | None = None

    def settle(self, answer: Answer) -> None:
        """Give the answer, unless it has been given or given up."""
        if self._is_done:
            return
        self._is_done = True
        self._answer = answer
        self._given_up = None
        if self._callbacks is not None:
            self._wake()
        step, self._then = self._then, None
        if step is not None:
            step()

    def fail(self, error: Exception) -> None:
        """Raise `error` where the answer is waited for, unless it has been given or given up."""
        if self._is_done:
            return
        self._is_done = True
        self._error = error
        self._given_up = None
        if self._callbacks is not None:
            self._wake()
        step, self._then = self._then, None
        if step is not None:
            step()

    def then(self, step: Callable[[], None]) -> None:
        """Call `step` in the moment in which it ends, or soon, if it was cancelled or has ended."""
        if self._is_done:
            asyncio.get_running_loop().call_soon(step)
        else:
            self._then = step

    def _wake(self) -> None:
        callbacks, self._callbacks = self._callbacks, None
        for callback, context in callbacks or ():
            asyncio.get_running_loop().call_soon(callback, self, context=context)

    # -- what asyncio asks of futures

    def __await__(self) -> Generator[Any, None, Answer]:
        if not self._is_done:
            self._asyncio_future_blocking = True
            yield self
        return self.result()

    def cancel(self, msg: object = None) -> bool:
        """Give the answer up; False when it has ended."""
        del msg
        if self._is_done:
            return False
        self._is_done = True
        self._error = asyncio.CancelledError()
        step, self._then = self._then, None
        if step is not None:  # not at once: whoever cancels is in the middle of something
            asyncio.get_running_loop().call_soon(step)
        self._wake()
        given_up, self._given_up = self._given_up, None
        if given_up is not None:
            given_up()
        return True

    @property
    def _cancel_message(self) -> None:  # `gather` looks at it
        return None

    def _make_cancelled_error(self) -> asyncio.CancelledError:  # and calls this
        return asyncio.CancelledError()

    def done(self) -> bool:
        """Say whether it has ended."""
        return self._is_done

    def cancelled(self) -> bool:
        """Say whether it was given up."""
        return isinstance(self._error, asyncio.CancelledError)

    def result(self) -> Answer:
        """Give the answer. Raises: what `fail` was given; CancelledError; InvalidStateError while there is none."""
        if self._error is not None:
            raise self._error
        if not self._is_done:
            raise asyncio.InvalidStateError("the answer is not there")
        return cast("Answer", self._answer)

    def exception(self) -> BaseException | None:
        """Give what `fail` was given, or None. Raises: CancelledError; InvalidStateError."""
        if self._error is None or isinstance(self._error, asyncio.CancelledError):
            self.result()
        return self._error

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Give the loop that is running: a promise belongs to none."""
        return asyncio.get_running_loop()

    def add_done_callback(self, callback: Callable[[Any], object], *, context: Context | None = None) -> None:
        """Have the loop call `callback` once it has ended."""
        if self._is_done:
            asyncio.get_running_loop().call_soon(callback, self, context=context)
        elif self._callbacks is None:
            self._callbacks = [(callback, context)]
        else:
            self._callbacks.append((callback, context))

    def remove_done_callback(self, callback: Callable[[Any], object]) -> int:
        """Forget `callback`; give how often it was there."""
        before = self._callbacks or []
        self._callbacks = [each for each in before if each[0] != callback]
        return len(before) - len(self._callbacks)


class Driven(Generic[Answer]):
    """Goes on with the rest of a request's work without a task: what it waits for calls the next step.

    It costs about 2 us less than a task (uvloop, CPython 3.11). What needs a current task does not work in
    it: `asyncio.timeout`, `wait_for`, task groups. Promises, futures, locks, queues, `gather` and `shield` do.
    """

    __slots__ = ("_ended", "_is_cancelled", "_waits_for", "_work")

    def __init__(self, rest: Rest[Answer]) -> None:
        self._work = rest.work
        self._ended = rest.ended
        self._is_cancelled = False
        self._waits_for: asyncio.Future[Any] | Promise[Any] | None = None
        self._wait(rest.first)

    def cancel(self) -> None:
        """Raise CancelledError where the work waits, as a task's `cancel` does."""
        if self._waits_for is None or not self._waits_for.cancel():
            self._is_cancelled = True

    def _wait(self, waits_for: Any) -> None:
        if type(waits_for) is Promise:
            self._waits_for = waits_for
            waits_for.then(self._step)
            if self._is_cancelled and waits_for.cancel():
                self._is_cancelled = False
        elif waits_for is None:  # sleep(0)
            asyncio.get_running_loop().call_soon(self._step)
        elif getattr(waits_for, "_asyncio_future_blocking", False):
            waits_for._asyncio_future_blocking = False  # noqa: SLF001 (what asyncio's own Task does)
            self._waits_for = waits_for
            waits_for.add_done_callback(self._step)
            if self._is_cancelled and waits_for.cancel():
                self._is_cancelled = False
        else:
            error = RuntimeError(f"a request's work waits for {waits_for!r}, which is no future")
            asyncio.get_running_loop().call_soon(self._step, None, error)

    def _step(self, _done: asyncio.Future[Any] | None = None, error: BaseException | None = None) -> None:
        self._waits_for = None
        if self._is_cancelled:
            self._is_cancelled = False
            error = asyncio.CancelledError()
        try:
            # An error of the future that was waited for is raised by its own iterator.
            waits_for = self._work.send(None) if error is None else self._work.throw(error)
        except StopIteration as end:
            answer = end.value
        except asyncio.CancelledError:
            answer = None
        except Exception:
            log.exception("request failed")
            answer = None
        else:
            self._wait(waits_for)
            return
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(answer)
