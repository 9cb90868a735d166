"""Where a gateway finds a request again: among the last ones in memory, else among the refusals that it wrote down.

Refusals go to a file, one JSON object a line, beside the access log; file and predecessor have at most 2 x 8 MiB.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

from gatepost.gateway.observers import RequestLog
from gatepost.telemetry.request_lines import find_line

FILE_BYTES_MAX: Final = 8 * 1024 * 1024
FILES_KEPT: Final = 1


class RefusalLog:
    """Finds requests by id."""

    def __init__(self, path: Path, remembered: RequestLog) -> None:
        self._path = path
        self._remembered = remembered

    async def find(self, request_id: str) -> dict[str, Any] | None:
        """Give what is known of a request, as JSON values; files are read beside the loop."""
        self._remembered.flush()
        found = self._remembered.find(request_id)
        if found is not None:
            return found
        return await asyncio.get_running_loop().run_in_executor(None, find_line, self._path, request_id)
