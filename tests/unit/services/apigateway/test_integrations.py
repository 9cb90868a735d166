from __future__ import annotations

import pytest

from gatepost.services.apigateway.model import BadRequestException, NotFoundException
from tests.support.rest_apis import FUNCTION_URI, Control, with_control

LAMBDA = {"type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": FUNCTION_URI}
HTTP = {"type": "HTTP_PROXY", "integrationHttpMethod": "GET", "uri": "http://example.com/orders"}
ROLE = "arn:aws:iam::000000000000:role/r"
INVALID_ARN = "Invalid ARN specified in the request"
CUSTOM = {"type": "AWS", "integrationHttpMethod": "POST", "uri": FUNCTION_URI}
QUERY_URI = "arn:aws:apigateway:us-east-1:dynamodb:action/Query"
INVOCATION_TYPE = "integration.request.header.X-Amz-Invocation-Type"
STREAM_URI = FUNCTION_URI.replace("2015-03-31", "2021-11-15").replace("/invocations", "/response-streaming-invocations")
STREAM = {**LAMBDA, "uri": STREAM_URI, "responseTransferMode": "STREAM"}
INVALID_URL = "Invalid HTTP endpoint specified for URI"


async def a_method(control: Control, **params) -> dict:
    api = await control.an_api()
    named = {"restApiId": api["id"], "resourceId": api["rootResourceId"], "httpMethod": "GET"}
    await control("PutMethod", **named, authorizationType="NONE", **params)
    return named


