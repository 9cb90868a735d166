"""A backend in front of another: answers from the stage's cache, and fills it.

A hit costs no integration and no wait; one that this gateway gave within the last second is at hand
(`gateway/near_answers.py`). When the state that holds the cache is gone or slow, requests go to the
integration as if there were no cache. Simultaneous misses each go to the integration, as on AWS, unless the stage asks
for one call (`gatepost:collapse-cache-misses`): then the others wait for its answer, and go themselves when it is none
that can be kept.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-caching.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final

from gatepost.gateway.cache_control import CacheControl
from gatepost.gateway.exchange import Exchange, Facts
from gatepost.gateway.guards.signature import SignatureParts
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.method_settings import ALL_METHODS, method_settings_of
from gatepost.gateway.near_answers import NearAnswers
from gatepost.gateway.plan import Backend
from gatepost.gateway.response_cache import (
    Key,
    StageCache,
    compile_key,
    is_cacheable,
    stage_space,
)
from gatepost.gateway.route import Route, StageFacts
from gatepost.kernel.errors import StateUnavailable
from gatepost.kernel.tasks import Tasks
from gatepost.security.sealing import Seal
from gatepost.services.apigateway.deployment import Integration, StageSettings
from gatepost.state.base import SharedState
from gatepost.telemetry.metrics import Meter
from gatepost.wire.messages import Headers, Response

WAITING_MAX: Final = 10_000
"""Requests of one method that wait for another's answer; more of them go to the integration."""


class CachedBackend:
    """Answers from a stage's cache what it knows, and asks `inner` for the rest.

    `get_only`: other verbs of an ANY method pass by. `ttl_s` 1 to 3,600.
    """

    __slots__ = ("_collapses", "_control", "_filling", "_get_only", "_key", "_meter", "_near", "_tasks", "_ttl_ms",
                 "_waiting", "cache", "inner", "needs")  # fmt: skip

    def __init__(
        self,
        inner: Backend,
        cache: StageCache,
        key: Key,
        control: CacheControl,
        *,
        near: NearAnswers,
        meter: Meter,
        tasks: Tasks,
        ttl_s: int,
        get_only: bool,
        collapses: bool,
    ) -> None:
        self.inner = inner
        self.needs: Facts = inner.needs
        self.cache = cache
        self._key = key
        self._near = near.answers
        self._control = control
        self._meter = meter
        self._tasks = tasks
        self._ttl_ms = ttl_s * 1000
        self._get_only = get_only
        self._collapses = collapses
        self._filling: dict[str, asyncio.Future[Response | None]] = {}
        self._waiting = 0

    def answer(self, exchange: Exchange) -> Response | Awaitable[Response]:
        """Answer from the cache or by the integration. Raises: Refusal."""
        request = exchange.request
        if self._get_only and exchange.method != "GET":
            return self.inner.answer(exchange)
        if request.method != exchange.method or (request.body and exchange.method == "GET"):
            return self.inner.answer(exchange)  # no key tells it from a plain GET, but its answer may be another
        key = self._key(exchange)
        warnings: Headers = []
        asked = request.header(b"cache-control")
        if asked and self._control.invalidates(exchange, asked, warnings):
            return self._fill(exchange, key, warnings, replaces=True)
        ready = self._near.get(key)
        if ready is not None and exchange.started_ns < ready.until_ns:
            self._meter.current.cache_hits += 1
            return Response(ready.head.status, warnings or None, ready.body, head=ready.head)
        try:
            found = self.cache.recall(key)
            if isinstance(found, bytes):
                return self._hit(exchange, key, found, warnings)
        except StateUnavailable:
            return self._uncached(exchange, warnings)
        return self._miss(exchange, key, warnings) if found is None else self._look(exchange, key, found, warnings)

    async def _look(
        self, exchange: Exchange, key: str, recalling: Awaitable[bytes | None], warnings: Headers
    ) -> Response:
        """Answer when the cache lies in another process."""
        try:
            found = await recalling
            if found is not None:
                return self._hit(exchange, key, found, warnings)
        except StateUnavailable:
            answer = self._uncached(exchange, warnings)
        else:
            answer = self._miss(exchange, key, warnings)
        return answer if isinstance(answer, Response) else await answer

    def _hit(self, exchange: Exchange, key: str, value: bytes, warnings: Headers) -> Response:
        response = self.cache.read(key, value, exchange)
        self._meter.current.cache_hits += 1
        response.headers += warnings
        return response

    def _miss(self, exchange: Exchange, key: str, warnings: Headers) -> Response | Awaitable[Response]:
        if self._collapses:
            running = self._filling.get(key)
            if running is not None and self._waiting < WAITING_MAX:
                return self._wait(exchange, key, running, warnings)
        return self._fill(exchange, key, warnings)

    def _uncached(self, exchange: Exchange, warnings: Headers) -> Response | Awaitable[Response]:
        self._meter.current.cache_misses += 1
        answer = self.inner.answer(exchange)
        return _with(answer, warnings) if isinstance(answer, Response) else _when_there(answer, warnings)

    def _fill(
        self, exchange: Exchange, key: str, warnings: Headers, *, replaces: bool = False
    ) -> Response | Awaitable[Response]:
        """Ask the integration, and keep what it answers."""
        self._meter.current.cache_misses += 1
        answer = self.inner.answer(exchange)
        if isinstance(answer, Response):
            self._keep(exchange, key, answer, replaces=replaces)
            return _with(answer, warnings)
        if self._collapses and key not in self._filling:
            return self._fill_for_all(exchange, key, answer, warnings, replaces=replaces)
        return self._fill_later(exchange, key, answer, warnings, replaces=replaces)

    async def _fill_later(
        self, exchange: Exchange, key: str, answering: Awaitable[Response], warnings: Headers, *, replaces: bool
    ) -> Response:
        answer = await answering
        self._keep(exchange, key, answer, replaces=replaces)
        return _with(answer, warnings)

    async def _fill_for_all(
        self, exchange: Exchange, key: str, answering: Awaitable[Response], warnings: Headers, *, replaces: bool
    ) -> Response:
        """Ask the integration while others wait for what it says."""
        filling = self._filling[key] = asyncio.get_running_loop().create_future()
        shared = None
        try:
            answer = await answering
            shared = self._keep(exchange, key, answer, replaces=replaces)
        finally:
            del self._filling[key]
            filling.set_result(shared)
        return _with(answer, warnings)

    async def _wait(
        self, exchange: Exchange, key: str, running: asyncio.Future[Response | None], warnings: Headers
    ) -> Response:
        self._waiting += 1
        try:
            shared = await asyncio.shield(running)
        finally:
            self._waiting -= 1
        if shared is not None:
            self._meter.current.cache_hits += 1
            return Response(shared.status, shared.headers + warnings, shared.body)
        answer = self._fill(exchange, key, warnings)
        return answer if isinstance(answer, Response) else await answer

    def _keep(self, exchange: Exchange, key: str, response: Response, *, replaces: bool) -> Response | None:
        """Remember an answer, and give one like it for others; forget what it replaces when it is none to remember."""
        kept = Response(response.status, list(response.headers), response.body) if is_cacheable(response) else None
        try:
            if kept is not None:
                doing = self.cache.remember(key, kept, exchange=exchange, ttl_ms=self._ttl_ms)
            else:
                doing = self.cache.forget(key) if replaces else None
            if replaces:
                doing = self.cache.tell(key) if doing is None else self._then_tell(key, doing)
        except StateUnavailable:
            return kept
        if doing is not None:
            self._tasks.spawn(_quietly(doing), name="remember an answer")
        return kept

    async def _then_tell(self, key: str, doing: Awaitable[None]) -> None:
        await doing
        telling = self.cache.tell(key)
        if telling is not None:
            await telling

    def __repr__(self) -> str:
        verbs = "GET, " if self._get_only else ""
        return (
            f"Cached({verbs}{self._ttl_ms // 1000} s, {self.cache!r}, invalidation {self._control!r}, {self.inner!r})"
        )


