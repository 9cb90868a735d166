"""The endpoint as the command line asks it."""

import http.server
import threading

import pytest

from gatepost.cli.endpoint import RESETTING, Addresses, Endpoint, OperationFailed


def asked(*answers: tuple[int, bytes]) -> tuple[object, int]:
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
        addresses = Addresses(url, "", "", "", "us-east-1", "000000000000", 1, "full", True)
        endpoint = Endpoint(addresses, access_key_id="AKIA", secret_access_key="secret")
        try:
            return endpoint.call("iam", "ListUsers"), len(answers) - len(left)
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
