"""AWS::Lambda types by Lambda's operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.services.lambda_.configuration import MANDATORY, RUNTIME_WORDS
from gatepost.templates.resources.base import Outcome, ResourceFailure, ResourceHandler, Work
from gatepost.templates.resources.changes import Unnamed, present, tag_changes, tag_map, unless_gone
from gatepost.templates.resources.inline_code import inline_zip
from gatepost.templates.resources.lambda_events import EventInvokeConfig, EventSourceMapping
from gatepost.templates.resources.lambda_layers import LayerVersion, LayerVersionPermission
from gatepost.templates.resources.lambda_urls import Url
from gatepost.templates.resources.lambda_versions import Alias, Version

READY_POLLS_MAX: Final = 600
READY_POLL_S: Final = 0.1
INLINE_CODE_BYTES_MAX: Final = 4 * 1024 * 1024  # AWS: 4 MB of ZipFile text

# Property of the type -> parameter of CreateFunction and UpdateFunctionConfiguration, where both have it.
_CONFIGURATION: Final = (
    "DeadLetterConfig",
    "Description",
    "Environment",
    "EphemeralStorage",
    "FileSystemConfigs",
    "Handler",
    "ImageConfig",
    "Layers",
    "LoggingConfig",
    "MemorySize",
    "Role",
    "Runtime",
    "SnapStart",
    "Timeout",
    "TracingConfig",
    "VpcConfig",
)
_RESERVED: Final = "ReservedConcurrentExecutions"
_KMS: Final = ("KmsKeyArn", "KMSKeyArn")
# What an update must say to go back to AWS's default.
_DEFAULTS: Final[Mapping[str, Any]] = {
    "DeadLetterConfig": {"TargetArn": ""},
    "Description": "",
    "Environment": {"Variables": {}},
    "EphemeralStorage": {"Size": 512},
    "Layers": [],
    "MemorySize": 128,
    "Timeout": 3,
    "TracingConfig": {"Mode": "PassThrough"},
}


def code_parameters(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Give what CreateFunction's Code and UpdateFunctionCode take. Raises: ResourceFailure."""
    if "Runtime" not in properties:
        # A value that --lenient or gatepost.accept let pass is not there either.
        raise ResourceFailure(f"{MANDATORY} A Runtime that does not run here was left out: {RUNTIME_WORDS}")
    code = dict(properties["Code"])
    if "ZipFile" in code:
        text = str(code["ZipFile"])
        if len(text.encode()) > INLINE_CODE_BYTES_MAX:
            raise ResourceFailure(f"ZipFile has more than {INLINE_CODE_BYTES_MAX} bytes: use a code folder")
        code["ZipFile"] = inline_zip(text, str(properties.get("Runtime", "")))
    return code


