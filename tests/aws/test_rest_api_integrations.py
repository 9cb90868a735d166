"""Integrations that are no proxies, built by boto3 and asked as clients do, on a running platform."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.aws.test_lambda import TRUST
from tests.aws.test_lambda_runtimes import a_zip
from tests.support.platform import ask


class Api:
    """One REST API, method by method."""

    def __init__(self, platform, name):
        self.platform = platform
        self.client = platform.client("apigateway")
        made = self.client.create_rest_api(name=name, endpointConfiguration={"types": ["REGIONAL"]})
        self.id, self.root = made["id"], made["rootResourceId"]

    def method(self, path, verb, integration, responses, *, parameters=(), headers=()):
        resource = self.client.create_resource(restApiId=self.id, parentId=self.root, pathPart=path)["id"]
        named = {"restApiId": self.id, "resourceId": resource, "httpMethod": verb}
        self.client.put_method(
            **named,
            authorizationType="NONE",
            requestParameters={f"method.request.{each}": False for each in parameters},
        )
        self.client.put_integration(**named, **integration)
        for status, response in responses.items():
            declared = {f"method.response.header.{each}": False for each in headers}
            self.client.put_method_response(**named, statusCode=status, responseParameters=declared)
            self.client.put_integration_response(**named, statusCode=status, **response)

    def deploy(self, **variables):
        self.client.create_deployment(restApiId=self.id, stageName="prod", variables=variables)

    def ask(self, verb, path, body=None, **headers):
        url = self.platform.stage_url(self.id, "prod") + path
        return ask(verb, url, body, {name.replace("_", "-"): value for name, value in headers.items()})


def test_a_mock_answers_from_its_templates(platform):
    api = Api(platform, "mock-templates")
    request = (
        '#if($input.path("$.quantity") > 10){"statusCode": 400}#else'
        '#set($context.requestOverride.path.body = $input.json("$")){"statusCode": 200}#end'
    )
    response = (
        "#set($context.responseOverride.status = 201)"
        "#set($context.responseOverride.header.X-Tier = $stageVariables.tier)"
        '{"order": $context.requestOverride.path.body, "via": "$context.httpMethod $context.resourcePath"}'
    )
    api.method(
        "orders",
        "POST",
        {"type": "MOCK", "requestTemplates": {"application/json": request}, "passthroughBehavior": "NEVER"},
        {
            "200": {"responseTemplates": {"application/json": response}},
            "400": {"selectionPattern": "4\\d\\d", "responseTemplates": {"application/json": '{"why": "too many"}'}},
        },
    )
    api.deploy(tier="gold")
    made = api.ask("POST", "/orders", '{"quantity": 2}', Content_Type="application/json")
    assert (made.status, made.headers["X-Tier"]) == (201, "gold")
    assert made.json() == {"order": {"quantity": 2}, "via": "POST /orders"}
    refused = api.ask("POST", "/orders", '{"quantity": 11}', Content_Type="application/json")
    assert (refused.status, refused.json()) == (400, {"why": "too many"})
    other = api.ask("POST", "/orders", "<a/>", Content_Type="application/xml")
    assert (other.status, other.json()) == (415, {"message": "Unsupported Media Type"})


CODE = """
def handler(event, context):
    if event.get("missing"):
        raise ValueError("NotFound: " + event["missing"])
    return {"id": 7, "echo": event}
"""


@pytest.fixture(scope="module")
def function(platform):
    role = platform.client("iam").create_role(RoleName="custom-integrations", AssumeRolePolicyDocument=TRUST)
    made = platform.client("lambda").create_function(
        FunctionName="custom-integrations",
        Runtime="python3.11",
        Role=role["Role"]["Arn"],
        Handler="app.handler",
        Code={"ZipFile": a_zip("app.py", CODE)},
    )
    return made["FunctionArn"]


def test_a_function_behind_templates_answers_by_its_error_message(platform, function):
    api = Api(platform, "custom-lambda")
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"
    template = '{"missing": "$input.params("missing")", "q": "$input.params("q")"}'
    integration = {"type": "AWS", "integrationHttpMethod": "POST", "uri": uri}
    error = '{"why": "$util.escapeJavaScript($input.path("$.errorMessage"))"}'
    api.method(
        "things",
        "GET",
        {**integration, "requestTemplates": {"application/json": template}},
        {
            "200": {
                "responseTemplates": {"application/json": '{"got": $input.json("$.echo.q")}'},
                "responseParameters": {"method.response.header.X-Id": "integration.response.body.id"},
            },
            "404": {"selectionPattern": ".*NotFound.*", "responseTemplates": {"application/json": error}},
        },
        headers=("X-Id",),
    )
    api.deploy()
    assert api.ask("GET", "/things?q=1").status == 500  # nobody lets the API invoke the function
    platform.client("lambda").add_permission(
        FunctionName=function, StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    found = api.ask("GET", "/things?q=1")
    assert (found.status, found.headers["X-Id"], found.json()) == (200, "7", {"got": "1"})
    missing = api.ask("GET", "/things?missing=it")
    assert (missing.status, missing.json()) == (404, {"why": "NotFound: it"})


class CardProcessor(BaseHTTPRequestHandler):
    """Takes what is not too much."""

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps({"asked": asked, "path": self.path, "own": self.headers["X-Own"]}).encode()
        self.send_response(402 if asked["cents"] > 100 else 200)
        self.send_header("X-Payment", "p-1")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_arguments):
        return


@pytest.fixture
def processor():
    server = ThreadingHTTPServer(("127.0.0.1", 0), CardProcessor)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_http_server_is_asked_and_answers_by_templates(platform, processor):
    api = Api(platform, "http-templates")
    integration = {
        "type": "HTTP",
        "integrationHttpMethod": "POST",
        "uri": f"{processor}/v1/{{shop}}",
        "requestParameters": {"integration.request.path.shop": "method.request.querystring.shop"},
        "requestTemplates": {"application/json": '{"cents": $input.json("$.amount")}'},
    }
    declined = {"application/json": '{"declined": $input.json("$.asked.cents")}'}
    parameters = {"method.response.header.X-Payment": "integration.response.header.X-Payment"}
    api.method(
        "payments",
        "POST",
        integration,
        {
            "200": {"responseParameters": parameters},
            "409": {"selectionPattern": "4\\d{2}", "responseTemplates": declined},
        },
        parameters=("querystring.shop",),
        headers=("X-Payment",),
    )
    api.deploy()
    paid = api.ask("POST", "/payments?shop=a%20b", '{"amount": 5}', Content_Type="application/json", X_Own="1")
    assert (paid.status, paid.headers["X-Payment"]) == (200, "p-1")
    assert paid.json() == {"asked": {"cents": 5}, "path": "/v1/a%20b", "own": None}
    refused = api.ask("POST", "/payments?shop=x", '{"amount": 500}', Content_Type="application/json")
    assert (refused.status, refused.json()) == (409, {"declined": 500})
    assert "X-Payment" not in refused.headers
