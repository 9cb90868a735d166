"""Published versions: what $LATEST was at one moment, for good.

Source: https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import orjson

from gatepost.kernel.clock import Clock
from gatepost.kernel.operations import Call
from gatepost.services.lambda_.catalogue import Catalogue, Target
from gatepost.services.lambda_.configuration import bad, code_sha256_base64, to_aws
from gatepost.services.lambda_.model import LATEST, Function, PreconditionFailedException, ResourceConflictException
from gatepost.services.lambda_.paging import page

Params = Mapping[str, Any]
Answer = dict[str, Any]

# What may differ between $LATEST and a version without anything being new.
_BESIDE: Final = (
    "arn",
    "last_version",
    "last_version_digest",
    "node_sdk",
    "modified_at_ms",
    "policy",
    "policy_revision_id",
    "reserved_concurrency",
    "revision_id",
    "state_reason",
    "tags",
    "version",
)


class Versions:
    """PublishVersion and its like."""

    def __init__(self, catalogue: Catalogue, clock: Clock, new_id: Callable[[], str]) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._new_id = new_id

    async def publish(self, call: Call, params: Params) -> Answer:
        """Publish $LATEST as a version; the last one again when nothing has changed since.

        Raises: InvalidParameterValueException, PreconditionFailedException, ResourceNotFoundException.
        """
        function = self._catalogue.named(call, params["FunctionName"])
        if params.get("PublishTo"):
            raise bad("PublishTo is not supported by Gatepost: there are no managed instances; leave it out")
        check_revision(function.revision_id, params)
        given = params.get("CodeSha256")
        if given and given != (current := code_sha256_base64(function.code_sha256)):
            raise bad(
                f"CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({current}). Please try again "
                "with the CodeSHA256 in $LATEST."
            )
        return to_aws(await self.publish_function(function, description=params.get("Description", "")))

    async def publish_function(self, function: Function, *, description: str = "") -> Function:
        """Publish a function's $LATEST and give the version. Raises: ResourceConflictException."""
        digest = digest_of(function)
        last = self._catalogue.version(function.arn, str(function.last_version))
        if last is not None and digest == function.last_version_digest:
            return last
        number = function.last_version + 1
        version = replace(
            function,
            arn=f"{function.arn}:{number}",
            version=str(number),
            description=description or function.description,
            revision_id=self._new_id(),
            modified_at_ms=self._clock.now_ms(),
            policy="",
            policy_revision_id="",
            tags={},
            last_version=0,
            last_version_digest="",
            reserved_concurrency=None,
        )
        counted = replace(function, last_version=number, last_version_digest=digest)
        await self._catalogue.publish_version(function, counted, version)
        return version

    def list(self, call: Call, params: Params) -> Answer:
        """Give $LATEST and the versions, the oldest first, at most 50 at a time."""
        function = self._catalogue.named(call, params["FunctionName"])
        latest = replace(function, arn=f"{function.arn}:{LATEST}")
        found = [latest, *self._catalogue.versions(function.arn)]
        chosen, marker = page(found, params, lambda one: "0" if one.version == LATEST else one.version, key=int)
        return {"Versions": [to_aws(one) for one in chosen], **marker}

    async def delete(self, call: Call, target: Target) -> None:
        """Delete one version. Raises: InvalidParameterValueException, ResourceConflictException."""
        del call
        if target.qualifier == LATEST:
            raise bad("$LATEST version cannot be deleted without deleting the function.")
        if target.alias is not None:
            raise bad(f"Deletion of aliases is not currently supported: use DeleteAlias for {target.alias.name}")
        version = target.function
        users = [
            one.name
            for one in self._catalogue.aliases(version.base_arn)
            if one.function_version == version.version or version.version in one.weights
        ]
        if users:
            raise ResourceConflictException(
                f"Unable to delete version because the following aliases reference it: [{', '.join(users)}]",
                members={"Type": "User"},
            )
        await self._catalogue.delete_version(version)


def digest_of(function: Function) -> str:
    """Give the digest of everything that a version fixes."""
    fields = {name: value for name, value in function.to_json().items() if name not in _BESIDE}
    return hashlib.sha256(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)).hexdigest()


def check_revision(revision_id: str, params: Params) -> None:
    """Refuse a change of what someone else has changed since. Raises: PreconditionFailedException."""
    if params.get("RevisionId") not in (None, "", revision_id):
        raise PreconditionFailedException(
            "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to "
            "retrieve the latest Revision Id",
            members={"Type": "User"},
        )
