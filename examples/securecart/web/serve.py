#!/usr/bin/env python3
"""Serve the shop's page on this machine.

    python serve.py API_URL SIGN_IN_URL CLIENT_ID [PORT]

All three are outputs of the stack (here with the local addresses that `gatepost up` prints as well). PORT is that of
the template's ShopUrl, 3000 when it is not given. On AWS the folder goes to S3 and CloudFront, with a settings.json.
"""

import json
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Page(SimpleHTTPRequestHandler):
    """Files of this folder, and settings.json."""

    def __init__(self, *arguments: object, settings: dict[str, str], **options: object) -> None:
        self.settings = settings
        super().__init__(*arguments, directory=str(Path(__file__).parent), **options)

    def do_GET(self) -> None:
        """Answer a request."""
        if self.path != "/settings.json":
            super().do_GET()
            return
        content = json.dumps(self.settings).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


def serve(api_url: str, sign_in_url: str, client_id: str, port: int) -> ThreadingHTTPServer:
    """Make the server; `serve_forever` runs it."""
    settings = {"apiUrl": api_url.rstrip("/"), "signInUrl": sign_in_url.rstrip("/"), "clientId": client_id}
    return ThreadingHTTPServer(("127.0.0.1", port), partial(Page, settings=settings))


if __name__ == "__main__":
    if len(sys.argv) not in (4, 5):
        sys.exit(f"usage: {sys.argv[0]} API_URL SIGN_IN_URL CLIENT_ID [PORT]")
    chosen = int(sys.argv[4]) if len(sys.argv) == 5 else 3000
    print(f"http://localhost:{chosen}/")
    serve(*sys.argv[1:4], chosen).serve_forever()
