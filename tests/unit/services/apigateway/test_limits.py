from __future__ import annotations

import json

import pytest

from gatepost.kernel.errors import SettingsError
from gatepost.services.apigateway.limits import ApiLimits, parse_limits
from gatepost.services.apigateway.model import BadRequestException, LimitExceededException
from tests.support.rest_apis import FUNCTION_URI, Control, with_control


def test_quotas_are_awss_but_for_those_that_are_named() -> None:
    assert parse_limits([]) == ApiLimits(300, 10, 10, 600, 120, 600, 60, 29_000)
    assert parse_limits([("resources-per-api", "1000"), ("edge-apis", "1")]) == ApiLimits(
        resources_per_api=1_000, edge_apis=1
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("resources", "5"),
        ("edge-apis", "0"),
        ("edge-apis", "-1"),
        ("edge-apis", "10001"),
        ("edge-apis", "many"),
        ("edge-apis", "9" * 5_000),
        ("edge-apis", "٣"),
        ("integration-timeout-ms", "28999"),
        ("integration-timeout-ms", "300001"),
    ],
)
def test_a_quota_that_cannot_be_is_refused(name: str, text: str) -> None:
    with pytest.raises(SettingsError, match="--quota"):
        parse_limits([(name, text)])


def test_each_quota_counts(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        control.provider.records.limits = ApiLimits(2, 1, 1, 1, 2, 1, 1)
        api = await control.an_api()
        path = await control.a_method(api, "/a")
        below = {"restApiId": api["id"], "parentId": path["resourceId"], "pathPart": "b"}
        document = {"swagger": "2.0", "info": {"title": "t"}, "paths": {"/a/b": {}}}
        for operation, params in (
            ("CreateResource", below),
            ("ImportRestApi", {"body": json.dumps(document).encode()}),
            ("PutRestApi", {"restApiId": api["id"], "body": json.dumps(document).encode()}),
        ):
            with pytest.raises(LimitExceededException):
                await control(operation, **params)
        await control("CreateDeployment", restApiId=api["id"], stageName="one")
        with pytest.raises(LimitExceededException):
            await control("CreateDeployment", restApiId=api["id"], stageName="two")
        token = {"restApiId": api["id"], "type": "TOKEN", "authorizerUri": FUNCTION_URI}
        await control("CreateAuthorizer", **token, name="a")
        with pytest.raises(LimitExceededException):
            await control("CreateAuthorizer", **token, name="b")
        await control("GenerateClientCertificate")
        with pytest.raises(LimitExceededException):
            await control("GenerateClientCertificate")
        await control.an_api()
        with pytest.raises(LimitExceededException):
            await control.an_api()
        await control.an_api(endpointConfiguration={"types": ["REGIONAL"]})
        with pytest.raises(LimitExceededException):
            await control.an_api(endpointConfiguration={"types": ["REGIONAL"]})

    with_control(tmp_path, scenario)


def test_integrations_of_regional_apis_may_take_longer_where_the_quota_says_so(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        control.provider.records.limits = parse_limits([("integration-timeout-ms", "120000")])
        edge = await control.an_api()
        regional = await control.an_api(endpointConfiguration={"types": ["REGIONAL"]})
        http = {"type": "HTTP_PROXY", "integrationHttpMethod": "GET", "uri": "http://example.com/"}
        for api, most in ((edge, 29_000), (regional, 120_000)):
            method = await control.a_method(api, "/slow")
            await control("PutIntegration", **method, **http, timeoutInMillis=most)
            with pytest.raises(BadRequestException, match=f"between 50 ms and {most} ms"):
                await control("PutIntegration", **method, **http, timeoutInMillis=most + 1)
            patch = {"op": "replace", "path": "/timeoutInMillis", "value": str(most + 1)}
            with pytest.raises(BadRequestException, match=f"between 50 ms and {most} ms"):
                await control("UpdateIntegration", **method, patchOperations=[patch])
        await control("CreateDeployment", restApiId=regional["id"], stageName="s")
        to_edge = {"op": "replace", "path": "/endpointConfiguration/types/REGIONAL", "value": "EDGE"}
        await control("UpdateRestApi", restApiId=regional["id"], patchOperations=[to_edge])
        with pytest.raises(BadRequestException, match="between 50 ms and 29000 ms"):
            await control("CreateDeployment", restApiId=regional["id"], stageName="s")

    with_control(tmp_path, scenario)


def test_documents_may_ask_for_longer_integrations_too(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        control.provider.records.limits = parse_limits([("integration-timeout-ms", "60000")])
        slow = {"type": "http_proxy", "httpMethod": "GET", "uri": "http://example.com/", "timeoutInMillis": 60_000}
        operation = {"x-amazon-apigateway-integration": slow}
        document = {"openapi": "3.0.1", "info": {"title": "t"}, "paths": {"/": {"get": operation}}}
        body = json.dumps(document).encode()
        with pytest.raises(BadRequestException, match="between 50 ms and 29000 ms"):
            await control("ImportRestApi", body=body)
        api = await control("ImportRestApi", body=body, parameters={"endpointConfigurationTypes": "REGIONAL"})
        await control("PutRestApi", restApiId=api["id"], body=body, mode="overwrite")
        await control("CreateDeployment", restApiId=api["id"], stageName="s")

    with_control(tmp_path, scenario)
