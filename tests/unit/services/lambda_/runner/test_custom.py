"""Custom runtimes: programs of the function's own that ask for their invocations over the Runtime API."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from gatepost.services.lambda_.model import Function
from gatepost.services.lambda_.runner.interpreters import own_interpreter
from tests.support.custom_runtimes import a_program, a_runtime
from tests.support.functions import LiveRunner, a_live_runner, skip_without_a_box
from tests.support.installed import node_packages, python_packages

BASH = r"""#!/bin/bash
set -eu
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation"
head="$(mktemp)"
while true; do
  event="$(curl -sS -D "$head" "$api/next")"
  id="$(grep -i '^lambda-runtime-aws-request-id:' "$head" | cut -d: -f2 | tr -d '[:space:]')"
  echo "asked for $event"
  curl -sS -o /dev/null "$api/$id/response" -d "{\"echo\":$event,\"by\":\"$_HANDLER\"}"
done
"""


def a_custom_function(runner: LiveRunner, files: dict[str, str | bytes], **fields: Any) -> Function:
    return runner.deploy(files, **{"runtime": "provided.al2023", **fields})


@pytest.mark.skipif(shutil.which("curl") is None, reason="the script calls curl")
def test_a_bash_script_is_a_runtime(runner: LiveRunner) -> None:
    function = a_custom_function(runner, {"bootstrap": BASH}, handler="shop.sh", runtime="provided.al2")
    assert runner.value(function, {"a": 1}) == {"echo": {"a": 1}, "by": "shop.sh"}
    assert runner.value(function, 2) == {"echo": 2, "by": "shop.sh"}
    lines = runner.log(function)
    assert lines[0].startswith("INIT_START Runtime Version: provided:al2.gatepost\t")
    assert [line for line in lines if line.startswith("asked")] == ['asked for {"a": 1}\n', "asked for 2\n"]
    assert [line.split(" ")[0] for line in lines[:5]] == ["INIT_START", "START", "asked", "END", "REPORT"]
    assert "Init Duration" in lines[4]


def test_a_caller_that_asks_again_at_once_finds_its_worker_free(runner: LiveRunner) -> None:
    function = a_custom_function(runner, a_runtime("return os.getpid()"))
    assert len({runner.value(function) for _ in range(20)}) <= 2  # one, but for a machine that is slow for a moment


def test_the_runtime_hears_of_its_invocation_in_headers(runner: LiveRunner) -> None:
    function = a_custom_function(
        runner, a_runtime("return [api.headers, time.time() * 1000, dict(os.environ)]"), timeout_s=7
    )
    client = {"custom": {"ü": "1"}}
    encoded = base64.b64encode(json.dumps(client).encode()).decode()
    trace = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0"
    headers, now_ms, environment = runner.value(function, client_context=encoded, trace_id=trace, request_id="8a1f")
    assert headers.pop("Lambda-Runtime-Deadline-Ms").isdigit()
    assert json.loads(headers.pop("Lambda-Runtime-Client-Context")) == client
    assert headers == {
        "Lambda-Runtime-Aws-Request-Id": "8a1f",
        "Lambda-Runtime-Invoked-Function-Arn": function.arn,
        "Lambda-Runtime-Trace-Id": trace,
    }
    deadline_ms = int(runner.value(function)[0]["Lambda-Runtime-Deadline-Ms"])
    assert 0 < deadline_ms - now_ms < 9_000
    assert environment["_HANDLER"] == "app.handler"
    assert re.fullmatch(r"127\.0\.0\.1:\d+", environment["AWS_LAMBDA_RUNTIME_API"])
    assert environment["LAMBDA_TASK_ROOT"]


def test_a_reported_error_is_the_payload(runner: LiveRunner) -> None:
    function = a_custom_function(
        runner, a_runtime("api.fail({'errorType': 'Tea', 'errorMessage': event}, 'Tea') if event else api.respond(1)")
    )
    assert runner.error(function, "no") == {"errorType": "Tea", "errorMessage": "no"}
    assert runner.value(function, None) == 1


def test_a_start_that_fails_says_why(runner: LiveRunner) -> None:
    body = '{"errorType": "Runtime.NoTea", "errorMessage": "none left"}'
    code = f"Api().ask('POST', '/2018-06-01/runtime/init/error', '''{body}'''); time.sleep(9)"
    function = a_custom_function(runner, {"bootstrap": a_program(code)})
    assert runner.error(function) == json.loads(body)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"app.py": ""}, "Couldn't find valid bootstrap(s): [/var/task/bootstrap]"),
        ({"bootstrap": "echo no mode"}, "fork/exec /var/task/bootstrap: permission denied"),
        ({"bootstrap": b"\x7fELF"}, "fork/exec /var/task/bootstrap: exec format error"),
        ({"bootstrap": "#!/no/such/thing\n"}, "fork/exec /var/task/bootstrap: no such file or directory"),
    ],
)
def test_what_is_no_program_is_named(runner: LiveRunner, files: dict[str, str | bytes], words: str) -> None:
    error = runner.error(a_custom_function(runner, files))
    assert error["errorType"] == "Runtime.InvalidEntrypoint"
    assert re.sub(r"[^ \[]*/([0-9a-f]{64})/", "/var/task/", error["errorMessage"]) == f"Error: {words}"


def test_a_program_that_ends_is_told_in_lambdas_words(runner: LiveRunner) -> None:
    function = a_custom_function(runner, {"bootstrap": "#!/bin/sh\necho going; exit 7\n"})
    error = runner.error(function)
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Error: Runtime exited with error: exit status 7")
    assert "going\n" in runner.log(function)
    function = a_custom_function(runner, a_runtime("os._exit(3) if event else None\nreturn os.getpid()"))
    assert runner.error(function, 1)["errorMessage"].endswith("Error: Runtime exited with error: exit status 3")
    assert isinstance(runner.value(function, 0), int)


def test_time_and_memory_are_bounded(runner: LiveRunner) -> None:
    function = a_custom_function(
        runner,
        a_runtime(
            """
            if event == "wait": time.sleep(60)
            if event == "memory": held = [bytearray(os.urandom(1)) * (4 << 20) for _ in range(200)]; time.sleep(9)
            return 1
            """
        ),
        timeout_s=1,
    )
    assert runner.error(function, "wait")["errorType"] == "Sandbox.Timedout"
    assert runner.error(function, "memory")["errorMessage"].endswith("signal: killed")
    assert runner.value(function) == 1


def test_a_runtime_that_does_not_ask_again_is_stopped_after_its_time(runner: LiveRunner) -> None:
    function = a_custom_function(runner, a_runtime("api.respond(os.getpid())\nif event: time.sleep(60)"), timeout_s=1)
    first = runner.value(function, "sleep")
    assert runner.value(function) != first  # another worker: the first is not free
    deadline = time.monotonic() + 5
    while not any("did not ask for its next invocation" in line for line in runner.log(function)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_large_events_and_answers_pass_and_too_large_ones_are_refused(runner: LiveRunner) -> None:
    function = a_custom_function(
        runner,
        a_runtime(
            """
            if not isinstance(event, int): return event
            status = api.respond("x" * event)
            print("told", status)
            """
        ),
        memory_mb=512,
    )
    text = "x" * 5_000_000
    assert runner.value(function, text) == text
    for size in (6_291_556, 9_000_000):
        assert runner.error(function, size)["errorType"] == "Function.ResponseSizeTooLarge"
    assert len(runner.value(function, 6_291_554)) == 6_291_554
    assert "told 413\n" in runner.log(function)


def test_a_streamed_answer_is_whole_and_one_that_breaks_off_is_an_error(runner: LiveRunner) -> None:
    function = a_custom_function(
        runner,
        a_runtime(
            """
            import socket
            host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
            with socket.create_connection((host, int(port))) as connection:
                head = f"POST /2018-06-01/runtime/invocation/{api.id}/response HTTP/1.1\\r\\nHost: {host}\\r\\n"
                head += "Lambda-Runtime-Function-Response-Mode: streaming\\r\\nTransfer-Encoding: chunked\\r\\n"
                head += "Trailer: Lambda-Runtime-Function-Error-Type\\r\\n\\r\\n"
                trailer = "Lambda-Runtime-Function-Error-Type: Runtime.Broke\\r\\n" if event else ""
                connection.sendall(f'{head}2\\r\\n"a\\r\\n2\\r\\nb"\\r\\n0\\r\\n{trailer}\\r\\n'.encode())
                print(connection.recv(999).split()[1])
            """
        ),
    )
    assert runner.value(function) == "ab"
    assert runner.error(function, 1) == {"errorType": "Runtime.Broke", "errorMessage": ""}


STREAMS = """
    import base64, socket
    host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
    with socket.create_connection((host, int(port))) as connection:
        path = f"/2018-06-01/runtime/invocation/{event.get('id', api.id)}/response"
        head = f"POST {path} HTTP/1.1\\r\\nHost: {host}\\r\\n"
        head += "Lambda-Runtime-Function-Response-Mode: streaming\\r\\nTransfer-Encoding: chunked\\r\\n"
        head += "Content-Type: text/event-stream\\r\\n"
        head += "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\\r\\n\\r\\n"
        connection.sendall(head.encode())
        for count in event["chunks"]:
            connection.sendall(b"%x\\r\\n%b\\r\\n" % (count, b"x" * count))
            time.sleep(event.get("pause", 0))
        trailer = ""
        if "error" in event:
            body = base64.b64encode(json.dumps(event["error"]).encode()).decode()
            trailer = "Lambda-Runtime-Function-Error-Type: Runtime.Broke\\r\\n"
            trailer += f"Lambda-Runtime-Function-Error-Body: {body}\\r\\n"
        connection.sendall(f"0\\r\\n{trailer}\\r\\n".encode())
        print("told", connection.recv(999).split()[1].decode())
    if "id" in event:
        return "refused"
