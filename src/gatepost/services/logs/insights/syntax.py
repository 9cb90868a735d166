"""Logs Insights queries as text: read into commands and expressions.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gatepost.services.logs.model import MalformedQueryException

QUERY_CHARACTERS_MAX: Final = 10_000
COMMANDS_MAX: Final = 100
DEPTH_MAX: Final = 64
_TOKEN: Final = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)|(?P<period>\d+(?:ms|mo|s|m|h|d|w|q|y)\b)|(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?)"""
    r"""|(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<quoted>`[^`]+`)|(?P<name>@?[A-Za-z_][\w.@]*(?:\.\w+)*)"""
    r"""|(?P<sign>=~|!=|<=|>=|[-+*/%^=<>(),|\[\]])"""
)
_REGEX: Final = re.compile(r"/((?:[^/\\]|\\.)*)/([i]?)")
_COMPARISONS: Final = ("=", "!=", "<", "<=", ">", ">=")
AGGREGATES: Final = frozenset(
    {
        "avg",
        "count",
        "count_distinct",
        "earliest",
        "latest",
        "max",
        "median",
        "min",
        "pct",
        "sortsfirst",
        "sortslast",
        "stddev",
        "sum",
    }
)


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a query. `at` and `end` are its place in the text."""

    kind: str
    text: str
    at: int
    end: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a text, a period (`5m`), a regular expression, or `*`."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Field:
    """The name of a field."""

    name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator with its operands: `and`, `or`, `not`, a comparison, `like`, `in`, arithmetic, `-` of one."""

    sign: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A function with its arguments."""

    name: str  # in lower case
    arguments: tuple[Node, ...]


Node = Literal | Field | Operation | Function


@dataclass(frozen=True, slots=True)
class Column:
    """An expression with the name that its values go under."""

    name: str
    node: Node


@dataclass(frozen=True, slots=True)
class Command:
    """One step. What the members mean depends on `name`."""

    name: str  # fields, display, filter, sort, limit, stats, parse, dedup
    columns: tuple[Column, ...] = ()  # of fields, display, stats, dedup
    by: tuple[Column, ...] = ()  # of stats
    condition: Node | None = None  # of filter
    order: tuple[tuple[Column, bool], ...] = ()  # of sort: descending?
    limit: int = 0
    source: Node | None = None  # of parse
    pattern: Literal | None = None
    names: tuple[str, ...] = ()


def malformed(why: str) -> MalformedQueryException:
    """Make the error for a query that cannot be read."""
    return MalformedQueryException(f"Malformed query: {why}")


def parse_query(text: str) -> list[Command]:
    """Read a query. Raises: MalformedQueryException."""
    if len(text) > QUERY_CHARACTERS_MAX:
        raise malformed(f"it has more than {QUERY_CHARACTERS_MAX} characters")
    return _Parser(text).commands()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._cut()
        self._at = 0

    def _cut(self) -> list[Token]:
        tokens: list[Token] = []
        at = 0
        while at < len(self._text):
            found = None
            if self._text[at] == "/" and (not tokens or _expects_regex(tokens[-1])):
                found = _REGEX.match(self._text, at)
                if found is not None:
                    tokens.append(Token("regex", found.group(), at, found.end()))
                    at = found.end()
                    continue
            found = _TOKEN.match(self._text, at)
            if found is None:
                raise malformed(f"it cannot be read at {self._text[at:][:40]!r}")
            kind = str(found.lastgroup)
            if kind != "space":
                tokens.append(Token(kind, found.group(), at, found.end()))
            at = found.end()
        return tokens

    # --- tokens ------------------------------------------------------------------------------------------------

    def _peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        if at >= len(self._tokens):
            return ""
        token = self._tokens[at]
        return token.text.lower() if token.kind == "name" else token.text

    def _take(self, wanted: str = "") -> Token:
        if self._at >= len(self._tokens):
            raise malformed("it ends too early")
        token = self._tokens[self._at]
        if wanted and self._peek() != wanted:
            raise malformed(f"{token.text!r} was found where {wanted!r} belongs")
        self._at += 1
        return token

    def _takes(self, word: str) -> bool:
        if self._peek() == word:
            self._at += 1
            return True
        return False

    # --- commands ----------------------------------------------------------------------------------------------

    def commands(self) -> list[Command]:
        commands = [self._command()]
        while self._takes("|"):
            commands.append(self._command())
            if len(commands) > COMMANDS_MAX:
                raise malformed(f"it has more than {COMMANDS_MAX} commands")
        if self._at < len(self._tokens):
            raise malformed(f"{self._tokens[self._at].text!r} was not expected")
        return commands

    def _command(self) -> Command:
        name = self._take().text.lower()
        match name:
            case "fields" | "display" | "dedup":
                return Command(name, columns=self._columns())
            case "filter":
                return Command(name, condition=self._or(0))
            case "stats":
                columns = self._columns()
                return Command(name, columns=columns, by=self._columns() if self._takes("by") else ())
            case "sort":
                return Command(name, order=self._order())
            case "limit":
                token = self._take()
                if token.kind != "number" or not token.text.isdigit():
                    raise malformed(f"limit takes a number, not {token.text!r}")
                return Command(name, limit=int(token.text))
            case "parse":
                return self._parse()
        raise malformed(
            f"unknown command {name!r}; there are fields, display, filter, stats, sort, limit, parse, dedup"
        )

    def _columns(self) -> tuple[Column, ...]:
        columns = [self._column()]
        while self._takes(","):
            columns.append(self._column())
        return tuple(columns)

    def _column(self) -> Column:
        start = self._at
        node = self._or(0)
        if self._takes("as"):
            return Column(self._name(), node)
        if isinstance(node, Field):
            return Column(node.name, node)
        return Column(self._text[self._tokens[start].at : self._tokens[self._at - 1].end], node)

    def _name(self) -> str:
        token = self._take()
        if token.kind not in ("name", "quoted"):
            raise malformed(f"{token.text!r} is no name")
        return token.text.strip("`")

    def _order(self) -> tuple[tuple[Column, bool], ...]:
        order = []
        while True:
            column = self._column()
            is_descending = self._takes("desc")
            if not is_descending:
                self._takes("asc")
            order.append((column, is_descending))
            if not self._takes(","):
                return tuple(order)

    def _parse(self) -> Command:
        first = self._tokens[self._at] if self._at < len(self._tokens) else None
        source: Node = Field("@message")
        if first is not None and first.kind not in ("text", "regex"):
            source = Field(self._name())
        token = self._take()
        if token.kind not in ("text", "regex"):
            raise malformed("parse takes a pattern between quotation marks or slashes")
        names: list[str] = []
        if self._takes("as"):
            names = [self._name()]
            while self._takes(","):
                names.append(self._name())
        return Command("parse", source=source, pattern=_literal(token), names=tuple(names))

    # --- expressions -------------------------------------------------------------------------------------------

    def _or(self, depth: int) -> Node:
        if depth > DEPTH_MAX:
            raise malformed(f"it is nested more than {DEPTH_MAX} deep")
        node = self._and(depth)
        while self._takes("or"):
            node = Operation("or", (node, self._and(depth)))
        return node

    def _and(self, depth: int) -> Node:
        node = self._not(depth)
        while self._takes("and"):
            node = Operation("and", (node, self._not(depth)))
        return node

    def _not(self, depth: int) -> Node:
        if depth > DEPTH_MAX:
            raise malformed(f"it is nested more than {DEPTH_MAX} deep")
        if self._takes("not"):
            return Operation("not", (self._not(depth + 1),))
        return self._comparison(depth)

    def _comparison(self, depth: int) -> Node:
        node = self._sum(depth)
        is_not = self._peek() == "not" and self._peek(1) in ("like", "in")
        if is_not:
            self._take()
        sign = self._peek()
        if sign in _COMPARISONS:
            self._take()
            return Operation(sign, (node, self._sum(depth)))
        if sign in ("like", "=~"):
            self._take()
            found: Node = Operation("like", (node, self._sum(depth)))
        elif sign == "in":
            self._take()
            self._take("[")
            found = Operation("in", (node, *self._items("]", depth)))
        else:
            return node
        return Operation("not", (found,)) if is_not else found

    def _sum(self, depth: int) -> Node:
        node = self._product(depth)
        while self._peek() in ("+", "-"):
            node = Operation(self._take().text, (node, self._product(depth)))
        return node

    def _product(self, depth: int) -> Node:
        node = self._signed(depth)
        while self._peek() in ("*", "/", "%") and not self._is_star_alone():
            node = Operation(self._take().text, (node, self._signed(depth)))
        return node

    def _is_star_alone(self) -> bool:
        return self._peek() == "*" and self._peek(1) in (")", ",", "|", "")

    def _signed(self, depth: int) -> Node:
        if depth > DEPTH_MAX:
            raise malformed(f"it is nested more than {DEPTH_MAX} deep")
        if self._takes("-"):
            return Operation("-", (self._signed(depth + 1),))
        node = self._one(depth)
        if self._takes("^"):
            return Operation("^", (node, self._signed(depth + 1)))
        return node

    def _one(self, depth: int) -> Node:
        token = self._take()
        if token.text == "(":
            node = self._or(depth + 1)
            self._take(")")
            return node
        if token.text == "*":
            return Literal("star", "*")
        if token.kind in ("number", "text", "period", "regex"):
            return _literal(token)
        if token.kind == "quoted":
            return Field(token.text.strip("`"))
        if token.kind == "name":
            if self._takes("("):
                return Function(token.text.lower(), self._items(")", depth))
            return Field(token.text)
        raise malformed(f"{token.text!r} was not expected")

    def _items(self, end: str, depth: int) -> tuple[Node, ...]:
        items: list[Node] = []
        if self._takes(end):
            return ()
        while True:
            items.append(self._or(depth + 1))
            if self._takes(end):
                return tuple(items)
            self._take(",")


def _expects_regex(before: Token) -> bool:
    """Say whether a slash after this token begins a regular expression and is no division."""
    return before.text.lower() in ("like", "=~", "(", ",", "|", "parse") or before.text.lower().startswith("@message")


def _literal(token: Token) -> Literal:
    if token.kind == "text":
        return Literal("text", re.sub(r"\\(.)", r"\1", token.text[1:-1]))
    if token.kind == "regex":
        pattern, _, flags = token.text[1:].rpartition("/")
        return Literal("regex", f"(?i){pattern}" if flags else pattern)
    return Literal(token.kind, token.text)


def aggregates_in(node: Node) -> Sequence[Function]:
    """Give the aggregations of an expression, outermost first."""
    if isinstance(node, Function):
        if node.name in AGGREGATES:
            return [node]
        return [found for each in node.arguments for found in aggregates_in(each)]
    if isinstance(node, Operation):
        return [found for each in node.operands for found in aggregates_in(each)]
    return []
