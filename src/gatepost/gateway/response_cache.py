"""What a stage remembers of its answers: the keys under which they lie, and answers as bytes.

An entry belongs to a cache namespace (a method's resource, unless it names another), a verb, and the values of the
method's cache key parameters. Nothing else of a request is part of the key, as on AWS: what may change an answer and is
no key parameter is the author's to name. Values are measured before they are joined, so that no two lists are one key;
the stage's place is part of what is hashed, so that no two stages have one key.

Source: "Enable API caching to enhance responsiveness",
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-caching.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

from gatepost.gateway.exchange import Exchange
from gatepost.gateway.mapping import MappingError, compile_values
from gatepost.gateway.near_answers import NearAnswers
from gatepost.gateway.route import StageFacts
from gatepost.kernel.errors import StateUnavailable
from gatepost.security.sealing import NotSealed, Seal
from gatepost.services.apigateway.deployment import Integration, StageSettings
from gatepost.state.base import Answer, SharedState, Space
from gatepost.wire.messages import Response

ANSWER_BYTES_MAX: Final = 1_048_576
"""Of a body that is cached: "The maximum size of a response that can be cached is 1048576 bytes"."""
GB: Final = 1024 * 1024 * 1024
_HEAD: Final = 21  # three digits of status, five of the length of the headers, thirteen of when it expires
_HEADERS_BYTES_MAX: Final = 99_999
_PURPOSE: Final = "cached-response"
_PARTIAL: Final = 206
_TOLD_BY_TARGET: Final = (
    "method.request.path.",
    "method.request.querystring.",
    "method.request.multivaluequerystring.",
)
_METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")

Key = Callable[[Exchange], str]


class StageCache:
    """One stage's remembered answers. `cache_flushes` counts up when they are to be forgotten."""

    __slots__ = ("_near", "_seal", "_space", "_state")

    def __init__(self, state: SharedState, seal: Seal | None, space: Space, near: NearAnswers) -> None:
        """Take where answers lie; with a seal they are encrypted there, and not kept near."""
        self._near = near
        self._state = state
        self._seal = seal
        self._space = space

    def recall(self, key: str) -> Answer[bytes | None]:
        """Give what is remembered, None when there is nothing. Raises: StateUnavailable, at once or when awaited."""
        return self._state.recall(self._space, key)

    def remember(self, key: str, response: Response, *, exchange: Exchange, ttl_ms: int) -> Answer[None]:
        """Keep an answer to a request for a while. Raises: StateUnavailable, at once or when awaited."""
        expires_at_ms = exchange.time_ms + ttl_ms
        value = to_bytes(response, expires_at_ms=expires_at_ms)
        if self._seal is not None:
            value = self._seal.seal(value, purpose=_PURPOSE)
        else:
            self._near.keep(key, response, exchange=exchange, expires_at_ms=expires_at_ms)
        return self._state.remember(self._space, key, value, expires_after_ms=ttl_ms)

    def forget(self, key: str) -> Answer[None]:
        """Drop an answer. Raises: StateUnavailable, at once or when awaited."""
        return self._state.forget(self._space, key)

    def tell(self, key: str) -> Answer[None]:
        """Have every gateway look at an entry again: it is another one, or none. Raises as `forget` does."""
        return self._near.tell(key)

    def read(self, key: str, value: bytes, exchange: Exchange) -> Response:
        """Make an answer of what was recalled for a request. Raises: StateUnavailable when it is not ours."""
        if self._seal is not None:
            try:
                value = self._seal.open(value, purpose=_PURPOSE)
            except NotSealed as error:
                raise StateUnavailable(f"a cached answer cannot be opened: {error}") from error
        response, expires_at_ms = from_bytes(value)
        if self._seal is None:
            self._near.keep(key, response, exchange=exchange, expires_at_ms=expires_at_ms)
        return response

    def __repr__(self) -> str:
        return f"{self._space.bytes_max / GB:g} GB{', encrypted' if self._seal is not None else ''}"


