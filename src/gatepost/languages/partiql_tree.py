"""A PartiQL statement of DynamoDB's, as the parser builds it.

Conditions are trees of `item_expressions_tree`: PartiQL only spells them in another way. Names and values of a
statement stand in two tables, and the trees hold their placeholders.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gatepost.languages.item_expressions_tree import (
    And,
    Arithmetic,
    Between,
    Comparison,
    Function,
    In,
    Node,
    Not,
    Or,
    Path,
    ValueRef,
)
from gatepost.languages.item_values import Item, Value


class StatementError(ValueError):
    """A statement breaks a rule of PartiQL for DynamoDB. The text is AWS's (unverified)."""


@dataclass(frozen=True, slots=True)
class Ordering:
    """One element of ORDER BY."""

    name: str
    is_descending: bool


@dataclass(frozen=True, slots=True)
class Assignment:
    """One SET, or with `operand` None one REMOVE, of an UPDATE."""

    path: Path
    operand: Node | None


@dataclass(slots=True)
class Statement:
    """A statement: `kind` is SELECT, INSERT, UPDATE, DELETE or EXISTS (which is a SELECT inside a transaction)."""

    kind: str
    table: str
    index: str = ""
    where: Node | None = None
    paths: list[Path] = field(default_factory=list)  # of a SELECT; none: *
    order: list[Ordering] = field(default_factory=list)
    item: Item = field(default_factory=dict)  # of an INSERT
    assignments: list[Assignment] = field(default_factory=list)  # of an UPDATE
    returning: str = ""  # AWS's ReturnValues, as the other operations spell it
    names: dict[str, str] = field(default_factory=dict)
    values: dict[str, Value] = field(default_factory=dict)

    def resolved(self, path: Path) -> tuple[str | int, ...]:
        """Give a path with names in the place of placeholders."""
        return tuple(self.names[part] if isinstance(part, str) else part for part in path.parts)


def render(node: Node) -> str:
    """Write a tree as the text of an expression of DynamoDB's."""
    match node:
        case Path(parts):
            text = ""
            for part in parts:
                text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
            return text
        case ValueRef(name):
            return name
        case Function(name, operands):
            return f"{name}({','.join(render(one) for one in operands)})"
        case Arithmetic(operator, left, right) | Comparison(operator, left, right):
            return f"{render(left)} {operator} {render(right)}"
        case Between(operand, low, high):
            return f"{render(operand)} BETWEEN {render(low)} AND {render(high)}"
        case In(operand, options):
            return f"{render(operand)} IN ({','.join(render(one) for one in options)})"
        case And(conditions):
            return " AND ".join(f"({render(one)})" if isinstance(one, And | Or) else render(one) for one in conditions)
        case Or(conditions):
            return " OR ".join(f"({render(one)})" if isinstance(one, Or) else render(one) for one in conditions)
        case Not(condition):
            return f"NOT ({render(condition)})"


def conjuncts(node: Node | None) -> list[Node]:
    """Take a condition apart into what must hold all at once."""
    if node is None:
        return []
    if isinstance(node, And):
        return [one for condition in node.conditions for one in conjuncts(condition)]
    return [node]
