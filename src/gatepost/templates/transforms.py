"""What happens to a template before its sections are read: AWS::Include, AWS::LanguageExtensions, SAM, in AWS's order.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-macros.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from gatepost.kernel.limits import CLOUDFORMATION_TEMPLATE_BYTES_MAX
from gatepost.templates.document import Whereabouts, transform_names
from gatepost.templates.loops import expand_loops
from gatepost.templates.problems import Path
from gatepost.templates.source import Source, parse_source

SERVERLESS: Final = "AWS::Serverless-2016-10-31"
LANGUAGE_EXTENSIONS: Final = "AWS::LanguageExtensions"
INCLUDE: Final = "AWS::Include"
INCLUDE_DEPTH_MAX: Final = 10
INCLUDES_MAX: Final = 200  # of one template: files that include each other several times double with each level


class Files(Protocol):
    """Where the files that a template names are found: uploaded assets, or the disk beside it."""

    def read(self, location: str) -> str | None:
        """Give a file's text, or None when there is none. Raises: SettingsError for a location out of bounds."""
        ...


class Serverless(Protocol):
    """Translates AWS::Serverless types into CloudFormation's."""

    async def translate(
        self, raw: Mapping[str, Any], where: Whereabouts, *, given: Mapping[str, str], region: str
    ) -> tuple[dict[str, Any], Whereabouts]:
        """Give the template in CloudFormation's own types, and where its parts come from.

        Raises: TemplateRefused.
        """
        ...


@dataclass(frozen=True, slots=True)
class Expanded:
    """A template after its transforms."""

    raw: dict[str, Any]
    where: Whereabouts
    names: tuple[str, ...]


class Transforms:
    """Runs the transforms that a template declares; other macros are refused."""

    def __init__(self, serverless: Serverless) -> None:
        self._serverless = serverless

    async def expand(
        self, source: Source, *, given: Mapping[str, str], pseudo: Mapping[str, Any], files: Files
    ) -> Expanded:
        """Give the template after all its transforms. Raises: TemplateRefused."""
        where = Whereabouts(source)
        raw = source.plain()
        if not isinstance(raw, dict):
            words = "Template format error: unsupported structure."
            raise where.refuse((), "a template is a mapping with Resources, not a list or text", aws=words)
        names = transform_names(raw, where)
        for name in names:
            if name not in (SERVERLESS, LANGUAGE_EXTENSIONS, INCLUDE):
                raise where.refuse(
                    ("Transform",),
                    f"the macro {name} cannot run here: {SERVERLESS}, {LANGUAGE_EXTENSIONS} and {INCLUDE} can",
                )
        if (
            SERVERLESS in names
            and LANGUAGE_EXTENSIONS in names
            and names.index(LANGUAGE_EXTENSIONS) > names.index(SERVERLESS)
        ):
            raise where.refuse(("Transform",), f"list {LANGUAGE_EXTENSIONS} before {SERVERLESS}, as AWS wants it")
        included = _Includes(files, where)
        raw = included.top_level(raw)
        raw = included.everywhere(raw, (), 0)
        if LANGUAGE_EXTENSIONS in names:
            raw, where = expand_loops(raw, where, given=given, pseudo=pseudo)
        if SERVERLESS in names:
            raw, where = await self._serverless.translate(raw, where, given=given, region=str(pseudo["AWS::Region"]))
        raw.pop("Transform", None)
        return Expanded(raw, where, names)


class _Includes:
    """Puts files in the place of AWS::Include."""

    def __init__(self, files: Files, where: Whereabouts) -> None:
        self._files = files
        self._where = where
        self._count = 0
        self._characters = 0

    def top_level(self, raw: dict[str, Any]) -> dict[str, Any]:
        """Merge what `Transform: {Name: AWS::Include}` names; the template's own keys win."""
        declared = raw.get("Transform", [])
        for item in declared if isinstance(declared, list) else [declared]:
            if isinstance(item, dict) and item.get("Name") == INCLUDE:
                for section, content in self._load(item, ("Transform",)).items():
                    standing = raw.get(section)
                    if isinstance(standing, dict) and isinstance(content, dict):
                        raw[section] = {**content, **standing}
                    elif section not in raw:
                        raw[section] = content
        return raw

    def everywhere(self, node: Any, path: Path, depth: int) -> Any:
        """Give `node` with each Fn::Transform of AWS::Include replaced by its file, merged beside its neighbours."""
        if depth > INCLUDE_DEPTH_MAX:
            raise self._where.refuse(path, f"files include each other more than {INCLUDE_DEPTH_MAX} deep")
        if isinstance(node, list):
            return [self.everywhere(child, (*path, index), depth) for index, child in enumerate(node)]
        if not isinstance(node, dict):
            return node
        if "Fn::Transform" not in node:
            return {key: self.everywhere(child, (*path, key), depth) for key, child in node.items()}
        call = node["Fn::Transform"]
        inner: Path = (*path, "Fn::Transform")
        name = call.get("Name") if isinstance(call, dict) else call
        if name != INCLUDE:
            raise self._where.refuse(inner, f"the macro {name!r} cannot run here: {INCLUDE} of a local file can")
        content = self.everywhere(self._load(call, inner), path, depth + 1)
        own = {key: child for key, child in node.items() if key != "Fn::Transform"}
        return {**content, **self.everywhere(own, path, depth)}

    def _load(self, call: Mapping[str, Any], path: Path) -> dict[str, Any]:
        parameters = call.get("Parameters")
        location = parameters.get("Location") if isinstance(parameters, dict) else None
        if not isinstance(location, str):
            raise self._where.refuse(path, "AWS::Include takes Parameters with a Location, as text")
        text = self._files.read(location)
        if text is None:
            raise self._where.refuse(path, f"AWS::Include: there is no file {location}")
        self._count += 1
        self._characters += len(text)
        if self._count > INCLUDES_MAX or self._characters > CLOUDFORMATION_TEMPLATE_BYTES_MAX:
            most = f"{INCLUDES_MAX} files of {CLOUDFORMATION_TEMPLATE_BYTES_MAX} bytes"
            raise self._where.refuse(path, f"AWS::Include: a template includes at most {most} in all")
        content = parse_source(text, file=location).plain()
        if not isinstance(content, dict):
            raise self._where.refuse(path, f"AWS::Include: {location} holds no mapping")
        return content
