"""The platform's processes: they start, die, come back and leave nothing behind."""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from tests.support.platform import ask, gatepost, start_platform


def until(condition, *, within_s=10.0):
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {within_s} s: {condition}")


def children_of(pid):
    """Every descendant of a process."""
    found, waiting = [], [pid]
    while waiting:
        parent = waiting.pop()
        for tasks in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                below = [int(each) for each in tasks.read_text().split()]
            except OSError:
                continue
            found += below
            waiting += below
    return found


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def role_pid(platform, role):
    status = json.loads(gatepost("status", "--json", "--data", str(platform.data)).stdout)
    return next((each.get("pid") for each in status["roles"] if each["role"] == role), None)


@pytest.fixture
def platform(tmp_path):
    running = start_platform(tmp_path / "data", "--durability", "process")
    yield running
    if running.process.poll() is None:
        running.stop()


def a_mock_api(platform, body='{"hello": "world"}'):
    client = platform.client("apigateway")
    api_id = client.create_rest_api(name="mock")["id"]
    root = client.get_resources(restApiId=api_id)["items"][0]["id"]
    key = {"restApiId": api_id, "resourceId": root, "httpMethod": "GET"}
    client.put_method(**key, authorizationType="NONE")
    client.put_method_response(**key, statusCode="200")
    client.put_integration(**key, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'})
    client.put_integration_response(**key, statusCode="200", responseTemplates={"application/json": body})
    client.create_deployment(restApiId=api_id, stageName="prod")
    return platform.stage_url(api_id, "prod") + "/"


def test_ctrl_c_ends_every_process_and_says_so(platform):
    started = children_of(platform.process.pid)
    assert len(started) >= 2
    assert platform.stop() == 0
    assert "Stopped." in platform.output.read_text()
    assert [pid for pid in started if is_alive(pid)] == []
    assert not (platform.data / "endpoints.json").exists()


def test_killing_the_supervisor_ends_its_children_and_the_next_start_works(platform):
    started = children_of(platform.process.pid)
    url = a_mock_api(platform)
    platform.process.kill()
    platform.process.wait()
    until(lambda: not [pid for pid in started if is_alive(pid)], within_s=2)
    again = start_platform(platform.data, "--durability", "process")
    path = url.removeprefix(platform.public)
    assert ask("GET", again.public + path).json() == {"hello": "world"}
    again.stop()


def test_the_gateway_serves_on_while_services_is_killed_and_comes_back(platform):
    url = a_mock_api(platform)
    killed = role_pid(platform, "services")
    os.kill(killed, signal.SIGKILL)
    answers = [ask("GET", url).status for _ in range(50)]
    assert set(answers) == {200}
    until(lambda: _lists_apis(platform))
    assert role_pid(platform, "services") != killed
    assert a_mock_api(platform, '{"after": "restart"}') != url


def _lists_apis(platform):
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return platform.client("apigateway").get_rest_apis()["items"]
    except (BotoCoreError, ClientError):
        return None


def test_a_killed_gateway_comes_back_with_what_it_knew(platform):
    url = a_mock_api(platform)
    os.kill(until(lambda: role_pid(platform, "gateway")), signal.SIGKILL)
    until(lambda: _answers(url))
    assert ask("GET", url).json() == {"hello": "world"}


def _answers(url):
    try:
        return ask("GET", url).status == 200
    except OSError:
        return False


def test_one_data_directory_has_one_platform(platform):
    second = gatepost("serve", "--data", str(platform.data), "--port", "0", "--private-port", "0", "--aws-port", "0")
    assert second.returncode == 1
    assert f"in use by another platform (process {platform.process.pid})" in second.stderr
    assert "gatepost stop" in second.stderr
    assert ask("GET", platform.aws + "/_gatepost/health").status == 200


def test_a_port_in_use_is_one_clear_error(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = gatepost(
            "serve", "--data", str(tmp_path / "d"), "--port", port, "--private-port", "0", "--aws-port", "0"
        )
    assert ended.returncode == 1
    assert ended.stderr.strip() == (
        f"Error: port {port} on 127.0.0.1 is in use: stop what listens there, "
        "or choose another with --port (0: any free)"
    )


def test_stop_and_wait_and_env_do_what_they_say(platform):
    assert gatepost("wait", "--data", str(platform.data)).stdout == "ready\n"
    exports = json.loads(gatepost("env", "--json", "--data", str(platform.data)).stdout)
    assert exports["AWS_ENDPOINT_URL"] == platform.aws
    assert exports["AWS_ACCESS_KEY_ID"].startswith("AKIA")
    text = gatepost("env", "--data", str(platform.data)).stdout
    assert text.endswith("unset AWS_SESSION_TOKEN AWS_PROFILE\n")
    stopped = gatepost("stop", "--data", str(platform.data))
    assert stopped.returncode == 0
    assert platform.process.wait(10) == 0
    assert gatepost("status", "--data", str(platform.data)).returncode == 1
    assert gatepost("stop", "--data", str(platform.data)).returncode == 1


def test_exec_keeps_the_exit_code_and_leaves_nothing(tmp_path):
    script = "import os, boto3; print(boto3.client('sts').get_caller_identity()['Account']); raise SystemExit(7)"
    ended = gatepost("exec", "--", sys.executable, "-c", script, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert (ended.stdout, ended.returncode) == ("000000000000\n", 7), ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_exec_deploys_first_and_leaves_standard_output_to_the_command(tmp_path):
    (tmp_path / "template.yaml").write_text("Resources: {Logs: {Type: AWS::Logs::LogGroup}}\n")
    arguments = ("--data", str(tmp_path / "d"), "--template", str(tmp_path / "template.yaml"), "--", "echo", "done")
    ended = gatepost("exec", *arguments)
    assert (ended.stdout, ended.returncode) == ("done\n", 0)
    assert "CREATE_COMPLETE" in ended.stderr


def test_exec_refuses_what_it_would_not_heed():
    for flag in ("--port=1", "--aws-port=1", "--ephemeral", "--durability=full"):
        assert gatepost("exec", flag, "--", "true").returncode == 2


def test_exec_of_what_does_not_exist_says_so(tmp_path):
    ended = gatepost("exec", "--", "no-such-command")
    assert ended.returncode == 127
    assert "no-such-command: command not found" in ended.stderr


def test_the_administrators_key_is_for_its_owner_only(platform):
    for name in ("administrator.json", "seal.key"):
        assert (platform.data / name).stat().st_mode & 0o777 == 0o600
