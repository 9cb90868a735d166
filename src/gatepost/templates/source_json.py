"""JSON text to the same tree with places that YAML gives. The standard decoder forgets where things stood."""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Callable
from json.decoder import scanstring as _decode_string  # type: ignore[attr-defined]
from typing import Any, Final, NamedTuple

from gatepost.templates.problems import TemplateRefused, refused

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?")
_WORDS: Final = {"true": True, "false": False, "null": None}


class _Mark(NamedTuple):
    line: int
    column: int


def parse_json(text: str, *, file: str, node: Callable[..., Any], depth_max: int) -> Any:
    """Parse one JSON document into `node(value, line, column, end_line, end_column, keys)`.

    Raises: TemplateRefused with file and line.
    """
    scanner = _Scanner(text, file, node, depth_max)
    root, end = scanner.value(scanner.skip(0), 0)
    end = scanner.skip(end)
    if end != len(text):
        raise scanner.refuse(end, "text follows the end of the JSON document")
    return root


class _Scanner:
    """Reads one document. Recursion is bounded by `depth_max`."""

    def __init__(self, text: str, file: str, node: Callable[..., Any], depth_max: int) -> None:
        self._text = text
        self._file = file
        self._node = node
        self._depth_max = depth_max
        self._line_starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def mark(self, at: int) -> _Mark:
        line = bisect.bisect_right(self._line_starts, at)
        return _Mark(line, at - self._line_starts[line - 1] + 1)

    def refuse(self, at: int, message: str) -> TemplateRefused:
        mark = self.mark(at)
        words = f"Template format error: JSON not well-formed. (line {mark.line}, column {mark.column})"
        return refused(f"this is no JSON: {message}", file=self._file, line=mark.line, column=mark.column, aws=words)

    def skip(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at

    def _made(self, value: Any, start: int, end: int, keys: dict[str, _Mark] | None = None) -> Any:
        first, last = self.mark(start), self.mark(end)
        return self._node(value, first.line, first.column, last.line, last.column, keys or {})

    def value(self, at: int, depth: int) -> tuple[Any, int]:
        """Read the value that begins at `at`; give it and the offset behind it."""
        first = self._text[at : at + 1]
        if depth >= self._depth_max and first in ("{", "["):
            raise self.refuse(at, f"nested deeper than {self._depth_max} levels: flatten it")
        if first == "{":
            return self._object(at, depth)
        if first == "[":
            return self._array(at, depth)
        if first == '"':
            text, end = self._string(at)
            return self._made(text, at, end), end
        for word, meaning in _WORDS.items():
            if self._text.startswith(word, at):
                return self._made(meaning, at, at + len(word)), at + len(word)
        found = _NUMBER.match(self._text, at)
        if not found:
            raise self.refuse(at, f"a value was expected, not {first!r}" if first else "it ends too early")
        if found.end() - at > 400:
            raise self.refuse(at, "a number has more than 400 digits")
        is_float = found.group(1) is not None or found.group(2) is not None
        number: float | int = float(found.group()) if is_float else int(found.group())
        return self._made(number, at, found.end()), found.end()

    def _string(self, at: int) -> tuple[str, int]:
        try:
            text, end = _decode_string(self._text, at + 1, True)
        except json.JSONDecodeError as fault:
            raise self.refuse(fault.pos, fault.msg) from fault
        return text, end

    def _object(self, at: int, depth: int) -> tuple[Any, int]:
        members: dict[str, Any] = {}
        keys: dict[str, _Mark] = {}
        end = self.skip(at + 1)
        if self._text[end : end + 1] == "}":
            return self._made(members, at, end + 1, keys), end + 1
        while True:
            if self._text[end : end + 1] != '"':
                raise self.refuse(end, "a key in double quotes was expected")
            start = end
            key, end = self._string(end)
            if key in members:
                raise self.refuse(start, f"the key {key!r} is there twice: first on line {keys[key].line}")
            keys[key] = self.mark(start)
            end = self.skip(end)
            if self._text[end : end + 1] != ":":
                raise self.refuse(end, f"a colon was expected after the key {key!r}")
            members[key], end = self.value(self.skip(end + 1), depth + 1)
            end = self.skip(end)
            separator = self._text[end : end + 1]
            if separator == "}":
                return self._made(members, at, end + 1, keys), end + 1
            if separator != ",":
                raise self.refuse(end, "a comma or } was expected")
            end = self.skip(end + 1)

    def _array(self, at: int, depth: int) -> tuple[Any, int]:
        items: list[Any] = []
        end = self.skip(at + 1)
        if self._text[end : end + 1] == "]":
            return self._made(items, at, end + 1), end + 1
        while True:
            item, end = self.value(end, depth + 1)
            items.append(item)
            end = self.skip(end)
            separator = self._text[end : end + 1]
            if separator == "]":
                return self._made(items, at, end + 1), end + 1
            if separator != ",":
                raise self.refuse(end, "a comma or ] was expected")
            end = self.skip(end + 1)
