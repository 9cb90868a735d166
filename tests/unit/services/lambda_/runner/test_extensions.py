"""Extensions of custom runtimes: those that layers bring as programs, and those within the runtime."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import pytest

from gatepost.services.lambda_.runner.extensions import EXTENSIONS_MAX, Extensions
from gatepost.services.lambda_.runner.runner import OWN_RUNTIME
from tests.support.custom_runtimes import a_program, a_runtime
from tests.support.functions import LiveRunner, a_live_runner, a_zip
from tests.support.nodes import RUNTIME, needs_node

LOGGER = """
api = Api()
status, about = api.register("logger", ["INVOKE", "SHUTDOWN"])
print(f"registered {status} {about['functionName']} {about['handler']}\\n", end="")
while True:
    event = api.next_event()
    print(f"told {event['eventType']} {event.get('requestId')} {event.get('shutdownReason')}\\n", end="")
    if event["eventType"] == "SHUTDOWN":
        break
    time.sleep(0.1)
"""


def a_layer(runner: LiveRunner, program: str) -> dict[str, object]:
    content = a_zip({"extensions/logger": a_program(program), "extensions/notes.txt": "no program"})
    runner._assets.put_now(content)
    return {"arn": "", "sha256": hashlib.sha256(content).hexdigest(), "bytes": 1, "unzipped_bytes": 1}


def a_function_with(runner: LiveRunner, program: str, handle: str = "return os.getpid()", **fields: Any) -> Any:
    return runner.deploy(a_runtime(handle), runtime="provided.al2023", layers=[a_layer(runner, program)], **fields)


def until_logged(runner: LiveRunner, function: Any, text: str) -> None:
    deadline = time.monotonic() + 5
    while not any(text in line for line in runner.log(function)):
        assert time.monotonic() < deadline, runner.log(function)
        time.sleep(0.02)


def test_an_extension_hears_of_each_invocation_and_the_next_waits_for_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with a_live_runner(tmp_path, workers_max=1) as live:
        function = a_function_with(live, LOGGER)
        started = time.monotonic()
        assert len({live.value(function, request_id=f"r{number}") for number in range(3)}) == 1
        assert time.monotonic() - started >= 0.2  # the extension took its time twice
        until_logged(live, function, "told INVOKE r2")
        lines = live.log(function)
        assert f"registered 200 {function.name} app.handler\n" in lines
        told = [line for line in lines if line.startswith("told")]
        assert told == [f"told INVOKE r{number} None\n" for number in range(3)]


def test_an_extension_has_a_moment_when_the_worker_is_stopped(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with a_live_runner(tmp_path) as live:
        function = a_function_with(live, LOGGER)
        live.value(function)
        live.publish(a_function_with(live, LOGGER, name=function.name, handler="other"))
        until_logged(live, function, "told SHUTDOWN None spindown")


def test_a_worker_is_not_ready_before_its_extensions(runner: LiveRunner) -> None:
    late = LOGGER.replace("api = Api()", "time.sleep(0.3); api = Api()")
    function = a_function_with(runner, late)
    runner.value(function, request_id="first")
    assert any("registered" in line for line in runner.log(function))


@pytest.mark.parametrize("what", ["init", "exit"])
def test_an_extension_that_gives_up_takes_the_worker_along(runner: LiveRunner, what: str) -> None:
    gives_up = f"""
api = Api()
api.register("logger", ["INVOKE"])
if "{what}" == "exit": api.next_event()
names = dict(Lambda_Extension_Identifier=api.extension, Lambda_Extension_Function_Error_Type="Extension.NoTea")
api.ask("POST", "/2020-01-01/extension/{what}/error", None, **names)
"""
    function = a_function_with(runner, gives_up, handle="time.sleep(2)\nreturn 1")
    error = runner.error(function)
    assert error["errorType"] == {"init": "Extension.NoTea", "exit": "Runtime.ExitError"}[what]


def test_a_runtime_may_have_extensions_within(runner: LiveRunner) -> None:
    init = """
        inner = Api()
        status, about = inner.register("inner", ["INVOKE"])
        import threading
        first = []
        inner_thread = threading.Thread(target=lambda: first.append(inner.next_event()))
        inner_thread.start()
        time.sleep(0.1)
    """
    function = runner.deploy(
        a_runtime("inner_thread.join()\nreturn [status, about, first[0]]", init=init), runtime="provided.al2023"
    )
    status, about, event = runner.value(function, request_id="r1", trace_id="Root=1-2-3")
    assert (status, about["functionVersion"]) == (200, "$LATEST")
    assert event.pop("deadlineMs") > 0
    assert event == {
        "eventType": "INVOKE",
        "requestId": "r1",
        "invokedFunctionArn": function.arn,
        "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1-2-3"},
    }


def test_extensions_are_bounded_and_have_names_of_their_own() -> None:
    extensions = Extensions()
    assert extensions.register("a", frozenset()) is not None
    assert extensions.register("a", frozenset()) is None
    registered = [extensions.register(str(number), frozenset()) for number in range(EXTENSIONS_MAX)]
    assert sum(one is not None for one in registered) == EXTENSIONS_MAX - 1
    assert len(extensions) == EXTENSIONS_MAX
    assert not extensions.are_waiting
    assert not extensions.shut_down("spindown", 1)  # none of them wants to know


@pytest.mark.parametrize(
    ("runtime", "files"),
    [
        (OWN_RUNTIME, {"app.py": "import os\ndef handler(event, context):\n    return os.getpid()\n"}),
        pytest.param(RUNTIME, {"app.js": "exports.handler = async () => process.pid;"}, marks=needs_node),
    ],
)
def test_functions_of_every_runtime_may_have_extensions(
    tmp_path: Path, runtime: str, files: dict[str, str | bytes]
) -> None:
    tmp_path.chmod(0o755)
    with a_live_runner(tmp_path, workers_max=1) as live:
        function = live.deploy(files, runtime=runtime, layers=[a_layer(live, LOGGER)])
        assert len({live.value(function, request_id=f"r{number}") for number in range(3)}) == 1
        until_logged(live, function, "told INVOKE r2")
        told = [line for line in live.log(function) if line.startswith("told")]
        assert told == [f"told INVOKE r{number} None\n" for number in range(3)]


def test_a_runtime_of_ours_asks_for_nothing_over_the_api(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    with a_live_runner(tmp_path) as live:
        code = """
            import os, urllib.request, urllib.error
            def handler(event, context):
                try:
                    address = os.environ["AWS_LAMBDA_RUNTIME_API"]
                    urllib.request.urlopen(f"http://{address}/2018-06-01/runtime/invocation/next")
                except urllib.error.HTTPError as error:
                    return error.code
            """
        assert live.value(live.deploy(code, layers=[a_layer(live, LOGGER)])) == 403


def test_extensions_register_before_the_first_invocation(runner: LiveRunner) -> None:
    function = runner.deploy(a_runtime("return api.register('late', ['INVOKE'])"), runtime="provided.al2023")
    status, body = runner.value(function)
    assert (status, body["errorType"]) == (403, "InvalidStateTransition")
