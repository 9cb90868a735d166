"""A plan: the guards, the one backend, the finishers and the observers of a route, and the runner of them all.

Four roles, four signatures (a part that never waits is a plain `def`):

- a guard's `check(exchange)` writes its declared facts or raises `Refusal`; whatever else it raises, the client
  gets 500 and the backend is never reached: guards fail closed;
- the backend's `answer(exchange)` gives the response; it may raise `Refusal`; anything else is 500;
- a finisher's `finish(exchange, response)` changes headers, on refusals too;
- an observer's `observe(exchange, response)` looks; its failure is logged and counted and never reaches the
  client: observers fail open.

The runner awaits only what is awaitable. As long as nothing waits, `run` is an ordinary call that returns the
response: no coroutine, no task. The first awaitable turns the rest of the run into a coroutine, which takes up
where the plain run stopped. Tried and rejected: one coroutine for all (0.6 µs more for every request), and
compiling each plan to Python source (no measurable gain over the loops, which are mostly empty).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any, Final, Protocol

from gatepost.gateway.exchange import Exchange, Facts
from gatepost.gateway.responses import INTERNAL_ERROR, GatewayResponses, Refusal, default_response
from gatepost.gateway.route import Route
from gatepost.wire.messages import Response

log = logging.getLogger(__name__)

CLIENT_GONE: Final = 499
"""The status under which observers see a request whose client left before the answer; no client ever gets it."""


class Guard(Protocol):
    """Has one reason to refuse. `needs` and `writes` are checked when the plan is made."""

    @property
    def needs(self) -> Facts:
        """Give the facts that earlier guards must have written."""
        ...

    @property
    def writes(self) -> Facts:
        """Give the facts that this guard writes when it lets a request pass."""
        ...

    def check(self, exchange: Exchange) -> Awaitable[None] | None:
        """Return when the request may go on. Raises: Refusal."""
        ...


class Backend(Protocol):
    """Answers a request."""

    @property
    def needs(self) -> Facts:
        """Give the facts that guards must have written."""
        ...

    def answer(self, exchange: Exchange) -> Response | Awaitable[Response]:
        """Give the response. Raises: Refusal."""
        ...


class Finisher(Protocol):
    """Changes headers of every response, refusals included. Pure."""

    def finish(self, exchange: Exchange, response: Response) -> None:
        """Change `response`'s headers."""
        ...


class Observer(Protocol):
    """Looks at every finished request; hands to a bounded queue; never waits."""

    def observe(self, exchange: Exchange, response: Response) -> None:
        """Take note."""
        ...


class ObserverFailures:
    """How often observers failed. Counted, because nobody but us would notice."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Plan:
    """What happens to the requests of one route."""

    __slots__ = (
        "_answer",
        "_checks",
        "_failures",
        "_finishes",
        "_observes",
        "_responses",
        "backend",
        "finishers",
        "guards",
        "keeps_calls",
        "observers",
        "route",
    )

    def __init__(
        self,
        route: Route,
        *,
        guards: Sequence[Guard],
        backend: Backend,
        finishers: Sequence[Finisher],
        observers: Sequence[Observer],
        responses: GatewayResponses,
        failures: ObserverFailures,
        keeps_calls: bool = False,
    ) -> None:
        """Take the parts. `keeps_calls`: an observer asks what integrations were sent and answered."""
        self.route = route
        self.keeps_calls = keeps_calls
        self.guards = tuple(guards)
        self.backend = backend
        self.finishers = tuple(finishers)
        self.observers = tuple(observers)
        self._responses = responses
        self._failures = failures
        self._checks: tuple[Callable[[Exchange], Awaitable[None] | None], ...] = tuple(g.check for g in guards)
        self._answer = backend.answer
        self._finishes = tuple(finisher.finish for finisher in finishers)
        self._observes = tuple(observer.observe for observer in observers)

    def run(self, exchange: Exchange) -> Response | Coroutine[Any, Any, Response]:
        """Answer a request: at once, or by a coroutine when a part has to wait. Never raises."""
        at: Callable[..., object] = self._answer
        try:
            if self._checks:
                checks = iter(self._checks)
                for check in checks:
                    at = check
                    waiting = check(exchange)
                    if waiting is not None:
                        return self._run_on(exchange, checks, waiting, at)
                at = self._answer
            answer = self._answer(exchange)
            if not isinstance(answer, Response):
                return self._run_on(exchange, iter(()), answer, at)
        except Exception as error:  # noqa: BLE001  # whatever breaks, the client gets an answer
            answer = self._refuse(exchange, error, at)
        return self._close(exchange, answer)

    async def _run_on(
        self,
        exchange: Exchange,
        checks: Iterator[Callable[[Exchange], Awaitable[None] | None]],
        waiting: Awaitable[Any],
        at: Callable[..., object],
    ) -> Response:
        """Take up a run where it first had to wait, in `at`; the answer is the backend's own when it is a Response."""
        try:
            answer = await waiting
            if answer is None:
                for check in checks:
                    at = check
                    pending = check(exchange)
                    if pending is not None:
                        await pending
                at = self._answer
                given = self._answer(exchange)
                answer = given if isinstance(given, Response) else await given
        except asyncio.CancelledError:
            self._observe(exchange, Response(CLIENT_GONE))
            raise
        except Exception as error:  # noqa: BLE001  # whatever breaks, the client gets an answer
            answer = self._refuse(exchange, error, at)
        return self._close(exchange, answer)

    def _refuse(self, exchange: Exchange, error: Exception, at: Callable[..., object]) -> Response:
        if not isinstance(error, Refusal):
            log.error(
                "a part of a plan failed", extra={"route": str(self.route), "id": exchange.request_id}, exc_info=error
            )
            error = Refusal(INTERNAL_ERROR, detail=f"{type(error).__name__}: {error}")
        log.info("refused", extra={"id": exchange.request_id, "kind": error.kind.name, "detail": error.detail})
        exchange.verdict = error.verdict
        exchange.decide(getattr(at, "__self__", at), exchange.verdict)
        try:
            return self._responses.render(exchange, error)
        except Exception:
            log.exception("a gateway response failed", extra={"id": exchange.request_id, "kind": error.kind.name})
            return default_response(INTERNAL_ERROR)

    def _close(self, exchange: Exchange, response: Response) -> Response:
        try:
            for finish in self._finishes:
                finish(exchange, response)
        except Exception as error:  # noqa: BLE001  # whatever breaks, the client gets an answer
            response = self._refuse(exchange, error, self._close)
        self._observe(exchange, response)
        return response

    def _observe(self, exchange: Exchange, response: Response) -> None:
        for observe in self._observes:
            try:
                observe(exchange, response)
            except Exception:
                self._failures.count += 1
                log.exception("an observer failed", extra={"route": str(self.route), "id": exchange.request_id})

    def __repr__(self) -> str:
        lines = [f"{self.route}"]
        lines += [f"  guard     {guard!r}" for guard in self.guards]
        lines.append(f"  backend   {self.backend!r}")
        lines += [f"  finisher  {finisher!r}" for finisher in self.finishers]
        lines += [f"  observer  {observer!r}" for observer in self.observers]
        return "\n".join(lines)
