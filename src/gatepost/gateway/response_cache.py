"""What a stage remembers of its answers: the keys under which they lie, and answers as bytes.

An entry belongs to a cache namespace (a method's resource, unless it names another), a verb, and the values of the
method's cache key parameters. Nothing else of a request is part of the key, as on AWS: what may change an answer and is
no key parameter is the author's to name. Values are measured before they are joined, so that no two lists are one key.

Source: "Enable API caching to enhance responsiveness",
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-caching.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Final

from gatepost.gateway.exchange import Exchange
from gatepost.gateway.mapping import MappingError, compile_values
from gatepost.gateway.route import StageFacts
from gatepost.kernel.errors import StateUnavailable
from gatepost.security.sealing import NotSealed, Seal
from gatepost.services.apigateway.deployment import Integration, StageSettings
from gatepost.state.base import Answer, SharedState, Space
from gatepost.wire.messages import Response

ANSWER_BYTES_MAX: Final = 1_048_576
"""Of a body that is cached: "The maximum size of a response that can be cached is 1048576 bytes"."""
GB: Final = 1024 * 1024 * 1024
_HEAD: Final = 8  # three digits of status, five of the length of the headers
_HEADERS_BYTES_MAX: Final = 99_999
_PURPOSE: Final = "cached-response"
_METHODS: Final = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")

Key = Callable[[Exchange], str]


class StageCache:
    """One stage's remembered answers. `cache_flushes` counts up when they are to be forgotten."""

    __slots__ = ("_seal", "_space", "_state")

    def __init__(self, state: SharedState, seal: Seal | None, space: Space) -> None:
        """Take where answers lie; with a seal they are encrypted there."""
        self._state = state
        self._seal = seal
        self._space = space

    def recall(self, key: str) -> Answer[bytes | None]:
        """Give what is remembered, None when there is nothing. Raises: StateUnavailable, at once or when awaited."""
        return self._state.recall(self._space, key)

    def remember(self, key: str, value: bytes, *, ttl_ms: int) -> Answer[None]:
        """Keep an answer, as `to_bytes` writes it, for a while. Raises: StateUnavailable, at once or when awaited."""
        if self._seal is not None:
            value = self._seal.seal(value, purpose=_PURPOSE)
        return self._state.remember(self._space, key, value, expires_after_ms=ttl_ms)

    def forget(self, key: str) -> Answer[None]:
        """Drop an answer. Raises: StateUnavailable, at once or when awaited."""
        return self._state.forget(self._space, key)

    def read(self, value: bytes) -> Response:
        """Make an answer of what was recalled. Raises: StateUnavailable when it is not ours."""
        if self._seal is not None:
            try:
                value = self._seal.open(value, purpose=_PURPOSE)
            except NotSealed as error:
                raise StateUnavailable(f"a cached answer cannot be opened: {error}") from error
        return from_bytes(value)

    def __repr__(self) -> str:
        return f"{self._space.bytes_max / GB:g} GB{', encrypted' if self._seal is not None else ''}"


def stage_space(stage: StageFacts, settings: StageSettings) -> Space:
    """Give where a stage's answers lie: a canary has a place of its own unless it uses the stage's cache.

    A flush gives the stage a new place: what lies in the old one is never read again and goes first when room is short.
    """
    shares = settings.canary is not None and settings.canary.uses_stage_cache
    canary = "/canary" if stage.is_canary and not shares else ""
    name = f"cache/{stage.account_id}/{stage.region}/{stage.api_id}/{stage.stage_name}{canary}/{settings.cache_flushes}"
    return Space(name, int(float(settings.cache_cluster_size or "0.5") * GB))


def is_cacheable(response: Response) -> bool:
    """Say whether an answer may be kept: a whole one that is no error and not too large."""
    return (
        200 <= response.status < 300  # errors are not cached; that 3xx are not either is unverified
        and response.stream is None
        and len(response.body) <= ANSWER_BYTES_MAX
        and sum(len(name) + len(value) + 2 for name, value in response.headers) <= _HEADERS_BYTES_MAX
    )


def to_bytes(response: Response) -> bytes:
    """Write an answer: status, length of the headers, names and values ended by NUL, body."""
    headers = b"".join([name + b"\0" + value + b"\0" for name, value in response.headers])
    return b"%03d%05d" % (response.status, len(headers)) + headers + response.body


def from_bytes(value: bytes) -> Response:
    """Read what `to_bytes` wrote. Raises: StateUnavailable when it did not."""
    try:
        status, size = int(value[:3]), int(value[3:_HEAD])
    except ValueError:
        raise StateUnavailable("a cached answer cannot be read") from None
    parts = value[_HEAD : _HEAD + size].split(b"\0")
    if len(value) < _HEAD + size or len(parts) % 2 == 0:
        raise StateUnavailable("a cached answer cannot be read")
    return Response(status, list(zip(parts[:-1:2], parts[1::2], strict=True)), value[_HEAD + size :])


def compile_key(integration: Integration, stage: StageFacts, resource_id: str) -> Key:
    """Compile what tells a method's entries apart. Raises: MappingError for a parameter that the method lacks."""
    sources = [
        (name, compile_values(_expression(name, integration), stage))
        for name in sorted(integration.cache_key_parameters)
    ]
    start = hashlib.blake2b(f"{integration.cache_namespace or resource_id}/".encode(), digest_size=24)

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

    return key


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
