"""The endpoint as the command line asks it."""

import http.server
import threading
from collections.abc import Callable

import pytest

from gatepost.cli.endpoint import RESETTING, Addresses, Endpoint, OperationFailed, deployed_stages


def list_users(endpoint: Endpoint) -> object:
    """Ask one operation."""
    return endpoint.call("iam", "ListUsers")


def asked(*answers: tuple[int, bytes], ask: Callable[[Endpoint], object] = list_users) -> tuple[object, int]:
    """Ask a server that gives these answers in turn; give what came of it and how often it was asked."""
    left = list(answers)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, body = left.pop(0)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        addresses = Addresses(url, "http://public", "http://private", "", "us-east-1", "000000000000", 1, "full", True)
        endpoint = Endpoint(addresses, access_key_id="AKIA", secret_access_key="secret")
        try:
            return ask(endpoint), len(answers) - len(left)
        finally:
            endpoint.close()
            server.shutdown()


def test_a_platform_that_somebody_resets_is_asked_again() -> None:
    assert asked((503, RESETTING), (503, RESETTING), (200, b'{"Users": []}')) == ({"Users": []}, 3)


def test_other_refusals_are_told() -> None:
    with pytest.raises(OperationFailed, match="ServiceUnavailable: later"):
        asked((503, b'{"code": "ServiceUnavailable", "message": "later"}'))
    with pytest.raises(OperationFailed, match="HTTP 502"):
        asked((502, b"nonsense"))


def test_a_private_api_is_told_to_answer_at_the_private_port() -> None:
    apis = (
        b'{"items": [{"id": "a1", "name": "inner", "endpointConfiguration": {"types": ["PRIVATE"]}},'
        b' {"id": "a2", "name": "shop", "endpointConfiguration": {"types": ["REGIONAL"]}}]}'
    )
    stages = b'{"item": [{"stageName": "v1"}]}'
    told, _ = asked((200, apis), (200, stages), (200, stages), ask=deployed_stages)
    assert isinstance(told, list)
    assert [stage["url"] for stage in told] == [
        "http://private/_aws/execute-api/a1/v1",
        "http://public/_aws/execute-api/a2/v1",
    ]
