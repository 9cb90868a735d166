from __future__ import annotations

import pytest

from gatepost.services.apigateway.deployment import deployment_from_json
from gatepost.services.apigateway.model import (
    BadRequestException,
    ConflictException,
    LimitExceededException,
    NotFoundException,
)
from tests.support.rest_apis import FUNCTION_URI, Control, with_control

POOL = "arn:aws:cognito-idp:us-east-1:000000000000:userpool/us-east-1_Abc123"
TOKEN = {"name": "t", "type": "TOKEN", "authorizerUri": FUNCTION_URI}
REQUEST = {
    "name": "r",
    "type": "REQUEST",
    "authorizerUri": FUNCTION_URI,
    "identitySource": "method.request.header.A, method.request.querystring.b, stageVariables.c, context.stage",
}
COGNITO = {"name": "c", "type": "COGNITO_USER_POOLS", "providerARNs": [POOL]}


def test_all_three_types_are_given_back_as_they_were_made(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        token = await control("CreateAuthorizer", restApiId=api_id, **TOKEN, identityValidationExpression="^Bearer .+$")
        assert token == {
            "id": token["id"],
            "name": "t",
            "type": "TOKEN",
            "authType": "custom",
            "authorizerUri": FUNCTION_URI,
            "identitySource": "method.request.header.Authorization",
            "identityValidationExpression": "^Bearer .+$",
            "authorizerResultTtlInSeconds": 300,
        }
        request = await control("CreateAuthorizer", restApiId=api_id, **REQUEST, authorizerResultTtlInSeconds=0)
        assert request["authorizerResultTtlInSeconds"] == 0
        assert request["identitySource"] == REQUEST["identitySource"]
        users = await control("CreateAuthorizer", restApiId=api_id, **COGNITO)
        assert (users["authType"], users["providerARNs"]) == ("cognito_user_pools", [POOL])
        for made in (token, request, users):
            assert await control("GetAuthorizer", restApiId=api_id, authorizerId=made["id"]) == made
        listed = (await control("GetAuthorizers", restApiId=api_id))["items"]
        assert sorted(listed, key=lambda each: each["name"]) == [users, request, token]

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({**TOKEN, "name": " "}, "name cannot be blank"),
        (
            {**TOKEN, "authorizerUri": "arn:aws:lambda:us-east-1:000000000000:function:f"},
            "Invalid Authorizer URI: arn:",
        ),
        ({"name": "t", "type": "TOKEN"}, "Invalid Authorizer URI: ."),
        ({**TOKEN, "authorizerResultTtlInSeconds": -1}, "Should be between 0 and 3600"),
        ({**TOKEN, "authorizerResultTtlInSeconds": 3_601}, "Should be between 0 and 3600"),
        ({**TOKEN, "identitySource": "method.request.querystring.a"}, "Invalid identity source"),
        ({**TOKEN, "identityValidationExpression": "("}, "Invalid identity validation expression"),
        ({**TOKEN, "identityValidationExpression": "(?=a)"}, "look-around"),
        ({**TOKEN, "authorizerCredentials": "x"}, "Invalid Authorizer credentials"),
        ({**TOKEN, "providerARNs": [POOL]}, "no provider ARNs"),
        ({**REQUEST, "identitySource": ""}, "Identity source is required"),
        ({**REQUEST, "identitySource": "header.a"}, "Invalid identity source specified: header.a"),
        ({**REQUEST, "identitySource": "context.shoe"}, "context.shoe"),
        ({**REQUEST, "identityValidationExpression": "a"}, "only be set on a TOKEN authorizer"),
        ({"name": "c", "type": "COGNITO_USER_POOLS"}, "At least one provider ARN"),
        ({**COGNITO, "providerARNs": ["arn:aws:s3:::x"]}, "Invalid Cognito User Pool ARN: arn:aws:s3:::x"),
        ({**COGNITO, "authorizerUri": FUNCTION_URI}, "no authorizerUri"),
    ],
)
def test_an_authorizer_that_cannot_be_is_refused(tmp_path, params: dict, words: str) -> None:
    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        with pytest.raises(BadRequestException) as refused:
            await control("CreateAuthorizer", restApiId=api_id, **params)
        assert words in refused.value.message

    with_control(tmp_path, scenario)


