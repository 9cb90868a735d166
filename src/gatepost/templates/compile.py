"""Template text to a `Compiled`: transforms applied, names checked, values bound, every property in the ledger.

Everything that can be refused is refused here, with file, line and path, before a single operation is called.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gatepost.templates.acceptance import Acceptance
from gatepost.templates.capabilities import needed_capabilities
from gatepost.templates.document import ActiveResource, ResourceDeclaration, Template, read_template
from gatepost.templates.extensions import with_stage_tags
from gatepost.templates.intrinsics import (
    NO_VALUE,
    EvaluationFault,
    Evaluator,
    Scope,
    Unknown,
    displayed,
    function_name,
    waits_for,
)
from gatepost.templates.ledger import Finding, Ledger, without_gaps
from gatepost.templates.parameters import STORED_TYPES, parameter_values, stored_names, typed_values
from gatepost.templates.problems import Path, Problem, TemplateRefused
from gatepost.templates.references import Declared, in_order, missing_names
from gatepost.templates.rules import broken_rules
from gatepost.templates.shared_answers import shared_answers
from gatepost.templates.source import parse_source
from gatepost.templates.specification import Specification
from gatepost.templates.transforms import Files, Transforms

DELETION_POLICIES: Final = ("Delete", "Retain", "RetainExceptOnCreate")
UPDATE_REPLACE_POLICIES: Final = ("Delete", "Retain")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a template is deployed: what the pseudo parameters say."""

    account_id: str
    region: str
    stack_name: str
    stack_id: str
    notification_arns: tuple[str, ...] = ()

    def pseudo(self) -> dict[str, Any]:
        """Give the pseudo parameters, AWS::NoValue apart."""
        return {
            "AWS::AccountId": self.account_id,
            "AWS::NotificationARNs": list(self.notification_arns),
            "AWS::Partition": "aws",
            "AWS::Region": self.region,
            "AWS::StackId": self.stack_id,
            "AWS::StackName": self.stack_name,
            "AWS::URLSuffix": "amazonaws.com",
        }


@dataclass(frozen=True, slots=True)
class Compiled:
    """A template that can be deployed to one place with one set of values."""

    template: Template
    texts: Mapping[str, str]  # of parameters
    stored: Mapping[str, str]  # what Parameter Store has for those that name a parameter there
    scope: Scope
    resources: Mapping[str, ActiveResource]
    order: tuple[str, ...]
    capabilities: tuple[str, ...]
    capabilities_reason: str
    findings: tuple[Finding, ...] = ()  # what is enforced otherwise than on AWS, or not at all
    imports: tuple[str, ...] = field(default=())

    def needs(self) -> dict[str, frozenset[str]]:
        """Give each resource's dependencies."""
        return {name: resource.needs for name, resource in self.resources.items()}

    def warnings(self) -> list[str]:
        """Give one line for each thing that was accepted but is not enforced, each once."""
        return list(dict.fromkeys(str(finding) for finding in self.findings if finding.is_warning))


ReadStored = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]
"""Gives the values of those parameters of Parameter Store that are there and not sealed, by their names."""


