"""Functions by operations: create, describe, change, delete, tag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.operations import Call
from gatepost.kernel.ports import RoleSessions
from gatepost.services.lambda_.access import SERVICE
from gatepost.services.lambda_.catalogue import Catalogue
from gatepost.services.lambda_.concurrency import reserved_of
from gatepost.services.lambda_.configuration import bad, check_complete, configured, refuse_unsupported, to_aws
from gatepost.services.lambda_.destinations import Destinations
from gatepost.services.lambda_.layers import Layers
from gatepost.services.lambda_.model import Function, ResourceConflictException
from gatepost.services.lambda_.names import chosen_qualifier, function_arn, parse_name
from gatepost.services.lambda_.node_sdk import NodeSdk
from gatepost.services.lambda_.paging import page
from gatepost.services.lambda_.uploads import Uploads
from gatepost.services.lambda_.versions import Versions, check_revision

Params = Mapping[str, Any]
Answer = dict[str, Any]

TAGS_MAX: Final = 50


class Functions:
    """CreateFunction and its like. A function is active when the call that changed it answers."""

    def __init__(
        self,
        catalogue: Catalogue,
        uploads: Uploads,
        versions: Versions,
        layers: Layers,
        destinations: Destinations,
        node_sdk: NodeSdk,
        *,
        roles: RoleSessions,
        clock: Clock,
        new_id: Callable[[], str],
        location: Callable[[str], str] | None,
    ) -> None:
        self._catalogue = catalogue
        self._uploads = uploads
        self._versions = versions
        self._layers = layers
        self._destinations = destinations
        self._node_sdk = node_sdk
        self._roles = roles
        self._clock = clock
        self._new_id = new_id
        self._location = location

    async def create(self, call: Call, params: Params) -> Answer:
        """Create a function. Raises: InvalidParameterValueException, ResourceConflictException."""
        name = parse_name(params["FunctionName"])
        arn = function_arn(call, name)
        if arn != call.arn(f"function:{name.name}") or name.qualifier:
            raise bad(f"{params['FunctionName']} is not of this account and region: use the plain name")
        blank = Function(
            name=name.name,
            arn=arn,
            region=call.region,
            account_id=call.account_id,
            runtime="",
            handler="",
            role_arn="",
            code_sha256="",
            code_bytes=0,
            revision_id=self._new_id(),
            modified_at_ms=self._clock.now_ms(),
            tags=checked_tags(params.get("Tags", {})),
        )
        function = self._completed(configured(blank, params), params)
        if self._catalogue.find(arn) is not None:
            raise _exists(name.name)
        self._check_role(function)
        upload = await self._uploads.take(params["Code"])
        function = replace(function, code_sha256=upload.sha256, code_bytes=upload.zip_bytes)
        await self._layers.check_size(function)
        function = await self._node_sdk.supplied(function)
        if self._catalogue.find(arn) is not None:  # meanwhile
            raise _exists(name.name)
        await self._catalogue.create(function)
        return await self._published(function, params)

    async def _published(self, function: Function, params: Params) -> Answer:
        """Describe a function, as the version that `Publish` makes of it where that is asked for."""
        if not params.get("Publish"):
            return to_aws(function)
        return to_aws(await self._versions.publish_function(function))

    def _check_role(self, function: Function) -> None:
        try:
            self._roles.assume(function.role_arn, service=SERVICE, session_name=function.name, duration_s=900)
        except AccessDeniedException as error:
            words = "The role defined for the function cannot be assumed by Lambda."
            raise bad(words) from error

    def get(self, call: Call, params: Params) -> Answer:
        """Describe a function, a version, or what an alias names, with tags."""
        target = self._catalogue.target(call, params["FunctionName"], params.get("Qualifier"))
        code = {"RepositoryType": "S3"}
        if self._location is not None:
            code["Location"] = self._location(target.function.code_sha256)
        answer: Answer = {"Configuration": to_aws(target.named()), "Code": code}
        base = self._catalogue.find(target.function.base_arn)
        if base is not None and base.tags:
            answer["Tags"] = dict(base.tags)
        if base is not None and base.reserved_concurrency is not None:
            answer["Concurrency"] = reserved_of(base)
        return answer

    def get_configuration(self, call: Call, params: Params) -> Answer:
        """Describe a function, a version, or what an alias names."""
        return to_aws(self._catalogue.target(call, params["FunctionName"], params.get("Qualifier")).named())

    async def update_code(self, call: Call, params: Params) -> Answer:
        """Give a function other code; the next invocation runs it.

        Raises: InvalidParameterValueException, PreconditionFailedException, ResourceNotFoundException.
        """
        function = self._catalogue.named(call, params["FunctionName"])
        refuse_unsupported(params)
        check_revision(function.revision_id, params)
        upload = await self._uploads.take(params, like=function.code_sha256)
        architecture = configured(function, {"Architectures": params.get("Architectures")}).architecture
        changes: dict[str, Any] = {
            "code_sha256": upload.sha256,
            "code_bytes": upload.zip_bytes,
            "architecture": architecture,
        }
        changed = replace(function, **changes)
        await self._layers.check_size(changed)
        if params.get("DryRun"):
            return to_aws(changed)
        supplied = await self._node_sdk.supplied(changed)
        function = self._catalogue.named(call, params["FunctionName"])  # it may have been changed meanwhile
        changed = _with_sdk_of(supplied, replace(function, **changes))
        return await self._published(await self._keep(function, changed), params)

    async def update_configuration(self, call: Call, params: Params) -> Answer:
        """Change a function's configuration; the next invocation has it.

        Raises: InvalidParameterValueException, PreconditionFailedException, ResourceNotFoundException.
        """
        function = self._catalogue.named(call, params["FunctionName"])
        check_revision(function.revision_id, params)
        changed = self._completed(configured(function, params), params)
        await self._layers.check_size(changed)
        if changed.role_arn != function.role_arn:
            self._check_role(changed)
        if (changed.runtime, changed.layers) != (function.runtime, function.layers):
            supplied = await self._node_sdk.supplied(changed)
            function = self._catalogue.named(call, params["FunctionName"])  # it may have been changed meanwhile
            changed = _with_sdk_of(supplied, self._completed(configured(function, params), params))
        return to_aws(await self._keep(function, changed))

    def _completed(self, function: Function, params: Params) -> Function:
        """Give a configured function with what it names elsewhere: layers, a dead-letter queue."""
        check_complete(function)
        if "Layers" in params:
            function = replace(function, layers=self._layers.resolve(params["Layers"]))
        if "DeadLetterConfig" in params:
            function = replace(function, dead_letter_arn=params["DeadLetterConfig"].get("TargetArn") or "")
            if function.dead_letter_arn:
                self._destinations.check_dead_letter(function, function.dead_letter_arn)
        return function

    async def _keep(self, old: Function, new: Function) -> Function:
        new = replace(new, revision_id=self._new_id(), modified_at_ms=self._clock.now_ms())
        await self._catalogue.replace(old, new)
        return new

    async def delete(self, call: Call, params: Params) -> None:
        """Delete a function with everything of it, or one version; running invocations end.

        Raises: ResourceNotFoundException, ResourceConflictException, InvalidParameterValueException.
        """
        name = parse_name(params["FunctionName"])
        if chosen_qualifier(name, params.get("Qualifier")):
            target = self._catalogue.get_target(call, name, params.get("Qualifier"))
            await self._versions.delete(call, target)
        else:
            await self._catalogue.delete(self._catalogue.named(call, params["FunctionName"]))

    def list(self, call: Call, params: Params) -> Answer:
        """List functions by name, at most 50 at a time; with FunctionVersion ALL their versions, too."""
        if params.get("MasterRegion"):
            raise bad("MasterRegion is not supported by Gatepost: there is no Lambda@Edge here; leave it out")
        found = self._catalogue.of_region(call.account_id, call.region)
        if params.get("FunctionVersion") != "ALL":
            chosen, marker = page(found, params, lambda one: one.name)
            return {"Functions": [to_aws(one) for one in chosen], **marker}
        every = [version for one in found for version in (one, *self._catalogue.versions(one.arn))]
        chosen, marker = page(every, params, _place, key=_in_order)
        return {"Functions": [to_aws(replace(one, arn=f"{one.base_arn}:{one.version}")) for one in chosen], **marker}

    async def tag(self, call: Call, params: Params) -> None:
        """Add tags to a function. Raises: InvalidParameterValueException when there would be over 50."""
        function = self._catalogue.named(call, params["Resource"])
        tags = checked_tags({**function.tags, **params["Tags"]})
        await self._catalogue.replace(function, replace(function, tags=tags))

    async def untag(self, call: Call, params: Params) -> None:
        """Take tags away."""
        function = self._catalogue.named(call, params["Resource"])
        tags = {key: value for key, value in function.tags.items() if key not in params["TagKeys"]}
        await self._catalogue.replace(function, replace(function, tags=tags))


def _with_sdk_of(supplied: Function, function: Function) -> Function:
    return replace(function, node_sdk=supplied.node_sdk, state_reason=supplied.state_reason)


def _exists(name: str) -> ResourceConflictException:
    return ResourceConflictException(f"Function already exist: {name}", members={"Type": "User"})


def _place(function: Function) -> str:
    return f"{function.name}:{function.version}"


def _in_order(place: str) -> tuple[str, int]:
    name, _, version = place.partition(":")
    return name, int(version) if version.isdigit() else 0


def checked_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Give tags as they may be. Raises: InvalidParameterValueException."""
    if len(tags) > TAGS_MAX:
        raise bad(f"A function has at most {TAGS_MAX} tags, not {len(tags)}")
    if reserved := [key for key in tags if key.lower().startswith("aws:")]:
        raise bad(f"Tag keys may not begin with aws:, such as {reserved[0]!r}")
    return dict(tags)
