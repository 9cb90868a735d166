"""The state role as a process: it serves, and ends with its orders."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

from gatepost.app.child import Orders
from gatepost.app.state_role import serve
from gatepost.config import Settings
from gatepost.kernel.clock import SystemClock
from gatepost.state.valkey import ValkeyAddress, ValkeyState


def test_it_closes_the_listeners_that_are_not_its_own_and_replaces_a_socket_that_was_left(tmp_path: Path) -> None:
    path = str(tmp_path / "state.sock")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(path)
    descriptors = [os.open(os.devnull, os.O_RDONLY) for _ in range(7)]
    public, private, aws, tls, *more = descriptors
    orders = Orders(
        role="state",
        settings=Settings(workers=2),
        sockets=(public, private, aws, tls),
        ports=(1, 2, 3, 4),
        link_path="",
        report=-1,
        supervisor=0,
        doors=((more[0], more[1], more[2]),),
        state_path=path,
    )

    async def scenario() -> None:
        stop = await serve(orders, asyncio.Event())
        state = ValkeyState(ValkeyAddress("", 0, path=path), SystemClock(), deadline_ms=2_000)
        assert await state.start()
        assert await state.claim("x", owner="me", expires_after_ms=1_000)
        await state.close()
        assert await stop() == {}

    asyncio.run(scenario())
    open_ones = [each for each in descriptors if Path(f"/proc/self/fd/{each}").exists()]
    assert open_ones == []
