"""Layers: packages that functions share, published in versions.

A function's record holds what its layers were when it took them: a version that is deleted lives on in the functions
that use it, as on AWS.

Sources: https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html (five layers, 250 MB unzipped with the code)
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from gatepost.kernel.clock import Clock, iso_8601
from gatepost.kernel.limits import LAMBDA_UNZIPPED_BYTES_MAX
from gatepost.kernel.operations import Call
from gatepost.services.lambda_ import policy as policies
from gatepost.services.lambda_.catalogue import Catalogue
from gatepost.services.lambda_.configuration import bad, code_sha256_base64
from gatepost.services.lambda_.model import (
    LAYER,
    LAYER_VERSION,
    Function,
    PreconditionFailedException,
    ResourceNotFoundException,
)
from gatepost.services.lambda_.paging import page
from gatepost.services.lambda_.shelf import Shelf
from gatepost.services.lambda_.uploads import Uploads

Params = Mapping[str, Any]
Answer = dict[str, Any]

LAYERS_MAX: Final = 5
_NAME: Final = re.compile(
    r"(?:arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):layer:)?(?P<name>[a-zA-Z0-9_-]{1,140})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer's name and how many versions it has had. `arn` has no version."""

    arn: str
    last_number: int = 0

    def to_json(self) -> dict[str, Any]:
        """Give JSON values for the store."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Layer:
        """Read what `to_json` gave."""
        return cls(**value)


@dataclass(frozen=True, slots=True)
class LayerVersion:
    """One published version. `arn` ends in its number."""

    arn: str
    number: int
    sha256: str
    zip_bytes: int
    unzipped_bytes: int
    created_at_ms: int
    description: str = ""
    license_info: str = ""
    runtimes: Sequence[str] = ()
    architectures: Sequence[str] = ()
    policy: str = ""
    policy_revision_id: str = ""

    @property
    def layer_arn(self) -> str:
        """The ARN without the number."""
        return self.arn.rpartition(":")[0]

    def to_json(self) -> dict[str, Any]:
        """Give JSON values for the store."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> LayerVersion:
        """Read what `to_json` gave."""
        return cls(**value)


