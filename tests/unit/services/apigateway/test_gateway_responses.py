from __future__ import annotations

import pytest

from gatepost.gateway.responses import RESPONSE_TYPES
from gatepost.services.apigateway.gateway_responses import DEFAULT_STATUSES
from gatepost.services.apigateway.model import BadRequestException, NotFoundException
from tests.support.rest_apis import Control, with_control

AWS_TEMPLATE = {"application/json": '{"message":$context.error.messageString}'}


def test_the_gateway_knows_the_same_response_types() -> None:
    assert set(DEFAULT_STATUSES) == RESPONSE_TYPES


def test_what_is_not_declared_is_awss_own(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        assert await control("GetGatewayResponse", restApiId=api_id, responseType="THROTTLED") == {
            "responseType": "THROTTLED",
            "statusCode": "429",
            "responseParameters": {},
            "responseTemplates": AWS_TEMPLATE,
            "defaultResponse": True,
        }
        default = await control("GetGatewayResponse", restApiId=api_id, responseType="DEFAULT_4XX")
        assert "statusCode" not in default
        listed = await control("GetGatewayResponses", restApiId=api_id)
        assert len(listed["items"]) == len(DEFAULT_STATUSES)

    with_control(tmp_path, scenario)


def test_gateway_responses_live_their_life(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = {"restApiId": (await control.an_api())["id"], "responseType": "THROTTLED"}
        said = {
            "statusCode": "503",
            "responseParameters": {"gatewayresponse.header.Retry-After": "'1'"},
            "responseTemplates": {"text/plain": "slow down"},
        }
        put = await control("PutGatewayResponse", **named, **said)
        assert put == {"responseType": "THROTTLED", "defaultResponse": False, **said}
        assert await control("GetGatewayResponse", **named) == put
        changed = await control(
            "UpdateGatewayResponse",
            **named,
            patchOperations=[
                {"op": "replace", "path": "/statusCode", "value": "429"},
                {"op": "remove", "path": "/responseTemplates/text~1plain"},
                {"op": "add", "path": "/responseParameters/gatewayresponse.header.A", "value": "'a'"},
            ],
        )
        assert (changed["statusCode"], changed["responseTemplates"]) == ("429", AWS_TEMPLATE)
        assert len(changed["responseParameters"]) == 2
        await control("DeleteGatewayResponse", **named)
        assert (await control("GetGatewayResponse", **named))["defaultResponse"] is True
        with pytest.raises(NotFoundException, match="Gateway response type not defined on api"):
            await control("DeleteGatewayResponse", **named)

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    "params",
    [
        {"responseType": "NOTHING"},
        {"statusCode": "99"},
        {"responseParameters": {"X": "'a'"}},
        {"responseTemplates": {"application/json": "$context.error.stack"}},
    ],
)
def test_a_gateway_response_that_cannot_be_is_refused(tmp_path, params: dict) -> None:
    async def scenario(control: Control) -> None:
        api_id = (await control.an_api())["id"]
        with pytest.raises(BadRequestException):
            await control("PutGatewayResponse", **{"restApiId": api_id, "responseType": "THROTTLED", **params})

    with_control(tmp_path, scenario)
