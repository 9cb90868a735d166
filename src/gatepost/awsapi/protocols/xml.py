"""XML as the query protocol answers it: one small writer, with everything escaped."""

from __future__ import annotations

import re
from typing import Final

_SPECIAL: Final = re.compile("[&<>\"'\r]")
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;", "\r": "&#xD;"}


def text(value: str) -> str:
    """Escape a text; characters that XML 1.0 cannot hold become U+FFFD."""
    return _SPECIAL.sub(lambda found: _ENTITIES[found[0]], _NOT_XML.sub("\ufffd", value))


def element(name: str, content: str) -> str:
    """Put `content`, which is XML already, into an element. Names come from the service model."""
    return f"<{name}>{content}</{name}>" if content else f"<{name}/>"