def test_a_lambda_proxy_gets_awss_defaults(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = await a_method(control)
        put = await control("PutIntegration", **named, **LAMBDA)
        assert put == {
            "type": "AWS_PROXY",
            "httpMethod": "POST",
            "uri": FUNCTION_URI,
            "passthroughBehavior": "WHEN_NO_MATCH",
            "timeoutInMillis": 29_000,
            "cacheNamespace": named["resourceId"],
            "cacheKeyParameters": [],
        }
        assert await control("GetIntegration", **named) == put
        assert (await control("GetMethod", **named))["methodIntegration"] == put

    with_control(tmp_path, scenario)


def test_an_http_proxy_keeps_everything_that_is_said(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = await a_method(control, requestParameters={"method.request.querystring.q": False})
        said = {
            "connectionType": "INTERNET",
            "requestParameters": {
                "integration.request.querystring.q": "method.request.querystring.q",
                "integration.request.header.From": "'gatepost'",
            },
            "passthroughBehavior": "NEVER",
            "cacheNamespace": "shared",
            "cacheKeyParameters": ["method.request.querystring.q"],
            "timeoutInMillis": 50,
        }
        put = await control("PutIntegration", **named, **HTTP, **said)
        assert {name: put[name] for name in said} == said

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("integration", "words"),
    [
        ({**CUSTOM, "uri": QUERY_URI}, "uri of AWS without credentials yet: give credentials"),
        ({**CUSTOM, "uri": "arn:aws:apigateway:us-east-1:dynamodb:action/a/b", "credentials": ROLE}, INVALID_ARN),
        ({**CUSTOM, "uri": "arn:aws:apigateway:us-east-1:dynamodb:Query", "credentials": ROLE}, "path or action"),
        ({**CUSTOM, "uri": "arn:aws:apigateway:us-east-1:1234.s3:path/b", "credentials": ROLE}, "subdomain in the uri"),
        ({**CUSTOM, "uri": "arn:aws:apigateway:us-east-1:lambda:path/x"}, INVALID_ARN),
        ({**CUSTOM, "requestTemplates": {"a/b": "#if(1)"}}, "Invalid mapping template specified"),
        ({**CUSTOM, "requestParameters": {"integration.request.querystring.Qualifier": "'1'"}}, "Qualifier yet"),
        ({**CUSTOM, "credentials": "arn:aws:iam::*:user/*"}, "use authorizationType AWS_IAM"),
        ({**HTTP, "type": "HTTP", "credentials": ROLE}, "credentials of HTTP yet"),
        ({**HTTP, "type": "HTTP", "uri": "nowhere"}, INVALID_URL),
        ({**HTTP, "type": "HTTP", "requestTemplates": {"a/b": "#end"}}, "Invalid mapping template specified"),
        ({**HTTP, "connectionType": "VPC_LINK"}, "connectionType VPC_LINK yet: use INTERNET"),
        ({**HTTP, "integrationTarget": "arn:x"}, "integrationTarget yet"),
        ({**LAMBDA, "responseTransferMode": "STREAM"}, INVALID_ARN),
        ({**LAMBDA, "uri": STREAM_URI}, INVALID_ARN),
        ({**STREAM, "timeoutInMillis": 900_001}, "Timeout should be between 50 ms and 900000 ms"),
        ({"type": "MOCK", "responseTransferMode": "STREAM"}, "only proxies stream"),
        ({**HTTP, "contentHandling": "CONVERT_TO_TEXT"}, "contentHandling"),
        ({**LAMBDA, "tlsConfig": {"insecureSkipVerification": True}}, "it is for HTTP and HTTP_PROXY"),
        ({**HTTP, "credentials": ROLE}, "credentials of HTTP_PROXY yet"),
        ({"type": "MOCK", "credentials": ROLE}, "credentials of MOCK yet"),
        ({**LAMBDA, "credentials": "arn:aws:iam::*:user/*"}, "use authorizationType AWS_IAM"),
        ({**LAMBDA, "credentials": "arn:aws:iam::000000000000:user/ana"}, INVALID_ARN),
        ({**LAMBDA, "credentials": "role"}, INVALID_ARN),
        ({**LAMBDA, "timeoutInMillis": 49}, "Timeout should be between 50 ms and 29000 ms"),
        ({**LAMBDA, "timeoutInMillis": 29_001}, "Timeout should be between 50 ms and 29000 ms"),
        ({**LAMBDA, "passthroughBehavior": "SOMETIMES"}, "Invalid passthrough behavior"),
        ({"type": "AWS_PROXY", "uri": FUNCTION_URI}, "Enumeration value for HttpMethod must be non-empty"),
        ({**LAMBDA, "integrationHttpMethod": "FETCH"}, "Invalid HttpMethod specified"),
        ({**LAMBDA, "uri": ""}, INVALID_ARN),
        ({**LAMBDA, "uri": "arn:aws:lambda:us-east-1:000000000000:function:orders"}, INVALID_ARN),
        ({**LAMBDA, "uri": "arn:aws:apigateway:us-east-1:lambda:orders"}, "must contain path or action"),
        ({**LAMBDA, "uri": "arn:aws:apigateway:us-east-1:sqs:path/x"}, "currently only supports Lambda function"),
        ({**LAMBDA, "uri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/x/invocations"}, INVALID_ARN),
        ({**LAMBDA, "uri": FUNCTION_URI.removesuffix("/invocations")}, INVALID_ARN),
        ({**LAMBDA, "uri": FUNCTION_URI.replace("function:orders", "function:a b")}, INVALID_ARN),
        ({**HTTP, "uri": ""}, INVALID_URL),
        ({**HTTP, "uri": "example.com"}, INVALID_URL),
        ({**HTTP, "uri": "ftp://example.com"}, INVALID_URL),
        ({**HTTP, "uri": "http://"}, INVALID_URL),
        ({**HTTP, "uri": "http://exa mple.com"}, INVALID_URL),
        ({**HTTP, "uri": "http://example.com:99999/"}, INVALID_URL),
        ({**HTTP, "uri": "http://example.com\r\nX: y"}, INVALID_URL),
        ({**HTTP, "uri": "http://[::1/"}, INVALID_URL),
        (
            {**HTTP, "requestParameters": {"integration.request.path.id": "method.request.path.id"}},
            "Invalid mapping expression parameter specified: method.request.path.id",
        ),
        ({"type": "MOCK", "requestTemplates": {"a/b": "#if(1)"}}, "Invalid mapping template specified"),
    ],
)
def test_an_integration_that_cannot_be_is_refused(tmp_path, integration: dict, words: str) -> None:
    async def scenario(control: Control) -> None:
        named = await a_method(control)
        with pytest.raises(BadRequestException) as refused:
            await control("PutIntegration", **named, **integration)
        assert words in refused.value.message
        with pytest.raises(NotFoundException, match="Invalid Integration identifier specified"):
            await control("GetIntegration", **named)

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    "integration",
    [
        {**LAMBDA, "uri": FUNCTION_URI.replace("/invocations", ":live/invocations")},
        {**LAMBDA, "uri": FUNCTION_URI.replace("orders", "${stageVariables.function}")},
        {**LAMBDA, "uri": FUNCTION_URI.replace("orders", "orders:${stageVariables.alias}")},
        {**LAMBDA, "uri": FUNCTION_URI.replace("orders", "orders:$LATEST")},
        {**LAMBDA, "contentHandling": "CONVERT_TO_TEXT"},
        {**LAMBDA, "credentials": ROLE},
        {**STREAM, "timeoutInMillis": 900_000},
        {**HTTP, "responseTransferMode": "STREAM", "timeoutInMillis": 60_000},
        {**HTTP, "tlsConfig": {"insecureSkipVerification": True}},
        {**HTTP, "uri": "https://${stageVariables.host}/v1"},
        {**HTTP, "uri": "http://127.0.0.1:9000/{proxy}"},
        {**HTTP, "uri": "http://[::1]:9000/"},
        {**CUSTOM, "contentHandling": "CONVERT_TO_TEXT", "credentials": ROLE},
        {**CUSTOM, "uri": QUERY_URI, "credentials": ROLE},
        {**CUSTOM, "requestParameters": {INVOCATION_TYPE: "'Event'"}},
        {**CUSTOM, "requestParameters": {"integration.request.header.x-amz-log-type": "'Tail'"}},
        {**CUSTOM, "requestParameters": {INVOCATION_TYPE: "'RequestResponse'", "integration.request.path.a": "'b'"}},
        {**CUSTOM, "requestTemplates": {"application/json": '{"id": "$input.params().path.id"}'}},
        {**HTTP, "type": "HTTP", "contentHandling": "CONVERT_TO_TEXT", "requestTemplates": {"a/b": "$input.body"}},
        {"type": "MOCK"},
        {"type": "MOCK", "requestTemplates": {"application/json": '{"statusCode": 200}'}},
    ],
)
def test_an_integration_that_works_is_taken(tmp_path, integration: dict) -> None:
    async def scenario(control: Control) -> None:
        await control("PutIntegration", **await a_method(control), **integration)

    with_control(tmp_path, scenario)


