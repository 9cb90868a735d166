"""A deployment as data: what is added, changed in place, replaced and deleted, and which property causes it.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from gatepost.services.cloudformation.model import Incarnation, StackResource
from gatepost.templates.compile import Compiled
from gatepost.templates.document import ActiveResource
from gatepost.templates.intrinsics import Evaluator, Unknown, displayed, waits_for
from gatepost.templates.ledger import strip
from gatepost.templates.problems import Path, TemplateRefused
from gatepost.templates.references import unresolved_attribute
from gatepost.templates.resources.base import ResourceHandler
from gatepost.templates.specification import Specification, is_custom

Action = Literal["Add", "Modify", "Remove"]
Replacement = Literal["", "True", "False", "Conditional"]

# Types whose attributes an update may change, so that who reads them must wait.
_MOVING: Final = frozenset({"AWS::CloudFormation::Stack"})
CHANGES_PER_RESOURCE_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Cause:
    """One property that differs. `path` is within the resource: `Properties/Code/S3Key`, `DeletionPolicy`."""

    path: str
    recreation: Literal["Never", "Conditionally", "Always"]
    is_dynamic: bool = False  # its value is known only when another resource is done
    causing_entity: str = ""  # that resource: `OrdersRole.Arn`


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one resource."""

    logical_id: str
    type: str
    action: Action
    replacement: Replacement = ""
    physical_id: str = ""
    causes: tuple[Cause, ...] = ()
    policy_action: str = ""  # Delete, Retain, ReplaceAndDelete, ReplaceAndRetain
    line: int = 0

    def to_aws(self) -> dict[str, Any]:
        """Give the change as DescribeChangeSet shows it."""
        scope = sorted({cause.path.split("/")[0] for cause in self.causes})
        change: dict[str, Any] = {
            "Action": self.action,
            "LogicalResourceId": self.logical_id,
            "ResourceType": self.type,
            "Scope": scope if self.action == "Modify" else [],
            "Details": [_detail(cause) for cause in self.causes] if self.action == "Modify" else [],
        }
        if self.physical_id:
            change["PhysicalResourceId"] = self.physical_id
        if self.replacement:
            change["Replacement"] = self.replacement
        if self.policy_action:
            change["PolicyAction"] = self.policy_action
        return {"Type": "Resource", "ResourceChange": change}


def _detail(cause: Cause) -> dict[str, Any]:
    attribute, _, name = cause.path.partition("/")
    target: dict[str, Any] = {"Attribute": attribute, "RequiresRecreation": cause.recreation}
    if name:
        target["Name"] = name.split("/")[0]
        target["Path"] = f"/{cause.path}"
    detail: dict[str, Any] = {"Target": target, "Evaluation": "Dynamic" if cause.is_dynamic else "Static"}
    detail["ChangeSource"] = "ResourceReference" if cause.causing_entity else "DirectModification"
    if cause.causing_entity:
        detail["CausingEntity"] = cause.causing_entity
        if "." in cause.causing_entity:
            detail["ChangeSource"] = "ResourceAttribute"
    return detail


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that happens, in the order in which it starts (what is removed comes last)."""

    changes: tuple[Change, ...]

    def find(self, logical_id: str) -> Change | None:
        """Give the change of one resource."""
        return next((change for change in self.changes if change.logical_id == logical_id), None)


class Standing:
    """What is known of resources while an update is planned: those that stay keep their values."""

    def __init__(self, incarnations: Mapping[str, Incarnation], known: Mapping[str, ActiveResource]) -> None:
        self._incarnations = incarnations
        self._known = known
        self.changes: dict[str, Change] = {}

    def ref(self, logical_id: str) -> Any:
        """Give the standing value, or wait when a new physical resource comes."""
        if logical_id not in self._known:
            return None
        change = self.changes.get(logical_id)
        incarnation = self._incarnations.get(logical_id)
        if incarnation is None or (change and change.replacement in ("True", "Conditional")):
            return Unknown({"Ref": logical_id}, frozenset({(logical_id, "")}))
        return incarnation.ref or incarnation.physical_id

    def attribute(self, logical_id: str, name: str) -> Any:
        """Give the standing value, or wait when the resource is replaced or its type's attributes move."""
        resource = self._known.get(logical_id)
        if resource is None:
            return None
        change = self.changes.get(logical_id)
        incarnation = self._incarnations.get(logical_id)
        is_moving = resource.declaration.type in _MOVING or is_custom(resource.declaration.type)
        if (
            incarnation is None
            or name not in incarnation.attributes
            or (change and (change.replacement in ("True", "Conditional") or is_moving))
        ):
            return unresolved_attribute(logical_id, name)
        return incarnation.attributes[name]


def make_plan(
    compiled: Compiled,
    standing: Mapping[str, StackResource],
    *,
    handlers: Mapping[str, ResourceHandler],
    specification: Specification,
    stack_tags: Mapping[str, str],
) -> Plan:
    """Compare a compiled template with the resources as they stand. Raises: TemplateRefused.

    A resource whose type differs under the same logical id is refused, as AWS does.
    """
    incarnations = {name: now for name, resource in standing.items() if (now := resource.now()) is not None}
    moved = sorted(
        name
        for name, resource in compiled.resources.items()
        if name in standing and standing[name].current and standing[name].type != resource.declaration.type
    )
    if moved:
        message = (
            "Update of resource type is not permitted. The new template modifies resource type of the "
            f"following resources: [{', '.join(moved)}]"
        )
        where = compiled.template.where
        raise TemplateRefused([where.problem(("Resources", name, "Type"), message) for name in moved])
    values = Standing(incarnations, compiled.resources)
    evaluator = Evaluator(compiled.scope, values)
    changes: list[Change] = []
    for name in compiled.order:
        resource = compiled.resources[name]
        incarnation = incarnations.get(name)
        if incarnation is None:
            change: Change | None = Change(name, resource.declaration.type, "Add", line=resource.declaration.line)
        else:
            properties = evaluated_properties(resource, evaluator, specification, stack_tags)
            causes = differences(
                resource,
                incarnation,
                properties,
                handler=handlers.get(resource.declaration.type),
                specification=specification,
            )
            change = _modification(resource, incarnation, causes)
        if change is not None:
            values.changes[name] = change
            changes.append(change)
    changes.extend(_removals(compiled, standing))
    return Plan(tuple(changes))