async def _quietly(doing: Awaitable[None]) -> None:
    try:
        await doing
    except StateUnavailable:
        return  # then it is not remembered


def _with(response: Response, headers: Headers) -> Response:
    response.headers += headers
    return response


async def _when_there(answering: Awaitable[Response], headers: Headers) -> Response:
    return _with(await answering, headers)


class CacheParts:
    """Where the caches of a gateway's stages lie, and what it has at hand of them. `near` is made once a gateway."""

    __slots__ = ("is_shared", "near", "seal", "state")

    def __init__(self, state: SharedState, seal: Seal, *, is_shared: bool = False) -> None:
        """Take the state that remembers, and the seal for those entries whose methods ask for it.

        `is_shared`: other gateways remember there, too.
        """
        self.is_shared = is_shared
        self.state = state
        self.seal = seal
        self.near = NearAnswers(state)


def in_front_of(
    inner: Backend,
    integration: Integration,
    route: Route,
    stage: StageFacts,
    settings: StageSettings,
    *,
    parts: CacheParts | None,
    signatures: SignatureParts | None,
    meter: Meter,
    tasks: Tasks,
    collapses: bool,
) -> Backend:
    """Put the stage's cache in front of a backend whose answers are to be cached. Raises: MappingError.

    "When you enable caching for a stage, only GET methods have caching enabled by default": the settings of all methods
    count for GET, a method's own for whatever verb it has.
    """
    chosen = method_settings_of(settings.method_settings, route)
    is_own = chosen is not settings.method_settings.get(ALL_METHODS)
    ttl_s = chosen.get("cacheTtlInSeconds", 300)
    if not settings.is_cache_cluster_enabled or chosen.get("cachingEnabled") is not True or not isinstance(ttl_s, int):
        return inner
    if ttl_s < 1 or integration.response_transfer_mode != "BUFFERED":  # what streams is not cached
        return inner
    if not is_own and route.http_method not in {"GET", "ANY"}:
        return inner
    if parts is None:
        raise MappingError("cachingEnabled: this gateway was built without a cache")
    seal = parts.seal if chosen.get("cacheDataEncrypted") is True else None
    space = stage_space(stage, settings)
    return CachedBackend(
        inner,
        StageCache(parts.state, seal, space, parts.near),
        compile_key(integration, stage, space, route.resource_id, parts.near),
        CacheControl(chosen, stage, signatures),
        near=parts.near,
        meter=meter,
        tasks=tasks,
        ttl_s=ttl_s,
        get_only=not is_own,
        collapses=collapses,
    )
