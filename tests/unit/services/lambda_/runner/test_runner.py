"""Real functions in real workers: what callers get, whatever the function does."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

from gatepost.kernel.errors import ServiceError, UnsupportedOperation
from gatepost.services.lambda_.model import (
    InvalidZipFileException,
    LambdaAccessDenied,
    RequestTooLargeException,
    ResourceNotFoundException,
    TooManyRequestsException,
)
from gatepost.services.lambda_.runner.memory import children, resident_bytes
from tests.support.functions import FORBIDDEN_ROLE, ROLE, LiveRunner, a_function, a_live_runner

ECHO = "def handler(event, context):\n    return event\n"
PID = "import os\ndef handler(event, context):\n    return os.getpid()\n"
SLEEP = "import time, os\ndef handler(event, context):\n    time.sleep(event)\n    return os.getpid()\n"


def until(condition, *, within_s: float = 5.0) -> bool:
    """Wait for another process."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_function_gets_the_event_and_its_result_is_the_payload(runner: LiveRunner) -> None:
    function = runner.deploy(ECHO)
    result = runner.invoke(function, {"a": [1, 2.5, None, "ü"]})
    assert (result.status, result.function_error, result.executed_version) == (200, "", "$LATEST")
    assert json.loads(result.payload) == {"a": [1, 2.5, None, "ü"]}


def test_the_latest_qualifier_names_the_function_and_others_name_nothing(runner: LiveRunner) -> None:
    function = runner.deploy("def handler(event, context):\n    return context.invoked_function_arn\n")
    qualified = a_function(function.name, arn=f"{function.arn}:$LATEST")
    assert runner.value(qualified) == f"{function.arn}:$LATEST"
    for arn in (f"{function.arn}:1", f"{function.arn}x", ""):
        with pytest.raises(ResourceNotFoundException):
            runner.invoke(a_function(arn=arn))


def test_active_tracing_gives_an_invocation_a_sampled_trace(runner: LiveRunner) -> None:
    source = "import os\ndef handler(event, context):\n    return os.environ.get('_X_AMZN_TRACE_ID')\n"
    assert runner.value(runner.deploy(source)) is None
    trace = runner.value(runner.deploy(source, tracing_mode="Active"))
    assert re.fullmatch("Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=1", trace)


def test_the_context_is_lambdas(runner: LiveRunner) -> None:
    function = runner.deploy(
        """
        def handler(event, context):
            left = context.get_remaining_time_in_millis()
            return {
                "names": [context.function_name, context.function_version, context.invoked_function_arn],
                "memory": context.memory_limit_in_mb, "id": context.aws_request_id,
                "group": context.log_group_name, "stream": context.log_stream_name,
                "identity": context.identity.cognito_identity_id, "client": context.client_context,
                "left": left,
            }
        """,
        memory_mb=256,
        timeout_s=7,
    )
    seen = runner.value(function, request_id="8a1f")
    assert seen["names"] == [function.name, "$LATEST", function.arn]
    assert (seen["memory"], seen["id"], seen["group"]) == ("256", "8a1f", f"/aws/lambda/{function.name}")
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", seen["stream"])
    assert (seen["identity"], seen["client"]) == (None, None)
    assert 6_000 < seen["left"] <= 7_000


def test_the_client_context_reaches_the_handler(runner: LiveRunner) -> None:
    function = runner.deploy(
        """
        def handler(event, context):
            c = context.client_context
            return [c.custom, c.env, c.client.app_title]
        """
    )
    sent = {"custom": {"a": 1}, "env": {"b": "2"}, "client": {"app_title": "shop"}}
    encoded = base64.b64encode(json.dumps(sent).encode()).decode()
    assert runner.value(function, client_context=encoded) == [{"a": 1}, {"b": "2"}, "shop"]
    with pytest.raises(ServiceError):
        runner.invoke(function, client_context="not base64")
    bad = base64.b64encode(b"{").decode()
    assert runner.error(function, client_context=bad)["errorType"] == "Runtime.LambdaContextUnmarshalError"