"""


def test_a_custom_runtime_streams_piece_by_piece(runner: LiveRunner) -> None:
    function = a_custom_function(runner, a_runtime(STREAMS), memory_mb=256, timeout_s=20)
    seen: list[float] = []
    pieces, content_type, broken = runner.stream(
        function, {"chunks": [3, 4], "pause": 0.06}, take=lambda piece: seen.append(time.monotonic()) or piece
    )
    assert (b"".join(pieces), content_type, broken) == (b"x" * 7, "text/event-stream", None)
    assert seen[1] - seen[0] > 0.04
    error = {"errorType": "Own", "errorMessage": "m"}
    assert runner.stream(function, {"chunks": [2], "error": error}) == ([b"xx"], "text/event-stream", error)
    pieces, _, broken = runner.stream(function, {"chunks": [1 << 20] * 20}, take=len)
    assert (sum(pieces), broken) == (20 << 20, None)
    assert "told 202\n" in runner.log(function)


def test_a_streamed_answer_to_another_invocation_goes_nowhere(runner: LiveRunner) -> None:
    function = a_custom_function(runner, a_runtime(STREAMS))
    pieces, _, broken = runner.stream(function, {"chunks": [9], "id": "other"})
    assert (pieces, broken) == ([b'"refused"'], None)
    assert "told 400\n" in runner.log(function)


def test_what_cannot_be_now_is_refused(runner: LiveRunner) -> None:
    function = a_custom_function(
        runner,
        a_runtime(
            """
            other = Api()
            seen = [other.next()]
            for method, path in event:
                status, _, body = other.ask(method, path, "{}" if method == "POST" else None)
                seen.append([status, json.loads(body)["errorType"]])
            return seen
            """
        ),
    )
    asked = {
        ("POST", "/2018-06-01/runtime/invocation/other/response"): [400, "InvalidRequestID"],
        ("POST", "/2018-06-01/runtime/invocation/other/error"): [400, "InvalidRequestID"],
        ("POST", "/2018-06-01/runtime/init/error"): [403, "InvalidStateTransition"],
        ("POST", "/2020-01-01/extension/register"): [400, "Extension.InvalidExtensionName"],
        ("GET", "/2020-01-01/extension/event/next"): [403, "Extension.MissingExtensionIdentifier"],
        ("GET", "/2018-06-01/runtime/invocation/other/response"): [404, "NotFound"],
        ("PUT", "/2022-07-01/telemetry"): [404, "NotFound"],
    }
    assert runner.value(function, list(asked)) == [403, *asked.values()]


ADDRESS = "return os.environ['AWS_LAMBDA_RUNTIME_API']"
INTRUDER = """
import http.client
def handler(event, context):
    connection = http.client.HTTPConnection(event)
    answers = []
    for method, path in [("GET", "invocation/next"), ("POST", "invocation/x/response"), ("POST", "init/error")]:
        connection.request(method, f"/2018-06-01/runtime/{path}", b"{}")
        answer = connection.getresponse()
        answers.append(answer.status)
        answer.read()
    return answers
