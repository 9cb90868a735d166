from __future__ import annotations

import pytest

from gatepost.services.apigateway.model import BadRequestException, NotFoundException
from tests.support.rest_apis import Control, with_control


def test_the_kinds_of_client_code_are_listed(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        listed = (await control("GetSdkTypes"))["items"]
        assert [each["id"] for each in listed] == ["android", "java", "javascript", "objectivec", "ruby", "swift"]
        assert await control("GetSdkType", id="swift") == listed[-1]
        with pytest.raises(NotFoundException):
            await control("GetSdkType", id="cobol")

    with_control(tmp_path, scenario)


def test_client_code_is_refused_with_what_works_instead(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        await control.a_method(api)
        await control("CreateDeployment", restApiId=api["id"], stageName="prod")
        named = {"restApiId": api["id"], "stageName": "prod"}
        with pytest.raises(BadRequestException, match="GetExport"):
            await control("GetSdk", **named, sdkType="javascript")
        with pytest.raises(NotFoundException):
            await control("GetSdk", **named, sdkType="cobol")
        with pytest.raises(NotFoundException):
            await control("GetSdk", **{**named, "stageName": "no"}, sdkType="java")

    with_control(tmp_path, scenario)
