"""Operations on secrets as a whole: made, described, listed, changed, tagged, deleted and restored.

Words of errors by https://docs.aws.amazon.com/secretsmanager/latest/apireference/ and as clients report them:
`unverified` where AWS's reference does not quote them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.ids import stable_id
from gatepost.kernel.operations import Call, operation
from gatepost.services.secretsmanager.errors import (
    InvalidParameterException,
    InvalidRequestException,
    ResourceExistsException,
)
from gatepost.services.secretsmanager.listing import matching, page_of, sorted_secrets
from gatepost.services.secretsmanager.model import CURRENT, DAY_MS, Secret, Value, Version
from gatepost.services.secretsmanager.passwords import random_password
from gatepost.services.secretsmanager.secrets import SUFFIX_LENGTH, Secrets, one_at_a_time

Params = Mapping[str, Any]
Answer = dict[str, Any]

TAGS_MAX: Final = 50
ASK_FOR_ID: Final = "You must provide a ClientRequestToken value. We recommend a UUID-type value."
OWN_KEY: Final = "alias/aws/secretsmanager"
_NAME: Final = re.compile(r"[A-Za-z0-9/_+=.@!-]{1,512}", re.ASCII)
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def arn_of_new(account_id: str, region: str, params: Params) -> str:
    """Give the ARN that CreateSecret will make: its six characters come from the request's token, as good as random.

    A token is a UUID, or a stack's, whose secret then has the same ARN on every machine.
    """
    token = str(params.get("ClientRequestToken", ""))
    suffix = stable_id("secret", account_id, region, params["Name"], token, length=SUFFIX_LENGTH, alphabet=_LETTERS)
    return f"arn:aws:secretsmanager:{region}:{account_id}:secret:{params['Name']}-{suffix}"


def value_of(params: Params) -> Value | None:
    """Give the value in a request, or None. Raises: InvalidParameterException when there are two."""
    if "SecretString" in params and "SecretBinary" in params:
        raise InvalidParameterException(
            "You can't specify both a binary secret value and a string secret value in the same secret."
        )
    if "SecretString" in params:
        return Value(text=params["SecretString"])
    return Value(binary=params["SecretBinary"]) if "SecretBinary" in params else None


def token_of(params: Params) -> str:
    """Give the version's id. Raises: InvalidParameterException."""
    token = params.get("ClientRequestToken")
    if not token:
        raise InvalidParameterException(ASK_FOR_ID)
    return str(token)


