"""The tree of a DynamoDB expression, as the parser builds it and the compiler reads it."""

from __future__ import annotations

from dataclasses import dataclass

MAX_OPERATORS = 300
MAX_BYTES = 4096
PATH_DEPTH_MAX = 32
IN_OPERANDS_MAX = 100


class ExpressionError(ValueError):
    """An expression breaks a rule. The text is AWS's, the parameter's name in front of it left out."""


class UpdateError(ValueError):
    """An update does not fit the item that it is applied to. The text is AWS's."""


@dataclass(frozen=True, slots=True)
class Path:
    """A document path: names (`name` or `#placeholder`) and list indexes."""

    parts: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class ValueRef:
    """A placeholder of a value, with its colon."""

    name: str


@dataclass(frozen=True, slots=True)
class Function:
    """A call of a function."""

    name: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left + right` or `left - right` of an update's SET."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left operator right`; the operator is one of = <> < <= > >=."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Between:
    """`operand BETWEEN low AND high`."""

    operand: Node
    low: Node
    high: Node


@dataclass(frozen=True, slots=True)
class In:
    """`operand IN (options)`."""

    operand: Node
    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class And:
    """All of the conditions."""

    conditions: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of the conditions."""

    conditions: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The condition's opposite."""

    condition: Node


Node = Path | ValueRef | Function | Arithmetic | Comparison | Between | In | And | Or | Not


@dataclass(frozen=True, slots=True)
class Action:
    """One action of an update: `clause` is SET, REMOVE, ADD or DELETE; REMOVE has no operand."""

    clause: str
    path: Path
    operand: Node | None
