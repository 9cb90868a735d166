"""Functions in Node.js and with custom runtimes, by boto3 on a running platform."""

from __future__ import annotations

import http.client
import io
import json
import shutil
import subprocess
import time
import urllib.request
import zipfile

import pytest
from botocore.exceptions import ClientError

from tests.aws.test_lambda import TRUST
from tests.support.nodes import RUNTIME, needs_node

NODE = """
export const handler = async (event, context) => {
  console.log('asked', event);
  if (event.fail) throw new RangeError('as asked');
  const answer = await fetch(process.env.AWS_ENDPOINT_URL);
  return { echo: event, id: context.awsRequestId, status: answer.status, arn: context.invokedFunctionArn };
};
"""
BASH = r"""#!/bin/bash
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
  event="$(curl -sS -D /tmp/head "$api/next")"
  id="$(grep -i '^lambda-runtime-aws-request-id:' /tmp/head | cut -d: -f2 | tr -d '[:space:]')"
  curl -sS -o /dev/null "$api/$id/response" -d "{\"echo\":$event}"
done
"""


def a_zip(name: str, content: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = 0o100755 << 16
        files.writestr(entry, content)
    return archive.getvalue()


@pytest.fixture(scope="module")
def role(platform):
    iam = platform.client("iam")
    arn = iam.create_role(RoleName="runtimes", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.attach_role_policy(
        RoleName="runtimes", PolicyArn="arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    )
    return arn


def a_function(platform, role, name, runtime, code, **params):
    values = {"Handler": "app.handler", "Timeout": 10, "MemorySize": 256, **params}
    platform.client("lambda").create_function(
        FunctionName=name, Runtime=runtime, Role=role, Code={"ZipFile": code}, **values
    )


def invoke(platform, name, event):
    answer = platform.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event).encode())
    return answer, json.loads(answer["Payload"].read())


def until_logged(platform, group, pattern):
    """Wait until the group, which is made late, has events that match."""
    logs, deadline = platform.client("logs"), time.monotonic() + 10
    while True:
        try:
            found = logs.filter_log_events(logGroupName=group, filterPattern=pattern)["events"]
        except logs.exceptions.ResourceNotFoundException:
            found = []
        if found:
            return found
        assert time.monotonic() < deadline
        time.sleep(0.1)


@needs_node
def test_a_node_function_answers_fails_logs_and_reaches_the_endpoint(platform, role) -> None:
    a_function(platform, role, "in-node", RUNTIME, a_zip("app.mjs", NODE))
    answer, value = invoke(platform, "in-node", {"a": 1})
    assert (value["echo"], value["id"]) == ({"a": 1}, answer["ResponseMetadata"]["RequestId"])
    assert value["status"] in range(200, 500)
    assert value["arn"].endswith(":function:in-node")
    answer, value = invoke(platform, "in-node", {"fail": True})
    assert (answer["FunctionError"], value["errorType"], value["errorMessage"]) == (
        "Unhandled",
        "RangeError",
        "as asked",
    )
    found = until_logged(platform, "/aws/lambda/in-node", '"as asked"')
    assert "\tERROR\tInvoke Error \t{" in found[0]["message"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the script calls curl")
def test_a_custom_runtime_answers_and_becomes_another(platform, role) -> None:
    a_function(platform, role, "in-bash", "provided.al2023", a_zip("bootstrap", BASH))
    assert invoke(platform, "in-bash", {"b": 2})[1] == {"echo": {"b": 2}}
    aws = platform.client("lambda")
    changed = aws.update_function_configuration(FunctionName="in-bash", Runtime="provided.al2")
    assert changed["Runtime"] == "provided.al2"
    assert invoke(platform, "in-bash", {"b": 3})[1] == {"echo": {"b": 3}}


@pytest.mark.parametrize("runtime", ["java21", "dotnet8", "ruby3.4", "go1.x", "nodejs16.x", "provided"])
def test_other_languages_are_refused_with_what_would_work(platform, role, runtime: str) -> None:
    with pytest.raises(ClientError) as refused:
        a_function(platform, role, "no", runtime, a_zip("bootstrap", BASH))
    assert refused.value.response["Error"]["Code"] in ("InvalidParameterValueException", "ValidationException")
    assert "provided.al2023" in str(refused.value)


def test_container_images_are_refused(platform, role) -> None:
    with pytest.raises(ClientError, match="PackageType Image is not supported by Gatepost: container images"):
        platform.client("lambda").create_function(
            FunctionName="no", Role=role, PackageType="Image", Code={"ImageUri": "000000000000.dkr/x:1"}
        )


SDK = """
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
const tables = DynamoDBDocumentClient.from(new DynamoDBClient({}));
export const handler = async (event) => {
  await tables.send(new PutCommand({ TableName: 'from-node', Item: { id: 'tea', ...event } }));
  return (await tables.send(new GetCommand({ TableName: 'from-node', Key: { id: 'tea' } }))).Item;
};
"""


@pytest.fixture(scope="module")
def sdk(tmp_path_factory):
    """The files of the JavaScript SDK, by npm; tests are skipped where it cannot be had."""
    folder = tmp_path_factory.mktemp("sdk")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("there is no npm on this machine")
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--fetch-retries=0", "--fetch-timeout=10000"]
    packages = ["@aws-sdk/client-dynamodb", "@aws-sdk/lib-dynamodb"]
    try:
        subprocess.run([*command, *packages], cwd=folder, check=True, capture_output=True, timeout=60)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"npm cannot install the SDK: {error}")
    return folder


@needs_node
def test_the_javascript_sdk_in_a_function_works_unmodified(platform, role, sdk) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as files:
        files.writestr("app.mjs", SDK)
        for path in (sdk / "node_modules").rglob("*"):
            if path.is_file() and path.suffix not in (".ts", ".map", ".md"):
                files.write(path, path.relative_to(sdk))
    platform.client("dynamodb").create_table(
        TableName="from-node",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    actions = {"Effect": "Allow", "Action": ["dynamodb:PutItem", "dynamodb:GetItem"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [actions]})
    platform.client("iam").put_role_policy(RoleName="runtimes", PolicyName="tables", PolicyDocument=document)
    a_function(platform, role, "with-sdk", RUNTIME, archive.getvalue())
    for price in (1, 2.5):
        assert invoke(platform, "with-sdk", {"price": price, "tags": ["a"]})[1] == {
            "id": "tea", "price": price, "tags": ["a"],
        }  # fmt: skip


STREAMING = """
exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {
  stream = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { 'x-own': 'yes' } });
  const name = event.rawPath ?? event.name;
  console.log('streams', name);
  stream.write(`hello ${name}`);
  await new Promise((go) => setTimeout(go, 150));
  if (name === '/fails') throw new RangeError('as asked');
  if (name === '/large') for (let i = 0; i < 16; i++) stream.write(Buffer.alloc(1 << 20));
  stream.end('bye');
});
"""


def chunks_of(answer, seen=None):
    """Give the payload and how the stream ended; note in `seen` when each event came."""
    payload, complete = b"", None
    for event in answer["EventStream"]:
        if seen is not None:
            seen.append(time.monotonic())
        payload += event.get("PayloadChunk", {}).get("Payload", b"")
        complete = event.get("InvokeComplete", complete)
    return payload, complete


@pytest.fixture(scope="module")
def streaming(platform, role):
    a_function(platform, role, "streams", RUNTIME, a_zip("app.js", STREAMING))
    return platform.client("lambda")


@needs_node
def test_a_streamed_invocation_comes_in_chunks_and_says_how_it_ended(streaming) -> None:
    seen: list[float] = []
    answer = streaming.invoke_with_response_stream(FunctionName="streams", Payload=b'{"name":"x"}', LogType="Tail")
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    payload, complete = chunks_of(answer, seen)
    assert payload == b'{"statusCode":201,"headers":{"x-own":"yes"}}' + bytes(8) + b"hello xbye"
    assert list(complete) == ["LogResult"]
    assert seen[-1] - seen[0] > 0.1
    payload, complete = chunks_of(
        streaming.invoke_with_response_stream(FunctionName="streams", Payload=b'{"name":"/fails"}')
    )
    assert payload.endswith(b"hello /fails")
    assert (complete["ErrorCode"], json.loads(complete["ErrorDetails"])["errorType"]) == ("Unhandled", "RangeError")
    dry = streaming.invoke_with_response_stream(FunctionName="streams", InvocationType="DryRun")
    assert dry["StatusCode"] == 204


@needs_node
def test_a_function_url_streams_and_a_failure_breaks_it_off(platform, streaming) -> None:
    url = streaming.create_function_url_config(FunctionName="streams", AuthType="NONE", InvokeMode="RESPONSE_STREAM")[
        "FunctionUrl"
    ]
    for statement, more in (("a", {"FunctionUrlAuthType": "NONE"}), ("b", {"InvokedViaFunctionUrl": True})):
        action = "lambda:InvokeFunctionUrl" if "FunctionUrlAuthType" in more else "lambda:InvokeFunction"
        streaming.add_permission(FunctionName="streams", StatementId=statement, Principal="*", Action=action, **more)
    address = f"{platform.public}/_aws/lambda-url/{url.split('//')[1].split('.')[0]}"
    with urllib.request.urlopen(f"{address}/x", timeout=10) as answer:
        assert (answer.status, answer.headers["x-own"], answer.headers["Transfer-Encoding"]) == (201, "yes", "chunked")
        assert answer.read(8) == b"hello /x"
        began = time.monotonic()
        assert answer.read() == b"bye"
        assert time.monotonic() - began > 0.1
    with urllib.request.urlopen(f"{address}/large", timeout=10) as answer:
        assert len(answer.read()) == len("hello /large") + (16 << 20) + len("bye")
    with urllib.request.urlopen(f"{address}/fails", timeout=10) as answer, pytest.raises(http.client.IncompleteRead):
        answer.read()


def test_the_old_form_of_an_event_is_still_taken(platform, role) -> None:
    a_function(platform, role, "async", "python3.11", a_zip("app.py", "def handler(event, c): print('got', event)"))
    answer = platform.client("lambda").invoke_async(FunctionName="async", InvokeArgs=b'{"a":1}')
    assert answer["Status"] == 202
    until_logged(platform, "/aws/lambda/async", "got")
