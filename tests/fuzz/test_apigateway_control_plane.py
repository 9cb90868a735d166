"""Every operation of API Gateway's control plane with values that are hostile, though of the right type.

Whatever comes in, the operation works or says no in AWS's words; nothing else gets out, and nothing takes long.
"""

from __future__ import annotations

import gzip
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

import gatepost.awsapi.models as models_package
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import operations_of
from gatepost.kernel.ports import AuthorizerTest, AuthorizerTestResult, InvocationResult, MethodTest, MethodTestResult
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.provider import ApiGateway
from tests.support.rest_apis import FUNCTION_URI, Control, with_control

MODEL = json.loads(gzip.decompress((Path(models_package.__path__[0]) / "apigateway.service-2.json.gz").read_bytes()))
SHAPES = MODEL["shapes"]

HOSTILE = [
    "",
    " ",
    "a",
    "/",
    "/a/{b+}/c",
    "{a+}",
    "..",
    "%00",
    "\x00",
    "\ud7ff\U0001f600",
    "~1~0",
    "*",
    "*/*",
    "$" * 40,
    "#foreach($a in [1..100000])#foreach($b in [1..100000])x#end#end",
    "${stageVariables." + "a" * 200 + "}",
    "(a+)+$",
    "[" * 5_000,
    '{"a":' * 2_000,
    "x" * 70_000,
    "-1",
    "1e309",
    "NaN",
    "9" * 400,
    "true",
    "GET",
    "CUSTOM",
    "arn:aws:iam::1:role/" + "r" * 3_000,
    "arn:aws:apigateway:us-east-1::/restapis/../stages",
    FUNCTION_URI,
    "https://169.254.169.254/latest/meta-data",
    "method.request.header.A",
    "integration.request.header.A",
    "context.authorizer.claims['x']",
    '{"openapi":"3.0.1","info":{"title":"a"},"paths":{"/a":{"$ref":"#/paths/~1a"}}}',
    "swagger: '2.0'\na: &a [*a, *a]",
]


def value_of(rng: random.Random, name: str, known: dict[str, list[str]], depth: int = 0) -> Any:
    """Draw a value of a shape's type: what exists, or what an attacker sends."""
    shape = SHAPES[name]
    kind = shape["type"]
    if kind == "structure":
        required = set(shape.get("required", ()))
        return {
            member: value_of(rng, each["shape"], known | {"": known.get(member, [])}, depth + 1)
            for member, each in shape["members"].items()
            if depth < 5 and (member in required or rng.random() < 0.25)
        }
    if kind == "list":
        count = rng.randrange(4)
        return [value_of(rng, shape["member"]["shape"], known, depth + 1) for _ in range(count)]
    if kind == "map":
        keys = rng.sample(HOSTILE, rng.randrange(3))
        return {key: value_of(rng, shape["value"]["shape"], known, depth + 1) for key in keys}
    if kind == "boolean":
        return rng.random() < 0.5
    if kind in ("integer", "long"):
        return rng.choice([-(2**63), -1, 0, 1, 50, 300, 2**31, 2**63])
    if kind in ("float", "double"):
        return rng.choice([-1.0, 0.0, 0.5, 1e308])
    if kind == "blob":
        return rng.choice(HOSTILE).encode("utf-8", "replace")
    if kind == "timestamp":
        return rng.choice([0, 1_700_000_000_000])
    if "enum" in shape:
        return rng.choice(shape["enum"])
    return rng.choice([*known.get("", []), *HOSTILE])


async def a_world(control: Control) -> dict[str, list[str]]:
    """Make an API with something of everything; gives ids by the name of the parameter that takes them."""
    api = await control.an_api()
    api_id = {"restApiId": api["id"]}
    method = await control.a_method(api, "/orders", "GET")
    await control("PutMethodResponse", **method, statusCode="200")
    await control("PutIntegrationResponse", **method, statusCode="200")
    authorizer = await control("CreateAuthorizer", **api_id, name="a", type="TOKEN", authorizerUri=FUNCTION_URI)
    validator = await control("CreateRequestValidator", **api_id, name="v")
    part = await control("CreateDocumentationPart", **api_id, location={"type": "API"}, properties="{}")
    await control("CreateDocumentationVersion", **api_id, documentationVersion="1")
    deployment = await control("CreateDeployment", **api_id, stageName="prod")
    return {
        "restApiId": [api["id"]],
        "cloneFrom": [api["id"]],
        "resourceId": [method["resourceId"], api["rootResourceId"]],
        "parentId": [method["resourceId"], api["rootResourceId"]],
        "httpMethod": ["GET", "ANY"],
        "statusCode": ["200"],
        "modelName": ["Empty", "Error"],
        "authorizerId": [authorizer["id"]],
        "requestValidatorId": [validator["id"]],
        "documentationPartId": [part["id"]],
        "documentationVersion": ["1"],
        "deploymentId": [deployment["id"]],
        "stageName": ["prod"],
        "exportType": ["oas30", "swagger"],
        "sdkType": ["java"],
        "responseType": ["THROTTLED"],
        "path": [
            "/name",
            "/description",
            "/variables/a",
            "/canarySettings/percentTraffic",
            "/*/*/caching/ttlInSeconds",
        ],
        "resourceArn": [f"arn:aws:apigateway:us-east-1::/restapis/{api['id']}/stages/prod"],
        "authorizationType": ["NONE", "CUSTOM", "AWS_IAM"],
        "type": ["MOCK", "HTTP", "AWS_PROXY"],
    }


