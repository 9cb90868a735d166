"""Requests as bytes, made before the clock starts, in a file that wrk and the paced client read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path


def render(method: str, path: str, headers: Sequence[tuple[str, str]], body: bytes = b"") -> bytes:
    """Give one HTTP/1.1 request; Host is among `headers`."""
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def write(path: Path, requests: Iterable[bytes]) -> Path:
    """Write a file of requests."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(b"%d\n%s" % (len(request), request) for request in requests))
    return path


def read(path: Path) -> list[bytes]:
    """Read a file of requests."""
    found = []
    content = path.read_bytes()
    at = 0
    while at < len(content):
        end = content.index(b"\n", at)
        length = int(content[at:end])
        found.append(content[end + 1 : end + 1 + length])
        at = end + 1 + length
    return found
