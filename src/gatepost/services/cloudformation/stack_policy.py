"""Stack policies: which resources of a stack an update may modify, replace or delete.

A stack without a policy lets everything be updated; one with a policy lets only what a statement allows and none
denies. Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/protect-stack-resources.html
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gatepost.services.cloudformation.model import ValidationError

POLICY_BYTES_MAX: Final = 16_384
ACTIONS: Final = ("Update:Modify", "Update:Replace", "Update:Delete", "Update:*")
_PREFIX: Final = "LogicalResourceId/"
_KEYS: Final = frozenset({"Effect", "Action", "NotAction", "Principal", "Resource", "NotResource", "Condition", "Sid"})


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. `actions` and `resources` are what it names, or all but what it names."""

    number: int
    is_deny: bool
    actions: Sequence[str]
    all_actions_but: bool
    resources: Sequence[str]
    all_resources_but: bool
    types: Sequence[str]  # patterns of resource types; empty: every type
    are_types_exact: bool

    def speaks_of(self, action: str, logical_id: str, type_name: str) -> bool:
        """Say whether it is about this update."""
        names_action = any(one in (action, "Update:*") for one in self.actions)
        resource = _PREFIX + logical_id
        names_resource = any(one == "*" or fnmatch.fnmatchcase(resource, one) for one in self.resources)
        return (
            names_action is not self.all_actions_but
            and names_resource is not self.all_resources_but
            and (not self.types or any(self._is_type(one, type_name) for one in self.types))
        )

    def _is_type(self, pattern: str, type_name: str) -> bool:
        return pattern == type_name if self.are_types_exact else fnmatch.fnmatchcase(type_name, pattern)


class StackPolicy:
    """One policy, read."""

    def __init__(self, text: str) -> None:
        """Read a policy. Raises: ValidationError."""
        if len(text.encode()) > POLICY_BYTES_MAX:
            raise _invalid(f"it has more than {POLICY_BYTES_MAX} bytes")
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            raise _invalid("it is no JSON") from None
        statements = document.get("Statement") if isinstance(document, dict) else None
        listed = [statements] if isinstance(statements, dict) else statements
        if not isinstance(listed, list):
            raise _invalid("it has no Statement")
        self._statements = [_statement(number, one) for number, one in enumerate(listed, 1)]

    def objection(self, action: str, logical_id: str, type_name: str) -> str:
        """Say why an update may not be; empty: it may."""
        about = [one for one in self._statements if one.speaks_of(action, logical_id, type_name)]
        denying = next((one for one in about if one.is_deny), None)
        if denying is None and about:
            return ""
        which = f"Statement [#{denying.number}] does not allow" if denying else "no statement allows"
        return f"Action denied by stack policy: {which} [{action}] for resource [{_PREFIX}{logical_id}]"


def _statement(number: int, given: Any) -> Statement:
    if not isinstance(given, dict) or set(given) - _KEYS:
        raise _invalid(f"statement {number} is none")
    if given.get("Effect") not in ("Allow", "Deny"):
        raise _invalid(f"Effect of statement {number} is Allow or Deny")
    if given.get("Principal") not in ("*", {"AWS": "*"}):
        raise _invalid(f"Principal of statement {number} is *")
    actions, all_actions_but = _either(number, given, "Action")
    if unknown := [one for one in actions if one not in ACTIONS]:
        raise _invalid(f"{unknown[0]} is none of {', '.join(ACTIONS)}")
    resources, all_resources_but = _either(number, given, "Resource")
    if unknown := [one for one in resources if one != "*" and not one.startswith(_PREFIX)]:
        raise _invalid(f"{unknown[0]} is no resource: write {_PREFIX}NAME or *")
    types, are_exact = _types(number, given.get("Condition") or {})
    is_deny = given["Effect"] == "Deny"
    return Statement(number, is_deny, actions, all_actions_but, resources, all_resources_but, types, are_exact)


def _either(number: int, given: Mapping[str, Any], name: str) -> tuple[list[str], bool]:
    """Give what a member or its negation names, and whether it was the negation."""
    if (name in given) == (f"Not{name}" in given):
        raise _invalid(f"statement {number} needs {name} or Not{name}")
    value = given.get(name, given.get(f"Not{name}"))
    found = value if isinstance(value, list) else [value]
    if not found or not all(isinstance(one, str) for one in found):
        raise _invalid(f"{name} of statement {number} takes texts")
    return found, name not in given


def _types(number: int, condition: Any) -> tuple[list[str], bool]:
    if not condition:
        return [], True
    if not isinstance(condition, dict) or len(condition) != 1:
        raise _invalid(f"Condition of statement {number} has one operator")
    ((operator, keys),) = condition.items()
    if operator not in ("StringEquals", "StringLike") or not isinstance(keys, dict) or set(keys) != {"ResourceType"}:
        raise _invalid(f"Condition of statement {number} compares ResourceType by StringEquals or StringLike")
    value = keys["ResourceType"]
    found = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str) for one in found):
        raise _invalid(f"ResourceType of statement {number} takes texts")
    return found, operator == "StringEquals"


def _invalid(why: str) -> ValidationError:
    return ValidationError(f"Error validating stack policy: {why}")


def given_policy(params: Mapping[str, Any], body: str, url: str) -> str:
    """Give a policy of an operation's parameters, checked; empty: none. Raises: ValidationError."""
    if params.get(url):
        raise ValidationError(f"Gatepost does not support {url}: give {body}")
    text = str(params.get(body) or "")
    if text:
        StackPolicy(text)
    return text