def test_names_are_unique_and_ten_authorizers_are_the_limit(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        for number in range(10):
            await control("CreateAuthorizer", restApiId=api_id, **{**TOKEN, "name": f"a{number}"})
        with pytest.raises(BadRequestException, match="Authorizer a3 already exists in this RestApi"):
            await control("CreateAuthorizer", restApiId=api_id, **{**TOKEN, "name": "a3"})
        with pytest.raises(LimitExceededException, match="Maximum number of Authorizers"):
            await control("CreateAuthorizer", restApiId=api_id, **{**TOKEN, "name": "a10"})

    with_control(tmp_path, scenario)


def test_an_authorizer_is_patched(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        users = await control("CreateAuthorizer", restApiId=api_id, **COGNITO)
        other = POOL.replace("Abc", "Def")
        changed = await control(
            "UpdateAuthorizer",
            restApiId=api_id,
            authorizerId=users["id"],
            patchOperations=[
                {"op": "replace", "path": "/name", "value": "people"},
                {"op": "add", "path": "/providerARNs", "value": other},
                {"op": "remove", "path": "/providerARNs", "value": POOL},
                {"op": "replace", "path": "/identitySource", "value": "method.request.header.X"},
            ],
        )
        assert changed == users | {
            "name": "people",
            "providerARNs": [other],
            "identitySource": "method.request.header.X",
        }
        patch = {"op": "remove", "path": "/providerARNs", "value": other}
        with pytest.raises(BadRequestException, match="At least one provider"):
            await control("UpdateAuthorizer", restApiId=api_id, authorizerId=users["id"], patchOperations=[patch])

    with_control(tmp_path, scenario)


def test_an_authorizer_that_a_method_names_stays(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        made = await control("CreateAuthorizer", restApiId=api["id"], **COGNITO)
        method = await control.a_method(
            api,
            authorizationType="COGNITO_USER_POOLS",
            authorizerId=made["id"],
            authorizationScopes=["orders/read"],
        )
        shown = await control("GetMethod", **method)
        assert (shown["authorizerId"], shown["authorizationScopes"]) == (made["id"], ["orders/read"])
        named = {"restApiId": api["id"], "authorizerId": made["id"]}
        with pytest.raises(ConflictException, match="GET /"):
            await control("DeleteAuthorizer", **named)
        await control("CreateDeployment", restApiId=api["id"], stageName="prod")
        frozen = deployment_from_json(control.changes.held[f"{api['id']}/prod"]["deployment"])
        assert [(each.id, each.provider_arns) for each in frozen.authorizers] == [(made["id"], (POOL,))]
        await control("DeleteMethod", **method)
        await control("DeleteAuthorizer", **named)
        with pytest.raises(NotFoundException, match="Invalid Authorizer identifier specified"):
            await control("GetAuthorizer", **named)

    with_control(tmp_path, scenario)


def test_a_method_names_an_authorizer_of_its_type(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api = await control.an_api()
        users = await control("CreateAuthorizer", restApiId=api["id"], **COGNITO)
        token = await control("CreateAuthorizer", restApiId=api["id"], **TOKEN)
        for authorization_type, authorizer in (("CUSTOM", users), ("COGNITO_USER_POOLS", token)):
            with pytest.raises(BadRequestException, match="Invalid authorizer ID specified"):
                await control.a_method(api, authorizationType=authorization_type, authorizerId=authorizer["id"])
        with pytest.raises(BadRequestException, match="scopes"):
            await control.a_method(api, authorizationType="CUSTOM", authorizerId=token["id"], authorizationScopes=["a"])
        await control.a_method(api, authorizationType="CUSTOM", authorizerId=token["id"])

    with_control(tmp_path, scenario)
