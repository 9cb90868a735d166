from __future__ import annotations

from datetime import UTC, datetime

import botocore.session
import pytest
from botocore.validate import ParamValidator

from gatepost.kernel.operations import operations_of
from tests.support.rest_apis import Control, a_call, with_control

MODEL = botocore.session.get_session().get_service_model("apigateway")


def with_dates(value: object) -> object:
    """Give `value` with its times as botocore checks them."""
    if isinstance(value, dict):
        return {
            name: datetime.fromtimestamp(each / 1000, UTC) if name.endswith("Date") else with_dates(each)
            for name, each in value.items()
        }
    return [with_dates(each) for each in value] if isinstance(value, list) else value


def test_every_operation_exists_in_the_service_model(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        assert control.provider.service == "apigateway"
        assert set(operations_of(control.provider)) <= set(MODEL.operation_names)

    with_control(tmp_path, scenario)


def test_the_access_of_a_call_is_told(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        (access,) = control.provider.access(a_call("DeleteRestApi"), {"restApiId": "a"})
        assert access.action == "apigateway:DELETE"

    with_control(tmp_path, scenario)


@pytest.mark.parametrize("fill", ["plain", "full"])
def test_answers_have_the_shapes_of_the_service_model(tmp_path, fill: str) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api(**({"tags": {"a": "1"}, "description": "d"} if fill == "full" else {}))
        named = await control.a_method(api, "/orders/{id}")
        await control("PutMethodResponse", **named, statusCode="200")
        await control("PutIntegrationResponse", **named, statusCode="200", selectionPattern="2..")
        deployment = await control("CreateDeployment", restApiId=api["id"], stageName="prod", variables={"a": "1"})
        api_id = {"restApiId": api["id"]}
        resource = {**api_id, "resourceId": named["resourceId"]}
        for operation, params in (
            ("GetRestApi", api_id),
            ("GetRestApis", {}),
            ("GetResources", {**api_id, "embed": ["methods"]}),
            ("GetResource", {**resource, "embed": ["methods"]}),
            ("GetMethod", named),
            ("GetMethodResponse", {**named, "statusCode": "200"}),
            ("GetIntegration", named),
            ("GetIntegrationResponse", {**named, "statusCode": "200"}),
            ("GetModels", api_id),
            ("GetModel", {**api_id, "modelName": "Error"}),
            ("GetGatewayResponses", api_id),
            ("GetDeployment", {**api_id, "deploymentId": deployment["id"], "embed": ["apisummary"]}),
            ("GetDeployments", api_id),
            ("GetStage", {**api_id, "stageName": "prod"}),
            ("GetStages", api_id),
            ("GetTags", {"resourceArn": f"arn:aws:apigateway:us-east-1::/restapis/{api['id']}"}),
            ("GetAccount", {}),
        ):
            answer = await control(operation, **params)
            shape = MODEL.operation_model(operation).output_shape
            report = ParamValidator().validate(with_dates(answer), shape)
            assert not report.has_errors(), (operation, report.generate_report())
            assert set(answer) <= set(shape.members), operation

    with_control(tmp_path, scenario)