def stage_space(stage: StageFacts, settings: StageSettings) -> Space:
    """Give where a stage's answers lie: a canary has a place of its own unless it uses the stage's cache.

    A flush gives the stage a new place: what lies in the old one is never read again and goes first when room is short.
    """
    shares = settings.canary is not None and settings.canary.uses_stage_cache
    canary = "/canary" if stage.is_canary and not shares else ""
    name = (
        f"answers/{stage.account_id}/{stage.region}/{stage.api_id}/{stage.stage_name}{canary}/{settings.cache_flushes}"
    )
    return Space(name, int(float(settings.cache_cluster_size or "0.5") * GB))


def is_cacheable(response: Response) -> bool:
    """Say whether an answer may be kept: a whole one that is no error and not too large.

    Not a part of one either: Range is in no key, so that the next who asks for all of it would get the part.
    """
    return (
        200 <= response.status < 300  # errors are not cached; that 3xx are not either is unverified
        and response.status != _PARTIAL
        and response.stream is None
        and len(response.body) <= ANSWER_BYTES_MAX
        and sum(len(name) + len(value) + 2 for name, value in response.headers) <= _HEADERS_BYTES_MAX
    )


def to_bytes(response: Response, *, expires_at_ms: int) -> bytes:
    """Write an answer: status, length of the headers, when it expires, names and values ended by NUL, body."""
    headers = b"".join([name + b"\0" + value + b"\0" for name, value in response.headers])
    return b"%03d%05d%013d" % (response.status, len(headers), expires_at_ms) + headers + response.body


def from_bytes(value: bytes) -> tuple[Response, int]:
    """Read what `to_bytes` wrote: the answer, and when it expires. Raises: StateUnavailable when it did not."""
    try:
        status, size, expires_at_ms = int(value[:3]), int(value[3:8]), int(value[8:_HEAD])
    except ValueError:
        raise StateUnavailable("a cached answer cannot be read") from None
    parts = value[_HEAD : _HEAD + size].split(b"\0")
    if len(value) < _HEAD + size or len(parts) % 2 == 0:
        raise StateUnavailable("a cached answer cannot be read")
    headers = list(zip(parts[:-1:2], parts[1::2], strict=True))
    return Response(status, headers, value[_HEAD + size :]), expires_at_ms


def compile_key(integration: Integration, stage: StageFacts, space: Space, resource_id: str, near: NearAnswers) -> Key:
    """Compile what tells a method's entries apart. Raises: MappingError for a parameter that the method lacks."""
    expressions = {name: _expression(name, integration) for name in sorted(integration.cache_key_parameters)}
    sources = [(name, compile_values(expression, stage)) for name, expression in expressions.items()]
    place = f"{len(space.name)}:{space.name}{integration.cache_namespace or resource_id}/"
    start = hashlib.blake2b(place.encode(), digest_size=24)

    def hashed(told: str) -> str:
        found = start.copy()
        found.update(told.encode("utf-8", "replace"))
        return found.hexdigest()

    if not sources:
        by_method = {method: hashed(f"{method}/") for method in _METHODS}
        return lambda exchange: by_method.get(exchange.method) or hashed(f"{exchange.method}/")

    def key(exchange: Exchange) -> str:
        told = "".join([_measured(name, values(exchange)) for name, values in sources])
        return hashed(f"{exchange.method}/{told}")

    if not all(expression.startswith(_TOLD_BY_TARGET) for expression in expressions.values()):
        return key
    known, me = near.keys, next(near.numbers)

    def known_key(exchange: Exchange) -> str:
        asked = (me, exchange.method, exchange.path, exchange.request.query)
        found = known.get(asked)
        if found is None:
            found = key(exchange)
            near.remember_key(asked, found)
        return found

    return known_key


def _expression(name: str, integration: Integration) -> str:
    """Give the mapping expression of a cache key parameter: one of the method, or what the integration maps."""
    if name.startswith("method.request."):
        return name
    expression = integration.request_parameters.get(name)
    if expression is None:
        raise MappingError(f"cache key parameter {name}: use method.request.… or a mapped integration.request.…")
    return expression


def _measured(name: str, values: Sequence[str]) -> str:
    told = "".join([f"{len(value)}:{value}" for value in values])
    return f"{name}={len(values)};{told}"
