"""What happens to the properties of AWS::Lambda types.

What Lambda's operations do not do yet stands in `services/lambda_/configuration.py`; it is read here, so that the
ledger and the operations say the same.
"""

from __future__ import annotations

import platform
import sys
from typing import Final

from gatepost.services.lambda_.configuration import REFUSED, RUNTIME_WORDS, RUNTIMES
from gatepost.templates.ledger import ENFORCED, Entry, TypeEntry, approximated, arn_of, inert, matching, one_of, refused

# Lambda's words for processors are not the kernel's.
_OWN_ARCHITECTURE: Final = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
# Properties of mappings from other sources, or that do nothing here.
_OTHER_SOURCES: Final = (
    "AmazonManagedKafkaEventSourceConfig",
    "DocumentDBEventSourceConfig",
    "KmsKeyArn",
    "LoggingConfig",
    "MetricsConfig",
    "ProvisionedPollerConfig",
    "Queues",
    "ScalingConfig",
    "SelfManagedEventSource",
    "SelfManagedKafkaEventSourceConfig",
    "SourceAccessConfigurations",
    "Tags",
    "Topics",
    "TumblingWindowInSeconds",
)
_NOWHERE: Final = "-"  # no service of ours takes dead letters


def supported(parameter: str) -> Entry:
    """Give the entry of a property by what CreateFunction does with its parameter."""
    reason = REFUSED.get(parameter)
    return refused(reason) if reason else ENFORCED


def entries() -> tuple[TypeEntry, ...]:
    """Give the entries of this service."""
    return (
        _function(),
        _permission(),
        _version(),
        _alias(),
        _layer(),
        _layer_permission(),
        _event_invoke(),
        _url(),
        _mapping(),
    )


def _function() -> TypeEntry:
    properties = {
        "Architectures": approximated(
            "a function runs on this machine's processor, whatever it names", exact=(_OWN_ARCHITECTURE,)
        ),
        "CapacityProviderConfig": supported("CapacityProviderConfig"),
        "Code": ENFORCED,
        "Code/ImageUri": refused("container images do not run here: use a code folder or a zip file"),
        "Code/S3ObjectStorageMode": refused("uploaded code has one way to be stored: remove it"),
        "Code/S3ObjectVersion": refused("uploaded code has no versions: remove it"),
        "Code/SourceKMSKeyArn": refused("uploaded code is not encrypted by KMS: remove it"),
        "CodeSigningConfigArn": supported("CodeSigningConfigArn"),
        "DeadLetterConfig": ENFORCED,
        "DeadLetterConfig/TargetArn": arn_of(_NOWHERE),
        "Description": ENFORCED,
        "DurableConfig": supported("DurableConfig"),
        "Environment": ENFORCED,
        "EphemeralStorage": ENFORCED,
        "FileSystemConfigs": supported("FileSystemConfigs"),
        "FunctionName": ENFORCED,
        "FunctionScalingConfig": refused("it belongs to managed instances: remove it"),
        "Handler": ENFORCED,
        "ImageConfig": supported("ImageConfig"),
        "KmsKeyArn": approximated("environment variables are sealed by Gatepost's own key"),
        "Layers": supported("Layers"),
        "LoggingConfig": ENFORCED,
        "MemorySize": ENFORCED,
        "PackageType": one_of("Zip", otherwise="container images do not run here: use Zip"),
        "PublishToLatestPublished": refused("it belongs to managed instances: remove it"),
        "RecursiveLoop": one_of("Allow", otherwise="loops are not looked for: use Allow"),
        "ReservedConcurrentExecutions": ENFORCED,
        "Role": ENFORCED,
        "Runtime": matching(
            "|".join(RUNTIMES).replace(".", r"\."),
            otherwise=RUNTIME_WORDS,
            sentence="another version than the machine has runs on the nearest one, with a warning; nodejs has "
            "of @aws-sdk what npm could install when the function was deployed, provided with the "
            "machine's own system around it",
            exact=(f"python3.{sys.version_info.minor}",),
        ),
        "RuntimeManagementConfig": inert("the interpreter is the machine's own"),
        "SnapStart": ENFORCED,
        "SnapStart/ApplyOn": one_of("None", otherwise="workers start from a warm process anyway: use None"),
        "Tags": ENFORCED,
        "TenancyConfig": supported("TenancyConfig"),
        "Timeout": ENFORCED,
        "TracingConfig": ENFORCED,
        "TracingConfig/Mode": approximated("functions get the trace header; there is no X-Ray to keep traces"),
        "VpcConfig": supported("VpcConfig"),
    }
    return TypeEntry("AWS::Lambda::Function", ENFORCED, properties)


