"""Which operation of a REST service a method and path mean: the model's `requestUri`s compiled into a tree.

A literal segment wins over a label, a label over a greedy one (`{Key+}`); fixed query parameters in a template
(`/restapis?mode=import`) must be there, and the operation that asks for most of them wins.

Source: https://smithy.io/2.0/spec/http-bindings.html#http-trait
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

SEGMENTS_MAX = 64


class Route(NamedTuple):
    """An operation at the end of a path."""

    operation: str
    labels: tuple[str, ...]
    query: tuple[tuple[str, str], ...]


class Match(NamedTuple):
    """What a request means."""

    operation: str
    labels: dict[str, str]


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    label: _Node | None = None
    greedy: _Node | None = None
    routes: dict[str, list[Route]] = field(default_factory=dict)  # by method


class UriRouter:
    """The paths of one service."""

    def __init__(self, operations: Mapping[str, tuple[str, str]]) -> None:
        """Take (method, requestUri) by operation name."""
        self._root = _Node()
        for name, (method, template) in operations.items():
            self._add(name, method, template)

    def _add(self, operation: str, method: str, template: str) -> None:
        path, _, query = template.partition("?")
        node = self._root
        labels = []
        for segment in path.strip("/").split("/"):
            if segment.startswith("{") and segment.endswith("+}"):
                labels.append(segment[1:-2])
                node.greedy = node.greedy or _Node()
                node = node.greedy
            elif segment.startswith("{") and segment.endswith("}"):
                labels.append(segment[1:-1])
                node.label = node.label or _Node()
                node = node.label
            else:
                node = node.literals.setdefault(segment, _Node())
        routes = node.routes.setdefault(method, [])
        routes.append(Route(operation, tuple(labels), tuple(parse_qsl(query, keep_blank_values=True))))
        routes.sort(key=lambda route: -len(route.query))

    def find(self, method: str, path: str, query: str) -> Match | None:
        """Give the operation and its labels, decoded, or None. `path` is as received."""
        segments = path.strip("/").split("/")
        if len(segments) > SEGMENTS_MAX:
            return None
        values: list[str] = []
        node = self._walk(self._root, segments, 0, values, method)
        if node is None:
            return None
        given = parse_qsl(query, keep_blank_values=True) if query else []
        for route in node.routes[method]:
            if all(pair in given for pair in route.query):
                labels = {name: unquote(value) for name, value in zip(route.labels, values, strict=True)}
                return Match(route.operation, labels)
        return None

    def _walk(self, node: _Node, segments: list[str], at: int, values: list[str], method: str) -> _Node | None:
        if at == len(segments):
            return node if method in node.routes else None
        segment = segments[at]
        literal = node.literals.get(segment)
        if literal is not None and (found := self._walk(literal, segments, at + 1, values, method)) is not None:
            return found
        if node.label is not None and segment:
            values.append(segment)
            if (found := self._walk(node.label, segments, at + 1, values, method)) is not None:
                return found
            values.pop()
        return self._walk_greedy(node.greedy, segments, at, values, method) if node.greedy is not None else None

    def _walk_greedy(self, node: _Node, segments: list[str], at: int, values: list[str], method: str) -> _Node | None:
        for end in (*range(len(segments) - 1, at, -1), len(segments)):  # what goes on after the label is more specific
            values.append("/".join(segments[at:end]))
            if (found := self._walk(node, segments, end, values, method)) is not None:
                return found
            values.pop()
        return None
