"""The headers of a request as they go on to an integration, worked out once per header block.

A client that keeps its connection mostly repeats its headers; the wire then hands out the same block again, and
what an integration gets of it is the same too. What changes from request to request (the trace id) is added by
the backend. At most `KNOWN_MAX` blocks are remembered; they are dropped together, and the busy ones are back at
once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from gatepost.wire.messages import HeaderBlock, Peer, Request

T = TypeVar("T")

KNOWN_MAX: Final = 512


class PassedHeaders(Generic[T]):
    """Remembers, per header block and per `rule` (which headers pass), what `prepare` made of it."""

    __slots__ = ("_known", "_rules")

    def __init__(self) -> None:
        self._known: dict[tuple[HeaderBlock, object], tuple[Peer, T]] = {}
        self._rules: dict[object, object] = {}

    def rule(self, rule: object) -> object:
        """Give the one object that stands for all rules equal to `rule`: to find it again is then no comparison."""
        if len(self._rules) >= KNOWN_MAX:
            self._rules.clear()
        return self._rules.setdefault(rule, rule)

    def of(self, request: Request, rule: object, prepare: Callable[[Request], T]) -> T:
        """Give what `prepare` makes of `request`'s headers and its client's address."""
        block = request.block
        if block is None:
            return prepare(request)
        key = (block, rule)
        known = self._known.get(key)
        if known is not None and known[0] is request.peer:
            return known[1]
        made = prepare(request)
        if len(self._known) >= KNOWN_MAX:
            self._known.clear()
        self._known[key] = (request.peer, made)
        return made
