"""What boto3 has read before a worker is forked is not read again, and never wins over what a function brings."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from gatepost.services.lambda_.runner import worker

SCRIPT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import preloading
preloading.preload()
read = []
def hear(event, arguments):
    if event == "open" and ".json" in str(arguments[0]):
        read.append(str(arguments[0]))
    if event == "os.listdir" and str(arguments[0]).endswith("data"):
        read.append(str(arguments[0]))
sys.addaudithook(hear)
import boto3
told = {}
def note(name, operations):
    told[name] = [operations, list(read)]
    read.clear()
table = boto3.resource("dynamodb").Table("things")
note("dynamodb", len(table.meta.client.meta.service_model.operation_names))
note("sqs", len(boto3.client("sqs").meta.service_model.operation_names))
boto3.client("sqs")
note("sqs again", 0)
boto3.session.Session().client("sqs")
note("sqs in another session", 0)
boto3.setup_default_session()
note("services", len(boto3.session.Session().get_available_services()))
import os
os.environ["AWS_DATA_PATH"] = sys.argv[2]
own = boto3.session.Session()
note("own model", own.client("dynamodb").meta.service_model.operation_names)
note("own services", [name for name in own.get_available_services() if name == "mine"])
print(json.dumps(told))
"""


def _tell(own_models: Path) -> dict[str, Any]:
    environment = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(Path(worker.__file__).parent), str(own_models)],
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "HOME": str(own_models), "PATH": os.environ["PATH"]},
    )
    assert ended.returncode == 0, ended.stderr
    told: dict[str, Any] = json.loads(ended.stdout)
    return told


def test_boto3_is_read_before_workers_are_forked_and_own_models_still_win(tmp_path: Path) -> None:
    model = {
        "metadata": {"protocol": "json", "endpointPrefix": "dynamodb", "serviceId": "DynamoDB", "apiVersion": "x"},
        "operations": {"Mine": {"name": "Mine", "http": {"method": "POST", "requestUri": "/"}}},
        "shapes": {},
    }
    for service in ("dynamodb", "mine"):
        folder = tmp_path / service / "2999-01-01"
        folder.mkdir(parents=True)
        (folder / "service-2.json").write_text(json.dumps(model))
    told = _tell(tmp_path)
    operations, read = told["dynamodb"]
    assert operations > 50
    assert read == []
    assert any("/sqs/" in path for path in told["sqs"][1])
    assert told["sqs again"][1] == []
    assert any("/sqs/" in path for path in told["sqs in another session"][1])  # nothing is kept after the fork
    assert told["services"] == [told["services"][0], []]
    assert told["services"][0] > 300
    assert told["own model"][0] == ["Mine"]
    assert told["own services"][0] == ["mine"]
