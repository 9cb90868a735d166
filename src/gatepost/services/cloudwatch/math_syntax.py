"""Metric math as text: read into a tree that `math_values` works out.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

DEPTH_MAX: Final = 64
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?P<word>[A-Za-z][A-Za-z0-9_]*)"""
    r"""|(?P<text>"[^"]*"|'[^']*')|(?P<sign>&&|\|\||==|!=|<=|>=|[-+*/^<>(),\[\]]))"""
)
_LEVELS: Final = (("||", "OR"), ("&&", "AND"), ("==", "!=", "<", "<=", ">", ">="), ("+", "-"), ("*", "/"))
_ALSO: Final = {"OR": "||", "AND": "&&"}


class BadExpression(Exception):
    """An expression cannot be read or worked out; the text says why."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number in the expression."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A text between quotation marks."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """The id of another query, or a word that a function knows (`REPEAT`)."""

    name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """Two sides with an operator; `left` None: a sign before `right`."""

    sign: str
    left: Node | None
    right: Node


@dataclass(frozen=True, slots=True)
class Function:
    """A function of other values."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Array:
    """Several series."""

    items: tuple[Node, ...]


Node = Number | Text | Name | Operation | Function | Array


def names_in(node: Node) -> Iterator[str]:
    """Give the names that an expression uses."""
    if isinstance(node, Name):
        yield node.name
    for child in _children(node):
        yield from names_in(child)


def size_of(node: Node) -> int:
    """Say of how many parts an expression is made."""
    return 1 + sum(size_of(child) for child in _children(node))


def functions_in(node: Node) -> Iterator[Function]:
    """Give the functions that an expression uses."""
    if isinstance(node, Function):
        yield node
    for child in _children(node):
        yield from functions_in(child)


def _children(node: Node) -> tuple[Node, ...]:
    if isinstance(node, Operation):
        return (node.right,) if node.left is None else (node.left, node.right)
    if isinstance(node, Function):
        return node.arguments
    return node.items if isinstance(node, Array) else ()


def parse(text: str) -> Node:
    """Read an expression. Raises: BadExpression."""
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                raise BadExpression(f"it cannot be read at {text[at:].strip()[:40]!r}")
            kind = str(found.lastgroup)
            self._tokens.append((kind, found.group(kind)))
            at = found.end()
        self._at = 0

    def parse(self) -> Node:
        node = self._level(0, 0)
        if self._at < len(self._tokens):
            raise BadExpression(f"{self._tokens[self._at][1]!r} was not expected")
        return node

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self, wanted: str = "") -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise BadExpression("it ends too early")
        token = self._tokens[self._at]
        if wanted and token[1] != wanted:
            raise BadExpression(f"{token[1]!r} was found where {wanted!r} belongs")
        self._at += 1
        return token

    def _level(self, level: int, depth: int) -> Node:
        if depth > DEPTH_MAX:
            raise BadExpression(f"it is nested more than {DEPTH_MAX} deep")
        if level == len(_LEVELS):
            return self._signed(depth)
        node = self._level(level + 1, depth)
        while self._peek() in _LEVELS[level]:
            sign = self._take()[1]
            node = Operation(_ALSO.get(sign, sign), node, self._level(level + 1, depth))
        return node

    def _signed(self, depth: int) -> Node:
        if self._peek() in ("-", "+"):
            if depth > DEPTH_MAX:
                raise BadExpression(f"it is nested more than {DEPTH_MAX} deep")
            return Operation(self._take()[1], None, self._signed(depth + 1))
        node = self._one(depth)
        if self._peek() == "^":
            self._take()
            return Operation("^", node, self._signed(depth + 1))
        return node

    def _one(self, depth: int) -> Node:
        kind, text = self._take()
        if kind == "number":
            number = float(text)
            if not math.isfinite(number):
                raise BadExpression(f"{text[:40]} is more than a number can hold")
            return Number(number)
        if kind == "text":
            return Text(text[1:-1])
        if text == "(":
            node = self._level(0, depth + 1)
            self._take(")")
            return node
        if text == "[":
            return Array(self._items("]", depth))
        if kind != "word":
            raise BadExpression(f"{text!r} was not expected")
        if self._peek() == "(":
            self._take()
            return Function(text.upper(), self._items(")", depth))
        return Name(text)

    def _items(self, end: str, depth: int) -> tuple[Node, ...]:
        items: list[Node] = []
        if self._peek() == end:
            self._take()
            return ()
        while True:
            items.append(self._level(0, depth + 1))
            if self._peek() == end:
                self._take()
                return tuple(items)
            self._take(",")
