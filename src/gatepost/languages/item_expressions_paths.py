"""Document paths against items: names resolved, values found, projections picked, overlaps refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gatepost.languages.item_expressions_tree import PATH_DEPTH_MAX, ExpressionError, Path, ValueRef
from gatepost.languages.item_values import Item, Value

BoundPath = tuple[str | int, ...]
Values = Mapping[str, Value]
Getter = Callable[[Item, Values], Value | None]
Tree = dict[str | int, Any]


class Scope:
    """The names and value types that one expression sees; it remembers which of them were used."""

    __slots__ = ("_names", "_types", "paths", "used_names", "used_values")

    def __init__(self, names: Mapping[str, str], types: Mapping[str, str]) -> None:
        self._names = names
        self._types = types
        self.used_names: set[str] = set()
        self.used_values: set[str] = set()
        self.paths: set[BoundPath] = set()

    def bind(self, path: Path) -> BoundPath:
        """Put attribute names where the placeholders are. Raises: ExpressionError."""
        if len(path.parts) > PATH_DEPTH_MAX:
            raise ExpressionError(
                f"The document path has too many nesting elements; nesting level: {len(path.parts)}, "
                f"maximum nesting level: {PATH_DEPTH_MAX}"
            )
        bound = tuple(self._name(part) if isinstance(part, str) else part for part in path.parts)
        self.paths.add(bound)
        return bound

    def _name(self, part: str) -> str:
        if not part.startswith("#"):
            return part
        name = self._names.get(part)
        if name is None:
            raise ExpressionError(
                "An expression attribute name used in the document path is not defined; attribute name: " + part
            )
        self.used_names.add(part)
        return name

    def type_of(self, value: ValueRef) -> str:
        """Give the type of a value. Raises: ExpressionError when it is not defined."""
        tag = self._types.get(value.name)
        if tag is None:
            raise ExpressionError(
                "An expression attribute value used in expression is not defined; attribute value: " + value.name
            )
        self.used_values.add(value.name)
        return tag


def find(item: Item, path: BoundPath) -> Value | None:
    """Give the value at `path`, or None."""
    value = item.get(path[0])  # type: ignore[arg-type]
    for part in path[1:]:
        if value is None:
            return None
        if isinstance(part, str):
            value = value.get("M", _NOTHING).get(part)
        else:
            elements = value.get("L", ())
            value = elements[part] if part < len(elements) else None
    return value


_NOTHING: Mapping[str, Any] = {}


def getter_of(path: BoundPath) -> Getter:
    """Compile a path to a function that finds its value."""
    if len(path) == 1:
        (name,) = path

        def attribute(item: Item, _values: Values) -> Value | None:
            return item.get(name)  # type: ignore[arg-type]

        return attribute

    def nested(item: Item, _values: Values) -> Value | None:
        return find(item, path)

    return nested


def render_path(path: BoundPath) -> str:
    """Render a path as AWS's errors do: `[a, [0], b]`."""
    return "[" + ", ".join(part if isinstance(part, str) else f"[{part}]" for part in path) + "]"


def tree_of(paths: Iterable[BoundPath]) -> Tree:
    """Put paths together into one tree, in which a leaf is an empty dict.

    Raises: ExpressionError when one path is the start of another, or one goes into a map where another goes
    into a list.
    """
    tree: Tree = {}
    whole: dict[BoundPath, BoundPath] = {}
    for path in paths:
        node = tree
        for depth, part in enumerate(path):
            prefix = path[:depth]
            if prefix in whole and depth:
                raise _overlap("overlap", whole[prefix], path)
            sibling = next(iter(node), None)
            if sibling is not None and isinstance(sibling, str) != isinstance(part, str):
                raise _overlap("conflict", _first_path(prefix, node), path)
            node = node.setdefault(part, {})
        if node or path in whole:
            raise _overlap("overlap", _first_path(path, node), path)
        whole[path] = path
    return tree


def _first_path(prefix: BoundPath, node: Tree) -> BoundPath:
    path = list(prefix)
    while node:
        part = next(iter(node))
        path.append(part)
        node = node[part]
    return tuple(path)


def _overlap(kind: str, one: BoundPath, two: BoundPath) -> ExpressionError:
    return ExpressionError(
        f"Two document paths {kind} with each other; must remove or rewrite one of these paths; "
        f"path one: {render_path(one)}, path two: {render_path(two)}"
    )


class Projection:
    """Picks the attributes and elements that a projection expression names."""

    __slots__ = ("_is_flat", "_tree", "names")

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._is_flat = not any(tree.values())
        self.names = tuple(str(name) for name in tree)  # top-level attributes

    def pick(self, item: Item) -> Item:
        """Give what the projection leaves of `item`; what is not there is left out."""
        if self._is_flat:
            return {name: item[name] for name in self.names if name in item}
        picked: Item = {}
        for name in self.names:
            if name in item and (value := _pick(item[name], self._tree[name])) is not None:
                picked[name] = value
        return picked


def _pick(value: Value, tree: Tree) -> Value | None:
    if not tree:
        return value
    found: list[tuple[str | int, Value]] = []
    for part, below in tree.items():
        step = find({"": value}, ("", part))
        if step is not None and (picked := _pick(step, below)) is not None:
            found.append((part, picked))
    if not found:
        return None
    if "M" in value:
        return {"M": dict(found)}
    return {"L": [element for _, element in sorted(found, key=lambda one: one[0])]}
