from __future__ import annotations

import pytest

from gatepost.services.apigateway.deployment import deployment_from_json
from gatepost.services.apigateway.model import BadRequestException, ConflictException, NotFoundException
from tests.support.rest_apis import Control, with_control


def test_a_validator_lives_from_create_to_delete(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        made = await control("CreateRequestValidator", restApiId=api_id, name="body", validateRequestBody=True)
        named = {"restApiId": api_id, "requestValidatorId": made["id"]}
        expected = {
            "id": made["id"],
            "name": "body",
            "validateRequestBody": True,
            "validateRequestParameters": False,
        }
        assert made == expected
        assert await control("GetRequestValidator", **named) == expected
        assert await control("GetRequestValidators", restApiId=api_id) == {"items": [expected]}
        changed = await control(
            "UpdateRequestValidator",
            **named,
            patchOperations=[
                {"op": "replace", "path": "/name", "value": "all"},
                {"op": "replace", "path": "/validateRequestParameters", "value": "true"},
            ],
        )
        assert changed == expected | {"name": "all", "validateRequestParameters": True}
        assert await control("GetRequestValidator", **named) == changed
        await control("DeleteRequestValidator", **named)
        with pytest.raises(NotFoundException, match="Invalid Request Validator identifier specified"):
            await control("GetRequestValidator", **named)

    with_control(tmp_path, scenario)


def test_a_validator_that_a_method_names_stays(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        made = await control("CreateRequestValidator", restApiId=api["id"], name="v", validateRequestBody=True)
        method = await control.a_method(api, "/orders", requestValidatorId=made["id"])
        assert (await control("GetMethod", **method))["requestValidatorId"] == made["id"]
        with pytest.raises(ConflictException, match="GET /orders"):
            await control("DeleteRequestValidator", restApiId=api["id"], requestValidatorId=made["id"])
        patch = {"op": "replace", "path": "/requestValidatorId", "value": ""}
        assert "requestValidatorId" not in await control("UpdateMethod", **method, patchOperations=[patch])
        await control("DeleteRequestValidator", restApiId=api["id"], requestValidatorId=made["id"])

    with_control(tmp_path, scenario)


def test_a_deployment_freezes_validators_and_models(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        made = await control("CreateRequestValidator", restApiId=api["id"], name="v", validateRequestBody=True)
        await control.a_method(api, requestValidatorId=made["id"], requestModels={"application/json": "Empty"})
        await control("CreateDeployment", restApiId=api["id"], stageName="prod")
        patch = {"op": "replace", "path": "/validateRequestBody", "value": "false"}
        named = {"restApiId": api["id"], "requestValidatorId": made["id"]}
        await control("UpdateRequestValidator", **named, patchOperations=[patch])
        frozen = deployment_from_json(control.changes.held[f"{api['id']}/prod"]["deployment"])
        assert [(each.id, each.validates_body) for each in frozen.request_validators] == [(made["id"], True)]
        assert [each.name for each in frozen.models] == ["Empty", "Error"]
        assert frozen.resources[0].methods[0].request_validator_id == made["id"]

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    "patch",
    [
        {"op": "replace", "path": "/validateRequestBody", "value": "maybe"},
        {"op": "add", "path": "/name", "value": "x"},
        {"op": "replace", "path": "/id", "value": "x"},
        {"op": "replace", "path": "/name", "value": "x" * 1_025},
    ],
)
def test_a_patch_that_cannot_be_is_refused(tmp_path, patch: dict) -> None:
    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        made = await control("CreateRequestValidator", restApiId=api_id, name="v")
        with pytest.raises(BadRequestException):
            await control(
                "UpdateRequestValidator", restApiId=api_id, requestValidatorId=made["id"], patchOperations=[patch]
            )

    with_control(tmp_path, scenario)
