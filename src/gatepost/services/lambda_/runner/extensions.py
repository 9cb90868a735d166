"""The extensions of one worker: which there are, what they wait for, what they have been told.

Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gatepost.kernel.ids import request_id
from gatepost.kernel.ports import Invocation

EVENTS: Final = frozenset({"INVOKE", "SHUTDOWN"})
EXTENSIONS_MAX: Final = 10  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
SHUTDOWN_MS: Final = 2_000


@dataclass(slots=True)
class Extension:
    """One registered extension. `is_waiting`: it has done what it was told and asks for more."""

    name: str
    events: frozenset[str]
    identifier: str
    is_waiting: bool = False
    untold: deque[dict[str, Any]] = field(default_factory=deque)
    poll: asyncio.Future[None] | None = None

    async def next_event(self) -> dict[str, Any]:
        """Wait for the next event; one poll at a time: an older one is cancelled."""
        self.is_waiting = not self.untold
        if not self.untold:
            if self.poll is not None:
                self.poll.cancel()
            self.poll = asyncio.get_running_loop().create_future()
            await self.poll
            self.poll = None
        return self.untold.popleft()

    def tell(self, event: dict[str, Any]) -> None:
        """Hand over an event."""
        self.is_waiting = False
        self.untold.append(event)
        if self.poll is not None and not self.poll.done():
            self.poll.set_result(None)


class Extensions:
    """All extensions of a worker, by identifier."""

    def __init__(self) -> None:
        self._registered: dict[str, Extension] = {}

    def __len__(self) -> int:
        return len(self._registered)

    def register(self, name: str, events: frozenset[str]) -> Extension | None:
        """Add an extension; None when there are too many, or one of this name is there."""
        if len(self._registered) >= EXTENSIONS_MAX or any(one.name == name for one in self._registered.values()):
            return None
        extension = Extension(name, events, request_id())
        self._registered[extension.identifier] = extension
        return extension

    def find(self, identifier: str) -> Extension | None:
        """Give the extension with this identifier."""
        return self._registered.get(identifier)

    @property
    def are_waiting(self) -> bool:
        """Say whether every extension asks for its next event."""
        return all(extension.is_waiting for extension in self._registered.values())

    def invoked(self, invocation: Invocation, deadline_ms: int) -> None:
        """Tell who wants to know of an invocation."""
        event: Mapping[str, Any] = {
            "eventType": "INVOKE",
            "deadlineMs": deadline_ms,
            "requestId": invocation.request_id,
            "invokedFunctionArn": invocation.function_arn,
            "tracing": {"type": "X-Amzn-Trace-Id", "value": invocation.trace_id},
        }
        self._tell("INVOKE", event)

    def shut_down(self, reason: str, deadline_ms: int) -> bool:
        """Tell who wants to know that the worker ends; False: nobody does."""
        return self._tell("SHUTDOWN", {"eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": deadline_ms})

    def _tell(self, kind: str, event: Mapping[str, Any]) -> bool:
        told = [extension for extension in self._registered.values() if kind in extension.events]
        for extension in told:
            extension.tell(dict(event))
        return bool(told)
