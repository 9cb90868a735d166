"""What a client does before it deploys: local files that a template names are uploaded, and named by their hash.

The template's text is changed only where a file was named, so that every line stays where its author wrote it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from gatepost.kernel.errors import SettingsError
from gatepost.templates.asset_files import BUCKET, asset_url
from gatepost.templates.code_packages import CodePackages, Uploads
from gatepost.templates.problems import Path as TreePath
from gatepost.templates.problems import Problem, TemplateRefused, path_text
from gatepost.templates.requirements import Requirements
from gatepost.templates.source import Node, Source, parse_source

ACCEPT_FILE: Final = "gatepost.accept"
NESTING_MAX: Final = 10
DEFAULT_RUNTIME: Final = "python3"

Kind = Literal["code", "file", "template"]


@dataclass(frozen=True, slots=True)
class Named:
    """Where a resource type names a local file, and in which form it names an upload."""

    type: str
    path: tuple[str, ...]  # below Properties
    kind: Kind
    form: Literal["s3-uri", "lambda-code", "s3-location", "layer-content", "url"]


# https://docs.aws.amazon.com/cli/latest/reference/cloudformation/package.html
NAMED: Final = (
    Named("AWS::Serverless::Function", ("CodeUri",), "code", "s3-uri"),
    Named("AWS::Serverless::LayerVersion", ("ContentUri",), "code", "s3-uri"),
    Named("AWS::Serverless::Api", ("DefinitionUri",), "file", "s3-uri"),
    Named("AWS::Serverless::HttpApi", ("DefinitionUri",), "file", "s3-uri"),
    Named("AWS::Serverless::Application", ("Location",), "template", "url"),
    Named("AWS::Lambda::Function", ("Code",), "code", "lambda-code"),
    Named("AWS::Lambda::LayerVersion", ("Content",), "code", "layer-content"),
    Named("AWS::ApiGateway::RestApi", ("BodyS3Location",), "file", "s3-location"),
    Named("AWS::CloudFormation::Stack", ("TemplateURL",), "template", "url"),
)
SAM_FUNCTION: Final = "AWS::Serverless::Function"
CODE: Final = ("CodeUri", "InlineCode", "ImageUri")
FUNCTIONS: Final = (SAM_FUNCTION, "AWS::Lambda::Function")
REMOTE: Final = ("s3://", "http://", "https://")


@dataclass(frozen=True, slots=True)
class PackagedFunction:
    """A function of the template itself whose code is a local folder or zip.

    `is_plain`: new code takes effect by UpdateFunctionCode alone, no version of it is published.
    """

    logical_id: str
    code: Path
    runtime: str
    sha256: str
    is_plain: bool


@dataclass(frozen=True, slots=True)
class Packaged:
    """A template ready to be sent. `files`, `folders` and `functions` are all that it was made of, for `--watch`."""

    file: str
    text: str
    accept_sha256: str = ""
    files: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()  # of code, once for each place that names one
    functions: tuple[PackagedFunction, ...] = ()
    uploaded: Mapping[str, Path] = field(default_factory=dict)  # single files by SHA-256


@dataclass(slots=True)
class _Job:
    """One template that is being packaged."""

    source: Source
    path: Path
    depth: int
    patches: list[tuple[Node, str]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


class Packager:
    """Packages templates: uploads by `uploads`, caches below `cache_dir`, tells of long work by `progress`."""

    def __init__(self, *, cache_dir: Path, uploads: Uploads, progress: Callable[[str], None]) -> None:
        self._uploads = uploads
        self._code = CodePackages(cache_dir, uploads, Requirements(cache_dir, progress=progress))
        self._files: list[Path] = []
        self._folders: list[Path] = []
        self._uploaded: dict[str, Path] = {}
        self._functions: list[PackagedFunction] = []

    def package(self, template: Path) -> Packaged:
        """Upload what a template names and give its text with the uploads' names.

        Raises: TemplateRefused with file and line; SettingsError when the file cannot be read.
        """
        self._files, self._folders, self._uploaded, self._functions = [], [], {}, []
        text = self._packaged(template, 0)
        accept = template.parent / ACCEPT_FILE
        sha256 = ""
        if accept.is_file():
            self._files.append(accept)
            sha256 = self._code.upload_file(accept)
        return Packaged(
            str(template),
            text,
            sha256,
            tuple(self._files),
            tuple(self._folders),
            tuple(self._functions),
            dict(self._uploaded),
        )

    def upload_code(self, function: PackagedFunction) -> str:
        """Upload a function's code as it is now and give its SHA-256. Raises: SettingsError."""
        return self._code.upload_code(function.code, runtime=function.runtime, installs_requirements=True)

    def prepare_code(self, function: PackagedFunction) -> None:
        """Compress a function's code ahead of the next `upload_code`. Raises: SettingsError."""
        self._code.prepare(function.code, runtime=function.runtime, installs_requirements=True)

    def _packaged(self, template: Path, depth: int) -> str:
        if depth > NESTING_MAX:
            raise SettingsError(f"{template}: templates are nested deeper than {NESTING_MAX}")
        try:
            content = template.read_bytes()
        except OSError as fault:
            raise SettingsError(f"{template}: {fault.strerror or fault}") from fault
        self._files.append(template)
        job = _Job(parse_source(content, file=str(template)), template, depth)
        raw = job.source.plain()
        if isinstance(raw, dict):
            self._resources(job, raw)
            for path, location in _includes(raw, ()):
                self._replace(job, path, location, "file", "s3-uri", "")
        if job.problems:
            raise TemplateRefused(job.problems)
        return _patched(job.source.text, job.patches)

    def _resources(self, job: _Job, raw: Mapping[str, Any]) -> None:
        function_globals = _section(_section(raw, "Globals"), "Function")
        runtime = str(function_globals.get("Runtime", DEFAULT_RUNTIME))
        shared: tuple[Path, str] | None = None
        if isinstance(function_globals.get("CodeUri"), str):
            path: TreePath = ("Globals", "Function", "CodeUri")
            shared = self._replace(job, path, function_globals["CodeUri"], "code", "s3-uri", runtime)
        for logical_id, resource in _section(raw, "Resources").items():
            if not isinstance(resource, dict):
                continue
            properties = _section(resource, "Properties")
            if shared is not None and "CodeUri" not in properties and resource.get("Type") == SAM_FUNCTION:
                self._note_function(job, logical_id, raw, shared, runtime)
            if resource.get("Type") == SAM_FUNCTION and not _names_code({**function_globals, **properties}):
                self._give_own_folder(job, logical_id, raw, runtime)
            for named in NAMED:
                location = properties.get(named.path[0])
                if resource.get("Type") == named.type and isinstance(location, str):
                    own = properties.get("Runtime", runtime)
                    own = own if isinstance(own, str) else runtime
                    where = ("Resources", logical_id, "Properties", *named.path)
                    placed = self._replace(job, where, location, named.kind, named.form, own)
                    if placed is not None and named.type in FUNCTIONS:
                        self._note_function(job, logical_id, raw, placed, own)

    def _give_own_folder(self, job: _Job, logical_id: str, raw: Mapping[str, Any], runtime: str) -> None:
        """Upload the template's folder for a function that names no code, as `sam deploy` does.

        Its properties are written anew with `CodeUri` among them, each on the line where it was.
        """
        where: TreePath = ("Resources", logical_id, "Properties")
        properties, node = (
            _section(_section(_section(raw, "Resources"), logical_id), "Properties"),
            job.source.node(where),
        )
        if node is None or not properties or next(_includes(properties, ()), None) is not None:
            return
        own = properties.get("Runtime", runtime)
        own = own if isinstance(own, str) else runtime
        folder = job.path.parent.resolve()
        try:
            sha256 = self._upload(job, folder, "code", own)
        except SettingsError as fault:
            mark = job.source.locate(where)
            job.problems.append(Problem(str(fault), job.source.file, mark.line, mark.column, path_text(where)))
            return
        job.patches.append((node, _rewritten(node, properties, {"CodeUri": _form("s3-uri", sha256, "")})))
        self._note_function(job, logical_id, raw, (folder, sha256), own)

    def _note_function(
        self, job: _Job, logical_id: str, raw: Mapping[str, Any], placed: tuple[Path, str], runtime: str
    ) -> None:
        """Remember a function of the template itself; those of nested ones have other names than we know."""
        if job.depth == 0:
            properties = _section(_section(_section(raw, "Resources"), logical_id), "Properties")
            globals_ = _section(_section(raw, "Globals"), "Function")
            is_plain = not ("AutoPublishAlias" in properties or "AutoPublishAlias" in globals_)
            code, sha256 = placed
            is_plain = is_plain and ".aws-sam" not in job.path.parts
            self._functions.append(PackagedFunction(logical_id, code, runtime, sha256, is_plain))

    def _replace(
        self, job: _Job, path: TreePath, location: str, kind: Kind, form: str, runtime: str
    ) -> tuple[Path, str] | None:
        """Upload what is named at `path`; gives where it lies and its SHA-256, or None where it was not uploaded."""
        if location.startswith(REMOTE):
            return None
        node = job.source.node(path)
        if node is None or any(node is patched for patched, _ in job.patches):
            return None
        local = (job.path.parent / location).resolve()
        try:
            sha256 = self._upload(job, local, kind, runtime)
        except TemplateRefused:
            raise
        except SettingsError as fault:
            mark = job.source.locate(path)
            job.problems.append(Problem(str(fault), job.source.file, mark.line, mark.column, path_text(path)))
            return None
        job.patches.append((node, json.dumps(_form(form, sha256, Path(location).name))))
        return local, sha256

    def _upload(self, job: _Job, local: Path, kind: Kind, runtime: str) -> str:
        if kind == "template":
            if not local.is_file():
                raise SettingsError(f"there is no template {local}")
            text = self._packaged(local, job.depth + 1).encode()
            sha256 = hashlib.sha256(text).hexdigest()
            return sha256 if self._uploads.has(sha256) else self._uploads.put(text)
        if kind == "file":
            if not local.is_file():
                raise SettingsError(f"there is no file {local}")
            self._files.append(local)
            sha256 = self._code.upload_file(local)
            self._uploaded[sha256] = local
            return sha256
        self._folders.append(local)
        # What `sam build` has built has its requirements already.
        is_built = ".aws-sam" in job.path.parts
        return self._code.upload_code(local, runtime=runtime, installs_requirements=not is_built)