def test_an_exception_is_reported_as_the_python_runtime_does(runner: LiveRunner) -> None:
    function = runner.deploy(
        """
        class OutOfStock(Exception): pass
        def check(): raise OutOfStock("no tea left")
        def handler(event, context):
            check()
        """
    )
    error = runner.error(function, request_id="1b2c")
    task_root = Path(error["stackTrace"][0].split(chr(34))[1]).parent
    assert error == {
        "errorMessage": "no tea left",
        "errorType": "OutOfStock",
        "requestId": "1b2c",
        "stackTrace": [
            f'  File "{task_root}/app.py", line 5, in handler\n    check()\n',
            f'  File "{task_root}/app.py", line 3, in check\n    def check(): raise OutOfStock("no tea left")\n',
        ],
    }
    text = next(message for message in runner.log(function) if message.startswith("[ERROR]"))
    assert text.startswith("[ERROR] OutOfStock: no tea left\nTraceback (most recent call last):\n\u00a0\u00a0File ")


@pytest.mark.parametrize(
    ("files", "kind", "words"),
    [
        ({"other.py": ""}, "Runtime.ImportModuleError", "Unable to import module 'app': No module named 'app'"),
        (
            {"app.py": "import nowhere"},
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'nowhere'",
        ),
        (
            {"app.py": "def handler("},
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module 'app': '(' was never closed",
        ),
        ({"app.py": "x = 1"}, "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        ({"app.py": "1/0"}, "ZeroDivisionError", "division by zero"),
    ],
)
def test_a_module_that_does_not_load_fails_the_invocation(
    runner: LiveRunner, files: dict[str, str], kind: str, words: str
) -> None:
    function = runner.deploy(files)
    for _ in range(2):
        error = runner.error(function)
        assert error["errorType"] == kind
        assert error["errorMessage"].startswith(words)
        assert error["requestId"] == ""


@pytest.mark.parametrize(
    ("handler", "kind"), [("app", "Runtime.MalformedHandlerName"), ("sys.exit", "Runtime.BuiltInModuleConflict")]
)
def test_a_handler_that_names_nothing_is_reported(runner: LiveRunner, handler: str, kind: str) -> None:
    assert runner.error(runner.deploy(ECHO, handler=handler))["errorType"] == kind


def test_handlers_lie_in_packages_by_dots_or_slashes(runner: LiveRunner) -> None:
    files = {"src/__init__.py": "", "src/shop.py": ECHO}
    assert runner.value(runner.deploy(files, handler="src.shop.handler"), 1) == 1
    assert runner.value(runner.deploy(files, handler="src/shop.handler"), 2) == 2


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        ("import sys; sys.exit(1)", "Runtime exited with error: exit status 1"),
        ("import sys; sys.exit(0)", "Runtime exited without providing a reason"),
        ("import os; os._exit(7)", "Runtime exited with error: exit status 7"),
        ("import os; os.abort()", "Runtime exited with error: signal: aborted"),
        ("import os; os.kill(os.getpid(), 9)", "Runtime exited with error: signal: killed"),
        ("import ctypes; ctypes.string_at(0)", "Runtime exited with error: signal: segmentation fault"),
    ],
)
@pytest.mark.parametrize("is_at_import", [False, True])
def test_a_function_that_ends_its_process_fails_only_its_invocation(
    runner: LiveRunner, does: str, reason: str, is_at_import: bool
) -> None:
    code = f"{does}\n{ECHO}" if is_at_import else f"def handler(event, context):\n    if event: {does}\n"
    function = runner.deploy(code)
    error = runner.error(function, 1, request_id="9d")
    assert error == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: 9d Error: {reason}"}
    if not is_at_import:
        assert runner.value(function, 0) is None
    log = runner.log(function)
    assert f"RequestId: 9d Error: {reason}\nRuntime.ExitError\n" in log
    assert any("Status: error\tError Type: Runtime.ExitError" in line for line in log)


def test_a_function_that_runs_too_long_is_killed_at_its_timeout(runner: LiveRunner) -> None:
    function = runner.deploy(SLEEP, timeout_s=1)
    first = runner.value(function, 0)
    [pid] = runner.pids(function)
    started = time.monotonic()
    error = runner.error(function, 30, request_id="5e")
    assert 0.99 < time.monotonic() - started < 2
    assert error == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: 5e Error: Task timed out after 1.00 seconds",
    }
    assert until(lambda: not is_alive(pid))
    assert runner.value(function, 0) != first
    log = runner.log(function)
    assert any(re.fullmatch(r"[\dT:.-]+Z 5e Task timed out after 1\.00 seconds\n\n", line) for line in log)
    assert any("Duration: 1000.00 ms\tBilled Duration: 1000 ms" in line and "Status: timeout" in line for line in log)


