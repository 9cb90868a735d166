"""Nested stacks judged before their parent begins: what their templates refuse is refused now, with file and line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.templates.acceptance import Acceptance
from gatepost.templates.asset_files import asset_of
from gatepost.templates.compile import Compiled, Place, TemplateCompiler
from gatepost.templates.intrinsics import scalar_text, waits_for
from gatepost.templates.problems import Path, Problem, TemplateRefused
from gatepost.templates.transforms import Files

NESTED: Final = "AWS::CloudFormation::Stack"
DEPTH_MAX: Final = 5


class NestedTemplates:
    """Surveys the nested stacks of compiled templates."""

    def __init__(
        self, compiler: TemplateCompiler, files: Files, *, exports: Mapping[str, str], acceptance: Acceptance
    ) -> None:
        self._compiler = compiler
        self._files = files
        self._exports = exports
        self._acceptance = acceptance

    async def check(self, compiled: Compiled, place: Place, depth: int = 0) -> list[str]:
        """Give the warnings of all nested templates. Raises: TemplateRefused with everything that is wrong."""
        problems: list[Problem] = []
        warnings: list[str] = []
        for name, resource in compiled.resources.items():
            if resource.declaration.type != NESTED or depth >= DEPTH_MAX:
                continue
            path: Path = ("Resources", name, "Properties")
            try:
                child = await self._survey(compiled, path, resource.properties, name, place)
                if child is not None:
                    problems.extend(_missing_outputs(compiled, name, child))
                    warnings.extend(child.warnings())
                    inner = replace(place, stack_name=f"{place.stack_name}-{name}")
                    warnings.extend(await self.check(child, inner, depth + 1))
            except TemplateRefused as refusal:
                problems.extend(refusal.problems)
        if problems:
            raise TemplateRefused(problems)
        return warnings

    async def _survey(
        self, compiled: Compiled, path: Path, properties: Mapping[str, Any], name: str, place: Place
    ) -> Compiled | None:
        url = properties.get("TemplateURL")
        if not isinstance(url, str):
            return None
        found = asset_of(url)
        text = self._files.read(url) if found else None
        if found is None or text is None:
            message = f"TemplateURL {url} is no uploaded template: `gatepost deploy` uploads local files"
            raise compiled.template.where.refuse((*path, "TemplateURL"), message)
        parameters = properties.get("Parameters") or {}
        known = {key: _text(value) for key, value in parameters.items() if not waits_for(value)}
        return await self._compiler.survey(
            text,
            file=found[1] or f"template of {name}",
            given=known,
            waited_for=frozenset(parameters) - set(known),
            place=replace(place, stack_name=f"{place.stack_name}-{name}"),
            files=self._files,
            exports=self._exports,
            acceptance=self._acceptance,
        )


def _text(value: Any) -> str:
    return ",".join(map(_text, value)) if isinstance(value, list) else scalar_text(value)


def _missing_outputs(compiled: Compiled, name: str, child: Compiled) -> list[Problem]:
    """Find what the parent asks of a nested stack that has no such output."""
    asked: set[str] = set()
    for resource in compiled.resources.values():
        asked.update(attribute for logical_id, attribute in waits_for(dict(resource.properties)) if logical_id == name)
    outputs = {f"Outputs.{output}" for output in child.template.outputs}
    known = ", ".join(sorted(outputs)) or "none"
    return [
        compiled.template.where.problem(("Resources", name), f"the nested stack has no {attribute}; it has {known}")
        for attribute in sorted(asked - outputs - {""})
    ]
