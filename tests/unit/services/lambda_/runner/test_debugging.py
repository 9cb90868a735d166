"""Debuggers attach to real workers: breakpoints halt, clocks stand still, limits come back."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatepost.services.lambda_.runner.debugging import debug_port, debugpy_folder, has_client, is_named
from gatepost.services.lambda_.runner.settings import RunnerSettings
from tests.support.functions import LiveRunner, a_function, a_live_runner, skip_without_a_box
from tests.support.nodes import RUNTIME, needs_node

CODE = """
    def handler(event, context):
        before = context.get_remaining_time_in_millis()
        answer = event["a"] + 1
        left = context.get_remaining_time_in_millis()
        if event.get("hang"):
            while True:
                pass
        return [answer, before, left]
"""
NODE_CODE = """exports.handler = async (event) => {
  const answer = event.a + 1;
  return answer;
};
"""


def a_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[LiveRunner]:
    with a_live_runner(tmp_path, debug_function="Halted", debug_port=a_free_port()) as live:
        yield live


def connected(port: int) -> socket.socket:
    deadline = time.monotonic() + 15
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=15)
        except OSError:
            assert time.monotonic() < deadline, "nobody listens for a debugger"
            time.sleep(0.02)


class DapClient:
    """As much of a Debug Adapter Protocol client as an editor needs for one breakpoint."""

    def __init__(self, port: int) -> None:
        self._socket = connected(port)
        self._file = self._socket.makefile("rb")
        self._number = 0
        self._kept: list[dict[str, Any]] = []

    def send(self, command: str, **arguments: Any) -> int:
        self._number += 1
        body = json.dumps({"seq": self._number, "type": "request", "command": command, "arguments": arguments})
        self._socket.sendall(f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        return self._number

    def wait(self, kind: str, name: str) -> dict[str, Any]:
        """Wait for an event or a response of this name."""
        key = "event" if kind == "event" else "command"
        while True:
            for message in self._kept:
                if message["type"] == kind and message.get(key) == name:
                    self._kept.remove(message)
                    return message
            size = 0
            while (line := self._file.readline().strip()) != b"":
                if line.lower().startswith(b"content-length:"):
                    size = int(line.split(b":")[1])
            self._kept.append(json.loads(self._file.read(size)))

    def attach(self, source: str, line: int) -> None:
        self.send("initialize", adapterID="python", pathFormat="path", linesStartAt1=True)
        self.wait("response", "initialize")
        self.send("attach", justMyCode=False)
        self.wait("event", "initialized")
        self.send("setBreakpoints", source={"path": source}, breakpoints=[{"line": line}])
        found = self.wait("response", "setBreakpoints")
        assert found["body"]["breakpoints"][0]["verified"], found
        self.send("configurationDone")
        self.wait("response", "attach")

    def go_on(self, thread_id: int) -> None:
        self.send("continue", threadId=thread_id)
        self.wait("response", "continue")

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@pytest.mark.skipif(not debugpy_folder(), reason="debugpy is not installed")
def test_a_breakpoint_halts_and_the_time_limit_stands_still(runner: LiveRunner) -> None:
    skip_without_a_box(runner)
    function = runner.deploy(CODE, name="stack-Halted-AbC123", timeout_s=1)
    port = debug_port(function, runner._settings)
    client = DapClient(port)
    client.attach("/var/task/app.py", 4)
    running = runner.start(function, {"a": 1})
    halted = client.wait("event", "stopped")
    assert halted["body"]["reason"] == "breakpoint"
    client.send("evaluate", expression="1 + 1")
    time.sleep(1.3)  # longer than Timeout
    assert not running.done()
    client.go_on(halted["body"]["threadId"])
    answer, before, left = json.loads(running.result(10).payload)
    assert answer == 2
    assert before - left < 700  # it does not count what it was halted for
    # One that runs too long is stopped all the same, and the next worker can be attached to again.
    running = runner.start(function, {"a": 1, "hang": True})
    halted = client.wait("event", "stopped")
    client.go_on(halted["body"]["threadId"])
    assert json.loads(running.result(10).payload)["errorType"] == "Sandbox.Timedout"
    client.close()
    again = DapClient(port)
    again.close()
    assert runner.value(function, {"a": 2})[0] == 3


class InspectorClient:
    """As much of a Node.js inspector's client as one breakpoint needs: WebSocket frames of JSON."""

    def __init__(self, port: int) -> None:
        connected(port).close()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/json/list")
        target = json.loads(connection.getresponse().read())[0]
        connection.close()
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        key = base64.b64encode(os.urandom(16)).decode()
        path = f"/{target['id']}"
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._file = self._socket.makefile("rb")
        while self._file.readline().strip():
            pass
        self._number = 0

    def send(self, method: str, **params: Any) -> None:
        self._number += 1
        payload = json.dumps({"id": self._number, "method": method, "params": params}).encode()
        mask = os.urandom(4)
        size = bytes([0x80 | len(payload)]) if len(payload) < 126 else bytes([0xFE]) + len(payload).to_bytes(2, "big")
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self._socket.sendall(b"\x81" + size + mask + masked)

    def ask(self, method: str, **params: Any) -> None:
        """Send a command and wait until it has been carried out."""
        self.send(method, **params)
        while self._message().get("id") != self._number:
            pass

    def wait(self, method: str) -> dict[str, Any]:
        while (message := self._message()).get("method") != method:
            pass
        return dict(message["params"])

    def _message(self) -> dict[str, Any]:
        size = self._file.read(2)[1] & 0x7F
        if size == 126:
            size = int.from_bytes(self._file.read(2), "big")
        elif size == 127:
            size = int.from_bytes(self._file.read(8), "big")
        return dict(json.loads(self._file.read(size)))

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@needs_node
def test_nodes_inspector_halts_and_the_time_limit_waits_for_it(runner: LiveRunner) -> None:
    function = runner.deploy({"app.js": NODE_CODE}, name="stack-Halted-AbC123", runtime=RUNTIME, timeout_s=1)
    port = debug_port(function, runner._settings)
    client = InspectorClient(port)
    client.ask("Debugger.enable")
    client.ask("Debugger.setBreakpointByUrl", lineNumber=1, urlRegex=r".*/app\.js$")  # before the function runs
    client.ask("Runtime.runIfWaitingForDebugger")
    running = runner.start(function, {"a": 1})
    halted = client.wait("Debugger.paused")
    assert halted["hitBreakpoints"]
    assert has_client(port)
    time.sleep(1.3)  # longer than Timeout
    assert not running.done()
    client.send("Debugger.resume")
    assert json.loads(running.result(10).payload) == 2
    client.close()


def test_other_functions_and_published_versions_are_not_debugged() -> None:
    settings = RunnerSettings(debug_function="Halted")
    assert debug_port(a_function("Halted"), settings) == 5678
    assert debug_port(a_function("stack-Halted-AbC123", runtime="nodejs20.x"), settings) == 9229
    assert debug_port(a_function("Halted"), RunnerSettings(debug_function="Halted", debug_port=7000)) == 7000
    assert debug_port(a_function("Halted", version="3"), settings) == 0
    assert debug_port(a_function("Halted", runtime="provided.al2023"), settings) == 0
    assert debug_port(a_function("Other"), settings) == 0
    assert debug_port(a_function("Halted"), RunnerSettings()) == 0


@pytest.mark.parametrize(
    ("name", "wanted", "is_so"),
    [
        ("orders", "orders", True),
        ("shop-Orders-1A2B3C4D5E6F", "Orders", True),
        ("shop-MyOrders-1A2B3C4D5E6F", "Orders", False),
        ("shop-Orders", "Orders", False),
        ("shop-Orders-1-2", ".*", False),
    ],
)
def test_a_function_is_meant_by_its_name_or_its_logical_id(name: str, wanted: str, is_so: bool) -> None:
    assert is_named(name, wanted) is is_so
