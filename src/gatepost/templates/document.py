"""A template's sections as declarations: parameters, resources, outputs and the rest, checked for shape.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gatepost.kernel.limits import CLOUDFORMATION_OUTPUTS_MAX, CLOUDFORMATION_RESOURCES_MAX
from gatepost.templates.problems import Path, Problem, TemplateRefused, path_text
from gatepost.templates.source import Mark, Source

SECTIONS: Final = (
    "AWSTemplateFormatVersion",
    "Description",
    "Metadata",
    "Parameters",
    "Mappings",
    "Conditions",
    "Rules",
    "Transform",
    "Globals",
    "Resources",
    "Outputs",
)
RESOURCE_KEYS: Final = (
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "CreationPolicy",
    "UpdatePolicy",
    "Metadata",
)
OUTPUT_KEYS: Final = ("Description", "Value", "Export", "Condition")
LOGICAL_ID: Final = re.compile(r"[A-Za-z0-9]{1,255}")
# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
PARAMETERS_MAX: Final = 200
MAPPINGS_MAX: Final = 200
DESCRIPTION_BYTES_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where things of a template stand in its source, also those that a transform has generated.

    `origins` gives for a generated place (`("Resources", "OrdersRole")`) the place that caused it.
    """

    source: Source
    origins: Mapping[Path, Path] = field(default_factory=dict)

    def origin(self, path: Path) -> Path:
        """Give the author's path for `path`: itself, or what generated it."""
        for length in range(len(path), 0, -1):
            found = self.origins.get(path[:length])
            if found is not None:
                # What a transform passed on stands below the origin under the same name.
                passed_on = (*found, *path[length:])
                return passed_on if self.source.node(passed_on) is not None else found
        return path

    def locate(self, path: Path) -> Mark:
        """Give the place in the author's file."""
        return self.source.locate(self.origin(path))

    def problem(self, path: Path, message: str, **more: str) -> Problem:
        """Make a problem that points at `path`; a generated path says what generated it."""
        origin = self.origin(path)
        mark = self.source.locate(origin)
        if origin != path and origin[:2] != path[:2]:
            message = f"{message} (in {path_text(path)}, generated from this)"
        return Problem(message, self.source.file, mark.line, mark.column, path_text(origin), **more)

    def refuse(self, path: Path, message: str, **more: str) -> TemplateRefused:
        """Make a refusal that points at `path`."""
        return TemplateRefused([self.problem(path, message, **more)])


@dataclass(frozen=True, slots=True)
class ResourceDeclaration:
    """One resource as declared; values may be intrinsics. `line` is the author's."""

    logical_id: str
    type: str
    properties: Mapping[str, Any]
    depends_on: tuple[str, ...] = ()
    condition: str = ""
    deletion_policy: Any = ""
    update_replace_policy: Any = ""
    creation_policy: Any = None
    update_policy: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True, slots=True)
class OutputDeclaration:
    """One output as declared."""

    name: str
    value: Any
    description: str = ""
    export_name: Any = None
    condition: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Template:
    """A template whose shape was checked. Transforms have been applied, intrinsics have not."""

    where: Whereabouts
    raw: Mapping[str, Any]
    description: str
    parameters: Mapping[str, Mapping[str, Any]]
    mappings: Mapping[str, Any]
    conditions: Mapping[str, Any]
    rules: Mapping[str, Any]
    resources: Mapping[str, ResourceDeclaration]
    outputs: Mapping[str, OutputDeclaration]
    metadata: Mapping[str, Any]
    transforms: tuple[str, ...]

    @property
    def has_language_extensions(self) -> bool:
        """Say whether AWS::LanguageExtensions was declared."""
        return "AWS::LanguageExtensions" in self.transforms


