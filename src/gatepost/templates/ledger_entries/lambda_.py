"""What happens to the properties of AWS::Lambda types."""

from __future__ import annotations

from typing import Final

from gatepost.templates.ledger import ENFORCED, TypeEntry, approximated, inert, matching, one_of, refused

_LATER_ALIAS = refused("weights and provisioned concurrency of aliases are not here yet: remove it")


ENTRIES: Final = (
    TypeEntry(
        "AWS::Lambda::Function",
        ENFORCED,
        {
            "Architectures": approximated("a function runs on this machine's processor, whatever it names"),
            "CapacityProviderConfig": refused("there are no managed instances: remove it"),
            "Code": ENFORCED,
            "Code/ImageUri": refused("container images do not run here: use a code folder or a zip file"),
            "Code/S3ObjectStorageMode": refused("uploaded code has one way to be stored: remove it"),
            "Code/S3ObjectVersion": refused("uploaded code has no versions: remove it"),
            "Code/SourceKMSKeyArn": refused("uploaded code is not encrypted by KMS: remove it"),
            "CodeSigningConfigArn": refused("code is not signed here: remove it"),
            "DeadLetterConfig": refused("there is no queue or topic to send failed events to: remove it"),
            "Description": ENFORCED,
            "DurableConfig": refused("durable functions are not here: remove it"),
            "Environment": ENFORCED,
            "EphemeralStorage": one_of("512", otherwise="512 MB, AWS's default, is what a function gets"),
            "FileSystemConfigs": refused("there are no EFS mounts: put the files into the package"),
            "FunctionName": ENFORCED,
            "FunctionScalingConfig": refused("it belongs to managed instances: use ReservedConcurrentExecutions"),
            "Handler": ENFORCED,
            "ImageConfig": refused("container images do not run here: remove it"),
            "KmsKeyArn": inert("variables lie in the data directory with the rights of its owner"),
            "Layers": refused("layers are not here yet: put their files into the code folder"),
            "LoggingConfig": refused("functions log as text to /aws/lambda/NAME: remove it"),
            "MemorySize": ENFORCED,
            "PackageType": one_of("Zip", otherwise="container images do not run here: use Zip"),
            "PublishToLatestPublished": refused("it belongs to managed instances: remove it"),
            "RecursiveLoop": one_of("Allow", otherwise="loops are not looked for: use Allow"),
            "ReservedConcurrentExecutions": ENFORCED,
            "Role": ENFORCED,
            "Runtime": matching(
                r"python3\.\d+",
                otherwise="use python3.9 to python3.14 (other languages come later)",
                sentence="another version than the machine has runs on the nearest one, with a warning",
            ),
            "RuntimeManagementConfig": inert("the interpreter is the machine's own"),
            "SnapStart": one_of("None", otherwise="workers start from a warm process anyway: use None"),
            "SnapStart/ApplyOn": one_of("None", otherwise="workers start from a warm process anyway: use None"),
            "Tags": ENFORCED,
            "TenancyConfig": refused("tenant isolation is not here: remove it"),
            "Timeout": ENFORCED,
            "TracingConfig": ENFORCED,
            "TracingConfig/Mode": one_of("PassThrough", otherwise="there is no X-Ray yet: use PassThrough"),
            "VpcConfig": refused("functions run in this machine's network: remove it"),
        },
    ),
    TypeEntry(
        "AWS::Lambda::Permission",
        ENFORCED,
        {
            "Action": ENFORCED,
            "EventSourceToken": refused("Alexa skills do not call in: remove it"),
            "FunctionName": ENFORCED,
            "FunctionUrlAuthType": refused("function URLs are not here yet: remove it"),
            "InvokedViaFunctionUrl": refused("function URLs are not here yet: remove it"),
            "Principal": ENFORCED,
            "PrincipalOrgID": ENFORCED,
            "SourceAccount": ENFORCED,
            "SourceArn": ENFORCED,
        },
    ),
)


def entries() -> tuple[TypeEntry, ...]:
    """Give the entries of this service."""
    return ENTRIES
