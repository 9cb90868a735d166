"""A function's configuration: from an operation's parameters, checked, and back to AWS's shape.

Every parameter that does nothing here is refused with what would work; empty values mean "none", as SAM sends them.
Limits: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from gatepost.kernel.errors import ValidationException
from gatepost.kernel.limits import LAMBDA_MEMORY_MB_MAX, LAMBDA_MEMORY_MB_MIN, LAMBDA_TIMEOUT_S_MAX
from gatepost.services.lambda_.model import Function, InvalidParameterValueException
from gatepost.services.lambda_.runner.environment import RESERVED_NAMES, log_group_of
from gatepost.services.lambda_.runner.interpreters import python_version
from gatepost.services.lambda_.runner.nodes import NO_NODE, NODE_RUNTIMES, has_node
from gatepost.services.lambda_.runner.programs import CUSTOM_RUNTIMES

ENVIRONMENT_BYTES_MAX: Final = 4096
EPHEMERAL_MB_MIN: Final = 512
EPHEMERAL_MB_MAX: Final = 10_240
PYTHON_MINOR_MIN: Final = 9
PYTHON_MINOR_MAX: Final = 15
PYTHON_RUNTIMES: Final = tuple(f"python3.{minor}" for minor in range(PYTHON_MINOR_MIN, PYTHON_MINOR_MAX + 1))
RUNTIMES: Final = (*PYTHON_RUNTIMES, *NODE_RUNTIMES, *CUSTOM_RUNTIMES)
MANDATORY: Final = "Runtime and Handler are mandatory parameters for functions created with deployment packages."
RUNTIME_WORDS: Final = (
    f"use {PYTHON_RUNTIMES[0]} to {PYTHON_RUNTIMES[-1]}, {', '.join(NODE_RUNTIMES)}, or, for a program of any language "
    f"that brings its runtime along, {' or '.join(CUSTOM_RUNTIMES)}"
)

# Parameters that say nothing when they are empty, and are refused otherwise.
REFUSED: Final[Mapping[str, str]] = {
    "VpcConfig": "functions here share the network of the machine that runs them; leave it out",
    "FileSystemConfigs": "there are no network file systems here; leave it out",
    "ImageConfig": "container images are not run here; use PackageType Zip",
    "CodeSigningConfigArn": "code is not signed here; leave it out",
    "TenancyConfig": "tenant isolation is not supported; leave it out",
    "CapacityProviderConfig": "there are no capacity providers here; leave it out",
    "DurableConfig": "durable functions are not supported; leave it out",
    "RuntimeConfig": "it belongs to a kind of function that is not there; leave it out",
    "AcceleratorConfig": "there are no accelerators here; leave it out",
    "PublishTo": "there are no managed instances; leave it out",
}


def bad(message: str) -> InvalidParameterValueException:
    """Make the error for a value that cannot be used."""
    return InvalidParameterValueException(message, members={"Type": "User"})


def refuse_unsupported(params: Mapping[str, Any]) -> None:
    """Refuse what would be ignored. Raises: InvalidParameterValueException."""
    for name, reason in REFUSED.items():
        if _says_something(params.get(name)):
            raise bad(f"{name} is not supported by Gatepost: {reason}")
    if params.get("PackageType", "Zip") != "Zip":
        raise bad("PackageType Image is not supported by Gatepost: container images are not run here; use Zip")
    if params.get("SnapStart", {}).get("ApplyOn", "None") != "None":
        raise bad("SnapStart is not supported by Gatepost: workers start from a warm process anyway; leave it out")


def _says_something(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(_says_something(one) for one in value.values())
    if isinstance(value, list | tuple):
        return any(_says_something(one) for one in value)
    return value not in (None, "", False)


def configured(function: Function, params: Mapping[str, Any]) -> Function:
    """Give `function` with the parameters of CreateFunction or UpdateFunctionConfiguration in effect.

    What is not in `params` stays. Raises: InvalidParameterValueException.
    """
    refuse_unsupported(params)
    changes: dict[str, Any] = {}
    simple = {"Handler": "handler", "Role": "role_arn", "Description": "description", "KMSKeyArn": "kms_key_arn"}
    for name, field in simple.items():
        if name in params:
            changes[field] = params[name]
    if "Runtime" in params:
        changes["runtime"] = _runtime(params["Runtime"])
    if "Timeout" in params:
        changes["timeout_s"] = _timeout(params["Timeout"])
    if "MemorySize" in params:
        memory_mb = _within("MemorySize", params["MemorySize"], LAMBDA_MEMORY_MB_MIN, LAMBDA_MEMORY_MB_MAX)
        changes["memory_mb"] = memory_mb
    if "EphemeralStorage" in params:
        size = _within("EphemeralStorage.Size", params["EphemeralStorage"]["Size"], EPHEMERAL_MB_MIN, EPHEMERAL_MB_MAX)
        changes["ephemeral_storage_mb"] = size
    if "Environment" in params:
        changes["environment"] = _environment(params["Environment"].get("Variables") or {})
    if params.get("Architectures"):
        changes["architecture"] = _architecture(params["Architectures"])
    if "TracingConfig" in params:
        changes["tracing_mode"] = params["TracingConfig"].get("Mode", "PassThrough")
    if "LoggingConfig" in params:
        changes |= _logging(function, params["LoggingConfig"])
    return replace(function, **changes)


def _runtime(runtime: str) -> str:
    if runtime in NODE_RUNTIMES and not has_node():
        raise bad(f"Runtime {runtime} cannot run: {NO_NODE}")
    if runtime in RUNTIMES:
        return runtime
    if python_version(runtime) is not None:
        raise bad(f"The runtime parameter of {runtime} is no longer supported for creating or updating functions")
    raise bad(f"Runtime {runtime} is not supported by Gatepost: {RUNTIME_WORDS}")


def _within(name: str, value: int, least: int, most: int) -> int:
    # The service model's own maximum is higher than what accounts get.
    if not least <= value <= most:
        bound = f"less than or equal to {most}" if value > most else f"greater than or equal to {least}"
        raise bad(f"'{name}' value failed to satisfy constraint: Member must have value {bound}")
    return value


def _timeout(value: int) -> int:
    # The service model leaves the maximum out, which AWS checks as if it stood there.
    if value > LAMBDA_TIMEOUT_S_MAX:
        raise ValidationException(
            f"1 validation error detected: Value '{value}' at 'timeout' failed to satisfy constraint: Member must have "
            f"value less than or equal to {LAMBDA_TIMEOUT_S_MAX}"
        )
    return _within("Timeout", value, 1, LAMBDA_TIMEOUT_S_MAX)


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    reserved = sorted(RESERVED_NAMES.intersection(variables))
    if reserved:
        raise bad(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            "provided contains reserved keys that are currently not supported for modification. Reserved keys used in "
            f"this request: {', '.join(reserved)}"
        )
    text = json.dumps(dict(variables), separators=(",", ":"), ensure_ascii=False)
    if len(text.encode()) > ENVIRONMENT_BYTES_MAX:
        raise bad(
            "Lambda was unable to configure your environment variables because the environment variables you have "
            f"provided exceeded the 4KB limit. String measured: {text}"
        )
    if any("\x00" in value for value in variables.values()):
        raise bad("Environment variables cannot have a NUL character in their values")
    return dict(variables)


def _architecture(architectures: list[str]) -> str:
    if len(architectures) != 1:
        raise bad("Architectures must have exactly one value")
    return architectures[0]


def _logging(function: Function, config: Mapping[str, Any]) -> dict[str, str]:
    log_format = config.get("LogFormat", function.log_format)
    application = config.get("ApplicationLogLevel", "")
    system = config.get("SystemLogLevel", "")
    if log_format == "Text" and (application or system):
        raise bad("ApplicationLogLevel and SystemLogLevel can be set only when LogFormat is JSON")
    if log_format == "JSON":
        application = application or function.application_log_level or "INFO"
        system = system or function.system_log_level or "INFO"
    return {
        "log_format": log_format,
        "application_log_level": application,
        "system_log_level": system,
        "log_group": config.get("LogGroup", function.log_group),
    }


def check_complete(function: Function) -> None:
    """Refuse a function that lacks what a zip needs. Raises: InvalidParameterValueException."""
    if not function.runtime or not function.handler:
        raise bad(MANDATORY)


def code_sha256_base64(sha256: str) -> str:
    """Give a digest as AWS shows it in CodeSha256."""
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def to_aws(function: Function) -> dict[str, Any]:
    """Give a FunctionConfiguration."""
    seconds, ms = divmod(function.modified_at_ms, 1000)
    logging: dict[str, Any] = {"LogFormat": function.log_format, "LogGroup": log_group_of(function)}
    if function.log_format == "JSON":
        logging |= {
            "ApplicationLogLevel": function.application_log_level,
            "SystemLogLevel": function.system_log_level,
        }
    answer: dict[str, Any] = {
        "FunctionName": function.name,
        "FunctionArn": function.arn,
        "Runtime": function.runtime,
        "Role": function.role_arn,
        "Handler": function.handler,
        "CodeSize": function.code_bytes,
        "Description": function.description,
        "Timeout": function.timeout_s,
        "MemorySize": function.memory_mb,
        "LastModified": f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03d}+0000",
        "CodeSha256": code_sha256_base64(function.code_sha256),
        "Version": function.version,
        "TracingConfig": {"Mode": function.tracing_mode},
        "RevisionId": function.revision_id,
        "State": "Active",
        **({"StateReason": function.state_reason} if function.state_reason else {}),
        "LastUpdateStatus": "Successful",
        "PackageType": "Zip",
        "Architectures": [function.architecture],
        "EphemeralStorage": {"Size": function.ephemeral_storage_mb},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": logging,
    }
    if function.kms_key_arn:
        answer["KMSKeyArn"] = function.kms_key_arn
    if function.dead_letter_arn:
        answer["DeadLetterConfig"] = {"TargetArn": function.dead_letter_arn}
    if function.layers:
        answer["Layers"] = [{"Arn": layer["arn"], "CodeSize": layer["bytes"]} for layer in function.layers]
    if function.environment:
        answer["Environment"] = {"Variables": dict(function.environment)}
    return answer