class TemplateCompiler:
    """Compiles templates against one specification and ledger."""

    def __init__(self, specification: Specification, ledger: Ledger, transforms: Transforms) -> None:
        self.specification = specification
        self._ledger = ledger
        self._transforms = transforms

    async def read(
        self, text: str | bytes, *, file: str, given: Mapping[str, str], place: Place, files: Files
    ) -> Template:
        """Parse a template and apply its transforms. Raises: TemplateRefused."""
        source = parse_source(text, file=file)
        expanded = await self._transforms.expand(source, given=given, pseudo=place.pseudo(), files=files)
        where = expanded.where
        raw = with_stage_tags(expanded.raw, lambda name: str(where.origin(("Resources", name))[1]))
        return read_template(raw, where, transforms=expanded.names)

    async def compile(
        self,
        text: str | bytes,
        *,
        file: str,
        given: Mapping[str, str],
        place: Place,
        files: Files,
        exports: Mapping[str, str],
        acceptance: Acceptance,
        read_stored: ReadStored | None = None,
    ) -> Compiled:
        """Compile a template with the parameter values that were given; `read_stored` asks Parameter Store.

        Raises: TemplateRefused with everything that is wrong.
        """
        template = await self.read(text, file=file, given=given, place=place, files=files)
        stored = await self._stored(template, given, read_stored)
        return self.bind(template, given=given, place=place, exports=exports, acceptance=acceptance, stored=stored)

    async def _stored(
        self, template: Template, given: Mapping[str, str], read_stored: ReadStored | None
    ) -> Mapping[str, str]:
        """Read the values that parameters name. Raises: TemplateRefused for those that are not there."""
        names = stored_names(template.parameters, parameter_values(template.parameters, given, template.where))
        if not names:
            return {}
        found = await read_stored(sorted(set(names.values()))) if read_stored is not None else {}
        problems = [
            template.where.problem(
                ("Parameters", parameter), f"Parameter Store has no plain parameter {name}, which {parameter} names"
            )
            for parameter, name in names.items()
            if name not in found
        ]
        if problems:
            raise TemplateRefused(problems)
        return {parameter: found[name] for parameter, name in names.items()}

    def bind(
        self,
        template: Template,
        *,
        given: Mapping[str, str],
        place: Place,
        exports: Mapping[str, str],
        acceptance: Acceptance,
        stored: Mapping[str, str] | None = None,
    ) -> Compiled:
        """Give a template its values. Raises: TemplateRefused."""
        problems = missing_names(template)
        if problems:
            raise TemplateRefused(problems)
        texts = parameter_values(template.parameters, given, template.where)
        return self._bound(template, texts, {}, place=place, exports=exports, acceptance=acceptance, stored=stored)

    def _bound(
        self,
        template: Template,
        texts: Mapping[str, str],
        late: Mapping[str, Unknown],
        *,
        place: Place,
        exports: Mapping[str, str],
        acceptance: Acceptance,
        stored: Mapping[str, str] | None = None,
    ) -> Compiled:
        scope = Scope(
            parameters={**typed_values(template.parameters, texts, stored), **late},
            pseudo=place.pseudo(),
            mappings=template.mappings,
            conditions=template.conditions,
            exports=exports,
            language_extensions=template.has_language_extensions,
        )
        binder = _Binder(template, scope, self.specification)
        resources = binder.resources()
        findings = [
            *self._ledger.check(template, resources, acceptance),
            *shared_answers(resources, template.where),
        ]
        refusals = [finding.problem for finding in findings if finding.is_refusal]
        if binder.problems or refusals:
            raise TemplateRefused([*binder.problems, *refusals])
        resources = without_gaps(resources, findings)
        capabilities, reason = needed_capabilities(resources)
        return Compiled(
            template=template,
            texts=texts,
            stored=stored or {},
            scope=scope,
            resources=resources,
            order=tuple(in_order(template, {name: resource.needs for name, resource in resources.items()})),
            capabilities=capabilities,
            capabilities_reason=reason,
            findings=tuple(findings),
            imports=tuple(sorted(binder.imports())),
        )

    async def survey(
        self,
        text: str,
        *,
        file: str,
        given: Mapping[str, str],
        waited_for: frozenset[str],
        place: Place,
        files: Files,
        exports: Mapping[str, str],
        acceptance: Acceptance,
    ) -> Compiled | None:
        """Compile a template of which some parameters are known only later (`waited_for`); their values are `Unknown`.

        Gives None when those decide its conditions or rules, so that nothing more can be said now.
        Raises: TemplateRefused.
        """
        template = await self.read(text, file=file, given=given, place=place, files=files)
        problems = missing_names(template)
        if problems:
            raise TemplateRefused(problems)
        waited_for |= {name for name, one in template.parameters.items() if one.get("Type") in STORED_TYPES}
        deciding = json.dumps([template.conditions, template.rules, template.mappings])
        if any(f'"{name}"' in deciding or f"${{{name}}}" in deciding for name in waited_for):
            return None
        declared = {name: value for name, value in template.parameters.items() if name not in waited_for}
        texts = parameter_values(declared, given, template.where)
        late = {name: Unknown({"Ref": name}, frozenset()) for name in waited_for if name in template.parameters}
        return self._bound(template, texts, late, place=place, exports=exports, acceptance=acceptance)


