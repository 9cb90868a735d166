import asyncio

from gatepost.app.usage_records import UsageRecords
from gatepost.kernel.operations import RecordKey
from gatepost.services.apigateway.usage_model import USAGE as KEY_USAGE
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


KEYED = {
    "journal": "j",
    "hour_ms": 0,
    "counts": {
        "api/prod": 3,
        "key:1/r/gold/k1/2025-10-08": 1,
        "key:1/r/gold/k1/2025-10-09": 2,
        "key:1/r/gold/k2/2025-10-09": 5,
    },
}


def test_counts_of_keys_are_days_in_a_record_of_the_key_and_count_once(tmp_path):
    async def scenario():
        async with some_records(tmp_path) as records:
            usage = UsageRecords(records, account_id="000000000000", region="us-east-1")
            await usage.take("g", 1, KEYED)
            again = UsageRecords(records, account_id="000000000000", region="us-east-1")
            await again.load()
            await again.take("g", 1, KEYED)
            await again.take("other", 1, KEYED)
            first = await records.get(RecordKey(KEY_USAGE, "1", "r", "gold/k1"))
            second = await records.get(RecordKey(KEY_USAGE, "1", "r", "gold/k2"))
            return first.value, second.value, again.counts()

    assert asyncio.run(scenario()) == (
        {"2025-10-08": 2, "2025-10-09": 4},
        {"2025-10-09": 10},
        {"api/prod": 6},
    )
