from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gatepost.gateway.method_tests import GatewayMethodTests
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ports import AuthorizerTest
from gatepost.services.apigateway.deployment import Authorizer, authorizer_to_json
from tests.support.gateways import ACCOUNT, API, FUNCTION_URI
from tests.unit.gateway.guards.test_cognito_authorizer import POOL, a_gateway, an_access_token, an_id_token
from tests.unit.gateway.guards.test_function_grant import ROLE_ARN, a_role_gateway


def ask(gateway, declared, headers=(), event=""):
    test = AuthorizerTest(authorizer_to_json(declared), ACCOUNT, "us-east-1", API, headers, {"v": "1"}, event)
    return asyncio.run(GatewayMethodTests(gateway.parts, gateway.ids).test_authorizer(test))


def test_an_id_token_gives_its_claims():
    gateway = a_gateway()
    result = ask(gateway, POOL, (("authorization", an_id_token(gateway, email="a@b")),))
    assert result.status == 0
    assert (result.claims["sub"], result.claims["email"]) == ("s-1", "a@b")


@pytest.mark.parametrize("token", ["", "none.of.ours", "an access token"])
def test_what_is_not_an_id_token_of_the_pool_is_refused(token):
    gateway = a_gateway()
    given = an_access_token(gateway, "shop/read") if token == "an access token" else token
    result = ask(gateway, POOL, (("Authorization", given),))
    assert (result.status, dict(result.claims)) == (401, {})
    assert result.detail


def test_a_pool_that_does_not_exist_is_a_configuration_error():
    assert ask(a_gateway(pools=()), POOL, (("Authorization", an_id_token(a_gateway())),)).status == 500


def test_an_authorizer_that_names_no_pool_cannot_be_asked():
    with pytest.raises(ServiceError, match="names no user pool"):
        ask(a_gateway(), replace(POOL, provider_arns=()))


WITH_A_ROLE = Authorizer("au2", "f", "TOKEN", uri=FUNCTION_URI, credentials_arn=ROLE_ARN)


def test_a_function_is_called_as_the_authorizers_role():
    gateway, _ = a_role_gateway()
    result = ask(gateway, WITH_A_ROLE, event='{"type": "TOKEN"}')
    assert (result.status, result.function_error) == (0, "")
    assert gateway.functions.event == {"type": "TOKEN"}
    assert gateway.grants.asked == []


def test_a_role_that_may_not_call_it_is_a_configuration_error():
    gateway, _ = a_role_gateway(resource="arn:aws:lambda:us-east-1:000000000000:function:other")
    result = ask(gateway, WITH_A_ROLE, event="{}")
    assert result.status == 500
    assert "lambda:InvokeFunction" in result.detail
    assert gateway.functions.invocations == []
