"""What functions and stacks keep secret stands in no file of the data directory."""

from __future__ import annotations

import json
from pathlib import Path

from gatepost.services.lambda_.runner.runner import OWN_RUNTIME
from tests.aws.test_lambda import TRUST
from tests.aws.test_lambda_runtimes import a_zip
from tests.support.platform import RunningPlatform, start_platform

SECRET = "correct-horse-battery-staple"
PARAMETER = "another-horse-battery-staple"
CODE = "import os\ndef handler(event, context):\n    return os.environ['PASSWORD']\n"
TEMPLATE = {
    "Parameters": {"Password": {"Type": "String", "NoEcho": True}},
    "Resources": {
        "Fn": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": OWN_RUNTIME,
                "Handler": "index.handler",
                "Role": "arn:aws:iam::000000000000:role/r",
                "Code": {"ZipFile": CODE},
                "Environment": {"Variables": {"PASSWORD": {"Ref": "Password"}}},
            },
        }
    },
}


def answers(platform: RunningPlatform, name: str) -> str:
    return str(json.loads(platform.client("lambda").invoke(FunctionName=name)["Payload"].read()))


def said_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_environments_and_noecho_parameters_are_sealed_and_survive_a_restart(tmp_path: Path) -> None:
    platform = start_platform(tmp_path / "data")
    try:
        role = platform.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
        platform.client("lambda").create_function(
            FunctionName="own",
            Runtime=OWN_RUNTIME,
            Role=role,
            Handler="app.handler",
            Code={"ZipFile": a_zip("app.py", CODE)},
            Environment={"Variables": {"PASSWORD": SECRET}},
            Publish=True,
        )
        stacks = platform.client("cloudformation")
        parameters = [{"ParameterKey": "Password", "ParameterValue": PARAMETER}]
        stacks.create_stack(StackName="s", TemplateBody=json.dumps(TEMPLATE), Parameters=parameters)
        stacks.get_waiter("stack_create_complete").wait(StackName="s", WaiterConfig={"Delay": 0.1, "MaxAttempts": 100})
        made = stacks.describe_stack_resource(StackName="s", LogicalResourceId="Fn")["StackResourceDetail"]
        name = made["PhysicalResourceId"]
        assert (answers(platform, "own"), answers(platform, name)) == (SECRET, PARAMETER)
        platform.stop()
        said = said_in(tmp_path / "data")
        assert SECRET.encode() not in said
        assert PARAMETER.encode() not in said
        platform = start_platform(tmp_path / "data")
        assert (answers(platform, "own:1"), answers(platform, name)) == (SECRET, PARAMETER)
    finally:
        platform.stop()
