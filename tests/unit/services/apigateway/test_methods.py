from __future__ import annotations

import pytest

from gatepost.services.apigateway.model import BadRequestException, ConflictException, NotFoundException
from tests.support.rest_apis import Control, with_control


async def a_bare_method(control: Control, **params) -> dict:
    api = await control.an_api()
    named = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "GET"}
    await control("PutMethod", **{**named, "authorizationType": "NONE", **params})
    return named


def test_a_method_is_given_back_as_it_was_put(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = await a_bare_method(
            control,
            authorizationType="AWS_IAM",
            operationName="listOrders",
            requestParameters={"method.request.querystring.page": True},
            requestModels={"application/json": "Empty"},
        )
        assert await control("GetMethod", **named) == {
            "httpMethod": "GET",
            "authorizationType": "AWS_IAM",
            "apiKeyRequired": False,
            "operationName": "listOrders",
            "requestParameters": {"method.request.querystring.page": True},
            "requestModels": {"application/json": "Empty"},
        }

    with_control(tmp_path, scenario)


def test_a_method_cannot_be_put_twice(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = await a_bare_method(control)
        with pytest.raises(ConflictException, match="Method already exists for this resource"):
            await control("PutMethod", **named, authorizationType="NONE")

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"httpMethod": "TRACE"}, "Invalid HttpMethod specified. Valid options are"),
        ({"httpMethod": "get"}, "Invalid HttpMethod specified"),
        ({"authorizationType": "BASIC"}, "Invalid authorization type specified"),
        ({"authorizationType": "CUSTOM", "authorizerId": "a"}, "Invalid authorizer ID specified. Setting the"),
        ({"authorizationType": "COGNITO_USER_POOLS"}, "Invalid authorizer ID specified"),
        ({"authorizationScopes": ["a"]}, "Authorization scopes can only be set"),
        ({"requestValidatorId": "v"}, "Invalid Request Validator identifier specified"),
        ({"requestParameters": {"page": True}}, "Invalid mapping expression specified: page"),
        ({"requestModels": {"application/json": "Order"}}, "Invalid model identifier specified: Order"),
    ],
)
def test_a_method_that_cannot_be_is_refused(tmp_path, params: dict, words: str) -> None:
    async def scenario(control: Control) -> None:
        with pytest.raises(BadRequestException) as refused:
            await a_bare_method(control, **params)
        assert words in refused.value.message

    with_control(tmp_path, scenario)


def test_a_method_is_patched(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = await a_bare_method(control, requestParameters={"method.request.header.A": False})
        changed = await control(
            "UpdateMethod",
            **named,
            patchOperations=[
                {"op": "replace", "path": "/authorizationType", "value": "AWS_IAM"},
                {"op": "replace", "path": "/apiKeyRequired", "value": "false"},
                {"op": "replace", "path": "/operationName", "value": "list"},
                {"op": "add", "path": "/requestParameters/method.request.path.id", "value": "true"},
                {"op": "remove", "path": "/requestParameters/method.request.header.A"},
                {"op": "add", "path": "/requestModels/application~1json", "value": "Empty"},
            ],
        )
        assert changed == {
            "httpMethod": "GET",
            "authorizationType": "AWS_IAM",
            "apiKeyRequired": False,
            "operationName": "list",
            "requestParameters": {"method.request.path.id": True},
            "requestModels": {"application/json": "Empty"},
        }
        assert await control("GetMethod", **named) == changed

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    "patch",
    [
        {"op": "replace", "path": "/authorizationType", "value": "CUSTOM"},
        {"op": "replace", "path": "/apiKeyRequired", "value": "yes"},
        {"op": "replace", "path": "/requestValidatorId", "value": "v"},
        {"op": "add", "path": "/authorizationScopes", "value": "a"},
        {"op": "replace", "path": "/httpMethod", "value": "PUT"},
        {"op": "add", "path": "/requestModels/application~1json", "value": "Nothing"},
    ],
)
def test_a_patch_that_cannot_be_is_refused(tmp_path, patch: dict) -> None:
    async def scenario(control: Control) -> None:
        named = await a_bare_method(control)
        before = await control("GetMethod", **named)
        with pytest.raises(BadRequestException):
            await control("UpdateMethod", **named, patchOperations=[patch])
        assert await control("GetMethod", **named) == before

    with_control(tmp_path, scenario)


def test_a_parameter_that_the_integration_uses_cannot_be_taken_away(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = await a_bare_method(control, requestParameters={"method.request.path.id": True})
        await control(
            "PutIntegration",
            **named,
            type="HTTP_PROXY",
            integrationHttpMethod="GET",
            uri="http://example.com/{id}",
            requestParameters={"integration.request.path.id": "method.request.path.id"},
        )
        patch = {"op": "remove", "path": "/requestParameters/method.request.path.id"}
        with pytest.raises(BadRequestException, match="Invalid mapping expression parameter specified"):
            await control("UpdateMethod", **named, patchOperations=[patch])

    with_control(tmp_path, scenario)


def test_a_deleted_method_is_gone(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = await a_bare_method(control)
        await control("DeleteMethod", **named)
        for operation in ("GetMethod", "DeleteMethod"):
            with pytest.raises(NotFoundException, match="Invalid Method identifier specified"):
                await control(operation, **named)

    with_control(tmp_path, scenario)


def test_method_responses_live_their_life(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = {**await a_bare_method(control), "statusCode": "200"}
        put = await control(
            "PutMethodResponse",
            **named,
            responseParameters={"method.response.header.X": True},
            responseModels={"application/json": "Error"},
        )
        assert await control("GetMethodResponse", **named) == put
        with pytest.raises(ConflictException, match="Response already exists for this resource"):
            await control("PutMethodResponse", **named)
        changed = await control(
            "UpdateMethodResponse",
            **named,
            patchOperations=[
                {"op": "add", "path": "/responseParameters/method.response.header.Y", "value": "false"},
                {"op": "replace", "path": "/responseModels/application~1json", "value": "Empty"},
            ],
        )
        assert changed == {
            "statusCode": "200",
            "responseParameters": {"method.response.header.X": True, "method.response.header.Y": False},
            "responseModels": {"application/json": "Empty"},
        }
        await control("DeleteMethodResponse", **named)
        for operation in ("GetMethodResponse", "UpdateMethodResponse", "DeleteMethodResponse"):
            with pytest.raises(NotFoundException, match="Invalid Response status code specified"):
                await control(operation, **named)

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    "params", [{"responseParameters": {"X": True}}, {"responseModels": {"application/json": "Nothing"}}]
)
def test_a_method_response_that_cannot_be_is_refused(tmp_path, params: dict) -> None:
    async def scenario(control: Control) -> None:
        named = await a_bare_method(control)
        with pytest.raises(BadRequestException):
            await control("PutMethodResponse", **named, statusCode="200", **params)

    with_control(tmp_path, scenario)
