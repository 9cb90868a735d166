import asyncio
import logging
import re

import pytest

from gatepost.kernel import arn, clock, errors, ids, operations
from gatepost.kernel.tasks import Tasks

UUID_4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_request_ids_are_version_4_uuids_and_differ():
    found = {ids.request_id() for _ in range(1000)}
    assert len(found) == 1000
    assert all(UUID_4.fullmatch(each) for each in found)


def test_stable_ids_follow_from_names_alone():
    assert ids.stable_id("shop", "Api") == ids.stable_id("shop", "Api")
    assert len({ids.stable_id("shop", name) for name in ("Api", "Api2", "api")}) == 3
    assert ids.stable_id("a", "bc") != ids.stable_id("ab", "c")
    assert re.fullmatch("[a-z0-9]{10}", ids.stable_id("shop", "Api"))


@pytest.mark.parametrize("length", [0, 41])
def test_stable_ids_are_bounded(length):
    with pytest.raises(ValueError, match="1 to 40"):
        ids.stable_id("a", length=length)


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:lambda:us-east-1:000000000000:function:f:live",
        "arn:aws:iam::000000000000:role/service-role/r",
        "arn:aws-cn:s3:::bucket/key:with:colons",
    ],
)
def test_arns_come_apart_and_together_again(text):
    assert str(arn.parse_arn(text)) == text


@pytest.mark.parametrize("text", ["", "arn", "arn:aws:s3", "arn:aws:s3:::", "urn:aws:s3:::b", "arn::s3:::b"])
def test_what_is_no_arn_gives_none(text):
    assert arn.parse_arn(text) is None


def test_a_fixed_clock_moves_only_when_told():
    fixed = clock.FixedClock(1_000)
    fixed.advance(ms=5)
    assert (fixed.now_ms(), fixed.monotonic_ns()) == (1_005, 5_000_000)
    with pytest.raises(ValueError, match="-1 ms"):
        fixed.advance(ms=-1)


def test_times_are_rendered_as_aws_does():
    assert clock.iso_8601(1_760_000_000_007) == "2025-10-09T08:53:20.007Z"


def test_a_failed_task_is_logged_with_its_name(caplog):
    async def fails():
        raise RuntimeError("on purpose")

    async def scenario():
        tasks = Tasks("owner")
        task = tasks.spawn(fails(), name="work")
        await asyncio.wait([task])
        await asyncio.sleep(0)
        return len(tasks)

    with caplog.at_level(logging.ERROR):
        assert asyncio.run(scenario()) == 0
    assert [record.task for record in caplog.records] == ["owner.work"]


def test_closing_tasks_ends_those_that_run():
    async def scenario():
        tasks = Tasks("owner")
        task = tasks.spawn(asyncio.sleep(3600), name="long")
        await tasks.close()
        return task.cancelled()

    assert asyncio.run(scenario())


def test_an_error_from_another_process_keeps_code_status_and_message():
    error = errors.remote_error("TooManyRequestsException", 429, "Rate Exceeded.")
    assert (error.code, error.status, error.message) == ("TooManyRequestsException", 429, "Rate Exceeded.")
    assert isinstance(error, errors.ServiceError)


def test_a_provider_may_not_have_an_operation_twice():
    class Twice:
        @operations.operation("Get")
        def one(self, call, params):
            """One."""

        @operations.operation("Get")
        def two(self, call, params):
            """Two."""

    with pytest.raises(ValueError, match="operation Get twice"):
        operations.operations_of(Twice())