class Function(Unnamed):
    """AWS::Lambda::Function."""

    name_property = "FunctionName"

    async def create(self, work: Work) -> Outcome:
        """Make the function and wait until it is active."""
        properties = work.properties
        name = work.name("FunctionName", length_max=64)
        await work.initiated(name)
        parameters = {key: properties[key] for key in _CONFIGURATION if key in properties}
        made = await work.invoke(
            "lambda",
            "CreateFunction",
            present(
                **parameters,
                FunctionName=name,
                Code=code_parameters(properties),
                PackageType=properties.get("PackageType"),
                Architectures=properties.get("Architectures"),
                CodeSigningConfigArn=properties.get("CodeSigningConfigArn"),
                Tags=tag_map(properties) or None,
                **({_KMS[1]: properties[_KMS[0]]} if _KMS[0] in properties else {}),
            ),
        )
        await work.made(name)
        note = await self._ready(work, name)
        await self._reserve(work, name)
        return Outcome(name, {"Arn": made["FunctionArn"]}, note=note)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change code, configuration, concurrency and tags."""
        properties = work.properties
        configuration = {key: properties.get(key, _DEFAULTS.get(key)) for key in _CONFIGURATION if work.changed(key)}
        if work.changed(_KMS[0]):
            configuration[_KMS[1]] = properties.get(_KMS[0], "")
        arn = note = ""
        if configuration:
            unsettable = sorted(key for key, value in configuration.items() if value is None)
            if unsettable:
                raise ResourceFailure(f"{', '.join(unsettable)} cannot be taken away: declare the value you want")
            changed = await work.invoke(
                "lambda", "UpdateFunctionConfiguration", {"FunctionName": physical_id, **configuration}
            )
            arn = changed["FunctionArn"]
            note = await self._ready(work, physical_id)
        if work.changed("Code", "Architectures") or (work.changed("Runtime") and "ZipFile" in properties["Code"]):
            parameters = present(
                FunctionName=physical_id,
                **code_parameters(properties),
                Architectures=properties.get("Architectures"),
            )
            arn = (await work.invoke("lambda", "UpdateFunctionCode", parameters))["FunctionArn"]
            note = await self._ready(work, physical_id)
        if not arn:
            found = await work.invoke("lambda", "GetFunctionConfiguration", {"FunctionName": physical_id})
            arn = found["FunctionArn"]
        await self._reserve(work, physical_id)
        added, gone = tag_changes(work.before, properties)
        if added:
            await work.invoke("lambda", "TagResource", {"Resource": arn, "Tags": added})
        if gone:
            await work.invoke("lambda", "UntagResource", {"Resource": arn, "TagKeys": gone})
        return Outcome(physical_id, {"Arn": arn}, note=note)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the function."""
        await unless_gone(work.invoke("lambda", "DeleteFunction", {"FunctionName": physical_id}))

    async def _reserve(self, work: Work, name: str) -> None:
        """Reserve as many executions as are declared."""
        if not work.changed(_RESERVED):
            return
        if _RESERVED in work.properties:
            parameters = {"FunctionName": name, _RESERVED: work.properties[_RESERVED]}
            await work.invoke("lambda", "PutFunctionConcurrency", parameters)
        else:
            await work.invoke("lambda", "DeleteFunctionConcurrency", {"FunctionName": name})

    async def _ready(self, work: Work, name: str) -> str:
        """Wait until the function can be invoked and changed; give what it says of its state, or nothing."""
        for _ in range(READY_POLLS_MAX):
            found = await work.invoke("lambda", "GetFunctionConfiguration", {"FunctionName": name})
            if found.get("State") == "Failed" or found.get("LastUpdateStatus") == "Failed":
                reason = found.get("StateReason") or found.get("LastUpdateStatusReason") or "no reason given"
                raise ResourceFailure(f"Resource of type 'AWS::Lambda::Function' did not stabilize: {reason}")
            if found.get("State", "Active") == "Active" and found.get("LastUpdateStatus") != "InProgress":
                return str(found.get("StateReason", ""))
            await work.pause(READY_POLL_S)
        raise ResourceFailure("Resource of type 'AWS::Lambda::Function' did not stabilize.")


class Permission(Unnamed):
    """AWS::Lambda::Permission: one statement of a function's policy. Every change makes a new one."""

    async def create(self, work: Work) -> Outcome:
        """Add the statement."""
        statement_id = work.name("", length_max=100)
        await work.initiated(statement_id)
        await work.invoke(
            "lambda",
            "AddPermission",
            {
                **{key: value for key, value in work.properties.items() if key != "FunctionName"},
                "FunctionName": work.properties["FunctionName"],
                "StatementId": statement_id,
            },
        )
        return Outcome(statement_id, {"Id": statement_id})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Give what stands: nothing of a permission changes in place."""
        del work
        return Outcome(physical_id, {"Id": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Remove the statement; a function that is gone has none."""
        parameters = {"FunctionName": work.properties["FunctionName"], "StatementId": physical_id}
        await unless_gone(work.invoke("lambda", "RemovePermission", parameters))


def handlers() -> dict[str, ResourceHandler]:
    """Give the handlers of this service by type."""
    return {
        "AWS::Lambda::Function": Function(),
        "AWS::Lambda::Alias": Alias(),
        "AWS::Lambda::EventInvokeConfig": EventInvokeConfig(),
        "AWS::Lambda::EventSourceMapping": EventSourceMapping(),
        "AWS::Lambda::LayerVersion": LayerVersion(),
        "AWS::Lambda::LayerVersionPermission": LayerVersionPermission(),
        "AWS::Lambda::Permission": Permission(),
        "AWS::Lambda::Url": Url(),
        "AWS::Lambda::Version": Version(),
    }
