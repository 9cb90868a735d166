from __future__ import annotations

import pytest

from gatepost.services.apigateway import documentation_versions
from gatepost.services.apigateway.model import BadRequestException, LimitExceededException, NotFoundException
from tests.support.rest_apis import Control, with_control


@pytest.mark.parametrize("name", ["", " ", "a b", "a/b", "x" * 65])
def test_a_version_has_a_name_that_a_path_can_hold(tmp_path, name: str) -> None:
    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        with pytest.raises(BadRequestException, match="Invalid documentation version"):
            await control("CreateDocumentationVersion", restApiId=api_id, documentationVersion=name)

    with_control(tmp_path, scenario)


def test_versions_are_listed_in_pages_of_one_api(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id, other = (await control.an_api())["id"], (await control.an_api())["id"]
        for name in ("1", "2", "3"):
            await control("CreateDocumentationVersion", restApiId=api_id, documentationVersion=name)
        await control("CreateDocumentationVersion", restApiId=other, documentationVersion="9")
        first = await control("GetDocumentationVersions", restApiId=api_id, limit=2)
        second = await control("GetDocumentationVersions", restApiId=api_id, limit=2, position=first["position"])
        assert [each["version"] for each in (*first["items"], *second["items"])] == ["1", "2", "3"]
        assert "position" not in second

    with_control(tmp_path, scenario)


def test_the_number_of_versions_is_bounded(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documentation_versions, "API_GATEWAY_DOCUMENTATION_VERSIONS_PER_API_MAX", 1)

    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        await control("CreateDocumentationVersion", restApiId=api_id, documentationVersion="1")
        with pytest.raises(LimitExceededException):
            await control("CreateDocumentationVersion", restApiId=api_id, documentationVersion="2")

    with_control(tmp_path, scenario)


def test_a_version_for_a_stage_that_is_not_there_is_not_made(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = {"restApiId": (await control.an_api())["id"], "documentationVersion": "1"}
        with pytest.raises(NotFoundException, match="Invalid stage identifier"):
            await control("CreateDocumentationVersion", **named, stageName="prod")
        with pytest.raises(NotFoundException, match="Invalid Documentation version"):
            await control("GetDocumentationVersion", **named)

    with_control(tmp_path, scenario)


def test_versions_go_with_their_api(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        tags = {"_custom_id_": "pinned"}
        await control.an_api(tags=tags)
        await control("CreateDocumentationPart", restApiId="pinned", location={"type": "API"}, properties="{}")
        await control("CreateDocumentationVersion", restApiId="pinned", documentationVersion="1")
        await control("DeleteRestApi", restApiId="pinned")
        await control.an_api(tags=tags)
        assert (await control("GetDocumentationVersions", restApiId="pinned"))["items"] == []
        assert (await control("GetDocumentationParts", restApiId="pinned"))["items"] == []

    with_control(tmp_path, scenario)