def test_what_is_not_done_is_told_before_what_is_wrong_with_it(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        said = {**await a_method(control), "type": "MOCK", "contentHandling": "CONVERT_TO_TEXT", "timeoutInMillis": 1}
        with pytest.raises(BadRequestException, match="does not support contentHandling of MOCK"):
            await control("PutIntegration", **said)

    with_control(tmp_path, scenario)


def test_an_integration_is_put_in_place_of_the_one_that_is_there(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = await a_method(control)
        await control("PutIntegration", **named, **LAMBDA)
        await control("PutIntegration", **named, type="MOCK")
        assert (await control("GetIntegration", **named))["type"] == "MOCK"

    with_control(tmp_path, scenario)


def test_an_integration_is_patched(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = await a_method(control, requestParameters={"method.request.querystring.q": False})
        await control("PutIntegration", **named, **HTTP)
        pairs = {
            "/uri": "http://example.org/",
            "/httpMethod": "POST",
            "/timeoutInMillis": "1000",
            "/passthroughBehavior": "NEVER",
            "/cacheNamespace": "n",
            "/connectionType": "INTERNET",
            "/tlsConfig/insecureSkipVerification": "false",
            "/contentHandling": "",
        }
        changed = await control(
            "UpdateIntegration",
            **named,
            patchOperations=[
                *({"op": "replace", "path": path, "value": value} for path, value in pairs.items()),
                {"op": "add", "path": "/requestParameters/integration.request.header.A", "value": "'a'"},
                {"op": "add", "path": "/requestTemplates/application~1json", "value": "x"},
                {"op": "remove", "path": "/requestTemplates/application~1json"},
                {"op": "add", "path": "/cacheKeyParameters/method.request.querystring.q"},
            ],
        )
        assert changed == {
            "type": "HTTP_PROXY",
            "uri": "http://example.org/",
            "httpMethod": "POST",
            "timeoutInMillis": 1000,
            "passthroughBehavior": "NEVER",
            "cacheNamespace": "n",
            "cacheKeyParameters": ["method.request.querystring.q"],
            "connectionType": "INTERNET",
            "requestParameters": {"integration.request.header.A": "'a'"},
        }
        assert await control("GetIntegration", **named) == changed

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("/timeoutInMillis", "30000"),
        ("/timeoutInMillis", "soon"),
        ("/uri", "nowhere"),
        ("/connectionType", "VPC_LINK"),
        ("/credentials", "arn:aws:iam::000000000000:role/r"),
        ("/contentHandling", "CONVERT"),
        ("/tlsConfig/insecureSkipVerification", "perhaps"),
        ("/requestParameters/integration.request.path.id", "method.request.path.id"),
        ("/type", "MOCK"),
    ],
)
def test_a_patch_that_cannot_be_is_refused(tmp_path, path: str, value: str) -> None:
    async def scenario(control: Control) -> None:
        named = await a_method(control)
        put = await control("PutIntegration", **named, **HTTP)
        with pytest.raises(BadRequestException):
            await control(
                "UpdateIntegration", **named, patchOperations=[{"op": "replace", "path": path, "value": value}]
            )
        assert await control("GetIntegration", **named) == put

    with_control(tmp_path, scenario)


def test_a_deleted_integration_is_gone(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = await a_method(control)
        await control("PutIntegration", **named, type="MOCK")
        await control("DeleteIntegration", **named)
        for operation in ("GetIntegration", "DeleteIntegration", "UpdateIntegration"):
            with pytest.raises(NotFoundException, match="Invalid Integration identifier specified"):
                await control(operation, **named)

    with_control(tmp_path, scenario)


async def a_mock(control: Control) -> dict:
    named = await a_method(control)
    await control("PutIntegration", **named, type="MOCK")
    await control(
        "PutMethodResponse", **named, statusCode="200", responseParameters={"method.response.header.X": False}
    )
    return {**named, "statusCode": "200"}


def test_integration_responses_live_their_life(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = await a_mock(control)
        put = await control(
            "PutIntegrationResponse",
            **named,
            selectionPattern="2\\d\\d",
            responseParameters={"method.response.header.X": "'*'"},
            responseTemplates={"application/json": '{"ok": true}'},
        )
        assert await control("GetIntegrationResponse", **named) == put
        changed = await control(
            "UpdateIntegrationResponse",
            **named,
            patchOperations=[
                {"op": "replace", "path": "/selectionPattern", "value": ""},
                {"op": "replace", "path": "/responseParameters/method.response.header.X", "value": "context.stage"},
                {"op": "add", "path": "/responseTemplates/text~1plain", "value": "ok"},
                {"op": "remove", "path": "/responseTemplates/application~1json"},
                {"op": "replace", "path": "/contentHandling", "value": "CONVERT_TO_TEXT"},
            ],
        )
        assert changed == {
            "statusCode": "200",
            "responseParameters": {"method.response.header.X": "context.stage"},
            "responseTemplates": {"text/plain": "ok"},
            "contentHandling": "CONVERT_TO_TEXT",
        }
        await control("DeleteIntegrationResponse", **named)
        for operation in ("GetIntegrationResponse", "UpdateIntegrationResponse", "DeleteIntegrationResponse"):
            with pytest.raises(NotFoundException, match="Invalid Response status code specified"):
                await control(operation, **named)

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"responseParameters": {"method.response.header.Y": "'*'"}}, "method.response.header.Y"),
        ({"responseParameters": {"method.response.header.X": "*"}}, "Invalid mapping expression specified: *"),
        ({"responseTemplates": {"application/json": "#end"}}, "Invalid mapping template specified"),
        ({"selectionPattern": "("}, "Invalid selection pattern"),
        ({"selectionPattern": "(?!200).*"}, "look-around"),
    ],
)
def test_an_integration_response_that_cannot_be_is_refused(tmp_path, params: dict, words: str) -> None:
    async def scenario(control: Control) -> None:
        with pytest.raises(BadRequestException) as refused:
            await control("PutIntegrationResponse", **await a_mock(control), **params)
        assert words in refused.value.message

    with_control(tmp_path, scenario)


def test_an_integration_response_needs_its_method_response(tmp_path) -> None:
    async def scenario(control: Control) -> None:
        named = {**await a_mock(control), "statusCode": "404"}
        with pytest.raises(NotFoundException, match="Invalid Response status code specified"):
            await control("PutIntegrationResponse", **named)

    with_control(tmp_path, scenario)
