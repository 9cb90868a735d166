"""Where things stand in a policy's text: statements by line and column, condition keys as they are spelled.

For the simulator's answers. A statement is said to start after the bracket or comma before it, and to end after its
brace, as in AWS's own examples:
https://docs.aws.amazon.com/cli/latest/reference/iam/simulate-principal-policy.html
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

_TOKEN: Final = re.compile(r'"(?:\\.|[^"\\])*"|[{}\[\],:]', re.DOTALL)
_WRITTEN: Final = re.compile(r"[A-Za-z0-9-]+:[^\"}',\s]+")  # a key, of a condition or of a variable
_OPENING: Final = "{["
_CLOSING: Final = "}]"

Positions = dict[str, dict[str, int]]


class PolicyTexts:
    """The documents of policies by name, each looked through once and only when it is asked about."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._positions: dict[str, dict[str, Positions]] = {}

    def positions(self, name: str, label: str) -> Positions:
        """Give StartPosition and EndPosition of the statement whose Sid, or place from 0, is `label`; {}: unknown."""
        if name not in self._texts:
            return {}
        if name not in self._positions:
            self._positions[name] = statement_positions(self._texts[name])
        return self._positions[name].get(label, {})

    def spelled(self, keys: Iterable[str]) -> list[str]:
        """Give condition keys, which are in lower case, in the order and as they are spelled where they first are."""
        places: dict[str, tuple[int, int, str]] = {}
        for number, text in enumerate(self._texts.values()):
            for match in _WRITTEN.finditer(text):
                places.setdefault(match.group().lower(), (number, match.start(), match.group()))
        return [key for _, _, key in sorted(places.get(key, (len(self._texts), 0, key)) for key in keys)]


def statement_positions(text: str) -> dict[str, Positions]:
    """Give the positions of each statement by its Sid, or by its place from 0."""
    found: dict[str, Positions] = {}
    lines = [0, *(match.end() for match in re.finditer("\n", text))]
    for index, (start, end) in enumerate(_statement_spans(text)):
        label = json.loads(text[start:end]).get("Sid") or str(index)
        found[label] = {"StartPosition": _position(lines, start), "EndPosition": _position(lines, end)}
    return found


def _statement_spans(text: str) -> list[tuple[int, int]]:
    """Give where each statement of a valid document begins, after the token before it, and ends."""
    spans: list[tuple[int, int]] = []
    depth, start, key, before = 0, 0, "", 0
    inner = 0  # the depth of the statements themselves; 0: not within Statement
    for token in _TOKEN.finditer(text):
        word = token.group()
        if depth == 1 and word.startswith('"'):
            key = json.loads(word)
        if word in _OPENING:
            depth += 1
            if depth == 2 and key == "Statement":
                inner = 3 if word == "[" else 2
            if word == "{" and depth == inner:
                start = before
        elif word in _CLOSING:
            if word == "}" and depth == inner:
                spans.append((start, token.end()))
            depth -= 1
            if depth == 1:
                inner = 0
        before = token.end()
    return spans


def _position(line_starts: Sequence[int], offset: int) -> dict[str, int]:
    line = bisect_right(line_starts, offset)
    return {"Line": line, "Column": offset - line_starts[line - 1] + 1}
