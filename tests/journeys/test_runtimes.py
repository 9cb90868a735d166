"""One SAM template with functions in Node.js and in bash behind an API, from a folder to an answer."""

import pytest

from tests.support.nodes import RUNTIME, needs_node
from tests.support.platform import ask, gatepost, start_platform

TEMPLATE = f"""
Transform: AWS::Serverless-2016-10-31
Resources:
  InNode:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: {RUNTIME}
      Handler: src/app.handler
      CodeUri: node/
      Events:
        Get: {{Type: Api, Properties: {{Path: /node, Method: GET}}}}
  InBash:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      Handler: any
      CodeUri: bash/
      Events:
        Get: {{Type: Api, Properties: {{Path: /bash, Method: GET}}}}
Outputs:
  Api: {{Value: !Ref ServerlessRestApi}}
"""
NODE = """
import { greeting } from './words.mjs';
export const handler = async (event) => ({ statusCode: 200, body: greeting + event.path });
"""
BASH = r"""#!/bin/bash
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
while true; do
  event="$(curl -sS -D /tmp/head "$api/next")"
  id="$(grep -i '^lambda-runtime-aws-request-id:' /tmp/head | cut -d: -f2 | tr -d '[:space:]')"
  path="$(sed -E 's/.*"resource": ?"([^"]*)".*/\1/' <<< "$event")"
  curl -sS -o /dev/null "$api/$id/response" -d "{\"statusCode\": 200, \"body\": \"bash $path\"}"
done
"""


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    running = start_platform(tmp_path_factory.mktemp("runtimes") / "data", "--durability", "process")
    yield running
    running.stop()


@needs_node
def test_a_template_with_other_runtimes_is_deployed_and_answers(platform, tmp_path):
    (tmp_path / "node" / "src").mkdir(parents=True)
    (tmp_path / "bash").mkdir()
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    (tmp_path / "node" / "src" / "app.mjs").write_text(NODE)
    (tmp_path / "node" / "src" / "words.mjs").write_text("export const greeting = 'node ';\n")
    (tmp_path / "bash" / "bootstrap").write_text(BASH)
    (tmp_path / "bash" / "bootstrap").chmod(0o755)
    ended = gatepost("deploy", str(tmp_path / "template.yaml"), "--stack-name", "mixed", "--data", str(platform.data))
    assert ended.returncode == 0, ended.stderr
    assert "nodejs has of @aws-sdk what npm could install" in ended.stdout + ended.stderr
    (stack,) = platform.client("cloudformation").describe_stacks(StackName="mixed")["Stacks"]
    url = platform.stage_url(stack["Outputs"][0]["OutputValue"], "Prod")
    for name in ("node", "bash"):
        answer = ask("GET", f"{url}/{name}")
        assert (answer.status, answer.body) == (200, f"{name} /{name}".encode())
