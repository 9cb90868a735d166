from __future__ import annotations

import pytest

from gatepost.services.apigateway.model import BadRequestException, NotFoundException
from tests.support.rest_apis import Control, with_control


def test_a_resource_is_created_given_and_listed(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        orders = await control.a_path(api, "/orders")
        assert orders == {
            "id": orders["id"],
            "path": "/orders",
            "pathPart": "orders",
            "parentId": api["rootResourceId"],
        }
        assert await control("GetResource", restApiId=api["id"], resourceId=orders["id"]) == orders

    with_control(tmp_path, scenario)


def test_methods_are_named_and_embedded_on_demand(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        named = await control.a_method(api, "/orders")
        del named["httpMethod"]
        assert (await control("GetResource", **named))["resourceMethods"] == {"GET": {}}
        embedded = await control("GetResource", **named, embed=["methods"])
        assert embedded["resourceMethods"]["GET"]["methodIntegration"]["type"] == "MOCK"
        listed = await control("GetResources", restApiId=api["id"], embed=["methods"])
        assert embedded in listed["items"]

    with_control(tmp_path, scenario)


def test_resources_are_listed_in_pages(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        for index in range(4):
            await control.a_path(api, f"/p{index}")
        first = await control("GetResources", restApiId=api["id"], limit=3)
        second = await control("GetResources", restApiId=api["id"], limit=3, position=first["position"])
        ids = [each["id"] for each in (*first["items"], *second["items"])]
        assert len(set(ids)) == 5
        assert ids == sorted(ids)

    with_control(tmp_path, scenario)


def test_a_resource_is_renamed_and_moved_by_patches(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        line, archive = await control.a_path(api, "/orders/{id}"), await control.a_path(api, "/archive")
        moved = await control(
            "UpdateResource",
            restApiId=api["id"],
            resourceId=line["parentId"],
            patchOperations=[
                {"op": "replace", "path": "/pathPart", "value": "old"},
                {"op": "replace", "path": "/parentId", "value": archive["id"]},
            ],
        )
        assert moved["path"] == "/archive/old"
        below = await control("GetResource", restApiId=api["id"], resourceId=line["id"])
        assert below["path"] == "/archive/old/{id}"

    with_control(tmp_path, scenario)


@pytest.mark.parametrize("patch", [{"path": "/pathPart", "value": "a b"}, {"path": "/id", "value": "x"}])
def test_a_patch_that_cannot_be_is_refused(tmp_path, patch: dict) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        orders = await control.a_path(api, "/orders")
        with pytest.raises(BadRequestException):
            await control(
                "UpdateResource",
                restApiId=api["id"],
                resourceId=orders["id"],
                patchOperations=[{"op": "replace", **patch}],
            )

    with_control(tmp_path, scenario)


def test_the_root_can_be_neither_renamed_nor_deleted(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        root = {"restApiId": api["id"], "resourceId": api["rootResourceId"]}
        for path, value in (("/pathPart", "x"), ("/parentId", api["rootResourceId"])):
            with pytest.raises(BadRequestException, match="Root resource"):
                await control(
                    "UpdateResource", **root, patchOperations=[{"op": "replace", "path": path, "value": value}]
                )
        with pytest.raises(BadRequestException, match="Root resource"):
            await control("DeleteResource", **root)

    with_control(tmp_path, scenario)


def test_a_deleted_resource_is_gone_with_what_was_below(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        line = await control.a_path(api, "/orders/{id}")
        await control("DeleteResource", restApiId=api["id"], resourceId=line["parentId"])
        for resource_id in (line["id"], line["parentId"]):
            with pytest.raises(NotFoundException, match="Invalid Resource identifier specified"):
                await control("GetResource", restApiId=api["id"], resourceId=resource_id)

    with_control(tmp_path, scenario)


def test_an_unknown_parent_is_not_found(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        with pytest.raises(NotFoundException, match="Invalid Resource identifier specified"):
            await control("CreateResource", restApiId=api["id"], parentId="nothing", pathPart="a")

    with_control(tmp_path, scenario)
