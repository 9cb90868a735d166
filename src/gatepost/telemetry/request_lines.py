"""Finding a request in a file of JSON lines by its id: in the file that grows, else in the one that was set aside."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import orjson

ID_CHARACTERS_MAX: Final = 64


def find_line(path: Path, request_id: str) -> dict[str, Any] | None:
    """Give the last line about a request, or None. Reads up to two whole files: call it beside the loop."""
    if not 0 < len(request_id) <= ID_CHARACTERS_MAX:
        return None
    mark = f'"requestId":{orjson.dumps(request_id).decode()}'.encode()
    for each in (path, path.with_name(f"{path.name}.1")):
        try:
            content = each.read_bytes()
        except OSError:
            continue
        at = content.rfind(mark)
        if at < 0:
            continue
        start, end = content.rfind(b"\n", 0, at) + 1, content.find(b"\n", at)
        try:
            found: dict[str, Any] = orjson.loads(content[start : end if end >= 0 else len(content)])
        except orjson.JSONDecodeError:  # a line that is being written
            continue
        return found
    return None
