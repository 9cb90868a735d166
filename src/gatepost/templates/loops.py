"""Fn::ForEach of AWS::LanguageExtensions: a fragment repeated over a collection, before anything else is read.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from gatepost.templates.document import Whereabouts
from gatepost.templates.intrinsics import EvaluationFault, Evaluator, Scope, scalar_text
from gatepost.templates.parameters import typed_values
from gatepost.templates.problems import Path

PREFIX: Final = "Fn::ForEach::"
DEPTH_MAX: Final = 5  # AWS: 5 nested loops
MEMBERS_MAX: Final = 100  # of one collection
EXPANDED_MAX: Final = 20_000  # members of all loops together


def expand_loops(
    raw: dict[str, Any], where: Whereabouts, *, given: Mapping[str, str], pseudo: Mapping[str, Any]
) -> tuple[dict[str, Any], Whereabouts]:
    """Give the template with every Fn::ForEach written out, and where the repeated parts come from.

    Raises: TemplateRefused.
    """
    declared = {name: value for name, value in (raw.get("Parameters") or {}).items() if isinstance(value, dict)}
    texts = {name: given.get(name, _default(value.get("Default"))) for name, value in declared.items()}
    mappings = raw.get("Mappings")
    scope = Scope(
        parameters=typed_values(declared, texts),
        pseudo=pseudo,
        mappings=mappings if isinstance(mappings, dict) else {},
        language_extensions=True,
    )
    loops = _Loops(Evaluator(scope, None), where)
    expanded = loops.expand(raw, (), (), {}, 0)
    return expanded, Whereabouts(where.source, {**where.origins, **loops.origins})


def _default(value: Any) -> str:
    return ",".join(scalar_text(item) for item in value) if isinstance(value, list) else scalar_text(value)


class _Loops:
    """Writes loops out. `origins` maps each generated path to the loop that made it."""

    def __init__(self, evaluator: Evaluator, where: Whereabouts) -> None:
        self._evaluator = evaluator
        self._where = where
        self._made = 0
        self.origins: dict[Path, Path] = {}

    def expand(self, node: Any, path: Path, target: Path, variables: Mapping[str, str], depth: int) -> Any:
        """Expand below `node`, which stood at `path` and comes to stand at `target`."""
        if isinstance(node, list):
            return [
                self.expand(child, (*path, index), (*target, index), variables, depth)
                for index, child in enumerate(node)
            ]
        if isinstance(node, str):
            return _substitute(node, variables)
        if not isinstance(node, dict):
            return node
        if set(node) == {"Ref"} and node["Ref"] in variables:
            return variables[node["Ref"]]
        expanded: dict[str, Any] = {}
        for key, child in node.items():
            if key.startswith(PREFIX):
                for name, value in self._loop(key, child, (*path, key), target, variables, depth):
                    self._add(expanded, name, value, (*path, key))
            else:
                name = _substitute(key, variables)
                self._add(expanded, name, self.expand(child, (*path, key), (*target, name), variables, depth), path)
        return expanded

    def _add(self, expanded: dict[str, Any], name: str, value: Any, path: Path) -> None:
        if name in expanded:
            raise self._where.refuse(path, f"the loop makes {name!r} twice: use the loop's variable in the name")
        expanded[name] = value

    def _loop(
        self, key: str, argument: Any, path: Path, target: Path, variables: Mapping[str, str], depth: int
    ) -> list[tuple[str, Any]]:
        if depth >= DEPTH_MAX:
            raise self._where.refuse(path, f"loops are nested deeper than {DEPTH_MAX}")
        if not isinstance(argument, list) or len(argument) != 3 or not isinstance(argument[2], dict):
            raise self._where.refuse(path, f"{key} takes a list: variable, collection, fragment")
        variable, collection, fragment = argument
        if not isinstance(variable, str) or not variable.isalnum():
            raise self._where.refuse(path, f"{key}: the variable is letters and digits")
        found: list[tuple[str, Any]] = []
        for member in self._members(collection, path, variables):
            inner = {**variables, variable: member, f"&{variable}": re.sub(r"[^A-Za-z0-9]", "", member)}
            for name_template, value in fragment.items():
                inner_path: Path = (*path, 2, name_template)
                if name_template.startswith(PREFIX):
                    found.extend(self._loop(name_template, value, inner_path, target, inner, depth + 1))
                    continue
                name = _substitute(name_template, inner)
                self.origins[(*target, name)] = inner_path
                found.append((name, self.expand(value, inner_path, (*target, name), inner, depth + 1)))
        return found

    def _members(self, collection: Any, path: Path, variables: Mapping[str, str]) -> list[str]:
        try:
            # A variable of an outer loop may stand in the collection.
            evaluated = self._evaluator.value(self.expand(collection, (*path, 1), (), variables, 0), (*path, 1))
        except EvaluationFault as fault:
            raise self._where.refuse(fault.path, fault.message) from fault
        if not isinstance(evaluated, list) or any(isinstance(member, dict | list) for member in evaluated):
            raise self._where.refuse(path, "the collection of a loop is a list of texts")
        self._made += len(evaluated)
        if len(evaluated) > MEMBERS_MAX or self._made > EXPANDED_MAX:
            raise self._where.refuse(path, f"a loop goes over at most {MEMBERS_MAX} members")
        return [scalar_text(member) for member in evaluated]


def _substitute(text: str, variables: Mapping[str, str]) -> str:
    for name, value in variables.items():
        text = text.replace(f"${{{name}}}", value)
    return text
