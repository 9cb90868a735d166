"""The first lab, with the real `aws` command and nothing but `gatepost env`."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.platform import ask, start_platform

AWS = str(Path(sys.executable).with_name("aws"))
HANDLER = 'def handler(event, context):\n    return {"statusCode": 200, "body": "hello " + event["path"]}\n'
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    running = start_platform(tmp_path_factory.mktemp("lab") / "data", "--durability", "process")
    yield running
    running.stop()


def aws(platform, *arguments):
    """Run one aws command and give its JSON."""
    ended = subprocess.run(
        [AWS, *arguments, "--output", "json"], capture_output=True, text=True, check=False, env=platform.environment()
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout) if ended.stdout.strip() else None


def test_gatepost_env_is_all_that_the_aws_command_needs(platform):
    script = f'eval "$({sys.executable} -m gatepost.cli env --data {platform.data})"; {AWS} sts get-caller-identity'
    ours = {name: value for name, value in platform.environment().items() if not name.startswith("AWS_")}
    ended = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, env=ours)
    assert json.loads(ended.stdout)["Arn"] == "arn:aws:iam::000000000000:root"


def test_a_rest_api_is_built_by_hand_a_lambda_attached_a_stage_deployed_and_called(platform, tmp_path):
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("app.py", HANDLER)
    role = aws(platform, "iam", "create-role", "--role-name", "lab", "--assume-role-policy-document", json.dumps(TRUST))
    function = aws(
        platform,
        *("lambda", "create-function", "--function-name", "hello", "--runtime", "python3.11"),
        *("--handler", "app.handler", "--role", role["Role"]["Arn"], "--zip-file", f"fileb://{tmp_path}/code.zip"),
    )
    api = aws(platform, "apigateway", "create-rest-api", "--name", "lab")
    root = aws(platform, "apigateway", "get-resources", "--rest-api-id", api["id"])["items"][0]["id"]
    resource = aws(
        platform,
        *("apigateway", "create-resource", "--rest-api-id", api["id"], "--parent-id", root),
        *("--path-part", "{proxy+}"),
    )
    method = ("--rest-api-id", api["id"], "--resource-id", resource["id"], "--http-method", "ANY")
    aws(platform, "apigateway", "put-method", *method, "--authorization-type", "NONE")
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function['FunctionArn']}/invocations"
    aws(
        platform,
        *("apigateway", "put-integration", *method, "--type", "AWS_PROXY", "--integration-http-method", "POST"),
        *("--uri", uri),
    )
    aws(platform, "apigateway", "create-deployment", "--rest-api-id", api["id"], "--stage-name", "prod")
    url = platform.stage_url(api["id"], "prod")
    assert ask("GET", url + "/world").status == 500  # nobody has allowed API Gateway to invoke the function yet
    aws(
        platform,
        *("lambda", "add-permission", "--function-name", "hello", "--statement-id", "api"),
        *("--action", "lambda:InvokeFunction", "--principal", "apigateway.amazonaws.com"),
        *("--source-arn", f"arn:aws:execute-api:us-east-1:000000000000:{api['id']}/*"),
    )
    answer = ask("GET", url + "/world")
    assert (answer.status, answer.body) == (200, b"hello /world")
    by_host = ask(
        "GET", platform.public + "/prod/world", headers={"Host": f"{api['id']}.execute-api.us-east-1.localhost"}
    )
    assert by_host.body == b"hello /world"
    assert ask("GET", platform.stage_url(api["id"], "nowhere") + "/world").status == 403


def test_a_wrong_key_gets_nothing(platform):
    environment = platform.environment() | {"AWS_SECRET_ACCESS_KEY": "wrong"}
    ended = subprocess.run(
        [AWS, "dynamodb", "list-tables"], capture_output=True, text=True, check=False, env=environment
    )
    assert ended.returncode != 0
    assert "InvalidSignatureException" in ended.stderr
