"""Fill a stopped platform's records with API keys: `python -m benchmarks.load.keys DATA PLAN COUNT`.

The records are those that CreateApiKey and CreateUsagePlanKey would write, in few large commits: a million of them by
the operations would take longer than everything else.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

from benchmarks.peers.aws import ACCOUNT, REGION
from gatepost.kernel.operations import Call, Change, Principal
from gatepost.security.sealing import Seal, load_key
from gatepost.services.apigateway.api_key_pages import KeyPages
from gatepost.services.apigateway.api_keys import ApiKeys
from gatepost.services.apigateway.records import ApiRecords
from gatepost.services.apigateway.usage_model import API_KEY_PLACE
from gatepost.storage.base import Write
from gatepost.storage.data_directory import DataDirectory
from gatepost.storage.records import MIGRATIONS, SqliteRecords
from gatepost.storage.sqlite import Database

AT_ONCE: Final = 2_000


class Nobody:
    """Hears what is published while the platform is stopped."""

    async def publish(self, *changes: Change) -> None:
        """Do nothing: the gateway gets everything when the platform starts."""


def value_of(number: int) -> str:
    """Give the value of the key with this number."""
    return f"one-key-of-a-million-{number:09d}"


async def fill(data: Path, plan_id: str, count: int) -> None:
    """Write the keys, each in the plan."""
    database = Database(DataDirectory(data).store / "records.db", durability="process", migrations=MIGRATIONS)
    await database.open()
    records = SqliteRecords(database)
    keys = ApiKeys(ApiRecords(records), KeyPages(records, Nobody()), Seal(load_key(data / "seal.key")))
    root = Principal("root", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
    call = Call("apigateway", "CreateApiKey", ACCOUNT, REGION, root, "filling", 1_760_000_000_000)
    for start in range(0, count, AT_ONCE):
        writes = [Write(call.key(API_KEY_PLACE, "keys"), {})]
        for number in range(start, min(start + AT_ONCE, count)):
            given = {"name": f"key{number}", "enabled": True}
            writes += keys.writes(call, keys.new(call, value_of(number), given, (plan_id,)))
        await records.commit(writes)
    await database.close()


if __name__ == "__main__":
    asyncio.run(fill(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
