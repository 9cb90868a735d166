from __future__ import annotations

import asyncio

import pytest

from gatepost.kernel.errors import VersionConflict
from gatepost.services.apigateway.model import (
    API_ID_OWNER,
    DEFINITION,
    DEPLOYMENT,
    DEPLOYMENT_CONTENT,
    REST_API,
    STAGE,
    ConflictException,
    NotFoundException,
)
from gatepost.services.apigateway.provider import ApiGateway
from gatepost.services.apigateway.records import ATTEMPTS_MAX, ApiRecords
from tests.support.rest_apis import Control, GrantsAllBut, KeptChanges, a_call, a_seal, with_control
from tests.support.stores import some_records

CALL = a_call("GetRestApi")


def run(tmp_path, scenario):
    async def inside():
        async with some_records(tmp_path) as records:
            return await scenario(ApiRecords(records))

    return asyncio.run(inside())


def test_changes_of_one_api_follow_each_other_and_of_others_do_not_wait(tmp_path) -> None:
    async def scenario(records: ApiRecords) -> None:
        order: list[str] = []
        gate = asyncio.Event()

        async def slow() -> None:
            order.append("first begins")
            await gate.wait()
            order.append("first ends")

        async def quick(name: str) -> None:
            order.append(name)

        first = asyncio.ensure_future(records.changing(CALL, "a", slow))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(records.changing(CALL, "a", lambda: quick("second")))
        await asyncio.sleep(0)
        await records.changing(CALL, "b", lambda: quick("other api"))
        gate.set()
        await asyncio.gather(first, second)
        assert order == ["first begins", "other api", "first ends", "second"]

    run(tmp_path, scenario)


def test_a_change_that_meets_another_reads_again(tmp_path) -> None:
    async def scenario(records: ApiRecords) -> None:
        attempts = 0

        async def attempt() -> str:
            nonlocal attempts
            attempts += 1
            if attempts < 3:
                raise VersionConflict("changed")
            return "done"

        assert await records.changing(CALL, "a", attempt) == "done"
        assert attempts == 3

    run(tmp_path, scenario)


def test_a_change_that_always_meets_another_gives_up_in_awss_words(tmp_path) -> None:
    async def scenario(records: ApiRecords) -> None:
        attempts = 0

        async def attempt() -> None:
            nonlocal attempts
            attempts += 1
            raise VersionConflict("changed")

        with pytest.raises(ConflictException, match="Unable to complete operation due to concurrent modification"):
            await records.changing(CALL, "a", attempt)
        assert attempts == ATTEMPTS_MAX

    run(tmp_path, scenario)


def test_all_of_a_kind_are_given_beyond_one_page(tmp_path) -> None:
    async def scenario(records: ApiRecords) -> None:
        for index in range(1_001):
            await records.store.put(CALL.key(REST_API, f"a/{index}"), {}, expected_version=0)
        await records.store.put(CALL.key(REST_API, "b/1"), {}, expected_version=0)
        assert len(await records.all_of(CALL, REST_API, "a/")) == 1_001

    run(tmp_path, scenario)


def test_what_is_not_there_is_not_found_in_awss_words(tmp_path) -> None:
    async def scenario(records: ApiRecords) -> None:
        for read, words in (
            (records.api(CALL, "a"), "Invalid API identifier specified 000000000000:a"),
            (records.definition(CALL, "a"), "Invalid API identifier specified 000000000000:a"),
            (records.deployment(CALL, "a", "d"), "Invalid Deployment identifier specified"),
            (records.content(CALL, "a", "d"), "Invalid Deployment identifier specified"),
            (records.stage(CALL, "a", "s"), "Invalid stage identifier specified"),
        ):
            with pytest.raises(NotFoundException) as missing:
                await read
            assert missing.value.message == words

    run(tmp_path, scenario)


def beside(control: Control) -> Control:
    """Another process on the same store: it shares the records and none of the locks."""
    changes, authorization = KeptChanges(), GrantsAllBut()
    return Control(ApiGateway(control.provider._store, changes, authorization, a_seal()), changes, authorization)


@pytest.mark.parametrize("pauses", range(8))
def test_two_processes_never_leave_a_stage_without_its_deployment(tmp_path, pauses: int) -> None:
    async def scenario(control: Control) -> None:
        other = beside(control)
        api = await control.an_api()
        await control.a_method(api)
        named = {"restApiId": api["id"]}
        for index in range(10):
            deployment = {"deploymentId": (await control("CreateDeployment", **named))["id"]}

            async def delete_a_little_later(deployment=deployment) -> None:
                for _ in range(pauses):
                    await asyncio.sleep(0)
                await other("DeleteDeployment", **named, **deployment)

            await asyncio.gather(
                control("CreateStage", **named, **deployment, stageName=f"s{index}"),
                delete_a_little_later(),
                return_exceptions=True,
            )
        for stage in (await control("GetStages", **named))["item"]:
            await control("GetDeployment", **named, deploymentId=stage["deploymentId"])

    with_control(tmp_path, scenario)


def test_two_processes_both_add_their_resources(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        other = beside(control)
        api = await control.an_api()
        root = {"restApiId": api["id"], "parentId": api["rootResourceId"]}
        await asyncio.gather(
            *(
                each("CreateResource", **root, pathPart=f"{name}{i}")
                for i in range(10)
                for name, each in (("a", control), ("b", other))
            )
        )
        assert len((await control("GetResources", restApiId=api["id"], limit=500))["items"]) == 21

    with_control(tmp_path, scenario)


@pytest.mark.parametrize("pauses", range(6))
def test_two_processes_never_leave_parts_of_a_deleted_api(tmp_path, pauses: int) -> None:
    async def scenario(control: Control) -> None:
        other = beside(control)
        api = await control.an_api()
        await control.a_method(api)

        async def delete_a_little_later() -> None:
            for _ in range(pauses):
                await asyncio.sleep(0)
            await other("DeleteRestApi", restApiId=api["id"])

        await asyncio.gather(
            control("CreateDeployment", restApiId=api["id"], stageName="prod"),
            control("CreateResource", restApiId=api["id"], parentId=api["rootResourceId"], pathPart="a"),
            delete_a_little_later(),
            return_exceptions=True,
        )
        if not (await control("GetRestApis"))["items"]:
            for kind in (DEFINITION, DEPLOYMENT, DEPLOYMENT_CONTENT, STAGE, API_ID_OWNER):
                assert await control.provider._store.scan(kind) == []

    with_control(tmp_path, scenario)
