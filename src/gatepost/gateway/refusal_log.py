"""Where a gateway finds a request again: among the last ones in memory, else among the refusals that it wrote down.

Refusals go to a file, one JSON object a line, beside the access log; file and predecessor have at most 2 x 8 MiB.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import orjson

from gatepost.gateway.observers import RequestLog

FILE_BYTES_MAX: Final = 8 * 1024 * 1024
FILES_KEPT: Final = 1
ID_CHARACTERS_MAX: Final = 64


class RefusalLog:
    """Finds requests by id."""

    def __init__(self, path: Path, remembered: RequestLog) -> None:
        self._path = path
        self._remembered = remembered

    async def find(self, request_id: str) -> dict[str, Any] | None:
        """Give what is known of a request, as JSON values; files are read beside the loop."""
        self._remembered.flush()
        found = self._remembered.find(request_id)
        if found is not None or not request_id or len(request_id) > ID_CHARACTERS_MAX:
            return found
        return await asyncio.get_running_loop().run_in_executor(None, self._written, request_id)

    def _written(self, request_id: str) -> dict[str, Any] | None:
        mark = f'"requestId":{orjson.dumps(request_id).decode()}'.encode()
        for path in (self._path, self._path.with_name(f"{self._path.name}.1")):
            try:
                content = path.read_bytes()
            except OSError:
                continue
            at = content.rfind(mark)
            if at < 0:
                continue
            start = content.rfind(b"\n", 0, at) + 1
            end = content.find(b"\n", at)
            try:
                found: dict[str, Any] = orjson.loads(content[start : end if end >= 0 else len(content)])
            except orjson.JSONDecodeError:  # a line that is being written
                continue
            return found
        return None
