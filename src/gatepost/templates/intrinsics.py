"""CloudFormation's functions: a tree with intrinsics goes in, values come out.

One evaluator serves three moments. When a template is compiled, resources do not exist yet: what depends on
them stays an `Unknown` that remembers its form and what it waits for. When an update is planned, resources
that stay are known. When a resource's turn comes everything is. So the plan and the execution cannot
disagree about what a function means.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from gatepost.templates import functions
from gatepost.templates.dynamic_references import check_references
from gatepost.templates.problems import Path

PSEUDO_PARAMETERS: Final = frozenset(
    {
        "AWS::AccountId",
        "AWS::NoValue",
        "AWS::NotificationARNs",
        "AWS::Partition",
        "AWS::Region",
        "AWS::StackId",
        "AWS::StackName",
        "AWS::URLSuffix",
    }
)
SUB_NAME: Final = re.compile(r"\$\{([^!][^}]*)\}|\$\{!([^}]*)\}")
_CONDITION_FUNCTIONS: Final = frozenset({"Fn::And", "Fn::Or", "Fn::Not", "Fn::Equals", "Condition"})
STRING_BYTES_MAX: Final = 4 * 1024 * 1024  # of one evaluated text


class NoValue:
    """What `AWS::NoValue` is: whatever holds it loses it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "AWS::NoValue"