@dataclass(frozen=True, slots=True)
class ActiveResource:
    """A resource whose condition holds. `properties` are evaluated, with `Unknown` where resources are waited for."""

    declaration: ResourceDeclaration
    properties: Mapping[str, Any]
    needs: frozenset[str]
    deletion_policy: str
    update_replace_policy: str
    metadata: Mapping[str, Any]
    gaps: frozenset[Path] = frozenset()  # paths below Properties that were accepted though nothing enforces them
    is_accepted: bool = False  # the whole type is a gap: the resource gets a name and an ARN, nothing else
    is_forwarded: bool = False  # its service's operations go to an endpoint that the operator named


def transform_names(raw: Mapping[str, Any], where: Whereabouts) -> tuple[str, ...]:
    """Give the names under `Transform`, in their order. Raises: TemplateRefused."""
    declared = raw.get("Transform", [])
    names = []
    for item in declared if isinstance(declared, list) else [declared]:
        name = item.get("Name") if isinstance(item, dict) else item
        if not isinstance(name, str):
            raise where.refuse(("Transform",), "Transform takes the name of a macro or a list of names")
        names.append(name)
    return tuple(names)


def read_template(raw: Any, where: Whereabouts, *, transforms: tuple[str, ...] = ()) -> Template:
    """Check the shape of every section and give the declarations.

    Raises: TemplateRefused with all faults of shape at once.
    """
    return _Reader(where).read(raw, transforms)