class _Binder:
    """Evaluates a template's resources and outputs; collects what is wrong."""

    def __init__(self, template: Template, scope: Scope, specification: Specification) -> None:
        self._template = template
        self._scope = scope
        self._specification = specification
        self.problems: list[Problem] = []

    def _fault(self, fault: EvaluationFault) -> None:
        aws = f"Template error: {fault.message}" if fault.message.startswith("Unable to get mapping") else ""
        self.problems.append(self._template.where.problem(fault.path, fault.message, aws=aws))

    def resources(self) -> dict[str, ActiveResource]:
        """Give the resources whose condition holds. Circles among them are refused."""
        self._decide_conditions()
        active = {
            name: declaration
            for name, declaration in self._template.resources.items()
            if not declaration.condition or self._scope.decided[declaration.condition]
        }
        evaluator = Evaluator(self._scope, Declared(active, self._specification))
        resources = {name: self._resource(evaluator, name, declaration, active) for name, declaration in active.items()}
        for name, output in self._template.outputs.items():
            if not output.condition or self._scope.decided[output.condition]:
                path: Path = ("Outputs", name)
                self._evaluate(evaluator, output.value, (*path, "Value"))
                self._evaluate(evaluator, output.export_name, (*path, "Export", "Name"))
        in_order(self._template, {name: resource.needs for name, resource in resources.items()})
        return resources

    def _decide_conditions(self) -> None:
        evaluator = Evaluator(self._scope, None)
        for name in self._template.conditions:
            try:
                evaluator.condition(name, ("Conditions", name))
            except EvaluationFault as fault:
                self._fault(fault)
        if self.problems:
            raise TemplateRefused(self.problems)
        self.problems.extend(broken_rules(self._template, self._scope))
        if self.problems:
            raise TemplateRefused(self.problems)

    def _evaluate(self, evaluator: Evaluator, node: Any, path: Path) -> Any:
        try:
            return evaluator.value(node, path)
        except EvaluationFault as fault:
            self._fault(fault)
            return None

    def _resource(
        self,
        evaluator: Evaluator,
        name: str,
        declaration: ResourceDeclaration,
        active: Mapping[str, ResourceDeclaration],
    ) -> ActiveResource:
        path: Path = ("Resources", name)
        properties: dict[str, Any] = {}
        for part, node in (("Properties", declaration.properties), ("Metadata", declaration.metadata)):
            if function_name(node) is not None:
                self._refuse((*path, part), f"{part} takes a mapping, no function as a whole")
        for key, node in declaration.properties.items():
            faults = len(self.problems)
            value = self._evaluate(evaluator, node, (*path, "Properties", key))
            if value is not NO_VALUE and len(self.problems) == faults:
                properties[key] = value
        metadata = {
            key: self._evaluate(evaluator, node, (*path, "Metadata", key)) for key, node in declaration.metadata.items()
        }
        metadata = {key: value for key, value in metadata.items() if value is not NO_VALUE}
        waited = {logical_id for logical_id, _ in waits_for(properties)}
        waited.update(needed for needed in declaration.depends_on if needed in active)
        return ActiveResource(
            declaration=declaration,
            properties=self._coerced(declaration, properties, path),
            needs=frozenset(waited - {name}) | ({name} if name in waited else frozenset()),
            deletion_policy=self._policy(
                evaluator, declaration.deletion_policy, (*path, "DeletionPolicy"), DELETION_POLICIES
            ),
            update_replace_policy=self._policy(
                evaluator, declaration.update_replace_policy, (*path, "UpdateReplacePolicy"), UPDATE_REPLACE_POLICIES
            ),
            metadata=displayed(metadata),
        )

    def _coerced(self, declaration: ResourceDeclaration, properties: dict[str, Any], path: Path) -> dict[str, Any]:
        described = self._specification.find(declaration.type)
        if described is None:
            return properties

        def fault(inner: Path, sentence: str) -> None:
            what = "/".join(str(step) for step in inner) or declaration.type
            self._refuse((*path, "Properties", *inner), f"{what} {sentence}")

        return described.coerced(properties, fault)

    def _policy(self, evaluator: Evaluator, node: Any, path: Path, allowed: tuple[str, ...]) -> str:
        if node == "":
            return "Delete"
        if isinstance(node, dict) and not self._scope.language_extensions:
            self._refuse(path, f"a function in {path[-1]} needs `Transform: AWS::LanguageExtensions`")
            return "Delete"
        value = self._evaluate(evaluator, node, path)
        if value in allowed:
            return str(value)
        if value == "Snapshot":
            self._refuse(path, "Snapshot needs a resource that has snapshots, and none here has: use Retain")
        elif value is not None:
            self._refuse(path, f"{path[-1]} is {value!r}: use one of {', '.join(allowed)}")
        return "Delete"

    def _refuse(self, path: Path, message: str) -> None:
        self.problems.append(self._template.where.problem(path, message))

    def imports(self) -> set[str]:
        """Give the names of the exports that the active resources and outputs import."""
        used: set[str] = set()
        evaluator = Evaluator(self._scope, Declared(self._template.resources, self._specification))
        todo: list[Any] = [
            dict(self._template.raw.get("Resources") or {}),
            dict(self._template.raw.get("Outputs") or {}),
        ]
        while todo:
            node = todo.pop()
            if isinstance(node, dict):
                if "Fn::ImportValue" in node and len(node) == 1:
                    name = self._evaluate(evaluator, node["Fn::ImportValue"], ())
                    if name in self._scope.exports:
                        used.add(str(name))
                todo.extend(node.values())
            elif isinstance(node, list):
                todo.extend(node)
        return used