def of_rest_apis() -> list[str]:
    """The operations of the control plane; making a certificate's key alone takes longer than all others."""
    made = set(operations_of(ApiGateway.__new__(ApiGateway)))
    return sorted((made & set(MODEL["operations"])) - {"GenerateClientCertificate"})


@pytest.mark.parametrize("operation", of_rest_apis())
def test_an_operation_works_or_says_no(tmp_path: Path, operation: str) -> None:
    attack(tmp_path, operation, seed=1, times=100)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(20))
def test_all_operations_work_or_say_no_many_times(tmp_path: Path, seed: int) -> None:
    for operation in of_rest_apis():
        attack(tmp_path / operation, operation, seed=seed, times=100)


def attack(tmp_path: Path, operation: str, *, seed: int, times: int) -> None:
    """Call an operation with drawn values; every second time with one fault in what exists."""
    shape = MODEL["operations"][operation]["input"]["shape"]
    rng = random.Random(f"{operation}{seed}")

    async def scenario(control: Control) -> None:
        known = await a_world(control)
        tests = control.provider.document_parts
        tests.method_tests._tests = tests.authorizer_tests._tests = AGateway()
        tests.authorizer_tests._functions = AGateway()
        for number in range(times):
            params = value_of(rng, shape, known)
            if number % 2:
                params |= {name: rng.choice(known[name]) for name in params if name in known and rng.random() < 0.8}
            refused = await refusal_of(control, operation, params)
            assert refused is None or refused.status < 500, (operation, params, refused)
            assert refused is None or len(refused.message) < 200_000

    tmp_path.mkdir(exist_ok=True)
    with_control(tmp_path, scenario)


async def refusal_of(control: Control, operation: str, params: dict[str, Any]) -> ServiceError | None:
    """Call an operation within 5 s, and give what it says if it says no."""
    started = time.perf_counter()
    try:
        await control(operation, **params)
    except ServiceError as refused:
        return refused
    finally:
        assert time.perf_counter() - started < 5, operation
    return None


class AGateway:
    """Stands for a gateway and for functions."""

    async def test(self, test: MethodTest) -> MethodTestResult:
        del test
        return MethodTestResult(200, (), "", "", 0)

    async def test_authorizer(self, test: AuthorizerTest) -> AuthorizerTestResult:
        del test
        return AuthorizerTestResult(0, claims={"sub": "1"}, payload="{}")

    async def call(self, *_: Any, **__: Any) -> InvocationResult:
        return InvocationResult(200, b"{}")


def test_a_document_of_50_mb_is_refused_at_once(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        for body in (b"{" + b" " * 50_000_000 + b"}", b"a: b\n" * 10_000_000):
            started = time.perf_counter()
            with pytest.raises(BadRequestException, match="bytes"):
                await control("ImportRestApi", body=body)
            api_id = (await control.an_api())["id"]
            with pytest.raises(BadRequestException, match="bytes"):
                await control("ImportDocumentationParts", restApiId=api_id, body=body)
            assert time.perf_counter() - started < 1

    with_control(tmp_path, scenario)


@pytest.mark.parametrize(
    "paths",
    [
        {"/a": {"$ref": "#/paths/~1a"}},
        {"/a": {"$ref": "#/paths/~1b"}, "/b": {"$ref": "#/paths/~1a"}},
        {"/a": {"get": {"parameters": [{"$ref": "#/paths/~1a/get/parameters/0"}]}}},
        {"/a": {"get": {"responses": {"200": {"$ref": "#/components/responses/x"}}}}},
        {
            "/a": {
                "get": {"x-amazon-apigateway-integration": {"$ref": "#/components/x-amazon-apigateway-integrations/a"}}
            }
        },
    ],
)
def test_references_in_a_circle_or_to_nowhere_end(tmp_path: Path, paths: dict[str, Any]) -> None:
    async def scenario(control: Control) -> None:
        document = {"openapi": "3.0.1", "info": {"title": "a"}, "paths": paths}
        document["components"] = {"responses": {"x": {"$ref": "#/components/responses/x"}}}
        with pytest.raises(BadRequestException):
            await control("ImportRestApi", body=json.dumps(document).encode())

    with_control(tmp_path, scenario)


def test_models_that_name_each_other_are_kept_and_exported(tmp_path: Path) -> None:
    async def scenario(control: Control) -> None:
        schemas = {
            "Tree": {"type": "object", "properties": {"below": {"$ref": "#/components/schemas/Leaf"}}},
            "Leaf": {"type": "object", "properties": {"above": {"$ref": "#/components/schemas/Tree"}}},
        }
        get = {"x-amazon-apigateway-integration": {"type": "mock"}, "responses": {}}
        document = {"openapi": "3.0.1", "info": {"title": "a"}, "paths": {"/a": {"get": get}}}
        document["components"] = {"schemas": schemas}
        api_id = (await control("ImportRestApi", body=json.dumps(document).encode()))["id"]
        await control("GetModelTemplate", restApiId=api_id, modelName="Tree")
        await control("CreateDeployment", restApiId=api_id, stageName="prod")
        answer = await control("GetExport", restApiId=api_id, stageName="prod", exportType="oas30")
        assert json.loads(answer["body"])["components"]["schemas"] == schemas

    with_control(tmp_path, scenario)