class _Reader:
    """Collects the faults of one template."""

    def __init__(self, where: Whereabouts) -> None:
        self._where = where
        self._problems: list[Problem] = []

    def _fault(self, path: Path, message: str, *, aws: str = "") -> None:
        self._problems.append(self._where.problem(path, message, aws=aws))

    def read(self, raw: Any, transforms: tuple[str, ...]) -> Template:
        if not isinstance(raw, dict):
            words = "Template format error: unsupported structure."
            raise self._where.refuse((), "a template is a mapping with Resources, not a list or text", aws=words)
        self._top_level(raw)
        resources = {
            name: self._resource(name, value)
            for name, value in self._section(raw, "Resources", CLOUDFORMATION_RESOURCES_MAX).items()
        }
        outputs = {
            name: self._output(name, value)
            for name, value in self._section(raw, "Outputs", CLOUDFORMATION_OUTPUTS_MAX).items()
        }
        parameters = self._section(raw, "Parameters", PARAMETERS_MAX)
        for name in parameters:
            self._logical_id(("Parameters", name), name, "parameter")
            if name in resources:
                self._fault(("Resources", name), f"{name} is a parameter too: use another logical id")
        template = Template(
            where=self._where,
            raw=raw,
            description=raw.get("Description") or "",
            parameters=parameters,
            mappings=self._section(raw, "Mappings", MAPPINGS_MAX),
            conditions=self._section(raw, "Conditions", None, of_mappings=False),
            rules=self._section(raw, "Rules", None),
            resources=resources,
            outputs=outputs,
            metadata=self._section(raw, "Metadata", None, of_mappings=False),
            transforms=transforms,
        )
        if self._problems:
            raise TemplateRefused(self._problems)
        return template

    def _top_level(self, raw: Mapping[str, Any]) -> None:
        for key in raw:
            if key not in SECTIONS:
                words = f"Invalid template property or properties [{key}]"
                self._fault((key,), _unknown_key(key, SECTIONS, "section of a template"), aws=words)
        version = raw.get("AWSTemplateFormatVersion")
        if version is not None and str(version) != "2010-09-09":
            words = f"Template format error: {version} is not a supported value for AWSTemplateFormatVersion."
            self._fault(
                ("AWSTemplateFormatVersion",), f"the version is {version!r}: 2010-09-09 is the only one", aws=words
            )
        description = raw.get("Description")
        if description is not None and not isinstance(description, str):
            self._fault(("Description",), "Description takes text")
        elif description and len(description.encode()) > DESCRIPTION_BYTES_MAX:
            self._fault(("Description",), f"Description is longer than {DESCRIPTION_BYTES_MAX} bytes")
        if not raw.get("Resources"):
            words = "At least one Resources member must be defined."
            self._fault(("Resources",), words, aws=f"Template format error: {words}")
        if "Globals" in raw:
            self._fault(("Globals",), "Globals needs `Transform: AWS::Serverless-2016-10-31`")

    def _section(
        self, raw: Mapping[str, Any], name: str, count_max: int | None, *, of_mappings: bool = True
    ) -> dict[str, Any]:
        section = raw.get(name)
        if section is None:
            return {}
        if not isinstance(section, dict):
            self._fault((name,), f"{name} takes a mapping of names")
            return {}
        if count_max is not None and len(section) > count_max:
            self._fault((name,), f"{name} has {len(section)} members: AWS allows {count_max}")
        if of_mappings:
            for member, value in section.items():
                if not isinstance(value, dict):
                    self._fault((name, member), f"{name} member {member} takes a mapping")
            return {member: value for member, value in section.items() if isinstance(value, dict)}
        return dict(section)

    def _logical_id(self, path: Path, name: str, noun: str) -> None:
        if not LOGICAL_ID.fullmatch(name):
            self._fault(path, f"{name!r} is no {noun} name: use letters and digits only, at most 255")

    def _resource(self, name: str, value: Mapping[str, Any]) -> ResourceDeclaration:
        path: Path = ("Resources", name)
        self._logical_id(path, name, "resource")
        for key in value:
            if key not in RESOURCE_KEYS:
                self._fault((*path, key), _unknown_key(key, RESOURCE_KEYS, "attribute of a resource"))
        kind = value.get("Type")
        if not isinstance(kind, str) or not kind:
            self._fault(path, f"resource {name} has no Type")
            kind = ""
        properties = value.get("Properties")
        if properties is not None and not isinstance(properties, dict):
            self._fault((*path, "Properties"), "Properties takes a mapping")
            properties = None
        metadata = value.get("Metadata")
        if metadata is not None and not isinstance(metadata, dict):
            self._fault((*path, "Metadata"), "Metadata takes a mapping")
            metadata = None
        return ResourceDeclaration(
            logical_id=name,
            type=kind,
            properties=properties or {},
            depends_on=self._depends_on(path, value.get("DependsOn")),
            condition=self._condition_name(path, value.get("Condition")),
            deletion_policy=value.get("DeletionPolicy", ""),
            update_replace_policy=value.get("UpdateReplacePolicy", ""),
            creation_policy=value.get("CreationPolicy"),
            update_policy=value.get("UpdatePolicy"),
            metadata=metadata or {},
            line=self._where.locate(path).line,
        )

    def _depends_on(self, path: Path, value: Any) -> tuple[str, ...]:
        names = value if isinstance(value, list) else [] if value is None else [value]
        if not all(isinstance(name, str) for name in names):
            self._fault((*path, "DependsOn"), "DependsOn takes a logical id or a list of them, no function")
            return ()
        return tuple(names)

    def _condition_name(self, path: Path, value: Any) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            self._fault((*path, "Condition"), "Condition takes the name of a condition")
            return ""
        return value

    def _output(self, name: str, value: Mapping[str, Any]) -> OutputDeclaration:
        path: Path = ("Outputs", name)
        self._logical_id(path, name, "output")
        for key in value:
            if key not in OUTPUT_KEYS:
                self._fault((*path, key), _unknown_key(key, OUTPUT_KEYS, "attribute of an output"))
        if "Value" not in value:
            self._fault(path, f"output {name} has no Value")
        export = value.get("Export")
        export_name = export.get("Name") if isinstance(export, dict) and set(export) == {"Name"} else None
        if export is not None and export_name is None:
            self._fault((*path, "Export"), "Export takes a mapping with Name")
        return OutputDeclaration(
            name=name,
            value=value.get("Value"),
            description=str(value.get("Description") or ""),
            export_name=export_name,
            condition=self._condition_name(path, value.get("Condition")),
            line=self._where.locate(path).line,
        )


def _unknown_key(key: str, known: tuple[str, ...], noun: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key, known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}"
    return f"{key!r} is no {noun}: {hint}"