def test_memory_over_memory_size_kills_the_worker(runner: LiveRunner) -> None:
    function = runner.deploy(
        """
        import time
        def handler(event, context):
            held = []
            while event:
                held.append(bytearray(b"x" * 4_000_000))
                time.sleep(0.002)
            return "small"
        """,
        memory_mb=128,
        timeout_s=20,
    )
    error = runner.error(function, 1, request_id="6f")
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"] == "RequestId: 6f Error: Runtime exited with error: signal: killed"
    assert runner.value(function, 0) == "small"
    report = next(line for line in runner.log(function) if line.startswith("REPORT RequestId: 6f"))
    assert "Memory Size: 128 MB\tMax Memory Used: 128 MB" in report


def test_memory_is_limited_while_a_module_loads(runner: LiveRunner) -> None:
    function = runner.deploy("import time\nheld = b'x' * 300_000_000\ntime.sleep(5)\n" + ECHO, memory_mb=128)
    assert runner.error(function, request_id="7a")["errorMessage"].endswith("signal: killed")


def test_memory_is_limited_between_invocations(runner: LiveRunner) -> None:
    function = runner.deploy(
        """
        import threading, time
        held = []
        def collect():
            time.sleep(0.05)
            held.append(b"x" * 300_000_000)
        def handler(event, context):
            threading.Thread(target=collect, daemon=True).start()
        """,
        memory_mb=128,
    )
    runner.invoke(function)
    [pid] = runner.pids(function)
    assert until(lambda: resident_bytes(pid) > 128 << 20)
    runner.call(lambda: runner.runner._keep_house())
    assert until(lambda: not is_alive(pid))


def test_a_module_that_does_not_end_loading_is_given_up(tmp_path) -> None:
    with a_live_runner(tmp_path, init_ms=200) as live:
        function = live.deploy("import time\ntime.sleep(30)\n" + ECHO, timeout_s=1)
        started = time.monotonic()
        error = live.error(function)
        assert error["errorType"] == "Sandbox.Timedout"
        assert 1.1 < time.monotonic() - started < 5
        assert live.pids(function) == []


def test_memory_of_forked_children_counts(runner: LiveRunner) -> None:
    function = runner.deploy(
        """
        import os, time
        def handler(event, context):
            for _ in range(3):
                if os.fork() == 0:
                    held = b"x" * 60_000_000
                    time.sleep(20)
                    os._exit(0)
            time.sleep(20)
        """,
        memory_mb=128,
        timeout_s=10,
    )
    assert runner.error(function)["errorMessage"].endswith("signal: killed")


def test_a_handler_that_forks_answers_once_and_its_children_end_with_the_worker(runner: LiveRunner) -> None:
    function = runner.deploy(
        """
        import os, time
        kept = []
        def handler(event, context):
            if event == "both":
                return "child" if os.fork() == 0 else "parent"
            if event == "stay":
                child = os.fork()
                if child == 0:
                    os.setsid()
                    time.sleep(60)
                kept.append(child)
                return child
            os._exit(1)
        """
    )
    assert [runner.value(function, "both") for _ in range(3)] == ["parent"] * 3
    runner.value(function, "stay")
    [worker] = runner.pids(function)
    *_, child = children(worker)
    runner.error(function, "end")
    assert until(lambda: not is_alive(child))


def test_output_of_100_mb_is_cut_and_counted(runner: LiveRunner) -> None:
    function = runner.deploy(
        """
        def handler(event, context):
            for _ in range(1000):
                print("x" * 100_000)
            return "done"
        """,
        timeout_s=20,
    )
    assert runner.value(function) == "done"
    log = runner.log(function)
    assert 900_000 < sum(len(line) for line in log) < 1_200_000
    assert any(re.match(r"\[gatepost\] \d+ bytes of output dropped", line) for line in log)
    assert runner.value(function) == "done"


def test_output_of_child_processes_is_logged_and_cut_too(runner: LiveRunner) -> None:
    function = runner.deploy(
        """
        import os, subprocess
        def handler(event, context):
            subprocess.run(["sh", "-c", "echo from sh; head -c 20000000 /dev/zero | tr '\\\\0' y"], check=True)
            os.write(2, b"from descriptor 2\\n")
            return "done"
        """,
        timeout_s=20,
    )
    assert runner.value(function) == "done"
    log = runner.log(function)
    assert log.index("from sh\n") < next(i for i, line in enumerate(log) if line.startswith("END"))
    assert sum(len(line) for line in log) < 2_000_000


