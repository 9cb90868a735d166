"""Functions in Node.js and with custom runtimes, by boto3 on a running platform."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import time
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
