"""What becomes of requests that run when the platform is told to stop."""

import io
import json
import signal
import socket
import threading
import time
import zipfile

import pytest

from tests.support.platform import ask, start_platform

HANDLER = """
import time
def handler(event, context):
    print("began", event["queryStringParameters"]["seconds"], flush=True)
    time.sleep(float(event["queryStringParameters"]["seconds"]))
    return {"statusCode": 200, "body": "done"}
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture
def platform(tmp_path):
    running = start_platform(tmp_path / "data", "--durability", "process")
    yield running
    if running.process.poll() is None:
        running.stop()


def a_slow_api(platform):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", HANDLER)
    role = platform.client("iam").create_role(RoleName="slow", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]
    managed = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    platform.client("iam").attach_role_policy(RoleName="slow", PolicyArn=managed)
    functions = platform.client("lambda")
    arn = functions.create_function(
        FunctionName="slow",
        Runtime="python3.11",
        Handler="app.handler",
        Role=role["Arn"],
        Timeout=20,
        Code={"ZipFile": packed.getvalue()},
    )["FunctionArn"]
    functions.add_permission(
        FunctionName="slow", StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com"
    )
    apis = platform.client("apigateway")
    api_id = apis.create_rest_api(name="slow")["id"]
    key = {
        "restApiId": api_id,
        "resourceId": apis.get_resources(restApiId=api_id)["items"][0]["id"],
        "httpMethod": "GET",
    }
    apis.put_method(**key, authorizationType="NONE")
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
    apis.put_integration(**key, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    apis.create_deployment(restApiId=api_id, stageName="prod")
    url = platform.stage_url(api_id, "prod") + "/"
    assert ask("GET", f"{url}?seconds=0").body == b"done"
    return url


def in_the_background(platform, url, seconds):
    """Send a request and wait until the function says that it has begun."""
    answers = []

    def send():
        try:
            answers.append(ask("GET", f"{url}?seconds={seconds}").status)
        except OSError as error:
            answers.append(type(error).__name__)

    thread = threading.Thread(target=send)
    thread.start()
    deadline = time.monotonic() + 20
    while not said(platform, f"began {seconds}"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return thread, answers


def said(platform, text):
    logs = platform.client("logs")
    if not logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/slow")["logGroups"]:
        return False
    events = logs.filter_log_events(logGroupName="/aws/lambda/slow")["events"]
    return any(text in event["message"] for event in events)


def test_a_request_that_ends_within_3_s_is_answered(platform):
    thread, answers = in_the_background(platform, a_slow_api(platform), 1.5)
    assert platform.stop() == 0
    thread.join()
    assert answers == [200]
    assert platform.output.read_text().endswith("\nStopped.\n")


def test_a_request_that_takes_longer_is_cut_off_and_counted(platform):
    thread, answers = in_the_background(platform, a_slow_api(platform), 15)
    assert platform.stop() == 0
    thread.join()
    assert answers != [200]
    assert platform.output.read_text().endswith("\nStopped. 1 running request was cut off.\n")


def test_new_clients_are_refused_while_a_running_request_ends(platform):
    thread, answers = in_the_background(platform, a_slow_api(platform), 2.5)
    host, port = platform.public.removeprefix("http://").split(":")
    platform.process.send_signal(signal.SIGINT)
    deadline = time.monotonic() + 10
    while not is_refused(host, int(port)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert platform.process.poll() is None
    thread.join()
    assert answers == [200]
    assert platform.process.wait(15) == 0


def is_refused(host, port):
    try:
        socket.create_connection((host, port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False
