"""Suite 5: what a REST API's own work costs: validation and templates, many routes, and deploying many routes."""

from __future__ import annotations

import json
import time
from typing import Any, Final

from benchmarks.figures import COMPILED, GATEPOST, Metric, Suite
from benchmarks.installation import Installation
from benchmarks.load.generators import run_wrk
from benchmarks.load.requests import render, write
from benchmarks.options import HOME, Cores, Options
from benchmarks.peers.gatepost import Gatepost
from benchmarks.routes import STAGE

CONNECTIONS: Final = 64
ROUTES: Final = (10, 1_000)
DEPLOYED_ROUTES: Final = 300
BODY: Final = json.dumps(
    {"customer": "ana", "items": [{"sku": f"SKU-{number:04d}", "quantity": number + 1} for number in range(27)]}
).encode()
ORDER: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["customer", "items"],
    "properties": {
        "customer": {"type": "string", "minLength": 1},
        "items": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["sku", "quantity"],
                "properties": {
                    "sku": {"type": "string", "pattern": "^[A-Z0-9-]+$"},
                    "quantity": {"type": "integer", "minimum": 1},
                },
            },
        },
    },
}
REQUEST_TEMPLATE: Final = '{"statusCode": 200, "customer": $input.json("$.customer")}'
RESPONSE_TEMPLATE: Final = '{"id": "$context.requestId", "stage": "$context.stage"}'
METRICS: Final = (
    Metric("per CPU-second"),
    Metric("CPU-s/1000", "{:.4f}", more_is_better=False),
    Metric("requests/s"),
)
HOW: Final = [
    f"{CONNECTIONS} keep-alive connections, as fast as answers come; CPU seconds of the server's whole process tree.",
    f"POST of {len(BODY)} bytes of JSON to a MOCK: plain, and with required parameters, a body model, a template each "
    "way.",
    "GET of one MOCK route of 10 and of 1,000.",
    f"CreateDeployment of an API with {DEPLOYED_ROUTES} validated and templated routes, by boto3, until it answers.",
]


def run(options: Options, cores: Cores, installation: Installation) -> Suite:
    """Measure the suite."""
    suite = Suite("methods", "REST APIs: validation, templates, routes", list(HOW))
    suite.case("plain", "POST of 1 KB to a plain MOCK", *METRICS)
    suite.case("validated", "POST of 1 KB, validated, with templates", *METRICS)
    for count in ROUTES:
        suite.case(f"routes-{count}", f"One of {count:,} routes", *METRICS)
    seconds = Metric("seconds", "{:.3f}", more_is_better=False)
    suite.case("deploying", f"Deploying {DEPLOYED_ROUTES} routes", seconds)
    for name, source in {GATEPOST: None, COMPILED: installation.compiled}.items():
        if name == COMPILED and source is None:
            for case in suite.cases.values():
                case.missing[name] = installation.missing.get("gatepost-compiled", "not installed")
            continue
        folder = "methods-compiled" if source else "methods"
        platform = Gatepost(folder, cores=str(cores.server), durability=options.durability, source=source)
        try:
            platform.wait()
            suite.configurations[name] = platform.configuration
            _measure(name, platform, options, str(cores.load), suite)
        finally:
            platform.stop()
    return suite


def _measure(name: str, platform: Gatepost, options: Options, load_core: str, suite: Suite) -> None:
    aws = platform.aws()
    api = aws.import_api(_document({"/plain": _mock(), "/validated": _validated()}), STAGE)
    json_type = ("Content-Type", "application/json")
    work: dict[str, tuple[str, tuple[str, str, tuple[str, str], bytes]]] = {
        kind: (api, ("POST", f"/{STAGE}/{kind}", json_type, BODY)) for kind in ("plain", "validated")
    }
    for count in ROUTES:
        many = aws.import_api(_document(_routes(count)), STAGE)
        work[f"routes-{count}"] = (many, ("GET", f"/{STAGE}/shop5", ("Accept", "*/*"), b""))
    deploying = suite.cases["deploying"]
    for turn in range(-1, options.rounds):
        for key, (api_id, request) in work.items():
            figures = _load(platform, options.seconds if turn >= 0 else 1.0, load_core, api_id, request)
            if turn >= 0:
                suite.cases[key].add(name, **figures)
        if turn >= 0:
            paths = {f"/r{at}": {"post": _validated(), "put": _validated()} for at in range(DEPLOYED_ROUTES // 2)}
            large = aws.import_api(_document(paths), STAGE)
            started = time.perf_counter()
            aws.apigateway.create_deployment(restApiId=large, stageName=STAGE)
            deploying.add(name, seconds=time.perf_counter() - started)
            aws.apigateway.delete_rest_api(restApiId=large)


def _load(
    platform: Gatepost,
    seconds: float,
    load_core: str,
    api_id: str,
    request: tuple[str, str, tuple[str, str], bytes],
) -> dict[str, float]:
    method, path, header, body = request
    port = platform.public_port
    host = f"{api_id}.execute-api.us-east-1.localhost:{port}"
    rendered = render(method, path, [("Host", host), ("User-Agent", "bench/1"), header], body)
    file = write(HOME / "run" / "requests-methods", [rendered])
    full = run_wrk(platform.process, file, port, connections=CONNECTIONS, seconds=seconds, cores=load_core)
    return {
        "per CPU-second": full.requests / full.cpu_seconds,
        "CPU-s/1000": 1000 * full.cpu_seconds / full.requests,
        "requests/s": full.per_second,
    }


def _document(paths: dict[str, Any]) -> dict[str, Any]:
    return {
        "openapi": "3.0.1",
        "info": {"title": "methods", "version": "1"},
        "x-amazon-apigateway-request-validators": {
            "all": {"validateRequestBody": True, "validateRequestParameters": True}
        },
        "components": {"schemas": {"Order": ORDER}},
        "paths": {path: {"post": each} if "responses" in each else each for path, each in paths.items()},
    }


def _mock(request: str = '{"statusCode": 200}', response: str = '{"ok": true}') -> dict[str, Any]:
    return {
        "responses": {"200": {"description": "taken"}},
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "requestTemplates": {"application/json": request},
            "responses": {"default": {"statusCode": "200", "responseTemplates": {"application/json": response}}},
        },
    }


def _validated() -> dict[str, Any]:
    return {
        **_mock(REQUEST_TEMPLATE, RESPONSE_TEMPLATE),
        "x-amazon-apigateway-request-validator": "all",
        "parameters": [{"name": "User-Agent", "in": "header", "required": True, "schema": {"type": "string"}}],
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}}},
    }


def _routes(count: int) -> dict[str, Any]:
    """Give paths with so many routes: AWS allows 300 resources, so the many have seven methods each."""
    verbs = ("get",) if count <= 100 else ("get", "put", "post", "delete", "patch", "head", "options")
    paths = -(-count // len(verbs))
    return {f"/shop{number}": {verb: _mock() for verb in verbs} for number in range(paths)}
