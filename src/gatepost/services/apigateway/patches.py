"""Patch operations: which paths of an object can be changed how, and what a change makes of the object.

Source: https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html, which a test reads row by row. A table
has one rule per path; `*` in a pattern stands for one segment (a name in which `~1` is `/` and `~0` is `~`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from gatepost.services.apigateway.model import BadRequestException

OPS: Final = ("add", "remove", "replace", "copy")
PATCHES_MAX: Final = 1_000  # unverified: a bound of ours

Target = TypeVar("Target")


@dataclass(frozen=True, slots=True)
class Patch:
    """One operation. `names` are the segments that the rule's stars stand for, unescaped."""

    op: str
    path: str
    value: str = ""
    names: tuple[str, ...] = ()
    source: str = ""  # AWS: from, of op copy


@dataclass(frozen=True, slots=True)
class Rule(Generic[Target]):
    """What `ops` on `pattern` do: `apply(target, patch)` gives the changed target."""

    pattern: str
    ops: frozenset[str]
    apply: Callable[[Target, Patch], Target]


@dataclass(frozen=True, slots=True)
class PatchTable(Generic[Target]):
    """All rules of one kind of object."""

    rules: tuple[Rule[Target], ...]

    def apply(self, target: Target, params: Mapping[str, Any]) -> Target:
        """Carry out the request's `patchOperations` in order.

        Raises: BadRequestException, and what a rule raises.
        """
        operations: Sequence[Mapping[str, str]] = params.get("patchOperations", ())
        if len(operations) > PATCHES_MAX:
            raise BadRequestException(f"At most {PATCHES_MAX} patch operations are allowed, not {len(operations)}")
        for each in operations:
            target = self._apply_one(target, each)
        return target

    def _apply_one(self, target: Target, given: Mapping[str, str]) -> Target:
        op, path = given.get("op", ""), given.get("path", "")
        if op not in OPS:
            raise BadRequestException(f"Invalid patch operation specified. Must be one of: [{', '.join(OPS)}]")
        for rule in self.rules:
            if op in rule.ops and (names := _match(rule.pattern, path)) is not None:
                return rule.apply(target, Patch(op, path, given.get("value", ""), names, given.get("from", "")))
        allowed = ", ".join(rule.pattern for rule in self.rules if op in rule.ops)
        raise BadRequestException(f"Invalid patch path  '{path}' specified for op '{op}'. Must be one of: [{allowed}]")


def rule(pattern: str, ops: str, apply: Callable[[Target, Patch], Target]) -> Rule[Target]:
    """Write a rule down: `ops` are separated by blanks."""
    return Rule(pattern, frozenset(ops.split()), apply)


def boolean(patch: Patch) -> bool:
    """Read a patch's value as true or false. Raises: BadRequestException."""
    if patch.value.lower() not in ("true", "false"):
        raise BadRequestException(f"Invalid patch value  '{patch.value}' specified for path '{patch.path}'")
    return patch.value.lower() == "true"


def integer(patch: Patch) -> int:
    """Read a patch's value as a whole number. Raises: BadRequestException."""
    try:
        return int(patch.value)
    except ValueError:
        message = f"Invalid patch value  '{patch.value}' specified for path '{patch.path}'"
        raise BadRequestException(message) from None


def one_of(patch: Patch, allowed: Sequence[str]) -> str:
    """Give a patch's value when it is one of `allowed`. Raises: BadRequestException."""
    if patch.value not in allowed:
        raise BadRequestException(
            f"Invalid patch value  '{patch.value}' specified for path '{patch.path}'. "
            f"Must be one of: [{', '.join(allowed)}]"
        )
    return patch.value


def text_map(patch: Patch) -> dict[str, str]:
    """Read a patch's value as a map of texts, in JSON (unverified: AWS does not say how it writes one).

    Raises: BadRequestException.
    """
    try:
        value = json.loads(patch.value)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise BadRequestException(
            f"Invalid patch value  '{patch.value[:200]}' specified for path '{patch.path}': "
            "use an object of strings in JSON"
        )
    return value


def set_entry(entries: Mapping[str, Any], patch: Patch, value: Any) -> dict[str, Any]:
    """Give `entries` with the named one added, replaced or removed. Raises: BadRequestException."""
    changed = dict(entries)
    name = patch.names[-1]
    if patch.op == "remove":
        if name not in changed:
            raise BadRequestException(
                f"Invalid patch path  '{patch.path}' specified for op 'remove': it does not exist"
            )
        del changed[name]
    else:
        changed[name] = value
    return changed


def _match(pattern: str, path: str) -> tuple[str, ...] | None:
    wanted, given = pattern.split("/"), path.split("/")
    if len(wanted) != len(given):
        return None
    names = []
    for want, have in zip(wanted, given, strict=True):
        if want == "*" and have:
            names.append(have.replace("~1", "/").replace("~0", "~"))
        elif want != have:
            return None
    return tuple(names)
