"""A `cdk.out` directory: its stacks in the order of their dependencies, assets uploaded, templates rewritten.

CDK's templates name assets in a bootstrap bucket that exists on AWS only; here they name the uploads. Its check of
the bootstrap version, which reads Systems Manager, has nothing to check.
Source: https://docs.aws.amazon.com/cdk/v2/guide/deploy.html (cloud assembly)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Final

from gatepost.kernel.errors import SettingsError
from gatepost.templates.asset_files import BUCKET, asset_url
from gatepost.templates.code_packages import CodePackages, Uploads
from gatepost.templates.packaging import ACCEPT_FILE
from gatepost.templates.requirements import Requirements

MANIFEST: Final = "manifest.json"
STACK_TYPE: Final = "aws:cloudformation:stack"
ASSETS_TYPE: Final = "cdk:asset-manifest"
BOOTSTRAP_PARAMETER: Final = "BootstrapVersion"
BOOTSTRAP_RULE: Final = "CheckBootstrapVersion"
ANY_ACCOUNT: Final = "unknown-account"
ANY_REGION: Final = "unknown-region"
JSON_BYTES_MAX: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class AssemblyStack:
    """One stack of an assembly, ready to be sent. `account_id` and `region` are empty when it is for any."""

    name: str
    file: str
    text: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    is_protected: bool = False
    account_id: str = ""
    region: str = ""
    accept_sha256: str = ""


def is_cloud_assembly(folder: Path) -> bool:
    """Say whether a folder is what `cdk synth` wrote."""
    return folder.is_dir() and (folder / MANIFEST).is_file()


def read_assembly(
    folder: Path, *, cache_dir: Path, uploads: Uploads, progress: Callable[[str], None]
) -> list[AssemblyStack]:
    """Upload an assembly's assets and give its stacks, each after those it depends on.

    The `gatepost.accept` file lies beside the folder, which `cdk synth` empties.

    Raises: SettingsError for a broken assembly and for assets that cannot be (container images).
    """
    artifacts = _read_json(folder / MANIFEST).get("artifacts")
    if not isinstance(artifacts, dict):
        raise SettingsError(f"{folder / MANIFEST} has no artifacts: run `cdk synth` again")
    code = CodePackages(cache_dir, uploads, Requirements(cache_dir, progress=progress))
    assets: dict[str, str] = {}
    templates: dict[str, Path] = {}
    for artifact in artifacts.values():
        if artifact.get("type") == ASSETS_TYPE:
            manifest = folder / artifact["properties"]["file"]
            _upload_assets(folder, _read_json(manifest), manifest, code, assets, templates)
    for key, path in _by_depth(templates, assets, folder):
        assets[key] = uploads.put(_rewritten(_read_json(path), assets, path).encode())
    stacks = {name: artifact for name, artifact in artifacts.items() if artifact.get("type") == STACK_TYPE}
    needs = {
        name: [needed for needed in artifact.get("dependencies", []) if needed in stacks]
        for name, artifact in stacks.items()
    }
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as fault:
        raise SettingsError(f"{folder / MANIFEST}: its stacks depend on each other in a circle") from fault
    accept = folder.absolute().parent / ACCEPT_FILE
    accept_sha256 = code.upload_file(accept) if accept.is_file() else ""
    made = [_stack(folder, name, stacks[name], assets, accept_sha256) for name in order]
    for stack in made:
        if not _has_resources(stack):
            progress(f"{stack.name}: the stack has no resources: it is skipped")
    return [stack for stack in made if _has_resources(stack)]


def _has_resources(stack: AssemblyStack) -> bool:
    """Say whether there is something to deploy: `cdk deploy` skips a stack without resources, too."""
    return bool(json.loads(stack.text).get("Resources"))


def _stack(
    folder: Path, name: str, artifact: Mapping[str, Any], assets: Mapping[str, str], accept_sha256: str
) -> AssemblyStack:
    properties = artifact.get("properties", {})
    account_id, _, region = str(artifact.get("environment", "")).removeprefix("aws://").partition("/")
    path = folder / str(properties.get("templateFile", f"{name}.template.json"))
    return AssemblyStack(
        name=str(properties.get("stackName", name)),
        file=str(path),
        text=_rewritten(_read_json(path), assets, path),
        parameters={key: str(value) for key, value in properties.get("parameters", {}).items()},
        tags={key: str(value) for key, value in properties.get("tags", {}).items()},
        is_protected=bool(properties.get("terminationProtection", False)),
        account_id="" if account_id == ANY_ACCOUNT else account_id,
        region="" if region == ANY_REGION else region,
        accept_sha256=accept_sha256,
    )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > JSON_BYTES_MAX:
            raise SettingsError(f"{path} has more than {JSON_BYTES_MAX} bytes")
        value = json.loads(path.read_bytes())
    except OSError as fault:
        raise SettingsError(f"{path}: {fault.strerror or fault}") from fault
    except ValueError as fault:
        raise SettingsError(f"{path} is no JSON: {fault}") from fault
    if not isinstance(value, dict):
        raise SettingsError(f"{path} holds no JSON object")
    return value


def _upload_assets(
    folder: Path,
    manifest: Mapping[str, Any],
    path: Path,
    code: CodePackages,
    assets: dict[str, str],
    templates: dict[str, Path],
) -> None:
    """Upload what an asset manifest lists; templates wait until what they name is uploaded."""
    if manifest.get("dockerImages"):
        raise SettingsError(f"{path}: container images do not run here: use zip assets")
    for asset in manifest.get("files", {}).values():
        source = asset.get("source", {})
        if "path" not in source:
            raise SettingsError(f"{path}: an asset is made by a command: run `cdk synth` so that it lies in {folder}")
        local = (folder / source["path"]).resolve()
        keys = [str(place["objectKey"]) for place in asset.get("destinations", {}).values()]
        if local.name.endswith(".template.json"):
            templates.update(dict.fromkeys(keys, local))
            continue
        if source.get("packaging") == "zip":
            sha256 = code.upload_code(local, runtime="", installs_requirements=False)
        else:
            sha256 = code.upload_file(local)
        assets.update(dict.fromkeys(keys, sha256))


def _by_depth(templates: Mapping[str, Path], assets: Mapping[str, str], folder: Path) -> list[tuple[str, Path]]:
    """Give the templates among the assets so that nested ones come before those that name them."""
    del assets
    texts = {key: path.read_text(encoding="utf-8") for key, path in templates.items()}
    needs = {key: [other for other in templates if other != key and other in texts[key]] for key in templates}
    try:
        return [(key, templates[key]) for key in TopologicalSorter(needs).static_order()]
    except CycleError as fault:
        raise SettingsError(f"{folder}: nested templates name each other in a circle") from fault


def _rewritten(template: dict[str, Any], assets: Mapping[str, str], path: Path) -> str:
    """Give a template's text with the uploads in the place of bootstrap buckets."""
    parameters = template.get("Parameters", {})
    parameters.pop(BOOTSTRAP_PARAMETER, None)
    template.get("Rules", {}).pop(BOOTSTRAP_RULE, None)
    for section in ("Parameters", "Rules"):
        if section in template and not template[section]:
            del template[section]
    return json.dumps(_walked(template, assets, path), indent=1)