@pytest.mark.parametrize("value", ["{1, 2}", "object()", "b'\\xff'.decode", "{(1, 2): 3}"])
def test_what_is_no_json_is_a_marshal_error(runner: LiveRunner, value: str) -> None:
    error = runner.error(runner.deploy(f"def handler(event, context):\n    return {value}\n"))
    assert error["errorType"] == "Runtime.MarshalError"
    assert error["errorMessage"].startswith("Unable to marshal response: ")
    assert error["stackTrace"] == []


def test_decimals_are_numbers_and_bytes_are_text(runner: LiveRunner) -> None:
    function = runner.deploy(
        "from decimal import Decimal\n"
        "def handler(event, context):\n    return {'price': Decimal('12.50'), 'raw': b'ab', 'none': Decimal('NaN')}\n"
    )
    assert runner.invoke(function).payload == b'{"price": 12.50, "raw": "ab", "none": NaN}'


def test_bytes_are_the_payload_as_they_are(runner: LiveRunner) -> None:
    function = runner.deploy("def handler(event, context):\n    return b'\\x00\\xffraw'\n")
    assert runner.invoke(function).payload == b"\x00\xffraw"


def test_an_event_that_is_no_json_is_an_unmarshal_error(runner: LiveRunner) -> None:
    assert runner.error(runner.deploy(ECHO), b"{nope")["errorType"] == "Runtime.UnmarshalError"


def test_payloads_have_lambdas_bounds(runner: LiveRunner) -> None:
    function = runner.deploy(
        "def handler(event, context):\n    return 'x' * event if isinstance(event, int) else 'got'\n"
    )
    largest = b'"' + b"x" * (6 * 1024 * 1024 - 2) + b'"'
    assert runner.value(function, largest) == "got"
    with pytest.raises(RequestTooLargeException):
        runner.invoke(function, largest + b" ")
    assert len(runner.invoke(function, 6_291_554).payload) == 6_291_556
    error = runner.error(function, 6_291_555)
    assert error == {
        "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        "errorType": "Function.ResponseSizeTooLarge",
    }


def test_a_handler_that_writes_to_the_platforms_socket_fails_only_itself(runner: LiveRunner) -> None:
    function = runner.deploy(
        """
        import os, time
        def handler(event, context):
            if event:
                fd = max(int(name) for name in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + name))
                os.write(fd, b"\\xff" * 4096)
                time.sleep(5)
            return "well"
        """
    )
    assert runner.error(function, 1)["errorType"] == "Runtime.ExitError"
    assert runner.value(function, 0) == "well"


def test_invocations_at_the_same_time_have_workers_of_their_own(runner: LiveRunner) -> None:
    function = runner.deploy(SLEEP)
    started = time.monotonic()
    running = [runner.start(function, 0.4) for _ in range(8)]
    pids = {json.loads(one.result(10).payload) for one in running}
    assert len(pids) == 8
    assert time.monotonic() - started < 2.5


def test_the_worker_that_was_used_last_is_used_next(runner: LiveRunner) -> None:
    function = runner.deploy(PID)
    assert len({runner.value(function) for _ in range(20)}) == 1


def test_a_caller_that_goes_away_does_not_end_the_invocation(runner: LiveRunner) -> None:
    function = runner.deploy(
        "import time\ndef handler(event, context):\n"
        "    time.sleep(0.2)\n    print('came', 'to its end')\n    return 1\n"
    )
    runner.start(function).cancel()
    assert until(lambda: "came to its end\n" in runner.log(function))
    assert runner.value(function) == 1


def test_asynchronous_invocations_are_not_the_runners(runner: LiveRunner) -> None:
    with pytest.raises(UnsupportedOperation):
        runner.invoke(runner.deploy(ECHO), is_event=True)


def test_a_role_that_lambda_may_not_assume_stops_the_function(runner: LiveRunner) -> None:
    with pytest.raises(LambdaAccessDenied, match="cannot be assumed by Lambda"):
        runner.invoke(runner.deploy(ECHO, role_arn=FORBIDDEN_ROLE))


def test_a_function_runs_with_its_roles_credentials(runner: LiveRunner) -> None:
    function = runner.deploy(
        "import os\ndef handler(event, context):\n"
        "    return [os.environ['AWS_' + n] for n in ('ACCESS_KEY_ID', 'SECRET_ACCESS_KEY', 'SESSION_TOKEN')]\n"
    )
    assert runner.value(function) == ["ASIAEXAMPLE", "a-secret", "a-token"]
    assert runner.roles.assumed[-1][:2] == (ROLE, "lambda.amazonaws.com")


def test_code_that_is_not_there_stops_the_function(runner: LiveRunner) -> None:
    function = a_function("lost", code_sha256="f" * 64)
    runner.publish(function)
    with pytest.raises(InvalidZipFileException):
        runner.invoke(function)


