"""Journals of several gateway processes: what one leaves behind another sends, and quotas are the sum of all."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatepost.app.gateway_journals import GatewayJournals
from gatepost.app.gateway_place import GatewayPlace
from gatepost.kernel.clock import FixedClock
from gatepost.storage.data_directory import DataDirectory

QUOTA = "quota:p/k/MONTH/2026-11-01"


class Services:
    """Takes batches, while it is there."""

    def __init__(self) -> None:
        self.is_there = True
        self.taken: list[tuple[str, int, Mapping[str, int]]] = []

    def send(self, gateway_id: str, number: int, batch: Mapping[str, Any]) -> bool:
        if self.is_there:
            self.taken.append((gateway_id, number, batch["counts"]))
        return self.is_there


def test_what_a_process_that_is_no_more_has_counted_is_sent_and_its_quotas_go_on(tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "data")
    data.prepare()
    services = Services()

    def journals(number: int, count: int) -> GatewayJournals:
        place = GatewayPlace(data, number, count)
        place.prepare()
        return GatewayJournals(place, FixedClock(), services.send)

    async def scenario() -> None:
        services.is_there = False
        for number, used in ((1, 5), (2, 7)):
            working = journals(number, 2)
            assert working.open() == ({} if number == 1 else {QUOTA: 5})
            for _ in range(used):
                working.own.counted("api/prod").add(1)
                working.own.kept(QUOTA).add(1)
            await working.own.flush()
            await working.close()
        services.is_there = True
        alone = journals(1, 1)
        assert alone.open() == {QUOTA: 7}
        assert alone.own.standing(QUOTA) == 5
        alone.connected()
        assert services.taken == [("local", 1, {"api/prod": 5}), ("local-2", 1, {"api/prod": 7})]
        for gateway_id, number, _ in services.taken:
            alone.acknowledge(gateway_id, number)
        await alone.close()
        again = journals(1, 1)
        again.open()
        again.connected()
        assert len(services.taken) == 2
        await again.close()

    asyncio.run(scenario())