def _permission() -> TypeEntry:
    properties = {
        "Action": ENFORCED,
        "EventSourceToken": ENFORCED,
        "FunctionName": ENFORCED,
        "FunctionUrlAuthType": ENFORCED,
        "InvokedViaFunctionUrl": ENFORCED,
        "Principal": ENFORCED,
        "PrincipalOrgID": ENFORCED,
        "SourceAccount": ENFORCED,
        "SourceArn": ENFORCED,
    }
    return TypeEntry("AWS::Lambda::Permission", ENFORCED, properties)


_PROVISIONED: Final = approximated("the workers of an alias that divides invocations are those of its main version")


def _version() -> TypeEntry:
    properties = {
        "CodeSha256": ENFORCED,
        "Description": ENFORCED,
        "FunctionName": ENFORCED,
        "FunctionScalingConfig": refused("it belongs to managed instances: remove it"),
        "ProvisionedConcurrencyConfig": ENFORCED,
        "RuntimePolicy": inert("the interpreter is the machine's own"),
    }
    return TypeEntry("AWS::Lambda::Version", ENFORCED, properties)


def _alias() -> TypeEntry:
    properties = {
        "Description": ENFORCED,
        "FunctionName": ENFORCED,
        "FunctionVersion": ENFORCED,
        "Name": ENFORCED,
        "ProvisionedConcurrencyConfig": _PROVISIONED,
        "RoutingConfig": ENFORCED,
    }
    return TypeEntry("AWS::Lambda::Alias", ENFORCED, properties)


def _layer() -> TypeEntry:
    properties = {
        "CompatibleArchitectures": ENFORCED,
        "CompatibleRuntimes": ENFORCED,
        "Content": ENFORCED,
        "Content/S3ObjectStorageMode": refused("uploaded code has one way to be stored: remove it"),
        "Content/S3ObjectVersion": refused("uploaded code has no versions: remove it"),
        "Description": ENFORCED,
        "LayerName": ENFORCED,
        "LicenseInfo": ENFORCED,
    }
    return TypeEntry("AWS::Lambda::LayerVersion", ENFORCED, properties)


def _layer_permission() -> TypeEntry:
    properties = dict.fromkeys(("Action", "LayerVersionArn", "OrganizationId", "Principal"), ENFORCED)
    return TypeEntry("AWS::Lambda::LayerVersionPermission", ENFORCED, properties)


def _event_invoke() -> TypeEntry:
    properties = {
        "DestinationConfig": ENFORCED,
        "DestinationConfig/OnFailure/Destination": arn_of("lambda"),
        "DestinationConfig/OnSuccess/Destination": arn_of("lambda"),
        "FunctionName": ENFORCED,
        "MaximumEventAgeInSeconds": ENFORCED,
        "MaximumRetryAttempts": ENFORCED,
        "Qualifier": ENFORCED,
    }
    return TypeEntry("AWS::Lambda::EventInvokeConfig", ENFORCED, properties)


def _url() -> TypeEntry:
    properties = {
        "AuthType": ENFORCED,
        "Cors": ENFORCED,
        "InvokeMode": ENFORCED,
        "Qualifier": ENFORCED,
        "TargetFunctionArn": ENFORCED,
    }
    return TypeEntry("AWS::Lambda::Url", ENFORCED, properties)


def _mapping() -> TypeEntry:
    enforced = (
        "BatchSize",
        "BisectBatchOnFunctionError",
        "DestinationConfig",
        "Enabled",
        "FilterCriteria",
        "FunctionName",
        "FunctionResponseTypes",
        "MaximumBatchingWindowInSeconds",
        "MaximumRecordAgeInSeconds",
        "MaximumRetryAttempts",
        "ParallelizationFactor",
    )
    sources = "sources are streams of DynamoDB tables: remove it"
    properties = {
        **dict.fromkeys(enforced, ENFORCED),
        "DestinationConfig/OnFailure/Destination": arn_of(_NOWHERE),
        "EventSourceArn": matching(r"arn:[^:]+:dynamodb:.+/stream/.+", otherwise="use the ARN of a DynamoDB stream"),
        "StartingPosition": one_of("LATEST", "TRIM_HORIZON", otherwise="use LATEST or TRIM_HORIZON"),
        "StartingPositionTimestamp": refused("streams of tables begin at LATEST or TRIM_HORIZON: remove it"),
        **dict.fromkeys(_OTHER_SOURCES, refused(sources)),
    }
    return TypeEntry("AWS::Lambda::EventSourceMapping", ENFORCED, properties)
