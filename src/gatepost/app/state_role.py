"""The state role: what the gateway processes of one machine share, in a process of its own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

from gatepost.app.child import Orders, run_role
from gatepost.kernel.clock import SystemClock
from gatepost.state.memory import MemoryState
from gatepost.state.server import StateServer


async def serve(orders: Orders, stopping: asyncio.Event) -> Callable[[], Awaitable[dict[str, int]]]:
    """Serve the state at the path that the orders name, and give what stops it."""
    del stopping
    for listener in (orders.sockets[2], *(listener for doors in orders.gateway_doors() for listener in doors)):
        os.close(listener)  # the other roles', which are not ours
    server = StateServer(MemoryState(SystemClock()))
    await server.serve(orders.state_path)

    async def stop() -> dict[str, int]:
        await server.close()
        return {}

    return stop


if __name__ == "__main__":
    run_role(serve)
