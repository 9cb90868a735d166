"""The tree of a Velocity template: what the parser makes and the compiler reads. Nodes are values.

Names follow the user guide (https://velocity.apache.org/engine/1.7/user-guide.html). `at` is where a node begins.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a template; lines and columns count from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


class TemplateError(Exception):
    """A template is malformed or cannot be rendered. The text says where, what was wrong and what would be right."""

    def __init__(self, message: str, at: Position | None = None) -> None:
        super().__init__(f"{at}: {message}" if at is not None else message)
        self.message = message
        self.at = at


# Expressions


@dataclass(frozen=True, slots=True)
class Constant:
    """`true`, `17`, `2.5` or `'text'`."""

    value: bool | int | float | str


@dataclass(frozen=True, slots=True)
class Interpolated:
    """A string in double quotes with references or directives in it: a template of its own."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ListLiteral:
    """`[a, b]`."""

    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class MapLiteral:
    """`{a: b}`."""

    items: tuple[tuple[Expression, Expression], ...]
    at: Position


@dataclass(frozen=True, slots=True)
class Range:
    """`[first..last]`; it counts down when last is smaller."""

    first: Expression
    last: Expression
    at: Position


@dataclass(frozen=True, slots=True)
class Not:
    """`!a` or `not a`."""

    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """`left operator right`; the operator in its symbolic form (`&&`, not `and`)."""

    operator: str
    left: Expression
    right: Expression
    at: Position


@dataclass(frozen=True, slots=True)
class Property:
    """`.name`."""

    name: str


@dataclass(frozen=True, slots=True)
class Method:
    """`.name(arguments)`."""

    name: str
    arguments: tuple[Expression, ...]
    at: Position


@dataclass(frozen=True, slots=True)
class Index:
    """`[key]`."""

    key: Expression
    at: Position


Step = Property | Method | Index


@dataclass(frozen=True, slots=True)
class Reference:
    """`$root.step…`, with everything that decides how it prints.

    `literal` is its own text, printed when the value is null. `slashes` are the backslashes before it:
    an odd number escapes it.
    """

    root: str
    steps: tuple[Step, ...]
    literal: str
    at: Position
    is_quiet: bool = False
    slashes: int = 0
    alternate: Expression | None = None


Expression = Constant | Interpolated | ListLiteral | MapLiteral | Range | Not | Binary | Reference


# Statements


@dataclass(frozen=True, slots=True)
class Text:
    """Characters that are printed as they are."""

    text: str


@dataclass(frozen=True, slots=True)
class Set:
    """`#set($target = value)`."""

    target: Reference
    value: Expression


@dataclass(frozen=True, slots=True)
class If:
    """`#if … #elseif … #else … #end`."""

    branches: tuple[tuple[Expression, tuple[Node, ...]], ...]
    otherwise: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Foreach:
    """`#foreach($name in iterable) … #end`."""

    name: str
    iterable: Expression
    body: tuple[Node, ...]
    at: Position


@dataclass(frozen=True, slots=True)
class Break:
    """`#break`, or `#break($foreach.parent)`."""

    scope: Expression | None
    at: Position


@dataclass(frozen=True, slots=True)
class Stop:
    """`#stop`."""


@dataclass(frozen=True, slots=True)
class Return:
    """`#return` or `#return(value)` (AppSync)."""

    value: Expression | None


@dataclass(frozen=True, slots=True)
class Define:
    """`#define($name) … #end`."""

    name: str
    body: tuple[Node, ...]
    at: Position


@dataclass(frozen=True, slots=True)
class Evaluate:
    """`#evaluate(text)`."""

    text: Expression
    at: Position


@dataclass(frozen=True, slots=True)
class MacroCall:
    """`#name(arguments)` or `#@name(arguments) … #end`; `literal` is printed when no such macro exists."""

    name: str
    arguments: tuple[Expression, ...]
    body: tuple[Node, ...] | None
    literal: str
    literals: tuple[str, ...]
    at: Position


Node = (
    Text | Reference | Set | If | Foreach | Break | Stop | Return | Define | Evaluate | MacroCall
)  # what a template is a sequence of


@dataclass(frozen=True, slots=True)
class Macro:
    """`#macro(name $parameters) … #end`."""

    name: str
    parameters: tuple[str, ...]
    body: tuple[Node, ...]
    at: Position


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed template: its nodes, its macros by name, and what it refers to (`context.identity.sourceIp`)."""

    nodes: tuple[Node, ...]
    macros: dict[str, Macro]
    names: frozenset[str]
    has_evaluate: bool
