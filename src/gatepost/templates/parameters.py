"""A template's parameters: what was declared, what was given, and whether it may be.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import re2

from gatepost.templates.document import Whereabouts
from gatepost.templates.intrinsics import scalar_text
from gatepost.templates.problems import Path, Problem, TemplateRefused

DECLARATION_KEYS: Final = (
    "Type",
    "Default",
    "Description",
    "AllowedPattern",
    "AllowedValues",
    "ConstraintDescription",
    "MaxLength",
    "MaxValue",
    "MinLength",
    "MinValue",
    "NoEcho",
)
PLAIN_TYPES: Final = ("String", "Number", "List<Number>", "CommaDelimitedList")
_STORED: Final = "AWS::SSM::Parameter::Value<"
STORED_TYPES: Final = {f"{_STORED}{kind}>": kind for kind in ("String", "List<String>", "CommaDelimitedList")}
"""Types whose text names a parameter of Parameter Store, with the type of what stands there."""
NAME_TYPE: Final = "AWS::SSM::Parameter::Name"
VALUE_BYTES_MAX: Final = 4096
_NUMBER: Final = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")
MASK: Final = "****"


def parameter_values(
    declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, str], where: Whereabouts
) -> dict[str, str]:
    """Give each parameter's text: what was given, else its default.

    Raises: TemplateRefused for unknown, missing and forbidden values, all at once.
    """
    problems: list[Problem] = []
    surplus = sorted(set(given) - set(declared))
    if surplus:
        problems.append(
            _problem(where, ("Parameters",), f"Parameters: [{', '.join(surplus)}] do not exist in the template")
        )
    values: dict[str, str] = {}
    missing = []
    for name, declaration in declared.items():
        path: Path = ("Parameters", name)
        faults = _declaration_faults(name, declaration)
        problems.extend(where.problem((*path, key) if key else path, message) for key, message in faults)
        if faults:
            continue
        if name not in given and "Default" not in declaration:
            missing.append(name)
            continue
        text = given[name] if name in given else _default_text(declaration["Default"])
        values[name] = text
        message = _violation(name, declaration, text)
        if message:
            problems.append(_problem(where, path, message))
    if missing:
        problems.append(
            _problem(where, ("Parameters", missing[0]), f"Parameters: [{', '.join(missing)}] must have values")
        )
    if problems:
        raise TemplateRefused(problems)
    return values


def _problem(where: Whereabouts, path: Path, message: str) -> Problem:
    """Make a problem whose sentence is AWS's own."""
    return where.problem(path, message, aws=message)