NO_VALUE: Final = NoValue()


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that waits for resources. `form` is the intrinsic with everything resolved that could be."""

    form: Any
    waits_for: frozenset[tuple[str, str]]  # (logical id, attribute or "")


class EvaluationFault(Exception):
    """A function cannot be evaluated. `path` says where in the template."""

    def __init__(self, path: Path, message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


class ResourceValues(Protocol):
    """What is known of resources while a template is evaluated."""

    def ref(self, logical_id: str) -> Any:
        """Give what Ref gives, `Unknown`, or None when there is no such resource."""
        ...

    def attribute(self, logical_id: str, name: str) -> Any:
        """Give an attribute, `Unknown`, or None when there is no such resource.

        Raises: LookupError with a sentence when the resource's type has no such attribute.
        """
        ...


@dataclass(slots=True)
class Scope:
    """Everything that functions may look at, apart from resources."""

    parameters: Mapping[str, Any]  # by name: text or a list of texts
    pseudo: Mapping[str, Any]
    mappings: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)  # as declared
    exports: Mapping[str, str] = field(default_factory=dict)  # of the account and region
    language_extensions: bool = False
    decided: dict[str, bool] = field(default_factory=dict)  # conditions evaluated so far


class Evaluator:
    """Evaluates values of one template in one scope."""

    def __init__(self, scope: Scope, resources: ResourceValues | None) -> None:
        self._scope = scope
        self._resources = resources
        self._deciding: list[str] = []
        self._functions: dict[str, Callable[[Any, Path], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::FindInMap": self._find_in_map,
            "Fn::Base64": self._base64,
            "Fn::Cidr": self._cidr,
            "Fn::GetAZs": self._get_azs,
            "Fn::ImportValue": self._import_value,
            "Fn::If": self._if,
            "Fn::Length": self._length,
            "Fn::ToJsonString": self._to_json_string,
            "Fn::Transform": self._transform,
        }

    def value(self, node: Any, path: Path) -> Any:
        """Evaluate `node`. The result has no intrinsics but may hold `Unknown`; NO_VALUE stands only at the top.

        Raises: EvaluationFault.
        """
        if isinstance(node, dict):
            name = function_name(node)
            if name is not None:
                return self._call(name, node[name], path)
            evaluated = {key: self.value(child, (*path, key)) for key, child in node.items()}
            return {key: child for key, child in evaluated.items() if child is not NO_VALUE}
        if isinstance(node, list):
            items = [self.value(child, (*path, index)) for index, child in enumerate(node)]
            return [item for item in items if item is not NO_VALUE]
        if isinstance(node, str):
            return self._text(node, path)
        return node

    def condition(self, name: str, path: Path) -> bool:
        """Decide a named condition. Raises: EvaluationFault."""
        if name in self._scope.decided:
            return self._scope.decided[name]
        if name not in self._scope.conditions:
            raise EvaluationFault(
                path, f"Unresolved condition dependency {name} in the Conditions block of the template"
            )
        if name in self._deciding:
            circle = " -> ".join([*self._deciding[self._deciding.index(name) :], name])
            raise EvaluationFault(path, f"Circular dependency between conditions: {circle}")
        self._deciding.append(name)
        try:
            decision = self.decide(self._scope.conditions[name], ("Conditions", name))
        finally:
            self._deciding.pop()
        self._scope.decided[name] = decision
        return decision

    def decide(self, node: Any, path: Path) -> bool:
        """Evaluate a condition function to true or false. Raises: EvaluationFault."""
        name = function_name(node, in_condition=True) if isinstance(node, dict) else None
        if name == "Condition":
            return self.condition(str(node["Condition"]), path)
        inner = (*path, str(name))
        if name in ("Fn::And", "Fn::Or"):
            members = node[name]
            if not isinstance(members, list) or not 2 <= len(members) <= 10:
                raise EvaluationFault(inner, f"{name} takes a list of 2 to 10 conditions")
            decisions = [self.decide(member, (*inner, index)) for index, member in enumerate(members)]
            return all(decisions) if name == "Fn::And" else any(decisions)
        if name == "Fn::Not":
            members = node[name]
            if not isinstance(members, list) or len(members) != 1:
                raise EvaluationFault(inner, "Fn::Not takes a list of one condition")
            return not self.decide(members[0], (*inner, 0))
        if name == "Fn::Equals":
            left, right = self._arguments(node[name], inner, "Fn::Equals", 2)
            for side in (left, right):
                if isinstance(side, Unknown):
                    raise EvaluationFault(inner, "a condition may look at parameters and mappings, never at resources")
            return bool(comparable(left) == comparable(right))
        raise EvaluationFault(path, "a condition is one of Fn::And, Fn::Equals, Fn::Not, Fn::Or, Condition")

    # What a function does, one method each.

    def _call(self, name: str, argument: Any, path: Path) -> Any:
        function = self._functions.get(name)
        inner = (*path, name)
        if function is None:
            if name in _CONDITION_FUNCTIONS:
                raise EvaluationFault(
                    inner, f"{name} stands under Conditions only: use Fn::If with the condition's name"
                )
            known = ", ".join(sorted(self._functions))
            raise EvaluationFault(inner, f"{name} is no function of CloudFormation: use one of {known}")
        return function(argument, inner)

    def _text(self, text: str, path: Path) -> str:
        if wrong := check_references(text, path):
            raise EvaluationFault(path, wrong)
        return text

    def _ref(self, argument: Any, path: Path) -> Any:
        if not isinstance(argument, str):
            raise EvaluationFault(path, "Ref takes the name of a parameter or resource, no function")
        if argument == "AWS::NoValue":
            return NO_VALUE
        if argument in self._scope.pseudo:
            return self._scope.pseudo[argument]
        if argument in self._scope.parameters:
            return self._scope.parameters[argument]
        found = self._resources.ref(argument) if self._resources else None
        if found is None:
            raise EvaluationFault(path, f"Ref {argument}: there is no parameter or resource of that name")
        return found

    def _get_att(self, argument: Any, path: Path) -> Any:
        parts = argument
        if isinstance(argument, str):
            parts = argument.split(".", 1)
        if not isinstance(parts, list) or len(parts) != 2:
            raise EvaluationFault(path, "Fn::GetAtt takes a resource's logical id and the name of an attribute")
        logical_id, attribute = (self.value(part, (*path, index)) for index, part in enumerate(parts))
        if not isinstance(logical_id, str) or not isinstance(attribute, str):
            raise EvaluationFault(path, "Fn::GetAtt takes a resource's logical id and the name of an attribute")
        return self._attribute(logical_id, attribute, path, f"Fn::GetAtt {logical_id}.{attribute}")

    def _attribute(self, logical_id: str, attribute: str, path: Path, what: str) -> Any:
        try:
            found = self._resources.attribute(logical_id, attribute) if self._resources else None
        except LookupError as fault:
            raise EvaluationFault(path, f"{what}: {fault.args[0]}") from fault
        if found is None:
            raise EvaluationFault(path, f"{what}: there is no resource {logical_id}")
        return found

    def _sub(self, argument: Any, path: Path) -> Any:
        template, variables = argument, {}
        if isinstance(argument, list):
            if len(argument) != 2 or not isinstance(argument[1], dict):
                raise EvaluationFault(path, "Fn::Sub takes a text, or a list of a text and a mapping of variables")
            template = argument[0]
            variables = {name: self.value(value, (*path, 1, name)) for name, value in argument[1].items()}
        if not isinstance(template, str):
            raise EvaluationFault(path, "Fn::Sub takes a text, no function, as its first argument")
        self._text(template, path)
        parts: list[Any] = []
        end = 0
        for found in SUB_NAME.finditer(template):
            parts.append(template[end : found.start()])
            end = found.end()
            if found.group(2) is not None:
                parts.append(f"${{{found.group(2)}}}")
            else:
                parts.append(self._substituted(found.group(1).strip(), variables, path))
        parts.append(template[end:])
        return self._joined("", parts, path, "Fn::Sub")

    def _substituted(self, name: str, variables: Mapping[str, Any], path: Path) -> Any:
        if name in variables:
            return variables[name]
        logical_id, dot, attribute = name.partition(".")
        if dot:
            return self._attribute(logical_id, attribute, path, f"Fn::Sub ${{{name}}}")
        return self._ref(name, path)

    def _joined(self, delimiter: str, parts: list[Any], path: Path, what: str) -> Any:
        texts: list[Any] = []
        for part in parts:
            if part is NO_VALUE:
                continue
            if isinstance(part, Unknown):
                texts.append(part)
            elif isinstance(part, dict | list):
                raise EvaluationFault(path, f"{what} takes texts: {json.dumps(displayed(part))[:80]} is none")
            else:
                texts.append(scalar_text(part))
        if any(isinstance(text, Unknown) for text in texts):
            # Neighbouring texts become one, so that equal values have equal forms.
            return unknown({"Fn::Join": [delimiter, _merged(texts) if not delimiter else texts]})
        joined = delimiter.join(texts)
        if len(joined) > STRING_BYTES_MAX:
            raise EvaluationFault(path, f"{what} makes a text of more than {STRING_BYTES_MAX} characters")
        return joined

    def _join(self, argument: Any, path: Path) -> Any:
        delimiter, items = self._arguments(argument, path, "Fn::Join", 2)
        if not isinstance(delimiter, str):
            raise EvaluationFault(path, "Fn::Join takes a delimiter and a list")
        if isinstance(items, Unknown):
            return unknown({"Fn::Join": [delimiter, items]})
        if not isinstance(items, list):
            raise EvaluationFault(path, "Fn::Join takes a list as its second argument")
        return self._joined(delimiter, items, path, "Fn::Join")

    def _select(self, argument: Any, path: Path) -> Any:
        index, items = self._arguments(argument, path, "Fn::Select", 2)
        if isinstance(items, Unknown) or isinstance(index, Unknown):
            return unknown({"Fn::Select": [index, items]})
        try:
            return functions.select(index, items)
        except ValueError as fault:
            raise EvaluationFault(path, str(fault)) from fault

    def _split(self, argument: Any, path: Path) -> Any:
        delimiter, text = self._arguments(argument, path, "Fn::Split", 2)
        if isinstance(text, Unknown):
            return unknown({"Fn::Split": [delimiter, text]})
        if not isinstance(delimiter, str) or not delimiter or isinstance(text, dict | list):
            raise EvaluationFault(path, "Fn::Split takes a delimiter and a text")
        return scalar_text(text).split(delimiter)

    def _find_in_map(self, argument: Any, path: Path) -> Any:
        if not isinstance(argument, list) or len(argument) not in (3, 4):
            raise EvaluationFault(path, "Fn::FindInMap takes the names of a map, a first and a second key")
        default: Any = None
        if len(argument) == 4:
            if not self._scope.language_extensions:
                raise EvaluationFault(path, "DefaultValue needs `Transform: AWS::LanguageExtensions`")
            if not isinstance(argument[3], dict) or set(argument[3]) != {"DefaultValue"}:
                raise EvaluationFault(path, "the fourth argument of Fn::FindInMap is {DefaultValue: …}")
            default = argument[3]["DefaultValue"]
        names = [self.value(part, (*path, index)) for index, part in enumerate(argument[:3])]
        if any(isinstance(name, dict | list | Unknown) for name in names):
            raise EvaluationFault(path, "Fn::FindInMap takes three names that are known when the template is read")
        found: Any = self._scope.mappings
        for name in map(scalar_text, names):
            found = found.get(name) if isinstance(found, dict) else None
        if found is None:
            if default is not None:
                return self.value(default, (*path, 3, "DefaultValue"))
            raise EvaluationFault(path, f"Unable to get mapping for {'::'.join(map(scalar_text, names))}")
        return found

    def _base64(self, argument: Any, path: Path) -> Any:
        text = self.value(argument, path)
        if isinstance(text, Unknown):
            return unknown({"Fn::Base64": text})
        if isinstance(text, dict | list | NoValue):
            raise EvaluationFault(path, "Fn::Base64 takes a text")
        return functions.base64_text(scalar_text(text))

    def _cidr(self, argument: Any, path: Path) -> Any:
        if not isinstance(argument, list) or len(argument) not in (2, 3):
            raise EvaluationFault(path, "Fn::Cidr takes an address block, a count and the subnets' bits")
        values = [self.value(part, (*path, index)) for index, part in enumerate(argument)]
        if any(isinstance(value, Unknown) for value in values):
            return unknown({"Fn::Cidr": values})
        try:
            return functions.cidr(*map(scalar_text, values))
        except ValueError as fault:
            raise EvaluationFault(path, f"Fn::Cidr: {fault}") from fault

    def _get_azs(self, argument: Any, path: Path) -> Any:
        region = self.value(argument, path)
        if isinstance(region, Unknown):
            return unknown({"Fn::GetAZs": region})
        return functions.availability_zones(scalar_text(region) or str(self._scope.pseudo["AWS::Region"]))

    def _import_value(self, argument: Any, path: Path) -> Any:
        name = self.value(argument, path)
        if isinstance(name, Unknown):
            raise EvaluationFault(path, "Fn::ImportValue takes a name that depends on no resource")
        if scalar_text(name) not in self._scope.exports:
            raise EvaluationFault(path, f"No export named {scalar_text(name)} found. Rollback requested by user.")
        return self._scope.exports[scalar_text(name)]

    def _if(self, argument: Any, path: Path) -> Any:
        if not isinstance(argument, list) or len(argument) != 3 or not isinstance(argument[0], str):
            raise EvaluationFault(path, "Fn::If takes a condition's name, a value if true and a value if false")
        chosen = 1 if self.condition(argument[0], path) else 2
        return self.value(argument[chosen], (*path, chosen))

    def _length(self, argument: Any, path: Path) -> Any:
        self._needs_language_extensions("Fn::Length", path)
        items = self.value(argument, path)
        if isinstance(items, Unknown):
            return unknown({"Fn::Length": items})
        if not isinstance(items, list):
            raise EvaluationFault(path, "Fn::Length takes a list")
        return len(items)

    def _to_json_string(self, argument: Any, path: Path) -> Any:
        self._needs_language_extensions("Fn::ToJsonString", path)
        value = self.value(argument, path)
        if waits_for(value):
            return unknown({"Fn::ToJsonString": value})
        return json.dumps(value, separators=(",", ":"))

    def _transform(self, argument: Any, path: Path) -> Any:
        name = argument.get("Name") if isinstance(argument, dict) else argument
        raise EvaluationFault(path, f"the macro {name!r} cannot run here: AWS::Include of a local file can")

    def _needs_language_extensions(self, name: str, path: Path) -> None:
        if not self._scope.language_extensions:
            raise EvaluationFault(path, f"{name} needs `Transform: AWS::LanguageExtensions`")

    def _arguments(self, argument: Any, path: Path, name: str, count: int) -> list[Any]:
        if not isinstance(argument, list) or len(argument) != count:
            raise EvaluationFault(path, f"{name} takes a list of {count} arguments")
        return [self.value(part, (*path, index)) for index, part in enumerate(argument)]


def function_name(node: Mapping[str, Any], *, in_condition: bool = False) -> str | None:
    """Give the function that a mapping calls, or None when it is data.

    `Condition` calls one only under Conditions: elsewhere it is IAM's word.
    """
    if len(node) != 1:
        return None
    name = next(iter(node))
    if name == "Ref" or (name.startswith("Fn::") and not name.startswith("Fn::ForEach::")):
        return name
    return name if in_condition and name == "Condition" else None


def unknown(form: Any) -> Unknown:
    """Wrap a form whose arguments hold Unknowns."""
    return Unknown(displayed(form), waits_for(form))


def waits_for(value: Any) -> frozenset[tuple[str, str]]:
    """Give what the Unknowns within `value` wait for; empty when it is known."""
    if isinstance(value, Unknown):
        return value.waits_for
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    found: frozenset[tuple[str, str]] = frozenset()
    for child in children:
        if isinstance(child, dict | list | Unknown):
            found |= waits_for(child)
    return found


def displayed(value: Any) -> Any:
    """Give `value` with each Unknown as the intrinsic it stands for: plain data for records and people."""
    if isinstance(value, Unknown):
        return value.form
    if isinstance(value, dict):
        return {key: displayed(child) for key, child in value.items()}
    if isinstance(value, list):
        return [displayed(child) for child in value]
    return value


def scalar_text(value: Any) -> str:
    """Render a scalar as CloudFormation does where a text is wanted: `true`, `5`, `1.5`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def comparable(value: Any) -> Any:
    """Give what Fn::Equals compares: scalars as text."""
    if isinstance(value, dict):
        return {key: comparable(child) for key, child in value.items()}
    if isinstance(value, list):
        return [comparable(child) for child in value]
    return scalar_text(value)


def _merged(texts: list[Any]) -> list[Any]:
    merged: list[Any] = []
    for text in texts:
        if text == "":
            continue
        if merged and isinstance(text, str) and isinstance(merged[-1], str):
            merged[-1] += text
        else:
            merged.append(text)
    return merged