class Layers:
    """PublishLayerVersion and its like."""

    def __init__(
        self,
        catalogue: Catalogue,
        uploads: Uploads,
        clock: Clock,
        new_id: Callable[[], str],
        location: Callable[[str], str] | None = None,
    ) -> None:
        self._location = location
        self._catalogue = catalogue
        self._uploads = uploads
        self._clock = clock
        self._new_id = new_id
        self._layers: Shelf[Layer] = Shelf(LAYER, Layer.from_json)
        self._versions: Shelf[LayerVersion] = Shelf(LAYER_VERSION, LayerVersion.from_json)
        catalogue.owns(self._layers)
        catalogue.owns(self._versions)

    def find(self, arn: str) -> LayerVersion | None:
        """Give a version by its ARN, or None."""
        return self._versions.find(arn)

    def all(self) -> list[LayerVersion]:
        """Give every version of every account and region."""
        return self._versions.all()

    # --- versions ----------------------------------------------------------------------------------------------

    async def publish(self, call: Call, params: Params) -> Answer:
        """Publish a package as the next version of a layer. Raises: InvalidParameterValueException."""
        arn = layer_arn(call, params["LayerName"])
        if not arn.startswith(call.arn("layer:")):
            raise bad(f"{arn} is not of this account and region: use the plain name")
        upload = await self._uploads.take(params["Content"], what="layer content")
        unzipped_bytes = await self._uploads.unzipped_bytes(upload.sha256)
        layer = self._layers.find(arn)
        counted = Layer(arn, (layer.last_number if layer else 0) + 1)
        version = LayerVersion(
            arn=f"{arn}:{counted.last_number}",
            number=counted.last_number,
            sha256=upload.sha256,
            zip_bytes=upload.zip_bytes,
            unzipped_bytes=unzipped_bytes,
            created_at_ms=self._clock.now_ms(),
            description=params.get("Description", ""),
            license_info=params.get("LicenseInfo", ""),
            runtimes=tuple(params.get("CompatibleRuntimes") or ()),
            architectures=tuple(params.get("CompatibleArchitectures") or ()),
        )
        counting = self._layers.adding(counted) if layer is None else self._layers.replacing(layer, counted)
        await self._catalogue.commit(counting, self._versions.adding(version))
        return self._described(version)

    def get(self, call: Call, params: Params) -> Answer:
        """Describe a version. Raises: ResourceNotFoundException."""
        return self._described(self._named(call, params))

    def get_by_arn(self, call: Call, params: Params) -> Answer:
        """Describe a version by its ARN. Raises: ResourceNotFoundException."""
        del call
        return self._described(self._existing(params["Arn"]))

    def _described(self, version: LayerVersion) -> Answer:
        answer = to_aws(version, with_content=True)
        if self._location is not None:
            answer["Content"]["Location"] = self._location(version.sha256)
        return answer

    def list_versions(self, call: Call, params: Params) -> Answer:
        """Give a layer's versions, the newest first. A layer without any has none."""
        arn = layer_arn(call, params["LayerName"])
        found = [one for one in self._of_layer(arn) if _suits(one, params)]
        chosen, marker = page(found, params, lambda one: str(one.number), key=lambda text: -int(text))
        return {"LayerVersions": [to_aws(one) for one in chosen], **marker}

    def list_layers(self, call: Call, params: Params) -> Answer:
        """Give the layers by name, each with the newest version that suits."""
        prefix = call.arn("layer:")
        newest: dict[str, LayerVersion] = {}
        for one in sorted(self._versions.all(), key=lambda one: one.number):
            if one.arn.startswith(prefix) and _suits(one, params):
                newest[one.layer_arn.removeprefix(prefix)] = one
        chosen, marker = page(sorted(newest.items()), params, lambda item: item[0])
        layers = [
            {"LayerName": name, "LayerArn": one.layer_arn, "LatestMatchingVersion": to_aws(one)} for name, one in chosen
        ]
        return {"Layers": layers, **marker}

    async def delete(self, call: Call, params: Params) -> None:
        """Delete a version; functions that have it keep it. One that is not there is gone, as on AWS."""
        found = self._versions.find(f"{layer_arn(call, params['LayerName'])}:{params['VersionNumber']}")
        if found is not None:
            await self._catalogue.commit(self._versions.deleting(found))

    # --- who may use a version ---------------------------------------------------------------------------------

    async def add_permission(self, call: Call, params: Params) -> Answer:
        """Let another account use a version. Raises: ResourceConflictException, PolicyLengthExceededException."""
        version = self._named(call, params)
        _check_revision(version, params)
        given = {**params, "PrincipalOrgID": params.get("OrganizationId")}
        statement = policies.statement_of(given, version.arn)
        changed = await self._keep_policy(version, policies.with_statement(version.policy, statement))
        return {"Statement": json.dumps(statement, separators=(",", ":")), "RevisionId": changed.policy_revision_id}

    async def remove_permission(self, call: Call, params: Params) -> None:
        """Take a statement away. Raises: ResourceNotFoundException."""
        version = self._named(call, params)
        _check_revision(version, params)
        if not version.policy:
            raise _no_policy()
        await self._keep_policy(version, policies.without_statement(version.policy, params["StatementId"]))

    def get_policy(self, call: Call, params: Params) -> Answer:
        """Give a version's policy. Raises: ResourceNotFoundException."""
        version = self._named(call, params)
        if not version.policy:
            raise _no_policy()
        return {"Policy": version.policy, "RevisionId": version.policy_revision_id}

    async def _keep_policy(self, version: LayerVersion, policy: str) -> LayerVersion:
        changed = replace(version, policy=policy, policy_revision_id=self._new_id())
        await self._catalogue.commit(self._versions.replacing(version, changed))
        return changed

    # --- functions ---------------------------------------------------------------------------------------------

    def resolve(self, arns: Sequence[str]) -> list[dict[str, Any]]:
        """Give what a function keeps of its layers, in their order. Raises: InvalidParameterValueException."""
        if len(arns) > LAYERS_MAX:
            raise bad(f"Cannot reference more than {LAYERS_MAX} layers.")
        found = []
        for arn in arns:
            version = self._versions.find(arn)
            if version is None:
                raise bad(f"Layer version {arn} does not exist.")
            found.append(version)
        if len({one.layer_arn for one in found}) < len(found):
            raise bad("Two different versions of the same layer are not allowed to be referenced in the same function.")
        return [
            {"arn": one.arn, "sha256": one.sha256, "bytes": one.zip_bytes, "unzipped_bytes": one.unzipped_bytes}
            for one in found
        ]

    async def check_size(self, function: Function) -> None:
        """Refuse code that is too large together with its layers. Raises: InvalidParameterValueException."""
        if not function.layers:
            return
        total = await self._uploads.unzipped_bytes(function.code_sha256)
        total += sum(layer["unzipped_bytes"] for layer in function.layers)
        if total > LAMBDA_UNZIPPED_BYTES_MAX:
            raise bad(
                f"Function code combined with layers exceeds the maximum allowed size of {LAMBDA_UNZIPPED_BYTES_MAX} "
                f"bytes. The actual size is {total} bytes."
            )

    def _of_layer(self, arn: str) -> list[LayerVersion]:
        return sorted(
            (one for one in self._versions.all() if one.layer_arn == arn), key=lambda one: one.number, reverse=True
        )

    def _named(self, call: Call, params: Params) -> LayerVersion:
        return self._existing(f"{layer_arn(call, params['LayerName'])}:{params['VersionNumber']}")

    def _existing(self, arn: str) -> LayerVersion:
        found = self._versions.find(arn)
        if found is None:
            raise ResourceNotFoundException("The resource you requested does not exist.", members={"Type": "User"})
        return found