def typed_values(
    declared: Mapping[str, Mapping[str, Any]], texts: Mapping[str, str], stored: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Give what Ref gives for each parameter: a list for list types, else the text.

    `stored` are the values in Parameter Store, by the template's parameter.
    """
    values: dict[str, Any] = {}
    for name, text in texts.items():
        kind = str(declared[name].get("Type"))
        held = (stored or {}).get(name)
        values[name] = _typed(kind, text) if held is None else _typed(STORED_TYPES[kind], held)
    return values


def stored_names(declared: Mapping[str, Mapping[str, Any]], texts: Mapping[str, str]) -> dict[str, str]:
    """Give the names in Parameter Store that values are to be read from, by the template's parameter."""
    return {name: text for name, text in texts.items() if declared[name].get("Type") in STORED_TYPES}


def shown_value(declaration: Mapping[str, Any], text: str) -> str:
    """Give a parameter's value as descriptions show it: masked with NoEcho."""
    return MASK if is_no_echo(declaration) else text


def is_no_echo(declaration: Mapping[str, Any]) -> bool:
    """Say whether a parameter's value is a secret."""
    return scalar_text(declaration.get("NoEcho", "")).lower() == "true"


def _typed(kind: str, text: str) -> Any:
    if not _is_list(kind):
        return text
    return [part.strip() for part in text.split(",")] if text else []


def _is_list(kind: str) -> bool:
    return kind == "CommaDelimitedList" or kind.startswith("List<")


def _default_text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(scalar_text(item) for item in value)
    return scalar_text(value)


def _declaration_faults(name: str, declaration: Mapping[str, Any]) -> list[tuple[str, str]]:
    faults: list[tuple[str, str]] = [
        (key, f"{key!r} is no attribute of a parameter: use one of {', '.join(DECLARATION_KEYS)}")
        for key in declaration
        if key not in DECLARATION_KEYS
    ]
    kind = declaration.get("Type")
    if not isinstance(kind, str):
        faults.append(("", f"parameter {name} has no Type"))
    elif kind not in (*PLAIN_TYPES, *STORED_TYPES, NAME_TYPE):
        hint = f"use one of {', '.join((*PLAIN_TYPES, *STORED_TYPES))}"
        reason = "looks resources up that are not here" if kind.startswith(("AWS::", "List<AWS::")) else "is no type"
        faults.append(("Type", f"the parameter type {kind} {reason}: {hint}"))
    pattern = declaration.get("AllowedPattern")
    if pattern is not None:
        try:
            re2.compile(str(pattern), _quiet())
        except re2.error as fault:
            faults.append(
                (
                    "AllowedPattern",
                    f"{pattern!r} is no pattern that is matched in linear time (no look-around): {fault}",
                )
            )
    allowed = declaration.get("AllowedValues")
    if allowed is not None and not isinstance(allowed, list):
        faults.append(("AllowedValues", "AllowedValues takes a list"))
    faults.extend(
        (key, f"{key} is {declaration[key]!r}: use a number")
        for key in ("MinLength", "MaxLength", "MinValue", "MaxValue")
        if key in declaration and not _NUMBER.fullmatch(scalar_text(declaration[key]))
    )
    return faults


def _quiet() -> re2.Options:
    """Give options with which an author's pattern is not written to our standard error."""
    options = re2.Options()
    options.log_errors = False
    return options


def _violation(name: str, declaration: Mapping[str, Any], text: str) -> str:
    """Say what is wrong with a value, in AWS's words, or give an empty text."""
    reason = str(declaration.get("ConstraintDescription", ""))
    kind = str(declaration["Type"])
    if len(text.encode()) > VALUE_BYTES_MAX:
        return f"Parameter {name} has more than {VALUE_BYTES_MAX} bytes"
    items = _typed(kind, text)
    for item in items if isinstance(items, list) else [items]:
        message = _item_violation(name, declaration, kind, item)
        if message:
            return f"Parameter {name} failed to satisfy constraint: {reason}" if reason else message
    return ""


def _item_violation(name: str, declaration: Mapping[str, Any], kind: str, item: str) -> str:
    if kind in ("Number", "List<Number>") and not _NUMBER.fullmatch(item):
        return f"Parameter '{name}' must be a number."
    allowed = declaration.get("AllowedValues")
    if allowed is not None and item not in [scalar_text(value) for value in allowed]:
        return f"Parameter '{name}' must be one of AllowedValues"
    pattern = declaration.get("AllowedPattern")
    if pattern is not None and not re2.fullmatch(str(pattern), item):
        return f"Parameter '{name}' must match pattern {pattern}"
    if "MinLength" in declaration and len(item) < float(declaration["MinLength"]):
        return f"Parameter '{name}' must contain at least {declaration['MinLength']} characters"
    if "MaxLength" in declaration and len(item) > float(declaration["MaxLength"]):
        return f"Parameter '{name}' must contain at most {declaration['MaxLength']} characters"
    if "MinValue" in declaration and kind != "String" and float(item) < float(declaration["MinValue"]):
        return f"Parameter '{name}' must be a number not less than {declaration['MinValue']}"
    if "MaxValue" in declaration and kind != "String" and float(item) > float(declaration["MaxValue"]):
        return f"Parameter '{name}' must be a number not greater than {declaration['MaxValue']}"
    return ""
