"""HTTP integrations over TLS: whose certificates are taken, on a running platform."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.aws.test_rest_api_integrations import Api
from tests.support.certificates import a_certificate


class Hello(BaseHTTPRequestHandler):
    """Says hello."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_arguments):
        """Say nothing."""


@pytest.fixture
def backend(tmp_path):
    certificate, key = a_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_a_certificate_of_its_own_issuer_is_taken_only_where_the_integration_says_so(platform, backend):
    api = Api(platform, "tls-backends")
    url = f"https://127.0.0.1:{backend}/"
    for path, skips in (("strict", False), ("lenient", True)):
        integration = {
            "type": "HTTP_PROXY",
            "integrationHttpMethod": "GET",
            "uri": url,
            "tlsConfig": {"insecureSkipVerification": skips},
        }
        api.method(path, "GET", integration, {})
    api.deploy()
    assert api.ask("GET", "/strict").status == 504
    assert api.ask("GET", "/lenient").body == b"hello"
