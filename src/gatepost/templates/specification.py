"""AWS's public resource specification, as far as we create its types: property trees, attributes, replacements.

`data/` is written by `tools/resource_types.py` from AWS's published schemas.
Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-type-schemas.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path as FilePath
from typing import Any, Final, Self

from gatepost.templates.intrinsics import Unknown, scalar_text
from gatepost.templates.problems import Path

_DATA: Final = FilePath(__file__).parent / "data"
Fault = Callable[[Path, str], None]


class ResourceType:
    """What AWS's specification says of one type."""

    def __init__(self, name: str, described: Mapping[str, Any]) -> None:
        self.name = name
        self.properties: Mapping[str, Any] = described["properties"]
        self.attributes: tuple[str, ...] = tuple(described["attributes"])
        self.create_only: tuple[str, ...] = tuple(described["create_only"])
        self.required: tuple[str, ...] = tuple(described["required"])
        self._definitions: Mapping[str, Any] = described["definitions"]

    def resolve(self, shape: Any) -> Any:
        """Follow references to definitions."""
        while isinstance(shape, dict) and "ref" in shape:
            shape = self._definitions.get(shape["ref"], "json")
        return shape

    def members(self, path: tuple[str, ...]) -> Mapping[str, Any] | None:
        """Give the properties below a property path (list and map steps left out), or None when it has none."""
        members: Mapping[str, Any] | None = self.properties
        for step in path:
            if members is None or step not in members:
                return None
            members = self._inner(members[step])
        return members

    def _inner(self, shape: Any) -> Mapping[str, Any] | None:
        shape = self.resolve(shape)
        while isinstance(shape, dict) and ("list" in shape or "map" in shape):
            shape = self.resolve(shape.get("list", shape.get("map")))
        return shape["object"] if isinstance(shape, dict) and "object" in shape else None

    def is_map(self, path: tuple[str, ...]) -> bool:
        """Say whether the keys at a property path are the author's own (methods of a stage), not properties."""
        members = self.members(path[:-1]) if len(path) > 1 else self.properties
        shape = self.resolve(members.get(path[-1])) if members is not None else None
        while isinstance(shape, dict) and "list" in shape:
            shape = self.resolve(shape["list"])
        return isinstance(shape, dict) and "map" in shape

    def has_tags(self) -> bool:
        """Say whether the type takes a list of Key and Value under Tags."""
        members = self.members(("Tags",))
        return members is not None and {"Key", "Value"} <= set(members)

    def coerced(self, properties: Mapping[str, Any], fault: Fault) -> dict[str, Any]:
        """Give the properties with every scalar in the type that AWS wants: `"128"` becomes 128.

        Calls `fault(path, sentence)` for what cannot be, and for what is missing.
        """
        whole = {"object": dict(self.properties), "required": list(self.required)}
        coerced: dict[str, Any] = self._coerced(whole, dict(properties), (), fault)
        return coerced

    def _coerced(self, shape: Any, value: Any, path: Path, fault: Fault) -> Any:
        shape = self.resolve(shape)
        if isinstance(value, Unknown) or shape == "json":
            return value
        if isinstance(shape, str):
            return _scalar(shape, value, path, fault)
        if "list" in shape:
            if not isinstance(value, list):
                fault(path, f"takes a list, not {_kind(value)}")
                return value
            return [self._coerced(shape["list"], item, (*path, index), fault) for index, item in enumerate(value)]
        if not isinstance(value, dict):
            fault(path, f"takes a mapping, not {_kind(value)}")
            return value
        if "map" in shape:
            return {key: self._coerced(shape["map"], item, (*path, key), fault) for key, item in value.items()}
        for name in shape["required"]:
            if name not in value:
                fault(path, f"needs {name}")
        members = shape["object"]
        return {
            key: self._coerced(members[key], item, (*path, key), fault) if key in members else item
            for key, item in value.items()
        }


class Specification:
    """All types that we create, and the names of all that AWS has."""

    def __init__(self, types: Mapping[str, ResourceType], names: frozenset[str]) -> None:
        self._types = types
        self.names = names

    @classmethod
    def load(cls) -> Self:
        """Read the package's data files, about 30 KB and 60 KB."""
        described = json.loads((_DATA / "types.json").read_text())
        names = frozenset((_DATA / "type_names.txt").read_text().split())
        return cls({name: ResourceType(name, value) for name, value in described.items()}, names)

    def find(self, name: str) -> ResourceType | None:
        """Give a type that we create, or None."""
        return self._types.get(name)

    def known(self) -> tuple[str, ...]:
        """Give the names of the types that we create."""
        return tuple(self._types)


def is_custom(type_name: str) -> bool:
    """Say whether a type is a custom resource's."""
    return type_name.startswith("Custom::") or type_name == "AWS::CloudFormation::CustomResource"


def _scalar(kind: str, value: Any, path: Path, fault: Fault) -> Any:
    if isinstance(value, dict | list) or value is None:
        fault(path, f"takes {_article(kind)}, not {_kind(value)}")
        return value
    if kind == "string":
        return scalar_text(value)
    if kind == "boolean":
        text = scalar_text(value).lower()
        if text not in ("true", "false"):
            fault(path, f"takes true or false, not {value!r}")
        return text == "true"
    if isinstance(value, bool):
        fault(path, f"takes {_article(kind)}, not {scalar_text(value)}")
        return value
    try:
        number = float(value)
    except ValueError:
        fault(path, f"takes {_article(kind)}, not {value!r}")
        return value
    if number.is_integer():
        return int(number) if abs(number) < 2**53 else int(str(value))
    if kind == "integer":
        fault(path, f"takes a whole number, not {value!r}")
    return number


def _article(kind: str) -> str:
    return {"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false"}.get(
        kind, kind
    )


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return f"the text {value!r}"[:80] if isinstance(value, str) else repr(value)
