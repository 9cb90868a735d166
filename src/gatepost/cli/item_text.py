"""Items as people write them: plain JSON and plain text, to DynamoDB's typed values and back.

Numbers keep their digits. What plain JSON cannot say is an object with one name: `{"$B": "base64"}`, `{"$SS": [...]}`,
`{"$NS": [...]}`, `{"$BS": [...]}`; a map that looks like one of these is `{"$M": {...}}`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

Value = dict[str, Any]
Item = dict[str, Value]

_TYPED: Final = {"$B": "B", "$SS": "SS", "$NS": "NS", "$BS": "BS"}
_MAP: Final = "$M"
_DOLLARS: Final = {tag: name for name, tag in _TYPED.items()}


class _Number(str):
    """A number's own digits on their way through JSON."""

    __slots__ = ()


def parse_item(text: str) -> Item:
    """Read a plain JSON object as an item. Raises: ValueError."""
    found = json.loads(text, parse_float=_Number, parse_int=_Number)
    if not isinstance(found, dict):
        raise ValueError("an item is a JSON object")
    return {name: typed(value) for name, value in found.items()}


def typed(value: Any) -> Value:
    """Give a plain value its type. Raises: ValueError."""
    if isinstance(value, _Number | Decimal | int) and not isinstance(value, bool):
        return {"N": str(value)}
    if isinstance(value, bool):
        return {"BOOL": value}
    if value is None:
        return {"NULL": True}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, list):
        return {"L": [typed(element) for element in value]}
    if len(value) == 1:
        ((name, content),) = value.items()
        if name in _TYPED:
            return {_TYPED[name]: [str(one) for one in content] if isinstance(content, list) else str(content)}
        if name == _MAP and isinstance(content, dict):
            value = content
    return {"M": {name: typed(element) for name, element in value.items()}}


def plain_json(value: Value) -> str:
    """Write a typed value as plain JSON."""
    ((tag, content),) = value.items()
    if tag == "N":
        return str(content)
    if tag == "L":
        return "[" + ", ".join(plain_json(element) for element in content) + "]"
    if tag == "M":
        is_like_another = len(content) == 1 and next(iter(content)) in {*_TYPED, _MAP}
        return f'{{"{_MAP}": {item_json(content)}}}' if is_like_another else item_json(content)
    if tag == "NULL":
        return "null"
    if tag == "NS":
        return '{"$NS": [' + ", ".join(content) + "]}"
    if tag in _DOLLARS:
        content = {_DOLLARS[tag]: content}
    return json.dumps(content, ensure_ascii=False)


def item_json(item: Mapping[str, Value]) -> str:
    """Write an item as one line of plain JSON."""
    members = (f"{json.dumps(name, ensure_ascii=False)}: {plain_json(value)}" for name, value in item.items())
    return "{" + ", ".join(members) + "}"


def cell(value: Value | None) -> str:
    """Write a value for a cell of a table or of a CSV file: strings without quotes, what is not there as nothing."""
    if value is None:
        return ""
    return str(value["S"]) if "S" in value else plain_json(value)