def tags_of(tags: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Give a request's tags. Raises: InvalidParameterException."""
    found: dict[str, str] = {}
    for tag in tags:
        key = tag.get("Key", "")
        if not key or key.lower().startswith("aws:"):
            raise InvalidParameterException(f"Tag key {key!r} is not valid: it is empty or begins with aws:.")
        if key in found:
            raise InvalidParameterException(f"Tag key {key} is there twice.")
        found[key] = tag.get("Value", "")
    return found


def refuse(params: Params, *names: str) -> None:
    """Refuse what has no meaning here. Raises: InvalidParameterException."""
    for name in names:
        if params.get(name):
            raise InvalidParameterException(f"{name} is not supported by Gatepost.")


def refuse_key(params: Params) -> None:
    """Refuse KMS keys: there is one sealing key. Raises: InvalidParameterException."""
    if params.get("KmsKeyId", OWN_KEY) not in (OWN_KEY, ""):
        raise InvalidParameterException(
            f"KmsKeyId is not supported by Gatepost, which has a key of its own: leave it out or use {OWN_KEY}."
        )


class SecretOperations:
    """Operations on whole secrets; a part of the provider."""

    _secrets: Secrets
    _clock: Clock

    @operation("GetRandomPassword")
    def get_random_password(self, call: Call, params: Params) -> Answer:  # noqa: ARG002
        """Make a password. Raises: InvalidParameterException."""
        return {"RandomPassword": random_password(params)}

    @operation("CreateSecret")
    @one_at_a_time
    async def create_secret(self, call: Call, params: Params) -> Answer:
        """Make a secret, with a first value or none; the same request again is answered alike.

        Raises: InvalidParameterException, InvalidRequestException, ResourceExistsException.
        """
        name = params["Name"]
        if not _NAME.fullmatch(name):
            raise InvalidParameterException(
                "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: "
                "-/_+=.@!"
            )
        refuse(params, "AddReplicaRegions", "ForceOverwriteReplicaSecret", "Type", "CrossAccountPrimaryARN")
        refuse_key(params)
        value = value_of(params)
        tags = tags_of(params.get("Tags", ()))
        if len(tags) > TAGS_MAX:
            raise InvalidParameterException(f"There are {len(tags)} tags: use at most {TAGS_MAX}.")
        token = token_of(params) if value is not None else ""
        existing = self._secrets.find(call.account_id, call.region, name)
        if existing is not None and existing.deleted_at_ms and call.now_ms >= existing.gone_at_ms:
            await self._secrets.remove(existing)
            existing = None
        if existing is not None:
            return await self._created_before(existing, token, value)
        now_ms = call.now_ms
        secret = Secret(
            arn=arn_of_new(call.account_id, call.region, params),
            name=name,
            account_id=call.account_id,
            region=call.region,
            created_at_ms=now_ms,
            changed_at_ms=now_ms,
            description=params.get("Description", ""),
            kms_key_id=params.get("KmsKeyId", ""),
            tags=tags,
            versions={token: Version(now_ms, (CURRENT,))} if value is not None else {},
        )
        await self._secrets.keep(None, secret, [(token, value)] if value is not None else [])
        return {**_names(secret), **({"VersionId": token} if value is not None else {})}

    async def _created_before(self, existing: Secret, token: str, value: Value | None) -> Answer:
        if existing.deleted_at_ms:
            raise InvalidRequestException(
                "You can't create this secret because a secret with this name is already scheduled for deletion."
            )
        is_same = value is not None and token in existing.versions
        if is_same and await self._secrets.value(existing, token) == value:
            return {**_names(existing), "VersionId": token}
        raise ResourceExistsException(f"The operation failed because the secret {existing.name} already exists.")

    @operation("DescribeSecret")
    def describe_secret(self, call: Call, params: Params) -> Answer:
        """Describe a secret, one in its recovery window too. Raises: ResourceNotFoundException."""
        secret = self._secrets.get(call, params["SecretId"], deleted=True)
        answer = described(secret)
        if secret.versions:
            answer["VersionIdsToStages"] = secret.stages()
        return answer

    @operation("ListSecrets")
    def list_secrets(self, call: Call, params: Params) -> Answer:
        """List secrets, filtered and sorted. Raises: InvalidNextTokenException, InvalidParameterException."""
        found = [
            secret
            for secret in self._secrets.of(call.account_id, call.region)
            if not secret.deleted_at_ms or (params.get("IncludePlannedDeletion") and call.now_ms < secret.gone_at_ms)
        ]
        found = sorted_secrets(
            [secret for secret in found if matching(secret, params.get("Filters", ()))],
            by=params.get("SortBy", "created-date"),
            is_ascending=params.get("SortOrder", "desc") == "asc",
        )
        page, rest = page_of(found, params)
        entries = []
        for secret in page:
            entry = described(secret)
            if secret.versions:
                entry["SecretVersionsToStages"] = secret.stages()
            entries.append(entry)
        return {"SecretList": entries, **rest}

    @operation("DeleteSecret")
    @one_at_a_time
    async def delete_secret(self, call: Call, params: Params) -> Answer:
        """Mark a secret for deletion in 7 to 30 days, or delete it at once.

        Raises: ResourceNotFoundException, InvalidParameterException, InvalidRequestException.
        """
        is_forced = params.get("ForceDeleteWithoutRecovery", False)
        if is_forced and "RecoveryWindowInDays" in params:
            raise InvalidParameterException(
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays."
            )
        days = params.get("RecoveryWindowInDays", 30)
        if not 7 <= days <= 30:
            raise InvalidParameterException("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).")
        if is_forced:
            return await self._delete_now(call, params["SecretId"])
        secret = self._secrets.get(call, params["SecretId"], deleted=True)
        if secret.deleted_at_ms:
            raise InvalidRequestException(
                "You tried to perform the operation on a secret that's currently marked deleted."
            )
        gone_at_ms = call.now_ms + days * DAY_MS
        await self._secrets.keep(secret, replace(secret, deleted_at_ms=call.now_ms, gone_at_ms=gone_at_ms))
        return {**_names(secret), "DeletionDate": gone_at_ms}

    async def _delete_now(self, call: Call, secret_id: str) -> Answer:
        """Delete at once. "With an already deleted or nonexistent secret, the operation does not return" an error."""
        secret = self._secrets.find(call.account_id, call.region, secret_id)
        if secret is None:
            arn = secret_id if secret_id.startswith("arn:") else call.arn(f"secret:{secret_id}")
            return {"ARN": arn, "Name": arn.split(":", 6)[-1], "DeletionDate": call.now_ms}
        await self._secrets.remove(secret)
        return {**_names(secret), "DeletionDate": call.now_ms}

    @operation("RestoreSecret")
    @one_at_a_time
    async def restore_secret(self, call: Call, params: Params) -> Answer:
        """Take the mark of deletion away. Raises: ResourceNotFoundException."""
        secret = self._secrets.get(call, params["SecretId"], deleted=True)
        if secret.deleted_at_ms:
            secret = await self._secrets.keep(secret, replace(secret, deleted_at_ms=0, gone_at_ms=0))
        return _names(secret)

    @operation("TagResource")
    @one_at_a_time
    async def tag_resource(self, call: Call, params: Params) -> Answer:
        """Set tags. Raises: ResourceNotFoundException, InvalidParameterException."""
        secret = self._secrets.get(call, params["SecretId"])
        tags = {**secret.tags, **tags_of(params["Tags"])}
        if len(tags) > TAGS_MAX:
            raise InvalidParameterException(f"The secret would have {len(tags)} tags: at most {TAGS_MAX}.")
        await self._secrets.keep(secret, replace(secret, tags=tags))
        return {}

    @operation("UntagResource")
    @one_at_a_time
    async def untag_resource(self, call: Call, params: Params) -> Answer:
        """Take tags away. Raises: ResourceNotFoundException."""
        secret = self._secrets.get(call, params["SecretId"])
        gone = set(params["TagKeys"])
        left = {key: value for key, value in secret.tags.items() if key not in gone}
        await self._secrets.keep(secret, replace(secret, tags=left))
        return {}

    async def sweep(self) -> int:
        """Delete what has passed its recovery window, and give how many secrets that were."""
        now_ms = self._clock.now_ms()
        over = [one for one in self._secrets.every() if one.deleted_at_ms and now_ms >= one.gone_at_ms]
        count = 0
        for secret in over:
            async with self._secrets.lock(secret.account_id, secret.region, secret.name):
                if self._secrets.find(secret.account_id, secret.region, secret.name) is secret:
                    await self._secrets.remove(secret)  # and not one that was made meanwhile under its name
                    count += 1
        return count


def _names(secret: Secret) -> Answer:
    return {"ARN": secret.arn, "Name": secret.name}


def described(secret: Secret) -> Answer:
    """Give what DescribeSecret and ListSecrets say of a secret; what is not there is left out."""
    rotation = secret.rotation
    rules: Answer = {}
    if rotation.after_days:
        rules["AutomaticallyAfterDays"] = rotation.after_days
    if rotation.schedule:
        rules["ScheduleExpression"] = rotation.schedule
    if rotation.duration:
        rules["Duration"] = rotation.duration
    told = {
        **_names(secret),
        "Description": secret.description,
        "KmsKeyId": secret.kms_key_id,
        "RotationEnabled": rotation.is_enabled or None,
        "RotationLambdaARN": rotation.lambda_arn,
        "RotationRules": rules,
        "LastRotatedDate": rotation.rotated_at_ms,
        "LastChangedDate": secret.changed_at_ms,
        "LastAccessedDate": secret.accessed_at_ms,
        "DeletedDate": secret.deleted_at_ms,
        "NextRotationDate": rotation.next_at_ms if rotation.is_enabled else 0,
        "Tags": [{"Key": key, "Value": value} for key, value in secret.tags.items()],
        "CreatedDate": secret.created_at_ms,
    }
    return {name: value for name, value in told.items() if value}
