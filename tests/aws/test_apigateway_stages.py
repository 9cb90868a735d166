"""boto3 against a running platform: a stage answers once its operation has, and no longer than it exists."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.platform import RunningPlatform, ask


@pytest.fixture
def apigateway(platform: RunningPlatform) -> Any:
    return platform.client("apigateway")


def a_mock_api(apigateway: Any, name: str) -> dict[str, str]:
    """Build a MOCK on the root by hand; gives what names its method."""
    api = apigateway.create_rest_api(name=name, endpointConfiguration={"types": ["REGIONAL"]})
    named = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "GET"}
    header = "method.response.header.X-Colour"
    apigateway.put_method(**named, authorizationType="NONE")
    apigateway.put_method_response(**named, statusCode="200", responseParameters={header: False})
    apigateway.put_integration(**named, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    apigateway.put_integration_response(
        **named,
        statusCode="200",
        responseParameters={header: "stageVariables.colour"},
        responseTemplates={"application/json": '{"version": 1}'},
    )
    return named


def test_a_stage_answers_as_it_was_deployed(platform: RunningPlatform, apigateway: Any) -> None:
    named = a_mock_api(apigateway, "as-deployed")
    api_id = named["restApiId"]
    url = platform.stage_url(api_id, "prod") + "/"
    assert ask("GET", url).status == 403

    apigateway.create_deployment(restApiId=api_id, stageName="prod", variables={"colour": "red"})
    first = ask("GET", url)
    assert (first.status, first.body, first.headers["X-Colour"]) == (200, b'{"version": 1}', "red")

    patch = {"op": "replace", "path": "/responseTemplates/application~1json", "value": '{"version": 2}'}
    apigateway.update_integration_response(**named, statusCode="200", patchOperations=[patch])
    assert ask("GET", url).body == b'{"version": 1}', "an edit must not reach a stage before its deployment"
    second_id = apigateway.create_deployment(restApiId=api_id)["id"]
    assert ask("GET", url).body == b'{"version": 1}'

    first_id = apigateway.get_stage(restApiId=api_id, stageName="prod")["deploymentId"]
    for deployment_id, body in ((second_id, b'{"version": 2}'), (first_id, b'{"version": 1}')):
        patch = {"op": "replace", "path": "/deploymentId", "value": deployment_id}
        apigateway.update_stage(restApiId=api_id, stageName="prod", patchOperations=[patch])
        assert ask("GET", url).body == body


def test_stage_variables_take_effect_at_once(platform: RunningPlatform, apigateway: Any) -> None:
    api_id = a_mock_api(apigateway, "variables")["restApiId"]
    apigateway.create_deployment(restApiId=api_id, stageName="prod", variables={"colour": "red"})
    patch = {"op": "replace", "path": "/variables/colour", "value": "green"}
    apigateway.update_stage(restApiId=api_id, stageName="prod", patchOperations=[patch])
    assert ask("GET", platform.stage_url(api_id, "prod") + "/").headers["X-Colour"] == "green"


def test_a_deleted_stage_or_api_answers_no_longer(platform: RunningPlatform, apigateway: Any) -> None:
    api_id = a_mock_api(apigateway, "deleted")["restApiId"]
    for stage in ("prod", "beta"):
        apigateway.create_deployment(restApiId=api_id, stageName=stage)
        assert ask("GET", platform.stage_url(api_id, stage) + "/").status == 200
    apigateway.delete_stage(restApiId=api_id, stageName="prod")
    assert ask("GET", platform.stage_url(api_id, "prod") + "/").status == 403
    assert ask("GET", platform.stage_url(api_id, "beta") + "/").status == 200
    apigateway.delete_rest_api(restApiId=api_id)
    assert ask("GET", platform.stage_url(api_id, "beta") + "/").status == 403


def test_an_apis_own_endpoint_can_be_switched_off(platform: RunningPlatform, apigateway: Any) -> None:
    api_id = a_mock_api(apigateway, "switched-off")["restApiId"]
    patch = {"op": "replace", "path": "/disableExecuteApiEndpoint", "value": "true"}
    apigateway.update_rest_api(restApiId=api_id, patchOperations=[patch])
    apigateway.create_deployment(restApiId=api_id, stageName="prod")
    assert ask("GET", platform.stage_url(api_id, "prod") + "/").status == 403