"""


def test_nobody_but_a_worker_reaches_its_runtime_api(runner: LiveRunner) -> None:
    function = a_custom_function(runner, a_runtime(ADDRESS))
    address = runner.value(function)
    assert runner.value(runner.deploy(INTRUDER), address) == [403, 403, 403]
    connection = http.client.HTTPConnection(address)
    connection.request("GET", "/2018-06-01/runtime/invocation/next")
    assert connection.getresponse().status == 403
    connection.close()
    assert runner.value(function) == address


SAY_WHO = """
    seen = [Api().ask("POST", f"/2018-06-01/runtime/invocation/{event}/response", "1")[0]] if event else []
    seen.append(api.id)
    return seen
"""


def test_workers_get_their_own_invocations_at_the_same_address(runner: LiveRunner) -> None:
    slow = a_custom_function(runner, a_runtime("time.sleep(0.4)\nreturn os.environ['AWS_LAMBDA_RUNTIME_API']"))
    other = a_custom_function(runner, a_runtime(SAY_WHO))
    runner.value(other, request_id="b0")
    running = runner.start(slow, request_id="a1")
    assert runner.value(other, "a1", request_id="b1") == [400, "b1"]  # another's invocation is none to it
    assert json.loads(running.result(10).payload).startswith("127.0.0.1:")


def test_workers_of_one_user_are_told_apart_by_their_sockets(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)  # closed: workers cannot be users of their own
    with a_live_runner(tmp_path, is_sandboxed=False) as live:
        functions = [a_custom_function(live, a_runtime(SAY_WHO)) for _ in range(2)]
        for number, function in enumerate(functions * 2):
            assert live.value(function, request_id=f"r{number}") == [f"r{number}"]
        assert live.value(functions[0], "r9", request_id="s1") == [400, "s1"]
        address = live.value(a_custom_function(live, a_runtime(ADDRESS)))
        assert live.value(live.deploy(INTRUDER), address) == [403, 403, 403]


def test_a_program_is_shut_in_as_pythons_workers_are(runner: LiveRunner) -> None:
    skip_without_a_box(runner)
    function = a_custom_function(
        runner,
        a_runtime(
            """
            kinds = [os.readlink(f"/proc/self/fd/{fd}").split(":")[0] for fd in (0, 1, 2)]
            status = open("/proc/self/status").read()
            ignored = [line for line in status.splitlines() if line.startswith("SigIgn")]
            try:
                open(os.path.join(os.environ["LAMBDA_TASK_ROOT"], "x"), "w")
            except OSError as error:
                return [kinds, seen, os.getuid(), status, os.getcwd() == os.environ["LAMBDA_TASK_ROOT"]]
            """,
            init="seen = sorted(int(fd) for fd in os.listdir('/proc/self/fd'))",
        ),
    )
    kinds, fds, uid, status, is_at_home = runner.value(function)
    assert (kinds, fds, is_at_home) == (["/dev/null", "pipe", "pipe"], [0, 1, 2, 3], True)  # 3: the listing itself
    assert "NoNewPrivs:\t1" in status
    assert re.search(r"CapEff:\t0+\n", status)
    if os.geteuid() == 0:
        assert uid >= 60_000


def test_awss_own_python_client_works_unmodified(runner: LiveRunner) -> None:
    packages = python_packages("awslambdaric")
    files: dict[str, str | bytes] = {
        str(path.relative_to(packages)): path.read_bytes()
        for path in packages.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    files["bootstrap"] = f'#!/bin/sh\nexec {own_interpreter().executable} -m awslambdaric "$_HANDLER"\n'
    files["app.py"] = (
        "import logging\n"
        "def handler(event, context):\n"
        "    logging.getLogger().warning('asked')\n"
        "    if event == 'fail': raise ValueError('as asked')\n"
        "    return [event, context.aws_request_id, context.invoked_function_arn, context.client_context.custom]\n"
    )
    function = a_custom_function(runner, files, memory_mb=256, timeout_s=5)
    encoded = base64.b64encode(b'{"custom": {"a": 1}}').decode()
    for number in range(3):
        value = runner.value(function, {"n": number}, request_id=f"id-{number}", client_context=encoded)
        assert value == [{"n": number}, f"id-{number}", function.arn, {"a": 1}]
    error = runner.error(function, "fail")
    assert (error["errorType"], error["errorMessage"]) == ("ValueError", "as asked")
    assert any("[WARNING]" in line and "asked" in line for line in runner.log(function))
    missing = runner.error(a_custom_function(runner, files, handler="nothing.here", memory_mb=256))
    assert missing["errorType"] == "Runtime.ImportModuleError"


@pytest.mark.soak  # npm compiles it: two minutes, with autoconf, libtool, cmake and g++
def test_awss_own_node_client_works_unmodified(runner: LiveRunner) -> None:
    client = node_packages("aws-lambda-ric") / "node_modules" / "aws-lambda-ric"
    files: dict[str, str | bytes] = {
        f"ric/{part}/{path.name}": path.read_bytes()
        for part in ("bin", "dist")
        for path in (client / part).iterdir()
        if path.is_file()
    }
    if "ric/dist/rapid-client.node" not in files:
        pytest.skip("this aws-lambda-ric comes without its compiled part")
    files["bootstrap"] = f'#!/bin/sh\nexec {shutil.which("node")} ric/bin/index.mjs "$_HANDLER"\n'
    files["app.mjs"] = (
        "export const handler = async (event, context) => {\n"
        "  if (event === 'fail') throw new RangeError('as asked');\n"
        "  return [event, context.awsRequestId, context.invokedFunctionArn, context.clientContext.custom];\n"
        "};\n"
    )
    function = a_custom_function(runner, files, memory_mb=512, timeout_s=10)
    encoded = base64.b64encode(b'{"custom": {"a": 1}}').decode()
    for number in range(3):
        value = runner.value(function, {"n": number}, request_id=f"id-{number}", client_context=encoded)
        assert value == [{"n": number}, f"id-{number}", function.arn, {"a": 1}]
    error = runner.error(function, "fail")
    assert (error["errorType"], error["errorMessage"]) == ("RangeError", "as asked")
