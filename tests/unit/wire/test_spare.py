"""Connections that wait at a listener to which nobody comes are taken by a process that has another one."""

from __future__ import annotations

import asyncio
import socket

from gatepost.kernel.tasks import Tasks
from gatepost.wire.spare import SpareListeners


class Greets(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()


def test_whoever_waits_is_taken_and_nobody_after_the_end() -> None:
    async def scenario() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        address = listener.getsockname()
        listener.setblocking(False)
        tasks = Tasks("test")
        spare = SpareListeners(tasks)
        spare.add(listener.dup(), Greets)
        for _ in range(2):
            opened = [await asyncio.open_connection(*address) for _ in range(40)]
            for reading, writing in opened:
                assert await asyncio.wait_for(reading.read(), 5) == b"hello"
                writing.close()
        assert spare.taken == 80
        spare.close()
        _, left = await asyncio.open_connection(*address)
        await asyncio.sleep(0.06)
        assert spare.taken == 80
        left.close()
        listener.close()
        await tasks.close()

    asyncio.run(scenario())
