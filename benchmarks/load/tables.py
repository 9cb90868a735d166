"""Signed DynamoDB requests as bytes, and a loader that writes many items over a few connections."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from typing import Final

from benchmarks.load.requests import render
from benchmarks.processes import PeerFailed
from gatepost.security.sigv4 import sign

TARGET: Final = "DynamoDB_20120810."
LOADERS: Final = 4
TRIES: Final = 3


class Signer:
    """Makes signed requests to one endpoint."""

    def __init__(self, port: int, access_key_id: str, secret_access_key: str) -> None:
        self.port = port
        self._access_key_id = access_key_id
        self._secret_access_key = secret_access_key

    def headers(self, operation: str, body: bytes) -> list[tuple[str, str]]:
        """Give the headers of one operation, signed now."""
        return sign(
            "POST",
            "/",
            "",
            [
                ("Host", f"127.0.0.1:{self.port}"),
                ("X-Amz-Target", TARGET + operation),
                ("Content-Type", "application/x-amz-json-1.0"),
            ],
            body,
            access_key_id=self._access_key_id,
            secret_access_key=self._secret_access_key,
            region="us-east-1",
            service="dynamodb",
            now_ms=int(time.time() * 1000),
        )

    def request(self, operation: str, body: bytes) -> bytes:
        """Give one whole request, signed now."""
        return render("POST", "/", self.headers(operation, body), body)


def fill(signer: Signer, batches: Iterator[bytes], *, seconds_max: float) -> int:
    """Write BatchWriteItem bodies over a few connections; give how many were written in time. Raises: PeerFailed."""
    lock = threading.Lock()
    deadline = time.monotonic() + seconds_max
    written = 0
    problems: list[str] = []

    def load() -> None:
        nonlocal written
        connection = http.client.HTTPConnection("127.0.0.1", signer.port, timeout=30)
        try:
            while time.monotonic() < deadline and not problems:
                with lock:
                    body = next(batches, None)
                if body is None:
                    return
                if problem := _send(connection, signer, body):
                    problems.append(problem)
                    return
                with lock:
                    written += 1
        finally:
            connection.close()

    threads = [threading.Thread(target=load) for _ in range(LOADERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise PeerFailed(f"BatchWriteItem: {problems[0]}")
    return written


def _send(connection: http.client.HTTPConnection, signer: Signer, body: bytes) -> str:
    """Send one batch; give what is wrong with the answer, or nothing."""
    problem = ""
    for _ in range(TRIES):
        try:
            connection.request("POST", "/", body, dict(signer.headers("BatchWriteItem", body)))
            response = connection.getresponse()
            told = response.read()
            if response.status == 200:
                return ""
            return f"{response.status} {told[:200]!r}"
        except (OSError, http.client.HTTPException) as error:
            problem = f"{type(error).__name__}: {error}"
            connection.close()
    return problem
