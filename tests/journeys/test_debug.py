"""`gatepost up --debug FUNCTION`: an address to attach to, or a sentence that says why there is none."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from gatepost.services.lambda_.runner.debugging import debugpy_folder
from gatepost.services.lambda_.runner.runner import OWN_RUNTIME
from tests.support.platform import gatepost, start_platform
from tests.unit.services.lambda_.runner.test_debugging import DapClient, a_free_port

TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: {runtime}
      Handler: app.handler
      Timeout: 1
      CodeUri: hello/
"""
CODE = "def handler(event, context):\n    value = 1\n    return value\n"
PORTS = ("--port", "0", "--aws-port", "0", "--private-port", "0", "--tls-port", "0")


def a_project(folder: Path, runtime: str = OWN_RUNTIME) -> Path:
    (folder / "hello").mkdir()
    (folder / "hello" / "app.py").write_text(CODE)
    (folder / "hello" / "bootstrap").write_text("#!/bin/sh\n")
    (folder / "hello" / "bootstrap").chmod(0o755)
    (folder / "template.yaml").write_text(TEMPLATE.format(runtime=runtime))
    return folder / "template.yaml"


@pytest.mark.skipif(not debugpy_folder(), reason="debugpy is not installed")
def test_the_address_is_said_and_a_breakpoint_halts(tmp_path: Path) -> None:
    port = a_free_port()
    template = a_project(tmp_path)
    platform = start_platform(
        tmp_path / "data", str(template), "--debug", "Hello", "--debug-port", str(port), command="up"
    )
    try:
        deadline = time.monotonic() + 15
        while "launch.json" not in (told := platform.output.read_text()):
            assert time.monotonic() < deadline, told
            time.sleep(0.02)
        attach = json.loads(told.split(".vscode/launch.json: ")[1].splitlines()[0])
        assert attach["connect"] == {"host": "127.0.0.1", "port": port}
        [roots] = attach["pathMappings"]
        assert roots == {"localRoot": str(tmp_path.resolve() / "hello"), "remoteRoot": "/var/task"}
        client = DapClient(port)
        client.attach("/var/task/app.py", 2)
        aws = platform.client("lambda")
        aws.invoke(FunctionName=attach["name"], InvocationType="Event")
        client.go_on(client.wait("event", "stopped")["body"]["threadId"])
        client.close()
    finally:
        platform.stop()


@pytest.mark.parametrize(
    ("runtime", "wanted", "words"),
    [
        (OWN_RUNTIME, "Nobody", "there is no such function; there are: "),
        ("provided.al2023", "Hello", "functions in Python and Node.js can be debugged"),
    ],
)
def test_what_cannot_be_debugged_is_refused_with_a_sentence(
    tmp_path: Path, runtime: str, wanted: str, words: str
) -> None:
    template = a_project(tmp_path, runtime)
    done = gatepost("up", str(template), "--data", str(tmp_path / "data"), "--debug", wanted, *PORTS, timeout=60)
    assert done.returncode == 1
    assert words in done.stderr


def test_without_debugpy_the_sentence_says_what_to_install(tmp_path: Path) -> None:
    template = a_project(tmp_path)
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow" / "sitecustomize.py").write_text(
        "import importlib.util\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'debugpy' else found(name, *more)\n"
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "shadow")}
    done = gatepost(
        "up", str(template), "--data", str(tmp_path / "data"), "--debug", "Hello", *PORTS, timeout=60, env=env
    )
    assert done.returncode == 1
    assert "pip install 'gatepost[debug]'" in done.stderr
