"""Answers to CloudFormation from Node functions that send them to port 443 by HTTPS, as they may on AWS."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.support.functions import LiveRunner, a_live_runner
from tests.support.nodes import RUNTIME, needs_node

pytestmark = needs_node
ROUTE = "/_gatepost/cloudformation/responses/"
# As CDK's provider framework answers, and as copies of AWS's cfn-response do (`port`).
ANSWER = """
const https = require("https");
const url = require("url");
const put = (options) => new Promise((resolve) => {
  const request = https.request(options, (response) => { response.resume(); resolve(response.statusCode); });
  request.on("error", (error) => resolve(error.code));
  request.write("{}");
  request.end();
});
exports.handler = async (event) => {
  const { hostname, path } = url.parse(event.ResponseURL);
  const more = event.port ? { port: event.port } : {};
  return put({ hostname, path: event.path ?? path, ...more, method: "PUT", headers: { "content-length": 2 } });
};
"""


class Answers(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        length = int(self.headers["content-length"])
        self.server.put.append((self.path, self.rfile.read(length)))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Answers)
    server.put = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def runner(tmp_path) -> Iterator[LiveRunner]:
    with a_live_runner(tmp_path) as live:
        yield live


@pytest.mark.parametrize("port", [None, 443])
def test_an_answer_arrives_though_the_port_is_dropped(runner: LiveRunner, server: HTTPServer, port: int | None) -> None:
    function = runner.deploy({"app.js": ANSWER}, runtime=RUNTIME)
    for token in ("a", "b"):  # the worker's second answer, too
        event = {"ResponseURL": f"http://127.0.0.1:{server.server_port}{ROUTE}{token}", "port": port}
        assert runner.value(function, event) == 200
    assert server.put == [(f"{ROUTE}a", b"{}"), (f"{ROUTE}b", b"{}")]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "more", [{"path": "/elsewhere"}, {"ResponseURL": "http://127.0.0.1:1/other"}, {"port": 9}], ids=str
)
def test_other_requests_go_where_they_are_sent(runner: LiveRunner, server: HTTPServer, more: dict) -> None:
    function = runner.deploy({"app.js": ANSWER}, runtime=RUNTIME)
    event = {"ResponseURL": f"http://127.0.0.1:{server.server_port}{ROUTE}a", **more}
    assert runner.value(function, event) == "ECONNREFUSED"
    assert server.put == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [1, None, "", "no url", {"a": 1}, "ftp://x/_gatepost/cloudformation/responses/a"])
def test_an_event_that_only_looks_like_cloudformations_is_the_functions(runner: LiveRunner, value: object) -> None:
    function = runner.deploy({"app.js": "exports.handler = async (event) => event.ResponseURL;"}, runtime=RUNTIME)
    assert runner.value(function, {"ResponseURL": value}) == value
