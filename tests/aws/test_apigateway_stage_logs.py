"""A stage's own logs, by boto3 on a running platform."""

from __future__ import annotations

import json
import time

from tests.aws.test_rest_api_integrations import Api

MOCK = {"type": "MOCK", "requestTemplates": {"application/json": '{"statusCode": 200}'}}


def messages(client, group, count):
    """Wait until a log group holds so many events."""
    deadline = time.monotonic() + 10
    while True:
        try:
            events = client.filter_log_events(logGroupName=group)["events"]
        except client.exceptions.ResourceNotFoundException:
            events = []
        if len(events) >= count:
            return [event["message"] for event in events]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_access_and_execution_logs_arrive_in_cloudwatch_logs(platform):
    logs = platform.client("logs")
    logs.create_log_group(logGroupName="orders-access")
    api = Api(platform, "logged")
    api.method("orders", "GET", MOCK, {"200": {"responseTemplates": {"application/json": '{"a": 1}'}}})
    api.deploy()
    api.client.update_stage(
        restApiId=api.id,
        stageName="prod",
        patchOperations=[
            {
                "op": "replace",
                "path": "/accessLogSettings/destinationArn",
                "value": "arn:aws:logs:us-east-1:000000000000:log-group:orders-access",
            },
            {
                "op": "replace",
                "path": "/accessLogSettings/format",
                "value": '{"id":"$context.requestId","status":$context.status,"path":"$context.resourcePath"}',
            },
            {"op": "replace", "path": "/*/*/logging/loglevel", "value": "INFO"},
            {"op": "replace", "path": "/*/*/logging/dataTrace", "value": "true"},
            {"op": "replace", "path": "/tracingEnabled", "value": "true"},
        ],
    )
    answer = api.ask("GET", "/orders")
    assert answer.headers["X-Amzn-Trace-Id"].endswith("Sampled=1")
    (line,) = messages(logs, "orders-access", 1)
    request_id = answer.headers["x-amzn-RequestId"]
    assert json.loads(line) == {"id": request_id, "status": 200, "path": "/orders"}
    told = messages(logs, f"API-Gateway-Execution-Logs_{api.id}/prod", 5)
    assert f"({request_id}) Method completed with status: 200" in told
    assert f'({request_id}) Method response body after transformations: {{"a": 1}}' in told


def test_a_canary_is_made_and_promoted(platform):
    api = Api(platform, "canary")
    template = '{"colour": "$stageVariables.colour", "canary": "$context.isCanaryRequest"}'
    api.method("orders", "GET", MOCK, {"200": {"responseTemplates": {"application/json": template}}})
    api.deploy(colour="red")
    deployment = api.client.create_deployment(
        restApiId=api.id,
        stageName="prod",
        canarySettings={"percentTraffic": 100.0, "stageVariableOverrides": {"colour": "blue"}},
    )["id"]
    assert api.ask("GET", "/orders").json() == {"colour": "blue", "canary": "true"}
    api.client.update_stage(
        restApiId=api.id,
        stageName="prod",
        patchOperations=[{"op": "replace", "path": "/canarySettings/percentTraffic", "value": "0"}],
    )
    assert api.ask("GET", "/orders").json() == {"colour": "red", "canary": "false"}
    api.client.update_stage(
        restApiId=api.id,
        stageName="prod",
        patchOperations=[
            {"op": "replace", "path": "/deploymentId", "value": deployment},
            {"op": "remove", "path": "/canarySettings"},
        ],
    )
    assert api.ask("GET", "/orders").json() == {"colour": "red", "canary": ""}
