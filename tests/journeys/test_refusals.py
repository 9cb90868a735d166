"""What is wrong with a template is said once, with its line and what would be right; the platform serves on."""

import json
import textwrap

import pytest

from tests.support.platform import ask, gatepost, start_platform

TABLE = """
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
"""

WRONG = {
    "a misspelt property": ("Resources:\n  T:" + TABLE.replace("BillingMode", "BilingMode"), ":5:", "BillingMode"),
    "an unsupported property": (
        "Resources:\n  T:" + TABLE + "      KinesisStreamSpecification: {StreamArn: x}\n",
        ":8:",
        "KinesisStreamSpecification",
    ),
    "an unknown type": ("Resources:\n  Q:\n    Type: AWS::SQS::Queue\n", ":3:", "--service"),
    "a misspelt type": ("Resources:\n  Q:\n    Type: AWS::DynamoDB::Tabel\n", ":3:", "AWS::DynamoDB::Table"),
    "broken yaml": ("Resources:\n  T: [1, 2\n", ":", "template.yaml"),
    "a circle": (
        textwrap.dedent("""\
        Resources:
          A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Ref B}}
          B: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Ref A}}
        """),
        "",
        "ircular",
    ),
    "a name that is not there": (
        "Resources:\n  A: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Ref Nowhere}}\n",
        ":2:",
        "Nowhere",
    ),
    "a missing file": (
        textwrap.dedent("""\
        Transform: AWS::Serverless-2016-10-31
        Resources:
          F:
            Type: AWS::Serverless::Function
            Properties: {Runtime: python3.11, Handler: app.handler, CodeUri: nowhere/}
        """),
        ":5:",
        "nowhere",
    ),
    "another language": (
        textwrap.dedent("""\
        Resources:
          F:
            Type: AWS::Lambda::Function
            Properties:
              Runtime: ruby3.3
              Handler: app.handler
              Role: arn:aws:iam::000000000000:role/r
              Code: {ZipFile: "x"}
        """),
        ":5:",
        "ruby3.3",
    ),
}


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    running = start_platform(tmp_path_factory.mktemp("refusals") / "data", "--durability", "process")
    yield running
    running.stop()


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_template_is_refused_with_its_line(platform, tmp_path, what):
    text, line, would_work = WRONG[what]
    template = tmp_path / "template.yaml"
    template.write_text(text)
    ended = gatepost("deploy", str(template), "--stack-name", "wrong", "--data", str(platform.data))
    assert ended.returncode == 1, ended.stdout
    assert f"{template.name}{line}" in ended.stderr or not line
    assert would_work in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ask("GET", platform.aws + "/_gatepost/health").status == 200
    stacks = platform.client("cloudformation").describe_stacks()["Stacks"]
    assert [stack for stack in stacks if stack["StackName"] == "wrong"] == []


def test_the_ledger_lists_every_refusal_at_once_and_exits_with_1(tmp_path):
    template = tmp_path / "template.yaml"
    template.write_text(
        "Resources:\n  T:"
        + TABLE.replace("BillingMode", "BilingMode")
        + "      KinesisStreamSpecification: {StreamArn: x}\n  Q:\n    Type: AWS::SQS::Queue\n"
    )
    ended = gatepost("ledger", str(template), "--json", "--data", str(tmp_path / "d"))
    rows = [(row["line"], row["status"]) for row in json.loads(ended.stdout) if row["status"] != "enforced"]
    assert ended.returncode == 1
    assert rows == [(5, "refused"), (8, "refused"), (10, "refused")]


def test_an_accepted_gap_deploys_and_is_printed(platform, tmp_path):
    template = tmp_path / "template.yaml"
    template.write_text("Resources:\n  T:" + TABLE + "  Q:\n    Type: AWS::SQS::Queue\n")
    refused = gatepost("deploy", str(template), "--stack-name", "gaps", "--data", str(platform.data))
    assert refused.returncode == 1
    lenient = gatepost("deploy", str(template), "--stack-name", "gaps", "--lenient", "--data", str(platform.data))
    assert lenient.returncode == 0, lenient.stderr
    assert "AWS::SQS::Queue" in lenient.stdout + lenient.stderr
    gatepost("delete", "gaps", "--data", str(platform.data))


def test_up_with_a_wrong_template_ends_with_1_and_leaves_nothing_running(tmp_path):
    template = tmp_path / "template.yaml"
    template.write_text(WRONG["a misspelt property"][0])
    free = ["--port", "0", "--private-port", "0", "--aws-port", "0"]
    ended = gatepost("up", str(template), "--data", str(tmp_path / "d"), *free)
    assert ended.returncode == 1
    assert "did you mean BillingMode" in ended.stderr
    assert gatepost("status", "--data", str(tmp_path / "d")).returncode == 1
