"""A gateway's saved snapshot: large ones in parts, each sealed in its place."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gatepost.link import subscriber
from gatepost.link.subscriber import LENGTH_BYTES, SAVED, LocalReplica
from gatepost.security.sealing import Seal
from gatepost.storage.data_directory import write_durably

SEAL = Seal(bytes(range(32)))
CHANGES = [{"topic": "api-key-page", "key": f"p{number}", "value": {"lines": "x" * 300}} for number in range(20)]


def saved(path: Path) -> None:
    async def scenario() -> None:
        replica = LocalReplica(path, SEAL, write_durably)
        replica.take({"number": 0, "changes": CHANGES, "is_snapshot_part": True})
        replica.finish_snapshot(1)
        await replica.close()

    asyncio.run(scenario())


def parts_of(content: bytes) -> list[bytes]:
    parts, at = [], len(SAVED)
    while at < len(content):
        size = int.from_bytes(content[at : at + LENGTH_BYTES], "big")
        parts.append(content[at : at + LENGTH_BYTES + size])
        at += LENGTH_BYTES + size
    return parts


def test_a_snapshot_in_many_parts_is_read_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscriber, "PART_BYTES", 1_000)
    path = tmp_path / "snapshot"
    saved(path)
    assert len(parts_of(path.read_bytes())) > 3
    heard: dict[str, object] = {}
    again = LocalReplica(path, SEAL, write_durably)
    assert again.load()
    again.watch("api-key-page", lambda key, value: heard.update({key: value}))
    assert heard == {each["key"]: each["value"] for each in CHANGES}


@pytest.mark.parametrize("damage", ["swapped", "left out", "cut off", "twice"])
def test_parts_in_another_order_or_number_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr(subscriber, "PART_BYTES", 1_000)
    path = tmp_path / "snapshot"
    saved(path)
    first, second, *rest = parts_of(path.read_bytes())
    content = {
        "swapped": [second, first, *rest],
        "left out": [second, *rest],
        "twice": [first, first, second, *rest],
        "cut off": [first, second, *rest[:-1], rest[-1][:-5]],
    }[damage]
    path.write_bytes(SAVED + b"".join(content))
    assert not LocalReplica(path, SEAL, write_durably).load()
