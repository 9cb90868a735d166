"""`GET /_gatepost/explain/{request id}` on the AWS endpoint: a denied operation, or a request of a deployed API."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import orjson

from gatepost.awsapi.denials import Denials
from gatepost.awsapi.own_routes import OwnRoute
from gatepost.kernel.errors import ServiceUnavailable
from gatepost.kernel.operations import Call
from gatepost.link.explanations import Explanations
from gatepost.telemetry.request_lines import find_line
from gatepost.telemetry.rotating_file import RotatingFile
from gatepost.wire.messages import Request, Response

PREFIX: Final = "/_gatepost/explain/"
ACTION: Final = "gatepost:Explain"
ID_CHARACTERS_MAX: Final = 64
FILE_BYTES_MAX: Final = 8 * 1024 * 1024
_REMEMBERED: Final = (
    "the newest requests are, and many of those refused with 401, 403 or 429; the id is its answer's x-amzn-RequestId"
)


class ExplainRoute:
    """Answers by what services keeps, else by what the gateway remembers."""

    def __init__(self, explanations: Explanations, folder: Path) -> None:
        """Take how to ask the gateway, and the folder in which denials are written down."""
        self._path = folder / "denials.log"
        self._file: RotatingFile | None = None
        self.denials = Denials(self._write)
        self._explanations = explanations

    def _write(self, line: bytes) -> None:
        if self._file is None:  # most platforms never deny anything: no file, no thread
            self._file = RotatingFile(self._path, file_bytes_max=FILE_BYTES_MAX, files_kept=1)
        self._file.put(line)

    def close(self) -> None:
        """Write what waits."""
        if self._file is not None:
            self._file.close()

    @property
    def route(self) -> OwnRoute:
        """Give the route; who asks needs gatepost:Explain."""
        return OwnRoute("GET", PREFIX, self.handle, ACTION)

    async def handle(self, request: Request, call: Call) -> Response:
        """Find a request by its id: 404 when nobody remembers it, 503 when no gateway can be asked."""
        del call
        request_id = request.path.removeprefix(PREFIX)
        if not 0 < len(request_id) <= ID_CHARACTERS_MAX:
            return _json(400, {"message": f"a request id has 1 to {ID_CHARACTERS_MAX} characters"})
        found = self.denials.find(request_id)
        if found is None:
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(None, find_line, self._path, request_id)
        if found is None:
            try:
                found = await self._explanations.find(request_id)
            except ServiceUnavailable as error:
                return _json(503, {"message": error.message})
        if found is None:
            return _json(404, {"message": f"nothing is remembered of request {request_id}: {_REMEMBERED}"})
        return _json(200, found)


def _json(status: int, value: dict[str, Any]) -> Response:
    return Response(status, [(b"content-type", b"application/json")], orjson.dumps(value))
