"""What happens to the properties of AWS::SecretsManager types."""

from __future__ import annotations

from typing import Final

from gatepost.templates.ledger import ENFORCED, TypeEntry, approximated, one_of, refused

_PARTNERS: Final = "secrets of third parties are not managed here: remove it"

ENTRIES: Final = (
    TypeEntry(
        "AWS::SecretsManager::Secret",
        ENFORCED,
        {
            "Description": ENFORCED,
            "GenerateSecretString": ENFORCED,
            "KmsKeyId": one_of(
                "alias/aws/secretsmanager", otherwise="values are sealed with the platform's key: remove it"
            ),
            "Name": ENFORCED,
            "ReplicaRegions": refused("there is one region: remove it"),
            "SecretString": ENFORCED,
            "Tags": ENFORCED,
            "Type": refused(_PARTNERS),
        },
    ),
    TypeEntry(
        "AWS::SecretsManager::ResourcePolicy",
        ENFORCED,
        {"BlockPublicPolicy": ENFORCED, "ResourcePolicy": ENFORCED, "SecretId": ENFORCED},
    ),
    TypeEntry(
        "AWS::SecretsManager::RotationSchedule",
        ENFORCED,
        {
            "ExternalSecretRotationMetadata": refused(_PARTNERS),
            "ExternalSecretRotationRoleArn": refused(_PARTNERS),
            "HostedRotationLambda": refused(
                "there are no functions of AWS's own here: name yours in RotationLambdaARN"
            ),
            "RotateImmediatelyOnUpdate": ENFORCED,
            "RotationLambdaARN": ENFORCED,
            "RotationRules": ENFORCED,
            "RotationRules/Duration": approximated("rotations begin at the start of their window"),
            "SecretId": ENFORCED,
        },
    ),
)


def entries() -> tuple[TypeEntry, ...]:
    """Give the entries of this service."""
    return ENTRIES
