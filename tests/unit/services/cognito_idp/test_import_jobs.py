"""Import jobs that do not end as they should: the store is lost, or services goes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gatepost.kernel.errors import StoreUnavailable
from gatepost.services.cognito_idp.import_jobs import ROUTE, columns_of
from gatepost.services.cognito_idp.pool import IMPORT_JOB
from tests.support.user_pools import Aws, Run

ROLE = "arn:aws:iam::000000000000:role/import"


class LostStore:
    """Records in front of a store that fails to write `failures` times after `good` commits."""

    def __init__(self, records: Any, *, good: int, failures: int) -> None:
        self._records = records
        self.good = good
        self.failures = failures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    async def commit(self, writes: Any) -> Any:
        self._fail()
        return await self._records.commit(writes)

    async def put(self, *arguments: Any, **options: Any) -> Any:
        self._fail()
        return await self._records.put(*arguments, **options)

    def _fail(self) -> None:
        if self.good > 0:
            self.good -= 1
        elif self.failures > 0:
            self.failures -= 1
            raise StoreUnavailable("the disk is gone")


async def a_job(aws: Aws) -> str:
    """Make a job with a file of four users; give its id."""
    aws.provider.imports._assets._folder.mkdir(exist_ok=True)  # type: ignore[attr-defined]
    await aws.a_pool(AutoVerifiedAttributes=["email"])
    made = await aws("CreateUserImportJob", UserPoolId=aws.pool_id, JobName="j", CloudWatchLogsRoleArn=ROLE)
    job = made["UserImportJob"]
    pool = aws.provider._pools.find(aws.pool_id)
    assert pool is not None
    columns = columns_of(pool)
    lines = [",".join(columns)]
    for number in range(4):
        told = {"cognito:username": f"u{number}", "email": f"u{number}@example.com", "email_verified": "true"}
        lines.append(",".join(told.get(column, "") for column in columns))
    token = job["PreSignedUrl"].partition(ROUTE)[2]
    assert await aws.provider.imports.take(token, "\n".join(lines).encode())
    return str(job["JobId"])


async def ended(aws: Aws, job_id: str) -> dict[str, Any]:
    for _ in range(500):
        job: dict[str, Any] = (await aws("DescribeUserImportJob", UserPoolId=aws.pool_id, JobId=job_id))[
            "UserImportJob"
        ]
        if job["Status"] not in ("Pending", "InProgress"):
            return job
        await asyncio.sleep(0.01)
    raise AssertionError(job)


@pytest.mark.parametrize("failures", [1, 3])
def test_a_job_whose_store_is_lost_has_failed_and_another_takes_the_rest(pools: Run, failures: int) -> None:
    async def scenario(aws: Aws) -> None:
        job_id = await a_job(aws)
        aws.provider.imports.again_s = 0.001
        users, things = aws.provider._users, aws.provider._things
        lost = LostStore(users._records, good=4, failures=failures)  # two of the job itself, two users
        users._records = things._records = lost  # type: ignore[assignment]
        await aws("StartUserImportJob", UserPoolId=aws.pool_id, JobId=job_id)
        job = await ended(aws, job_id)
        assert (job["Status"], job["ImportedUsers"]) == ("Failed", 2)
        assert "same file" in job["CompletionMessage"]
        again = await aws("CreateUserImportJob", UserPoolId=aws.pool_id, JobName="k", CloudWatchLogsRoleArn=ROLE)
        assert again["UserImportJob"]["Status"] == "Created"

    pools(scenario)


def test_a_job_that_ran_when_services_went_has_failed_at_the_next_start(pools: Run) -> None:
    async def scenario(aws: Aws) -> None:
        job_id = await a_job(aws)
        things = aws.provider._things
        (record,) = await things.everywhere(IMPORT_JOB)
        for status, expected in (("InProgress", "Failed"), ("Stopping", "Failed"), ("Created", "Created")):
            (record,) = await things.everywhere(IMPORT_JOB)
            await things.rewrite(record, {**record.value, "status": status})
            await aws.provider.start()
            told = await aws("DescribeUserImportJob", UserPoolId=aws.pool_id, JobId=job_id)
            assert told["UserImportJob"]["Status"] == expected

    pools(scenario)