def evaluated_properties(
    resource: ActiveResource, evaluator: Evaluator, specification: Specification, stack_tags: Mapping[str, str]
) -> dict[str, Any]:
    """Evaluate a resource's properties in AWS's types, accepted gaps left out, the stack's tags put in.

    Raises: EvaluationFault.
    """
    declaration = resource.declaration
    path: Path = ("Resources", declaration.logical_id, "Properties")
    properties: dict[str, Any] = evaluator.value(dict(declaration.properties), path)
    described = specification.find(declaration.type)
    if described is None:
        return properties
    coerced = described.coerced(properties, _complained_of)
    if resource.gaps:
        coerced = strip(coerced, resource.gaps)
    if stack_tags and described.has_tags():
        own = coerced.get("Tags", [])
        keys = {tag.get("Key") for tag in own if isinstance(tag, dict)}
        inherited = [{"Key": key, "Value": value} for key, value in sorted(stack_tags.items()) if key not in keys]
        coerced["Tags"] = [*own, *inherited]
    return coerced


def _complained_of(path: Path, sentence: str) -> None:
    """Say nothing: what is wrong was refused when the template was compiled."""
    del path, sentence


def differences(
    resource: ActiveResource,
    incarnation: Incarnation,
    properties: Mapping[str, Any],
    *,
    handler: ResourceHandler | None,
    specification: Specification,
) -> list[Cause]:
    """Give everything in which a declaration differs from what was applied."""
    described = specification.find(resource.declaration.type)
    create_only = set(described.create_only) if described else set()
    shown = displayed(properties)
    if handler is not None:
        create_only.update(handler.replacing(incarnation.properties, shown))
    causes: list[Cause] = []
    for path, old, new in _differing(incarnation.properties, properties, ()):
        names = "/".join(str(step) for step in path if isinstance(step, str))
        needs_new = any(
            names == key or names.startswith(f"{key}/") or key.startswith(f"{names}/") for key in create_only
        )
        waited = waits_for(new)
        if needs_new and is_custom(resource.declaration.type):
            needs_new = False
        entity = ""
        if waited:
            logical_id, attribute = min(waited)
            entity = f"{logical_id}.{attribute}" if attribute else logical_id
        recreation: Literal["Never", "Conditionally", "Always"] = "Never"
        if needs_new:
            recreation = "Conditionally" if waited and old is not None else "Always"
        text = "/".join(("Properties", *(str(step) for step in path)))
        causes.append(Cause(text, recreation, is_dynamic=bool(waited), causing_entity=entity))
    for attribute, old_value, new_value in (
        ("DeletionPolicy", incarnation.deletion_policy, resource.deletion_policy),
        ("UpdateReplacePolicy", incarnation.update_replace_policy, resource.update_replace_policy),
        ("Metadata", incarnation.metadata, dict(resource.metadata)),
    ):
        if old_value != new_value:
            causes.append(Cause(attribute, "Never"))
    return causes[:CHANGES_PER_RESOURCE_MAX]


def _differing(old: Any, new: Any, path: Path) -> list[tuple[Path, Any, Any]]:
    """Give the places where two values differ: within mappings each key for itself, lists as a whole."""
    if isinstance(old, Mapping) and isinstance(new, Mapping) and path != ("Properties",):
        found: list[tuple[Path, Any, Any]] = []
        for key in sorted({*old, *new}):
            if key not in old or key not in new:
                found.append(((*path, key), old.get(key), new.get(key)))
            else:
                found.extend(_differing(old[key], new[key], (*path, key)))
        return found
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        found = []
        for index, (left, right) in enumerate(zip(old, new, strict=True)):
            found.extend(_differing(left, right, (*path, index)))
        return found
    return [] if old == displayed(new) and not waits_for(new) else [(path, old, new)]


def _modification(resource: ActiveResource, incarnation: Incarnation, causes: list[Cause]) -> Change | None:
    if not causes:
        return None
    recreations = {cause.recreation for cause in causes}
    replacement: Replacement = "False"
    if "Always" in recreations:
        replacement = "True"
    elif "Conditionally" in recreations:
        replacement = "Conditional"
    policy_action = ""
    if replacement == "True":
        retains = resource.update_replace_policy == "Retain"
        policy_action = "ReplaceAndRetain" if retains else "ReplaceAndDelete"
    return Change(
        resource.declaration.logical_id,
        resource.declaration.type,
        "Modify",
        replacement,
        incarnation.physical_id,
        tuple(causes),
        policy_action,
        resource.declaration.line,
    )


def _removals(compiled: Compiled, standing: Mapping[str, StackResource]) -> list[Change]:
    found = []
    for name, resource in standing.items():
        incarnation = resource.now()
        if name in compiled.resources or incarnation is None:
            continue
        keeps = incarnation.deletion_policy in ("Retain", "RetainExceptOnCreate")
        found.append(
            Change(
                name,
                resource.type,
                "Remove",
                physical_id=incarnation.physical_id,
                policy_action="Retain" if keeps else "Delete",
            )
        )
    return found
