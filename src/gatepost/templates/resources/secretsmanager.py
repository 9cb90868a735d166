"""AWS::SecretsManager types by Secrets Manager's operations. No value is ever part of what a stack keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gatepost.templates.resources.base import Outcome, ResourceFailure, ResourceHandler, Work
from gatepost.templates.resources.changes import Unnamed, json_text, present, tag_changes, unless_gone


class Secret(Unnamed):
    """AWS::SecretsManager::Secret."""

    name_property = "Name"

    async def create(self, work: Work) -> Outcome:
        """Make the secret with a given or a generated value, or with none."""
        name = work.name("Name", length_max=512)
        await work.initiated(name)
        parameters = present(
            Name=name,
            Description=work.properties.get("Description"),
            KmsKeyId=work.properties.get("KmsKeyId"),
            Tags=work.properties.get("Tags"),
            SecretString=await self._value(work),
            ClientRequestToken=_token(work, "first"),
        )
        arn = str((await work.invoke("secretsmanager", "CreateSecret", parameters))["ARN"])
        await work.made(arn)
        return Outcome(arn, {"Id": arn})

    async def _value(self, work: Work) -> str | None:
        properties = work.properties
        generate: Mapping[str, Any] | None = properties.get("GenerateSecretString")
        if generate is None:
            return properties.get("SecretString")
        if "SecretString" in properties:
            raise ResourceFailure("You can't specify both GenerateSecretString and SecretString")
        asked = {
            name: value for name, value in generate.items() if name not in ("GenerateStringKey", "SecretStringTemplate")
        }
        password = str((await work.invoke("secretsmanager", "GetRandomPassword", asked))["RandomPassword"])
        key, template = generate.get("GenerateStringKey"), generate.get("SecretStringTemplate")
        if (key is None) != (template is None):
            raise ResourceFailure("GenerateSecretString needs both GenerateStringKey and SecretStringTemplate, or none")
        if key is None:
            return password
        try:
            held = json.loads(str(template))
        except ValueError:
            held = None
        if not isinstance(held, dict):
            raise ResourceFailure("SecretStringTemplate is not a JSON object")
        return json.dumps({**held, key: password})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change description, tags and value; a generated value is only made anew when its rules change."""
        parameters = present(SecretId=physical_id, Description=work.properties.get("Description"))
        if work.changed("SecretString", "GenerateSecretString"):
            value = await self._value(work)
            if value is not None:
                parameters |= {"SecretString": value, "ClientRequestToken": _token(work, _fingerprint(work))}
        if work.changed("Description", "SecretString", "GenerateSecretString"):
            await work.invoke("secretsmanager", "UpdateSecret", parameters)
        added, gone = tag_changes(work.before, work.properties)
        if gone:
            await work.invoke("secretsmanager", "UntagResource", {"SecretId": physical_id, "TagKeys": gone})
        if added:
            tags = [{"Key": key, "Value": value} for key, value in added.items()]
            await work.invoke("secretsmanager", "TagResource", {"SecretId": physical_id, "Tags": tags})
        return Outcome(physical_id, {"Id": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the secret at once, so that the stack can be made again (unverified: that CloudFormation does so)."""
        parameters = {"SecretId": physical_id, "ForceDeleteWithoutRecovery": True}
        await unless_gone(work.invoke("secretsmanager", "DeleteSecret", parameters))


def _token(work: Work, *names: str) -> str:
    """Give a request token of 32 characters: the same request, repeated after a restart, is answered alike."""
    return work.stable("token", *names, length=32)


def _fingerprint(work: Work) -> str:
    return json.dumps(
        [work.properties.get("SecretString"), work.properties.get("GenerateSecretString")], sort_keys=True
    )


class ResourcePolicy(Unnamed):
    """AWS::SecretsManager::ResourcePolicy."""

    async def create(self, work: Work) -> Outcome:
        """Put the policy."""
        secret = str(work.properties["SecretId"])
        await work.initiated(secret)
        return await self.update(work, secret)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Put the policy as it is now."""
        parameters = present(
            SecretId=physical_id,
            ResourcePolicy=json_text(work.properties["ResourcePolicy"]),
            BlockPublicPolicy=work.properties.get("BlockPublicPolicy"),
        )
        arn = str((await work.invoke("secretsmanager", "PutResourcePolicy", parameters))["ARN"])
        return Outcome(physical_id, {"Id": arn})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Take the policy away."""
        await unless_gone(work.invoke("secretsmanager", "DeleteResourcePolicy", {"SecretId": physical_id}))


class RotationSchedule(Unnamed):
    """AWS::SecretsManager::RotationSchedule."""

    async def create(self, work: Work) -> Outcome:
        """Say how the secret is rotated, and rotate it unless RotateImmediatelyOnUpdate is false."""
        secret = str(work.properties["SecretId"])
        await work.initiated(secret)
        return await self.update(work, secret)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Say it anew."""
        shown = json.dumps(dict(work.properties), sort_keys=True)
        parameters = present(
            SecretId=physical_id,
            RotationLambdaARN=work.properties.get("RotationLambdaARN"),
            RotationRules=work.properties.get("RotationRules"),
            RotateImmediately=work.properties.get("RotateImmediatelyOnUpdate"),
            ClientRequestToken=_token(work, shown),
        )
        arn = str((await work.invoke("secretsmanager", "RotateSecret", parameters))["ARN"])
        return Outcome(physical_id, {"Id": arn})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Rotate no more."""
        await unless_gone(work.invoke("secretsmanager", "CancelRotateSecret", {"SecretId": physical_id}))


def handlers() -> dict[str, ResourceHandler]:
    """Give the handlers of this service by type."""
    return {
        "AWS::SecretsManager::ResourcePolicy": ResourcePolicy(),
        "AWS::SecretsManager::RotationSchedule": RotationSchedule(),
        "AWS::SecretsManager::Secret": Secret(),
    }
