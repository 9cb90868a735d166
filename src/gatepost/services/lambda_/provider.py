"""Lambda's operations: functions, invocations, resource policies and tags."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import orjson

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.ids import request_id as random_uuid
from gatepost.kernel.limits import LAMBDA_PAYLOAD_BYTES_MAX, LAMBDA_UNZIPPED_BYTES_MAX, LAMBDA_ZIP_BYTES_MAX
from gatepost.kernel.operations import Access, Call, Change, operation
from gatepost.kernel.ports import Assets, Authorization, FunctionInvoker, Invocation, Publisher, RoleSessions
from gatepost.services.lambda_ import policy as policies
from gatepost.services.lambda_.access import SERVICE, access_of
from gatepost.services.lambda_.catalogue import Catalogue
from gatepost.services.lambda_.code import BadCode, extract, remove_leftovers
from gatepost.services.lambda_.configuration import bad, check_complete, configured, refuse_unsupported, to_aws
from gatepost.services.lambda_.events import FunctionEvent, FunctionEvents
from gatepost.services.lambda_.log_permission import FunctionLogPermission
from gatepost.services.lambda_.model import (
    LATEST,
    Function,
    InvalidRequestContentException,
    PreconditionFailedException,
    RequestTooLargeException,
    ResourceConflictException,
    ResourceNotFoundException,
    ServiceException,
)
from gatepost.services.lambda_.names import function_arn, parse_name
from gatepost.services.lambda_.runner.settings import workers_that_fit
from gatepost.storage.base import Records

Params = Mapping[str, Any]
Answer = dict[str, Any]

ASSETS_BUCKET: Final = "gatepost-assets"
EVENT_PAYLOAD_BYTES_MAX: Final = 1024 * 1024  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
PAGE_MAX: Final = 50
TAGS_MAX: Final = 50
CODE_STORAGE_BYTES: Final = 75 * 1024**3


@dataclass(frozen=True, slots=True)
class LambdaParts:
    """What the Lambda service needs from the rest of the platform."""

    records: Records
    publisher: Publisher
    clock: Clock
    assets: Assets
    role_sessions: RoleSessions
    invoker: FunctionInvoker
    functions_dir: Path  # where code is unpacked
    authorization: Authorization
    new_id: Callable[[], str] = random_uuid


class LambdaProvider:
    """The Lambda service. Call `start` once the store is open, `close` before it is closed."""

    service = "lambda"

    def __init__(self, parts: LambdaParts) -> None:
        self._clock = parts.clock
        self._assets = parts.assets
        self._roles = parts.role_sessions
        self._invoker = parts.invoker
        self._functions_dir = parts.functions_dir
        self._new_id = parts.new_id
        self._catalogue = Catalogue(parts.records, parts.publisher)
        self._events = FunctionEvents(parts.records, parts.invoker, parts.clock)
        self.log_permission = FunctionLogPermission(self._catalogue.all, parts.authorization, parts.clock)

    async def start(self) -> None:
        """Read the functions and go on with recorded events."""
        await asyncio.get_running_loop().run_in_executor(None, remove_leftovers, self._functions_dir)
        await self._catalogue.load()
        await self._events.start()

    async def close(self) -> None:
        """End the background work."""
        await self._events.close()

    def access(self, call: Call, params: Params) -> Sequence[Access]:
        """Say what a call touches."""
        return access_of(self._catalogue, call, params)

    async def published(self) -> Sequence[Change]:
        """Give every function for the gateway."""
        return self._catalogue.published()

    # --- functions ---------------------------------------------------------------------------------------------

    @operation("CreateFunction")
    async def create_function(self, call: Call, params: Params) -> Answer:
        """Create a function; it is active when this answers.

        Raises: InvalidParameterValueException, ResourceConflictException.
        """
        name = parse_name(params["FunctionName"])
        arn = function_arn(call, name)
        if arn != call.arn(f"function:{name.name}"):
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
            tags=_checked_tags(params.get("Tags", {})),
        )
        function = configured(blank, params)
        check_complete(function)
        if self._catalogue.find(arn) is not None:
            raise ResourceConflictException(f"Function already exist: {name.name}", members={"Type": "User"})
        self._check_role(function)
        sha256, code_bytes = await self._take_code(params["Code"])
        function = replace(function, code_sha256=sha256, code_bytes=code_bytes)
        await self._catalogue.create(function)
        return to_aws(function)

    def _check_role(self, function: Function) -> None:
        try:
            self._roles.assume(function.role_arn, service=SERVICE, session_name=function.name, duration_s=900)
        except AccessDeniedException as error:
            words = "The role defined for the function cannot be assumed by Lambda."
            raise bad(words) from error

    async def _take_code(self, code: Params) -> tuple[str, int]:
        """Keep and unpack code; give digest (hex) and bytes. Raises: InvalidParameterValueException."""
        if code.get("ImageUri"):
            raise bad("ImageUri is not supported by Gatepost: container images are not run here; use ZipFile")
        for name in ("SourceKMSKeyArn", "S3ObjectVersion"):
            if code.get(name):
                raise bad(f"{name} is not supported by Gatepost: leave it out")
        if code.get("S3ObjectStorageMode", "COPY") != "COPY":
            raise bad("S3ObjectStorageMode REFERENCE is not supported by Gatepost: code is always copied; leave it out")
        if "ZipFile" in code:
            content: bytes = code["ZipFile"]
            if len(content) > LAMBDA_ZIP_BYTES_MAX:
                raise RequestTooLargeException(f"Zip file of {len(content)} bytes: at most {LAMBDA_ZIP_BYTES_MAX}")
            sha256 = await self._assets.put(content)
        elif code.get("S3Bucket"):
            sha256 = self._asset_of(code)
        else:
            raise bad("Please provide a source for function code.")
        archive = self._assets.path(sha256)
        if archive is None:
            raise bad(f"There is no asset {sha256}: upload it first")
        await self._unpack(archive, sha256)
        return sha256, archive.stat().st_size

    @staticmethod
    def _asset_of(code: Params) -> str:
        if code["S3Bucket"] != ASSETS_BUCKET:
            raise bad(
                f"Code in S3 bucket {code['S3Bucket']!r} cannot be read: there is no S3 here; use ZipFile, or deploy a "
                f"template, whose local code goes to {ASSETS_BUCKET}"
            )
        return str(code.get("S3Key", ""))

    async def _unpack(self, archive: Path, sha256: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(None, extract, archive, sha256, self._functions_dir)
        except BadCode as error:
            raise bad(error.message) from error
        except OSError as error:
            raise ServiceException("The code could not be unpacked", detail=str(error)) from error

    @operation("GetFunction")
    def get_function(self, call: Call, params: Params) -> Answer:
        """Describe a function with its tags."""
        function = self._catalogue.named(call, params["FunctionName"], params.get("Qualifier"))
        answer: Answer = {"Configuration": to_aws(function), "Code": {"RepositoryType": "S3"}}
        if function.tags:
            answer["Tags"] = dict(function.tags)
        return answer

    @operation("GetFunctionConfiguration")
    def get_function_configuration(self, call: Call, params: Params) -> Answer:
        """Describe a function."""
        return to_aws(self._catalogue.named(call, params["FunctionName"], params.get("Qualifier")))

    @operation("UpdateFunctionCode")
    async def update_function_code(self, call: Call, params: Params) -> Answer:
        """Give a function other code; the next invocation runs it.

        Raises: InvalidParameterValueException, PreconditionFailedException, ResourceNotFoundException.
        """
        function = self._catalogue.named(call, params["FunctionName"])
        refuse_unsupported(params)
        self._check_revision(function, params)
        sha256, code_bytes = await self._take_code(params)
        architecture = configured(function, {"Architectures": params.get("Architectures")}).architecture
        changed = replace(function, code_sha256=sha256, code_bytes=code_bytes, architecture=architecture)
        if params.get("DryRun"):
            return to_aws(changed)
        return await self._replace(function, changed)

    @operation("UpdateFunctionConfiguration")
    async def update_function_configuration(self, call: Call, params: Params) -> Answer:
        """Change a function's configuration; the next invocation has it.

        Raises: InvalidParameterValueException, PreconditionFailedException, ResourceNotFoundException.
        """
        function = self._catalogue.named(call, params["FunctionName"])
        self._check_revision(function, params)
        changed = configured(function, params)
        check_complete(changed)
        if changed.role_arn != function.role_arn:
            self._check_role(changed)
        return await self._replace(function, changed)

    async def _replace(self, old: Function, new: Function) -> Answer:
        new = replace(new, revision_id=self._new_id(), modified_at_ms=self._clock.now_ms())
        await self._catalogue.replace(old, new)
        return to_aws(new)

    @staticmethod
    def _check_revision(function: Function, params: Params) -> None:
        if params.get("RevisionId") not in (None, "", function.revision_id):
            raise PreconditionFailedException(
                "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to "
                "retrieve the latest Revision Id",
                members={"Type": "User"},
            )

    @operation("DeleteFunction")
    async def delete_function(self, call: Call, params: Params) -> Answer:
        """Delete a function; running invocations end. Raises: ResourceNotFoundException."""
        function = self._catalogue.named(call, params["FunctionName"])
        if params.get("Qualifier") or parse_name(params["FunctionName"]).qualifier:
            raise bad("$LATEST version cannot be deleted without deleting the function.")
        await self._catalogue.delete(function)
        return {"StatusCode": 204}

    @operation("ListFunctions")
    def list_functions(self, call: Call, params: Params) -> Answer:
        """List functions by name, at most 50 at a time."""
        if params.get("MasterRegion"):
            raise bad("MasterRegion is not supported by Gatepost: there is no Lambda@Edge here; leave it out")
        found = self._catalogue.of_region(call.account_id, call.region)
        count = min(params.get("MaxItems") or PAGE_MAX, PAGE_MAX)
        rest = [one for one in found if one.name > params.get("Marker", "")]
        answer: Answer = {"Functions": [to_aws(one) for one in rest[:count]]}
        if len(rest) > count:
            answer["NextMarker"] = rest[count - 1].name
        return answer

    # --- invocations -------------------------------------------------------------------------------------------

    @operation("Invoke")
    async def invoke(self, call: Call, params: Params) -> Answer:
        """Run a function and wait, record an event for later (InvocationType Event), or only check (DryRun).

        Raises: ResourceNotFoundException, RequestTooLargeException, InvalidRequestContentException,
        TooManyRequestsException.
        """
        function = self._catalogue.named(call, params["FunctionName"], params.get("Qualifier"))
        for name in ("DurableExecutionName", "TenantId"):
            if params.get(name):
                raise bad(f"{name} is not supported by Gatepost: leave it out")
        kind = params.get("InvocationType", "RequestResponse")
        payload: bytes = params.get("Payload") or b"{}"
        self._check_payload(payload, EVENT_PAYLOAD_BYTES_MAX if kind == "Event" else LAMBDA_PAYLOAD_BYTES_MAX)
        client_context = params.get("ClientContext", "")
        if kind == "DryRun":
            return {"StatusCode": 204}
        if kind == "Event":
            text = base64.b64encode(payload).decode()
            event = FunctionEvent(call.request_id, function.arn, text, self._clock.now_ms(), client_context)
            await self._events.accept(event)
            return {"StatusCode": 202}
        wants_tail = params.get("LogType") == "Tail"
        invocation = Invocation(
            function.arn, payload, call.request_id, client_context=client_context, wants_log_tail=wants_tail
        )
        result = await self._invoker.invoke(invocation)
        answer: Answer = {"StatusCode": 200, "Payload": result.payload, "ExecutedVersion": result.executed_version}
        if result.function_error:
            answer["FunctionError"] = result.function_error
        if wants_tail:
            answer["LogResult"] = base64.b64encode(result.log_tail).decode()
        return answer

    @staticmethod
    def _check_payload(payload: bytes, bytes_max: int) -> None:
        if len(payload) > bytes_max:
            raise RequestTooLargeException(
                f"Request must be smaller than {bytes_max} bytes for the InvokeFunction operation",
                members={"Type": "User"},
            )
        try:
            orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise InvalidRequestContentException(
                f"Could not parse request body into json: {error}", members={"Type": "User"}
            ) from error

    # --- resource policy ---------------------------------------------------------------------------------------

    @operation("AddPermission")
    async def add_permission(self, call: Call, params: Params) -> Answer:
        """Let someone else invoke a function. Raises: ResourceConflictException, PolicyLengthExceededException."""
        function = self._catalogue.named(call, params["FunctionName"], params.get("Qualifier"))
        self._check_policy_revision(function, params)
        statement = policies.statement_of(params, function.arn)
        policy = policies.with_statement(function.policy, statement)
        changed = replace(function, policy=policy, policy_revision_id=self._new_id())
        await self._catalogue.replace(function, changed)
        return {"Statement": orjson.dumps(statement).decode()}

    @operation("RemovePermission")
    async def remove_permission(self, call: Call, params: Params) -> Answer:
        """Take a statement away. Raises: ResourceNotFoundException."""
        function = self._catalogue.named(call, params["FunctionName"], params.get("Qualifier"))
        self._check_policy_revision(function, params)
        if not function.policy:
            raise ResourceNotFoundException(
                "No policy is associated with the given resource.", members={"Type": "User"}
            )
        policy = policies.without_statement(function.policy, params["StatementId"])
        changed = replace(function, policy=policy, policy_revision_id=self._new_id())
        await self._catalogue.replace(function, changed)
        return {}

    @operation("GetPolicy")
    def get_policy(self, call: Call, params: Params) -> Answer:
        """Give a function's resource policy. Raises: ResourceNotFoundException."""
        function = self._catalogue.named(call, params["FunctionName"], params.get("Qualifier"))
        if not function.policy:
            raise ResourceNotFoundException("The resource you requested does not exist.", members={"Type": "User"})
        return {"Policy": function.policy, "RevisionId": function.policy_revision_id}

    @staticmethod
    def _check_policy_revision(function: Function, params: Params) -> None:
        if params.get("RevisionId") not in (None, "", function.policy_revision_id):
            raise PreconditionFailedException(
                "The RevisionId provided does not match the latest RevisionId. Call the GetPolicy API to retrieve the "
                "latest RevisionId",
                members={"Type": "User"},
            )

    # --- tags --------------------------------------------------------------------------------------------------

    @operation("TagResource")
    async def tag_resource(self, call: Call, params: Params) -> Answer:
        """Add tags to a function. Raises: InvalidParameterValueException when there would be over 50."""
        function = self._catalogue.named(call, params["Resource"])
        tags = _checked_tags({**function.tags, **params["Tags"]})
        await self._catalogue.replace(function, replace(function, tags=tags))
        return {}

    @operation("UntagResource")
    async def untag_resource(self, call: Call, params: Params) -> Answer:
        """Take tags away."""
        function = self._catalogue.named(call, params["Resource"])
        tags = {key: value for key, value in function.tags.items() if key not in params["TagKeys"]}
        await self._catalogue.replace(function, replace(function, tags=tags))
        return {}

    @operation("ListTags")
    def list_tags(self, call: Call, params: Params) -> Answer:
        """Give a function's tags."""
        return {"Tags": dict(self._catalogue.named(call, params["Resource"]).tags)}

    # --- what tools ask for: truthful answers about what is not there -------------------------------------------

    @operation("ListVersionsByFunction")
    def list_versions_by_function(self, call: Call, params: Params) -> Answer:
        """Give the one version that there is."""
        function = self._catalogue.named(call, params["FunctionName"])
        version = to_aws(function)
        version["FunctionArn"] = f"{function.arn}:{LATEST}"
        return {"Versions": [version]}

    @operation("ListAliases")
    def list_aliases(self, call: Call, params: Params) -> Answer:
        """Give no aliases: there are none yet."""
        self._catalogue.named(call, params["FunctionName"])
        return {"Aliases": []}

    @operation("GetFunctionCodeSigningConfig")
    def get_function_code_signing_config(self, call: Call, params: Params) -> Answer:
        """Say that code is not signed."""
        return {"CodeSigningConfigArn": "", "FunctionName": self._catalogue.named(call, params["FunctionName"]).name}

    @operation("GetFunctionConcurrency")
    def get_function_concurrency(self, call: Call, params: Params) -> Answer:
        """Say that no concurrency is reserved."""
        self._catalogue.named(call, params["FunctionName"])
        return {}

    @operation("GetRuntimeManagementConfig")
    def get_runtime_management_config(self, call: Call, params: Params) -> Answer:
        """Say that the runtime is whatever the machine has."""
        function = self._catalogue.named(call, params["FunctionName"], params.get("Qualifier"))
        return {"UpdateRuntimeOn": "Auto", "FunctionArn": function.arn}

    @operation("GetFunctionEventInvokeConfig")
    def get_function_event_invoke_config(self, call: Call, params: Params) -> Answer:
        """Say that there is none. Raises: ResourceNotFoundException."""
        function = self._catalogue.named(call, params["FunctionName"], params.get("Qualifier"))
        words = f"The function {function.arn}:{LATEST} doesn't have an EventInvokeConfig"
        raise ResourceNotFoundException(words, members={"Type": "User"})

    @operation("GetFunctionUrlConfig")
    def get_function_url_config(self, call: Call, params: Params) -> Answer:
        """Say that there is none. Raises: ResourceNotFoundException."""
        self._catalogue.named(call, params["FunctionName"])
        raise ResourceNotFoundException("The resource you requested does not exist.", members={"Type": "User"})

    @operation("GetAccountSettings")
    def get_account_settings(self, call: Call, params: Params) -> Answer:
        """Give limits and what is used of them."""
        del params
        found = self._catalogue.of_region(call.account_id, call.region)
        return {
            "AccountLimit": {
                "TotalCodeSize": CODE_STORAGE_BYTES,
                "CodeSizeUnzipped": LAMBDA_UNZIPPED_BYTES_MAX,
                "CodeSizeZipped": LAMBDA_ZIP_BYTES_MAX,
                "ConcurrentExecutions": workers_that_fit(),
                "UnreservedConcurrentExecutions": workers_that_fit(),
            },
            "AccountUsage": {"TotalCodeSize": sum(one.code_bytes for one in found), "FunctionCount": len(found)},
        }


def _checked_tags(tags: Mapping[str, str]) -> dict[str, str]:
    if len(tags) > TAGS_MAX:
        raise bad(f"A function has at most {TAGS_MAX} tags, not {len(tags)}")
    if reserved := [key for key in tags if key.lower().startswith("aws:")]:
        raise bad(f"Tag keys may not begin with aws:, such as {reserved[0]!r}")
    return dict(tags)
