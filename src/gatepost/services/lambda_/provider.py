"""The operations of Lambda: what is listed here exists, everything else is refused.

Each one hands over to the file that is named for its noun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.ids import request_id as random_uuid
from gatepost.kernel.limits import LAMBDA_UNZIPPED_BYTES_MAX, LAMBDA_ZIP_BYTES_MAX
from gatepost.kernel.operations import Access, Call, Change, operation
from gatepost.kernel.ports import (
    Assets,
    Authorization,
    ChangeStreams,
    Deliveries,
    FunctionInvoker,
    InvocationResult,
    Publisher,
    RoleSessions,
)
from gatepost.services.lambda_.absent import AbsentOperations
from gatepost.services.lambda_.access import access_of
from gatepost.services.lambda_.aliases import Aliases
from gatepost.services.lambda_.catalogue import Catalogue
from gatepost.services.lambda_.code import remove_leftovers
from gatepost.services.lambda_.code_sweep import CodeSweep, digests_of
from gatepost.services.lambda_.concurrency import ConcurrencySettings
from gatepost.services.lambda_.configuration import bad
from gatepost.services.lambda_.destinations import DestinationParts, Destinations
from gatepost.services.lambda_.event_invoke import EventInvokeConfigs
from gatepost.services.lambda_.event_source_mappings import EventSourceMappings, MappingParts
from gatepost.services.lambda_.events import FunctionEvents
from gatepost.services.lambda_.function_urls import FunctionUrls
from gatepost.services.lambda_.functions import Functions
from gatepost.services.lambda_.invocations import Invocations
from gatepost.services.lambda_.layers import Layers
from gatepost.services.lambda_.log_permission import FunctionLogPermission
from gatepost.services.lambda_.node_sdk import NodeSdk
from gatepost.services.lambda_.permissions import Permissions
from gatepost.services.lambda_.uploads import Uploads
from gatepost.services.lambda_.versions import Versions
from gatepost.storage.base import Records

Params = Mapping[str, Any]
Answer = dict[str, Any]

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
    runtimes_dir: Path | None = None  # packages that Lambda's runtimes bring and code lacks; None: nothing is installed
    new_id: Callable[[], str] = random_uuid
    deliveries: Deliveries | None = None  # queues, topics, buses and buckets at endpoints of the operator's
    location: Callable[[str], str] | None = None  # where a package can be downloaded for a while, by its digest
    streams: ChangeStreams | None = None  # tables' streams, for event source mappings
    url_suffix: str = "localhost:8080"  # where the gateway listens: what function URLs end in
    executions_max: int = 1000  # AWS: concurrent executions of an account


class LambdaProvider(AbsentOperations):
    """The Lambda service. Call `start` once the store is open, `close` before it is closed."""

    service = "lambda"

    def __init__(self, parts: LambdaParts) -> None:
        self._functions_dir = parts.functions_dir
        clock, new_id = parts.clock, parts.new_id
        self._catalogue = catalogue = Catalogue(parts.records, parts.publisher)
        self._destinations = Destinations(
            DestinationParts(catalogue, parts.authorization, parts.deliveries, clock, new_id)
        )
        self._event_invoke = EventInvokeConfigs(catalogue, self._destinations, clock)
        self._events = FunctionEvents(parts.records, parts.invoker, clock, rules=self._event_invoke)
        uploads = Uploads(parts.assets, parts.functions_dir)
        self._versions = Versions(catalogue, clock, new_id)
        self._layers = Layers(catalogue, uploads, clock, new_id, parts.location)
        self._sweep = CodeSweep(parts.functions_dir, self._digests, clock)
        self._node_sdk = NodeSdk(parts.runtimes_dir, parts.assets, clock, self._node_sdks)
        self._functions = Functions(
            catalogue,
            uploads,
            self._versions,
            self._layers,
            self._destinations,
            self._node_sdk,
            roles=parts.role_sessions,
            clock=clock,
            new_id=new_id,
            location=parts.location,
        )
        self._aliases = Aliases(catalogue, new_id)
        self._concurrency = ConcurrencySettings(catalogue, clock, executions_max=parts.executions_max)
        self._urls = FunctionUrls(catalogue, clock, suffix=parts.url_suffix)
        self._mappings = EventSourceMappings(
            MappingParts(
                catalogue=catalogue,
                records=parts.records,
                destinations=self._destinations,
                authorization=parts.authorization,
                streams=parts.streams,
                invoker=parts.invoker,
                clock=clock,
                new_id=new_id,
            )
        )
        self._permissions = Permissions(catalogue, new_id)
        self._invocations = Invocations(catalogue, invoker=parts.invoker, events=self._events, clock=clock)
        self.log_permission = FunctionLogPermission(catalogue.all, parts.authorization, clock)

    async def start(self) -> None:
        """Read the functions and go on with recorded events."""
        await asyncio.get_running_loop().run_in_executor(None, remove_leftovers, self._functions_dir)
        await self._catalogue.load()
        await self._events.start()
        await self._mappings.start()
        self._sweep.start()

    async def close(self) -> None:
        """End the background work."""
        self._node_sdk.close()
        await self._sweep.close()
        await self._mappings.close()
        await self._events.close()

    async def trigger(
        self, function_arn: str, payload: bytes, *, service: str, source_arn: str, request_id: str
    ) -> None:
        """Invoke a function asynchronously for another service. See `kernel.ports.FunctionTriggers`."""
        await self._invocations.trigger(
            function_arn, payload, service=service, source_arn=source_arn, request_id=request_id
        )

    def admits(self, function_arn: str, *, service: str, source_arn: str) -> bool:
        """Say whether a function lets another service in. See `kernel.ports.FunctionTriggers`."""
        return self._invocations.admits(function_arn, service=service, source_arn=source_arn)

    async def call(
        self, function_arn: str, payload: bytes, *, service: str, source_arn: str, request_id: str
    ) -> InvocationResult:
        """Invoke a function for another service and wait. See `kernel.ports.FunctionCalls`."""
        return await self._invocations.call(
            function_arn, payload, service=service, source_arn=source_arn, request_id=request_id
        )

    def take_readiness(self, ready: Mapping[str, Mapping[str, Any]]) -> None:
        """Hear from the gateway which provisioned workers stand ready."""
        self._concurrency.take_readiness(ready)

    def _digests(self) -> set[str]:
        return digests_of(self._catalogue.all(), self._layers.all())

    def _node_sdks(self) -> set[str]:
        return {function.node_sdk for function in self._catalogue.all()}

    def access(self, call: Call, params: Params) -> Sequence[Access]:
        """Say what a call touches."""
        return access_of(self._catalogue, self._layers, call, params)

    async def published(self) -> Sequence[Change]:
        """Give everything that the gateway should hold."""
        return self._catalogue.published()

    # --- functions ---------------------------------------------------------------------------------------------

    @operation("CreateFunction")
    async def create_function(self, call: Call, params: Params) -> Answer:
        """Create a function; it is active when this answers."""
        return await self._functions.create(call, params)

    @operation("GetFunction")
    def get_function(self, call: Call, params: Params) -> Answer:
        """Describe a function with its tags."""
        return self._functions.get(call, params)

    @operation("GetFunctionConfiguration")
    def get_function_configuration(self, call: Call, params: Params) -> Answer:
        """Describe a function."""
        return self._functions.get_configuration(call, params)

    @operation("UpdateFunctionCode")
    async def update_function_code(self, call: Call, params: Params) -> Answer:
        """Give a function other code; the next invocation runs it."""
        return await self._functions.update_code(call, params)

    @operation("UpdateFunctionConfiguration")
    async def update_function_configuration(self, call: Call, params: Params) -> Answer:
        """Change a function's configuration; the next invocation has it."""
        return await self._functions.update_configuration(call, params)

    @operation("DeleteFunction")
    async def delete_function(self, call: Call, params: Params) -> Answer:
        """Delete a function or one version of it; running invocations end."""
        await self._functions.delete(call, params)
        return {"StatusCode": 204}

    @operation("ListFunctions")
    def list_functions(self, call: Call, params: Params) -> Answer:
        """List functions by name, at most 50 at a time."""
        return self._functions.list(call, params)

    @operation("TagResource")
    async def tag_resource(self, call: Call, params: Params) -> Answer:
        """Add tags to a function."""
        await self._functions.tag(call, params)
        return {}

    @operation("UntagResource")
    async def untag_resource(self, call: Call, params: Params) -> Answer:
        """Take tags away."""
        await self._functions.untag(call, params)
        return {}

    @operation("ListTags")
    def list_tags(self, call: Call, params: Params) -> Answer:
        """Give a function's tags."""
        return {"Tags": dict(self._catalogue.named(call, params["Resource"]).tags)}

    # --- invocations -------------------------------------------------------------------------------------------

    @operation("Invoke")
    async def invoke(self, call: Call, params: Params) -> Answer:
        """Run a function and wait, record an event for later (Event), or only check (DryRun)."""
        return await self._invocations.invoke(call, params)

    @operation("InvokeAsync")
    async def invoke_async(self, call: Call, params: Params) -> Answer:
        """Record an event for later, in Lambda's first form."""
        return await self._invocations.invoke_async(call, params)

    @operation("InvokeWithResponseStream")
    async def invoke_with_response_stream(self, call: Call, params: Params) -> Answer:
        """Run a function and give its answer as it is written."""
        return await self._invocations.stream(call, params)

    # --- versions and aliases ----------------------------------------------------------------------------------

    @operation("PublishVersion")
    async def publish_version(self, call: Call, params: Params) -> Answer:
        """Publish $LATEST as a version."""
        return await self._versions.publish(call, params)

    @operation("ListVersionsByFunction")
    def list_versions_by_function(self, call: Call, params: Params) -> Answer:
        """Give $LATEST and the versions."""
        return self._versions.list(call, params)

    @operation("CreateAlias")
    async def create_alias(self, call: Call, params: Params) -> Answer:
        """Name a version, or two by chance."""
        return await self._aliases.create(call, params)

    @operation("UpdateAlias")
    async def update_alias(self, call: Call, params: Params) -> Answer:
        """Have an alias name another version; the next invocation follows."""
        return await self._aliases.update(call, params)

    @operation("DeleteAlias")
    async def delete_alias(self, call: Call, params: Params) -> Answer:
        """Delete an alias."""
        await self._aliases.delete(call, params)
        return {}

    @operation("GetAlias")
    def get_alias(self, call: Call, params: Params) -> Answer:
        """Describe an alias."""
        return self._aliases.get(call, params)

    @operation("ListAliases")
    def list_aliases(self, call: Call, params: Params) -> Answer:
        """Give a function's aliases."""
        return self._aliases.list(call, params)

    # --- concurrency -------------------------------------------------------------------------------------------

    @operation("PutFunctionConcurrency")
    async def put_function_concurrency(self, call: Call, params: Params) -> Answer:
        """Reserve executions for a function, which are its limit, too."""
        return await self._concurrency.reserve(call, params)

    @operation("GetFunctionConcurrency")
    def get_function_concurrency(self, call: Call, params: Params) -> Answer:
        """Give what is reserved for a function."""
        return self._concurrency.reserved(call, params)

    @operation("DeleteFunctionConcurrency")
    async def delete_function_concurrency(self, call: Call, params: Params) -> Answer:
        """Have a function share the account's executions again."""
        await self._concurrency.unreserve(call, params)
        return {}

    @operation("PutProvisionedConcurrencyConfig")
    async def put_provisioned_concurrency_config(self, call: Call, params: Params) -> Answer:
        """Have workers stand ready for a version or an alias."""
        return await self._concurrency.provision(call, params)

    @operation("GetProvisionedConcurrencyConfig")
    def get_provisioned_concurrency_config(self, call: Call, params: Params) -> Answer:
        """Say how many workers stand ready."""
        return self._concurrency.provisioned(call, params)

    @operation("DeleteProvisionedConcurrencyConfig")
    async def delete_provisioned_concurrency_config(self, call: Call, params: Params) -> Answer:
        """Have no workers stand ready any more."""
        await self._concurrency.unprovision(call, params)
        return {}

    @operation("ListProvisionedConcurrencyConfigs")
    def list_provisioned_concurrency_configs(self, call: Call, params: Params) -> Answer:
        """Give a function's provisioned concurrency."""
        return self._concurrency.list(call, params)

    # --- asynchronous invocation -------------------------------------------------------------------------------

    @operation("PutFunctionEventInvokeConfig")
    async def put_function_event_invoke_config(self, call: Call, params: Params) -> Answer:
        """Set how asynchronous invocations are handled."""
        return await self._event_invoke.put(call, params)

    @operation("UpdateFunctionEventInvokeConfig")
    async def update_function_event_invoke_config(self, call: Call, params: Params) -> Answer:
        """Change how asynchronous invocations are handled."""
        return await self._event_invoke.update(call, params)

    @operation("GetFunctionEventInvokeConfig")
    def get_function_event_invoke_config(self, call: Call, params: Params) -> Answer:
        """Say how asynchronous invocations are handled."""
        return self._event_invoke.get(call, params)

    @operation("DeleteFunctionEventInvokeConfig")
    async def delete_function_event_invoke_config(self, call: Call, params: Params) -> Answer:
        """Handle asynchronous invocations by default again."""
        await self._event_invoke.delete(call, params)
        return {}

    @operation("ListFunctionEventInvokeConfigs")
    def list_function_event_invoke_configs(self, call: Call, params: Params) -> Answer:
        """Give a function's configurations, by qualifier."""
        return self._event_invoke.list(call, params)

    # --- function URLs -----------------------------------------------------------------------------------------

    @operation("CreateFunctionUrlConfig")
    async def create_function_url_config(self, call: Call, params: Params) -> Answer:
        """Give a function or an alias an address of its own."""
        return await self._urls.create(call, params)

    @operation("UpdateFunctionUrlConfig")
    async def update_function_url_config(self, call: Call, params: Params) -> Answer:
        """Change who may use an address and how."""
        return await self._urls.update(call, params)

    @operation("GetFunctionUrlConfig")
    def get_function_url_config(self, call: Call, params: Params) -> Answer:
        """Describe an address."""
        return self._urls.get(call, params)

    @operation("DeleteFunctionUrlConfig")
    async def delete_function_url_config(self, call: Call, params: Params) -> Answer:
        """Take an address away."""
        await self._urls.delete(call, params)
        return {}

    @operation("ListFunctionUrlConfigs")
    def list_function_url_configs(self, call: Call, params: Params) -> Answer:
        """Give the addresses of a function and its aliases."""
        return self._urls.list(call, params)

    # --- event source mappings ---------------------------------------------------------------------------------

    @operation("CreateEventSourceMapping")
    async def create_event_source_mapping(self, call: Call, params: Params) -> Answer:
        """Invoke a function with what changes in a table."""
        return await self._mappings.create(call, params)

    @operation("UpdateEventSourceMapping")
    async def update_event_source_mapping(self, call: Call, params: Params) -> Answer:
        """Change a mapping."""
        return await self._mappings.update(call, params)

    @operation("GetEventSourceMapping")
    def get_event_source_mapping(self, call: Call, params: Params) -> Answer:
        """Describe a mapping."""
        return self._mappings.get(call, params)

    @operation("DeleteEventSourceMapping")
    async def delete_event_source_mapping(self, call: Call, params: Params) -> Answer:
        """Delete a mapping."""
        return await self._mappings.delete(call, params)

    @operation("ListEventSourceMappings")
    def list_event_source_mappings(self, call: Call, params: Params) -> Answer:
        """Give mappings of a region, a stream or a function."""
        return self._mappings.list(call, params)

    # --- layers ------------------------------------------------------------------------------------------------

    @operation("PublishLayerVersion")
    async def publish_layer_version(self, call: Call, params: Params) -> Answer:
        """Publish a package as the next version of a layer."""
        return await self._layers.publish(call, params)

    @operation("GetLayerVersion")
    def get_layer_version(self, call: Call, params: Params) -> Answer:
        """Describe a version of a layer."""
        return self._layers.get(call, params)

    @operation("GetLayerVersionByArn")
    def get_layer_version_by_arn(self, call: Call, params: Params) -> Answer:
        """Describe a version of a layer by its ARN."""
        return self._layers.get_by_arn(call, params)

    @operation("ListLayerVersions")
    def list_layer_versions(self, call: Call, params: Params) -> Answer:
        """Give a layer's versions, the newest first."""
        return self._layers.list_versions(call, params)

    @operation("ListLayers")
    def list_layers(self, call: Call, params: Params) -> Answer:
        """Give the layers by name."""
        return self._layers.list_layers(call, params)

    @operation("DeleteLayerVersion")
    async def delete_layer_version(self, call: Call, params: Params) -> Answer:
        """Delete a version of a layer; functions that have it keep it."""
        await self._layers.delete(call, params)
        return {}

    @operation("AddLayerVersionPermission")
    async def add_layer_version_permission(self, call: Call, params: Params) -> Answer:
        """Let another account use a version of a layer."""
        return await self._layers.add_permission(call, params)

    @operation("RemoveLayerVersionPermission")
    async def remove_layer_version_permission(self, call: Call, params: Params) -> Answer:
        """Take a statement away."""
        await self._layers.remove_permission(call, params)
        return {}

    @operation("GetLayerVersionPolicy")
    def get_layer_version_policy(self, call: Call, params: Params) -> Answer:
        """Give the policy of a version of a layer."""
        return self._layers.get_policy(call, params)

    # --- resource policy ---------------------------------------------------------------------------------------

    @operation("AddPermission")
    async def add_permission(self, call: Call, params: Params) -> Answer:
        """Let someone else invoke a function, a version or an alias."""
        return await self._permissions.add(call, params)

    @operation("RemovePermission")
    async def remove_permission(self, call: Call, params: Params) -> Answer:
        """Take a statement away."""
        await self._permissions.remove(call, params)
        return {}

    @operation("GetPolicy")
    def get_policy(self, call: Call, params: Params) -> Answer:
        """Give a resource policy."""
        return self._permissions.get(call, params)

    # --- what tools ask for: truthful answers about what is not there -------------------------------------------

    @operation("GetFunctionCodeSigningConfig")
    def get_function_code_signing_config(self, call: Call, params: Params) -> Answer:
        """Say that code is not signed."""
        return {"CodeSigningConfigArn": "", "FunctionName": self._catalogue.named(call, params["FunctionName"]).name}

    @operation("GetRuntimeManagementConfig")
    def get_runtime_management_config(self, call: Call, params: Params) -> Answer:
        """Say that the runtime is whatever the machine has."""
        target = self._catalogue.target(call, params["FunctionName"], params.get("Qualifier"))
        return {"UpdateRuntimeOn": "Auto", "FunctionArn": target.arn}

    @operation("PutRuntimeManagementConfig")
    def put_runtime_management_config(self, call: Call, params: Params) -> Answer:
        """Take what is true anyway: the runtime is whatever the machine has. Raises: InvalidParameterValueException."""
        target = self._catalogue.target(call, params["FunctionName"], params.get("Qualifier"))
        if params["UpdateRuntimeOn"] != "Auto" or params.get("RuntimeVersionArn"):
            raise bad("UpdateRuntimeOn is not supported by Gatepost but for Auto: the runtime is the machine's")
        return {"UpdateRuntimeOn": "Auto", "FunctionArn": target.arn}

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
                "ConcurrentExecutions": self._concurrency.executions_max,
                "UnreservedConcurrentExecutions": self._concurrency.unreserved(call),
            },
            "AccountUsage": {"TotalCodeSize": sum(one.code_bytes for one in found), "FunctionCount": len(found)},
        }