def layer_arn(call: Call, text: str) -> str:
    """Give a layer's ARN from its name or its ARN. Raises: InvalidParameterValueException."""
    found = _NAME.fullmatch(text)
    if found is None:
        raise bad(f"{text!r} is not a layer's name: use at most 140 letters, digits, - and _, or an ARN")
    account_id, region = found["account"] or call.account_id, found["region"] or call.region
    return f"arn:aws:lambda:{region}:{account_id}:layer:{found['name']}"


def _suits(version: LayerVersion, params: Params) -> bool:
    runtime, architecture = params.get("CompatibleRuntime"), params.get("CompatibleArchitecture")
    return (not runtime or runtime in version.runtimes) and (not architecture or architecture in version.architectures)


def _check_revision(version: LayerVersion, params: Params) -> None:
    if params.get("RevisionId") not in (None, "", version.policy_revision_id):
        raise PreconditionFailedException(
            "The RevisionId provided does not match the latest RevisionId. Call the GetLayerVersionPolicy API to "
            "retrieve the latest RevisionId",
            members={"Type": "User"},
        )


def _no_policy() -> ResourceNotFoundException:
    return ResourceNotFoundException("No policy is associated with the given resource.", members={"Type": "User"})


def to_aws(version: LayerVersion, *, with_content: bool = False) -> Answer:
    """Give a LayerVersionsListItem, or with its content what GetLayerVersion gives."""
    answer: Answer = {
        "LayerVersionArn": version.arn,
        "Version": version.number,
        "Description": version.description,
        "CreatedDate": iso_8601(version.created_at_ms).replace("Z", "+0000"),
    }
    if version.runtimes:
        answer["CompatibleRuntimes"] = list(version.runtimes)
    if version.architectures:
        answer["CompatibleArchitectures"] = list(version.architectures)
    if version.license_info:
        answer["LicenseInfo"] = version.license_info
    if with_content:
        answer["LayerArn"] = version.layer_arn
        answer["Content"] = {"CodeSha256": code_sha256_base64(version.sha256), "CodeSize": version.zip_bytes}
    return answer
