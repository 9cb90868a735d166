"""The rules of composite alarms: `ALARM("a") AND (OK(b) OR NOT INSUFFICIENT_DATA(c))`.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

ELEMENTS_MAX: Final = 500
CHILDREN_MAX: Final = 100
DEPTH_MAX: Final = 64
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"(?P<quoted>[^\"]+)\"|'(?P<single>[^']+)'|(?P<plain>[^)\s\"']+))\s*\)"
    r"|(?P<word>AND|OR|NOT|TRUE|FALSE)\b|(?P<sign>[()]))"
)

StateOf = Callable[[str], str]


class BadRule(Exception):
    """A rule cannot be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One node. `kind`: a state, TRUE, FALSE, NOT, AND, OR."""

    kind: str
    name: str = ""  # of the alarm, of a state
    parts: tuple[Rule, ...] = ()

    def holds(self, state_of: StateOf) -> bool:
        """Say whether it is true now."""
        if self.kind in ("TRUE", "FALSE"):
            return self.kind == "TRUE"
        if self.kind == "NOT":
            return not self.parts[0].holds(state_of)
        if self.kind == "AND":
            return all(part.holds(state_of) for part in self.parts)
        if self.kind == "OR":
            return any(part.holds(state_of) for part in self.parts)
        return state_of(self.name) == self.kind

    def children(self) -> Iterator[str]:
        """Give the names or ARNs of the alarms it watches."""
        if self.name:
            yield self.name
        for part in self.parts:
            yield from part.children()


def parse_rule(text: str) -> Rule:
    """Read a rule. Raises: BadRule."""
    tokens: list[tuple[str, str]] = []
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise BadRule(f"it cannot be read at {text[at:].strip()[:40]!r}")
        name = found["quoted"] or found["single"] or found["plain"] or ""
        tokens.append((found["state"] or found["word"] or found["sign"], name))
        at = found.end()
    if len(tokens) > ELEMENTS_MAX:
        raise BadRule(f"it has more than {ELEMENTS_MAX} elements")
    rule = _Parser(tokens).parse()
    if len(set(rule.children())) > CHILDREN_MAX:
        raise BadRule(f"it watches more than {CHILDREN_MAX} alarms")
    return rule


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    def parse(self) -> Rule:
        rule = self._joined("OR", 0)
        if self._at < len(self._tokens):
            raise BadRule(f"{self._tokens[self._at][0]!r} was not expected")
        return rule

    def _peek(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _joined(self, word: str, depth: int) -> Rule:
        if depth > DEPTH_MAX:
            raise BadRule(f"it is nested more than {DEPTH_MAX} deep")
        parts = [self._joined("AND", depth) if word == "OR" else self._one(depth)]
        while self._peek() == word:
            self._at += 1
            parts.append(self._joined("AND", depth) if word == "OR" else self._one(depth))
        return parts[0] if len(parts) == 1 else Rule(word, parts=tuple(parts))

    def _one(self, depth: int) -> Rule:
        if self._at >= len(self._tokens):
            raise BadRule("it ends too early")
        kind, name = self._tokens[self._at]
        self._at += 1
        if kind == "NOT":
            if depth > DEPTH_MAX:
                raise BadRule(f"it is nested more than {DEPTH_MAX} deep")
            return Rule("NOT", parts=(self._one(depth + 1),))
        if kind == "(":
            rule = self._joined("OR", depth + 1)
            if self._peek() != ")":
                raise BadRule("a parenthesis is not closed")
            self._at += 1
            return rule
        if name or kind in ("TRUE", "FALSE"):
            return Rule(kind, name)
        raise BadRule(f"{kind!r} was not expected")
