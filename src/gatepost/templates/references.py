"""Who refers to whom: names that do not exist are found, dependencies collected, circles named."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from gatepost.templates.document import ResourceDeclaration, Template
from gatepost.templates.intrinsics import PSEUDO_PARAMETERS, SUB_NAME, Unknown, function_name, unknown
from gatepost.templates.problems import Path, Problem, TemplateRefused
from gatepost.templates.specification import Specification, is_custom


class Declared:
    """What is known of resources before any exists: that they will, and which attributes their types have."""

    def __init__(self, resources: Mapping[str, ResourceDeclaration], specification: Specification) -> None:
        self._resources = resources
        self._specification = specification

    def ref(self, logical_id: str) -> Unknown | None:
        """Give the reference itself."""
        if logical_id not in self._resources:
            return None
        return Unknown({"Ref": logical_id}, frozenset({(logical_id, "")}))

    def attribute(self, logical_id: str, name: str) -> Unknown | None:
        """Give the reference itself. Raises: LookupError when the type has no such attribute."""
        declaration = self._resources.get(logical_id)
        if declaration is None:
            return None
        check_attribute(declaration.type, name, self._specification)
        return Unknown({"Fn::GetAtt": [logical_id, name]}, frozenset({(logical_id, name)}))


def check_attribute(type_name: str, name: str, specification: Specification) -> None:
    """Return when a type has an attribute, or when we cannot know. Raises: LookupError with a sentence."""
    if is_custom(type_name):
        return
    if type_name == "AWS::CloudFormation::Stack":
        if not name.startswith("Outputs."):
            raise LookupError("a nested stack's attributes are Outputs.NAME")
        return
    described = specification.find(type_name)
    if described is not None and name not in described.attributes:
        known = ", ".join(described.attributes) or "none (use Ref)"
        raise LookupError(f"{type_name} has no attribute {name}; it has {known}")


def missing_names(template: Template) -> list[Problem]:
    """Find every Ref, Fn::GetAtt, Fn::Sub, DependsOn and Condition that names what the template does not have."""
    problems: list[Problem] = []
    names = set(template.parameters) | set(template.resources) | PSEUDO_PARAMETERS
    raw = template.raw
    for section, noun in (("Resources", "Resources"), ("Outputs", "Outputs")):
        for member, value in (raw.get(section) or {}).items():
            path: Path = (section, member)
            for inner, name, is_resource in _named(value, path):
                if name not in (template.resources if is_resource else names):
                    problems.append(
                        template.where.problem(
                            inner, words := _unresolved(name, noun), aws=f"Template format error: {words}"
                        )
                    )
            condition = value.get("Condition") if isinstance(value, dict) else None
            if isinstance(condition, str) and condition not in template.conditions:
                problems.append(
                    template.where.problem((*path, "Condition"), f"there is no condition {condition} under Conditions")
                )
    for name, resource in template.resources.items():
        problems.extend(
            template.where.problem(
                ("Resources", name, "DependsOn"),
                words := _unresolved(needed, "Resources"),
                aws=f"Template format error: {words}",
            )
            for needed in resource.depends_on
            if needed not in template.resources
        )
    return problems


def _unresolved(name: str, noun: str) -> str:
    return f"Unresolved resource dependencies [{name}] in the {noun} block of the template"


def _named(node: Any, path: Path) -> Iterator[tuple[Path, str, bool]]:
    """Give (path, name, must it be a resource) for each reference below `node`."""
    if isinstance(node, list):
        for index, child in enumerate(node):
            yield from _named(child, (*path, index))
        return
    if not isinstance(node, dict):
        return
    function = function_name(node)
    argument = node[function] if function else None
    if function == "Ref" and isinstance(argument, str):
        yield (*path, "Ref"), argument, False
    elif function == "Fn::GetAtt":
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        if isinstance(parts, list) and parts and isinstance(parts[0], str):
            yield (*path, "Fn::GetAtt"), parts[0], True
    elif function == "Fn::Sub":
        text = argument[0] if isinstance(argument, list) and argument else argument
        variables = argument[1] if isinstance(argument, list) and len(argument) == 2 else {}
        if isinstance(text, str):
            for found in SUB_NAME.finditer(text):
                name = (found.group(1) or "").strip()
                if name and name not in variables:
                    yield (*path, "Fn::Sub"), name.partition(".")[0], "." in name
        yield from _named(variables, (*path, "Fn::Sub", 1))
    else:
        for key, child in node.items():
            yield from _named(child, (*path, key))


def in_order(template: Template, dependencies: Mapping[str, frozenset[str]]) -> list[str]:
    """Give the logical ids so that each comes after what it depends on, in the order of their lines where it is free.

    Raises: TemplateRefused that names the circle.
    """
    sorter = TopologicalSorter({name: sorted(needed) for name, needed in dependencies.items()})
    try:
        sorter.prepare()
    except CycleError as fault:
        circle = list(dict.fromkeys(fault.args[1]))
        words = f"Circular dependency between resources: [{', '.join(sorted(circle))}]"
        problem = template.where.problem(("Resources", min(circle)), words, aws=words)
        raise TemplateRefused([problem]) from fault
    place = {name: (template.resources[name].line, name) for name in dependencies}
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=place.__getitem__)
        order.extend(ready)
        sorter.done(*ready)
    return order


def unresolved_attribute(logical_id: str, name: str) -> Unknown:
    """Give the form of an attribute that will be known later."""
    return unknown(Unknown({"Fn::GetAtt": [logical_id, name]}, frozenset({(logical_id, name)})))
