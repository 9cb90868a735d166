"""The services of one platform: opened, closed, and opened again on what they left."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gatepost.app.services_core import ServicesCore
from gatepost.config import Settings
from gatepost.kernel.clock import FixedClock
from gatepost.kernel.errors import SettingsError
from gatepost.link.publisher import ServicesLink
from gatepost.security.sealing import Seal
from gatepost.storage.data_directory import DataDirectory
from gatepost.wire.client import Client


async def nobody(*_: Any) -> None:
    """Take what no gateway sends here."""


@asynccontextmanager
async def a_core(folder: Path, **settings: Any) -> AsyncIterator[ServicesCore]:
    data, clock = DataDirectory(folder), FixedClock()
    data.prepare()
    link, client = ServicesLink(take_usage=nobody, take_telemetry=nobody), Client(clock=clock)
    core = ServicesCore(
        Settings(data_dir=folder, durability="process", **settings),
        data=data,
        clock=clock,
        seal=Seal(b"s" * 32),
        link=link,
        client=client,
        endpoint_url="http://127.0.0.1:4566",
        gateway_port=8080,
        aws_port=4566,
    )
    await core.start()
    try:
        yield core
    finally:
        await core.close()
        await client.close()
        await link.close()


async def administrator(folder: Path) -> tuple[str, bool]:
    """Give the administrator's key of a platform on `folder`, and whether a gateway would hear of it."""
    async with a_core(folder) as core:
        key = json.loads((folder / "administrator.json").read_bytes())
        told = json.dumps([change.value for change in await core.published()])
        return key["access_key_id"], key["access_key_id"] in told


def test_the_administrators_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    first = asyncio.run(administrator(tmp_path))
    assert first[1]
    assert (tmp_path / "administrator.json").stat().st_mode & 0o777 == 0o600
    assert asyncio.run(administrator(tmp_path)) == first


def test_the_administrators_key_stays_when_the_stores_are_emptied(tmp_path: Path) -> None:
    first = asyncio.run(administrator(tmp_path))
    shutil.rmtree(tmp_path / "store")
    assert asyncio.run(administrator(tmp_path)) == first


def test_the_template_engine_reaches_the_services_beside_it(tmp_path: Path) -> None:
    async def scenario() -> dict[str, Any]:
        async with a_core(tmp_path) as core:
            return await core.dispatcher.invoke(core.root, "cloudformation", "DescribeStacks", {})

    assert asyncio.run(scenario())["Stacks"] == []


def test_a_service_that_cannot_be_elsewhere_is_refused_at_start(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_core(tmp_path, service_endpoints=(("s3", "no url"),)):
            pass

    with pytest.raises(SettingsError, match="--service"):
        asyncio.run(scenario())
