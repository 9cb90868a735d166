import asyncio

from gatepost.app.usage_records import UsageRecords
from tests.support.stores import some_records

BATCH = {"journal": "j", "hour_ms": 0, "counts": {"api/prod": 3}}


def test_a_batch_that_comes_twice_counts_once_also_after_a_restart(tmp_path):
    async def scenario():
        async with some_records(tmp_path) as records:
            usage = UsageRecords(records, account_id="000000000000", region="us-east-1")
            await asyncio.gather(usage.take("g", 1, BATCH), usage.take("g", 1, BATCH), usage.take("g", 2, BATCH))
            again = UsageRecords(records, account_id="000000000000", region="us-east-1")
            await again.load()
            await again.take("g", 2, BATCH)
            await again.take("other", 1, BATCH)
            return usage.counts(), again.counts()

    assert asyncio.run(scenario()) == ({"api/prod": 6}, {"api/prod": 9})
