"""Conditions of filter patterns: `one && (two || three)`, read by recursive descent.

`or := and (|| and)*`, `and := unit (&& unit)*`, `unit := "(" or ")"` or what the kind of pattern says.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from re import Pattern
from typing import Final, Generic, TypeVar

from gatepost.services.logs.filter_words import invalid

Tested = TypeVar("Tested")

DEPTH_MAX: Final = 32


class Conditions(ABC, Generic[Tested]):
    """Reads the tokens of one condition; a kind of pattern says what stands between the signs."""

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def parse(self) -> Callable[[Tested], bool]:
        """Compile the whole condition. Raises: InvalidParameterException."""
        test = self._either(0)
        if self._at < len(self._tokens):
            raise invalid(f"{self._tokens[self._at]!r} was not expected")
        return test

    @abstractmethod
    def unit(self) -> Callable[[Tested], bool]:
        """Compile what stands between two signs. Raises: InvalidParameterException."""

    def peek(self) -> str:
        """Give the next token; "" at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def take(self) -> str:
        """Give the next token and go on. Raises: InvalidParameterException at the end."""
        token = self.peek()
        if not token:
            raise invalid("it ends too early")
        self._at += 1
        return token

    def _either(self, depth: int) -> Callable[[Tested], bool]:
        if depth > DEPTH_MAX:
            raise invalid(f"it is nested more than {DEPTH_MAX} deep")
        parts = [self._all(depth)]
        while self.peek() == "||":
            self.take()
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else lambda value: any(part(value) for part in parts)

    def _all(self, depth: int) -> Callable[[Tested], bool]:
        parts = [self._one(depth)]
        while self.peek() == "&&":
            self.take()
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else lambda value: all(part(value) for part in parts)

    def _one(self, depth: int) -> Callable[[Tested], bool]:
        if self.peek() != "(":
            return self.unit()
        self.take()
        test = self._either(depth + 1)
        if self.take() != ")":
            raise invalid("a parenthesis is not closed")
        return test


def tokens_of(text: str, token: Pattern[str]) -> list[str]:
    """Cut a condition into its tokens. Raises: InvalidParameterException."""
    tokens: list[str] = []
    at = 0
    while at < len(text) and text[at:].strip():
        found = token.match(text, at)
        if found is None:
            raise invalid(f"it cannot be read at {text[at:][:40]!r}")
        tokens.append(found.group(0).strip())
        at = found.end()
    return tokens