def test_new_configuration_is_in_effect_for_the_next_invocation(runner: LiveRunner) -> None:
    code = "import os, time\ndef handler(event, context):\n    time.sleep(event)\n    return os.environ['COLOUR']\n"
    function = runner.deploy(code, environment={"COLOUR": "red"})
    assert runner.value(function, 0) == "red"
    running = runner.start(function, 0.3)
    time.sleep(0.05)
    runner.deploy(code, name=function.name, environment={"COLOUR": "blue"})
    assert runner.value(function, 0) == "blue"
    assert json.loads(running.result(5).payload) == "red"


def test_a_change_of_tags_or_policy_keeps_the_workers(runner: LiveRunner) -> None:
    function = runner.deploy(PID)
    pid = runner.value(function)
    runner.deploy(PID, name=function.name, tags={"a": "b"}, policy="{}", description="new")
    assert runner.value(function) == pid


def test_a_deleted_function_is_gone_and_what_runs_ends_well(runner: LiveRunner) -> None:
    function = runner.deploy(SLEEP)
    running = runner.start(function, 0.3)
    time.sleep(0.1)
    [pid] = runner.pids(function)
    runner.call(lambda: runner.runner.changed(function.arn, None))
    with pytest.raises(ResourceNotFoundException):
        runner.invoke(function, 0)
    assert not running.result(5).function_error
    assert until(lambda: not is_alive(pid))


def test_over_the_bound_of_workers_invocations_wait_and_then_are_refused(tmp_path) -> None:
    with a_live_runner(tmp_path, workers_max=2, waiting_max=2, waiting_ms_max=300) as live:
        function = live.deploy(SLEEP)
        held = [live.start(function, 1.2) for _ in range(2)]
        time.sleep(0.9 if not live.logs.streams else 0.3)
        waiting = [live.start(function, 0) for _ in range(2)]
        time.sleep(0.05)
        with pytest.raises(TooManyRequestsException) as refused:
            live.invoke(function, 0)
        assert refused.value.members["Reason"] == "ConcurrentInvocationLimitExceeded"
        for one in waiting:
            with pytest.raises(TooManyRequestsException):
                one.result(5)
        assert all(not one.result(5).function_error for one in held)
        assert live.value(function, 0)
        other = live.deploy(PID)  # an idle worker of the first makes room
        assert live.value(other)


def test_idle_workers_are_stopped(tmp_path) -> None:
    with a_live_runner(tmp_path, idle_ms=0) as live:
        function = live.deploy(PID)
        live.value(function)
        [pid] = live.pids(function)
        live.call(lambda: live.runner._keep_house())
        assert until(lambda: not is_alive(pid))
        live.value(function)
        assert live.pids(function) != [pid]


def test_workers_whose_credentials_run_out_are_replaced(tmp_path) -> None:
    with a_live_runner(tmp_path) as live:
        live.roles.expires_at_ms = int(time.time() * 1000) + 50_000
        function = live.deploy(PID)
        live.value(function)
        [pid] = live.pids(function)
        live.call(lambda: live.runner._keep_house())
        live.value(function)
        assert live.pids(function) != [pid]
        assert until(lambda: not is_alive(pid))


def test_a_killed_zygote_fails_what_runs_and_is_started_again(tmp_path) -> None:
    with a_live_runner(tmp_path) as live:
        function = live.deploy(SLEEP, timeout_s=20)
        live.value(function, 0)
        [worker] = live.pids(function)
        running = live.start(function, 10)
        time.sleep(0.1)
        status = Path(f"/proc/{worker}/status").read_text()
        zygote = int(re.search(r"PPid:\t(\d+)", status).group(1))
        os.kill(zygote, signal.SIGKILL)
        assert json.loads(running.result(5).payload)["errorType"] == "Runtime.ExitError"
        assert until(lambda: not is_alive(worker))
        live.value(function, 0)
        assert live.pids(function) != [worker]


def test_closing_ends_every_process(tmp_path) -> None:
    with a_live_runner(tmp_path) as live:
        function = live.deploy(SLEEP, timeout_s=20)
        for one in [live.start(function, 0.1) for _ in range(3)]:
            one.result(5)
        pids = live.pids(function)
        running = live.start(function, 15)
        time.sleep(0.05)
    assert json.loads(running.result(1).payload)["errorType"] == "Runtime.ExitError"
    assert until(lambda: not any(is_alive(pid) for pid in pids))