def _walked(node: Any, assets: Mapping[str, str], path: Path) -> Any:
    if isinstance(node, list):
        return [_walked(child, assets, path) for child in node]
    if not isinstance(node, dict):
        return node
    if node.get("Type") == "AWS::CloudFormation::Stack":
        properties = dict(node.get("Properties", {}))
        properties["TemplateURL"] = _template_url(properties.get("TemplateURL"), assets, path)
        node = {**node, "Properties": properties}
    for bucket, key in (("S3Bucket", "S3Key"), ("Bucket", "Key"), ("bucketName", "objectKey")):
        sha256 = assets.get(node[key]) if isinstance(node.get(key), str) and bucket in node else None
        if sha256 is not None:
            node = {**node, bucket: BUCKET, key: sha256}
    return {key: _walked(child, assets, path) for key, child in node.items()}


def _template_url(value: Any, assets: Mapping[str, str], path: Path) -> Any:
    """Find the asset that a nested stack's address names, however it is joined together."""
    text = json.dumps(value)
    for key, sha256 in assets.items():
        if key in text:
            return asset_url(sha256, f"{key[:16]}.json")
    if isinstance(value, str) and value.startswith(asset_url("")):
        return value
    raise SettingsError(f"{path}: a nested stack names a template that is not among the assets: {text[:120]}")
