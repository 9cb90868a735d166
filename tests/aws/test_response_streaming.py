"""Answers that reach the client while they are written: responseTransferMode STREAM, on a running platform."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

from tests.aws.test_rest_api_integrations import Api


class Slow(BaseHTTPRequestHandler):
    """Writes one piece, and the next only once it is told that the first was read."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for piece in (b"first", b"second"):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.flush()
            if piece == b"first" and not self.server.was_read.wait(20):
                return
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_arguments):
        """Say nothing."""


@pytest.fixture
def upstream():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    server.was_read = threading.Event()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_a_proxied_answer_goes_on_while_it_arrives(platform, upstream):
    api = Api(platform, "streaming")
    integration = {
        "type": "HTTP_PROXY",
        "integrationHttpMethod": "GET",
        "uri": f"http://127.0.0.1:{upstream.server_address[1]}/",
        "responseTransferMode": "STREAM",
        "timeoutInMillis": 60_000,
    }
    api.method("events", "GET", integration, {})
    api.deploy()
    url = urlsplit(platform.stage_url(api.id, "prod") + "/events")
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=20)
    connection.request("GET", url.path)
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Content-Type")) == (200, "text/event-stream")
    assert answer.read(5) == b"first"  # the second is not even written yet
    upstream.was_read.set()
    assert answer.read() == b"second"
    connection.close()