def _section(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _names_code(properties: Mapping[str, Any]) -> bool:
    """Tell whether a SAM function says what its code is: a folder, its text or an image."""
    return any(properties.get(name) is not None for name in CODE) or properties.get("PackageType") == "Image"


def _rewritten(node: Node, value: Mapping[str, Any], more: Mapping[str, Any]) -> str:
    """Write a mapping in flow form, each of its keys on the line where its author wrote it, with `more` first."""
    parts = ["{", ", ".join(f"{json.dumps(name)}: {json.dumps(each)}" for name, each in more.items())]
    line = node.line
    for name, each in value.items():
        mark = node.keys[name]
        if mark.line > line:
            parts.append("\n" * (mark.line - line) + " " * (mark.column - 1))
            line = mark.line
        parts.append(f", {json.dumps(name)}: {json.dumps(each)}")
    return "".join((*parts, "}"))


def _form(form: str, sha256: str, name: str) -> Any:
    if form == "lambda-code":
        return {"S3Bucket": BUCKET, "S3Key": sha256}
    if form == "layer-content":
        return {"S3Bucket": BUCKET, "S3Key": sha256}
    if form == "s3-location":
        return {"Bucket": BUCKET, "Key": sha256}
    if form == "url":
        return asset_url(sha256, name)
    return f"s3://{BUCKET}/{sha256}"


def _includes(node: Any, path: TreePath) -> Iterator[tuple[TreePath, str]]:
    """Find the locations of AWS::Include, at the top and everywhere below."""
    if isinstance(node, list):
        for index, child in enumerate(node):
            yield from _includes(child, (*path, index))
    elif isinstance(node, dict):
        location = _section(node, "Parameters").get("Location")
        if node.get("Name") == "AWS::Include" and isinstance(location, str):
            yield (*path, "Parameters", "Location"), location
        for key, child in node.items():
            yield from _includes(child, (*path, key))


def _patched(text: str, patches: list[tuple[Node, str]]) -> str:
    """Put each replacement in the place of its node; lines stay where they are."""
    lines = text.split("\n")
    starts = [0]
    for line in lines[:-1]:
        starts.append(starts[-1] + len(line) + 1)

    def offset(line: int, column: int) -> int:
        return starts[line - 1] + column - 1 if line <= len(starts) else len(text)

    for node, replacement in sorted(patches, key=lambda patch: (patch[0].line, patch[0].column), reverse=True):
        start, end = offset(node.line, node.column), offset(node.end_line, node.end_column)
        old = text[start:end]
        indent = old[old.rfind("\n") + 1 :]
        if "\n" in old and not indent.strip(" "):  # a mapping ends where the next token begins
            old = old[: len(old) - len(indent)]
            end -= len(indent)
        anchor = old.split(None, 1)[0] + " " if old.startswith("&") else ""
        tail = "\n" * (old.count("\n") - replacement.count("\n"))
        text = f"{text[:start]}{anchor}{replacement}{tail}{text[end:]}"
    return text
