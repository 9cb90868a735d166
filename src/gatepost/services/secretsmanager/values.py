"""Operations on values: versions and their stages.

https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import Access, Call, operation
from gatepost.kernel.ports import Authorization
from gatepost.services.secretsmanager.errors import (
    InvalidParameterException,
    InvalidRequestException,
    LimitExceededException,
    ResourceExistsException,
    ResourceNotFoundException,
)
from gatepost.services.secretsmanager.listing import matching, page_of, sorted_secrets
from gatepost.services.secretsmanager.model import CURRENT, DAY_MS, PENDING, Secret, Value, Version
from gatepost.services.secretsmanager.operations import refuse, refuse_key, token_of, value_of
from gatepost.services.secretsmanager.secrets import Secrets, one_at_a_time

Params = Mapping[str, Any]
Answer = dict[str, Any]

VERSIONS_KEPT: Final = 100
"""From there on deprecated versions (without a stage) go, those older than a day first."""
VERSIONS_MAX: Final = 1_000
STAGES_MAX: Final = 20
BATCH_MAX: Final = 20


class ValueOperations:
    """Operations on values; a part of the provider."""

    _secrets: Secrets
    _authorization: Authorization

    def value_access(self, call: Call, secret_id: str, params: Params) -> Access:
        """Say what GetSecretValue of one secret needs; the provider gives it."""
        raise NotImplementedError

    @operation("PutSecretValue")
    @one_at_a_time
    async def put_secret_value(self, call: Call, params: Params) -> Answer:
        """Add a version; it gets AWSCURRENT unless other stages are named.

        Raises: ResourceNotFoundException, ResourceExistsException, InvalidParameterException, LimitExceededException.
        """
        refuse(params, "RotationToken")
        secret = self._secrets.get(call, params["SecretId"])
        value = value_of(params)
        if value is None:
            raise InvalidParameterException("You must provide either SecretString or SecretBinary.")
        token = token_of(params)
        stages = tuple(params.get("VersionStages", (CURRENT,)))
        secret = await self._add(call, secret, token, value, stages)
        return {
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": token,
            "VersionStages": list(secret.versions[token].stages),
        }

    @operation("UpdateSecret")
    @one_at_a_time
    async def update_secret(self, call: Call, params: Params) -> Answer:
        """Change a secret's description, and give it a new current value.

        Raises: ResourceNotFoundException, ResourceExistsException, InvalidParameterException.
        """
        refuse(params, "Type")
        refuse_key(params)
        secret = self._secrets.get(call, params["SecretId"])
        value = value_of(params)
        changed = replace(
            secret,
            description=params.get("Description", secret.description),
            kms_key_id=params.get("KmsKeyId", secret.kms_key_id),
            changed_at_ms=call.now_ms,
        )
        answer: Answer = {"ARN": secret.arn, "Name": secret.name}
        if value is None:
            await self._secrets.keep(secret, changed)
            return answer
        token = token_of(params)
        await self._add(call, secret, token, value, (CURRENT,), changed=changed)
        return {**answer, "VersionId": token}

    async def _add(
        self,
        call: Call,
        secret: Secret,
        token: str,
        value: Value,
        stages: tuple[str, ...],
        *,
        changed: Secret | None = None,
    ) -> Secret:
        """Add a version, or give one its value that a rotation has announced; the same again changes no value."""
        known = secret.versions.get(token)
        if known is not None and known.has_value:
            if await self._secrets.value(secret, token) != value:
                raise ResourceExistsException(
                    f"You can't use ClientRequestToken {token} because that value is already in use for a version of "
                    f"secret {secret.arn}."
                )
            return await self._secrets.keep(secret, changed) if changed is not None else secret
        versions = _trimmed(secret, call.now_ms)
        if len(versions) >= VERSIONS_MAX:
            raise LimitExceededException(f"The secret has {len(versions)} versions: at most {VERSIONS_MAX}.")
        if not any(version.has_value for version in versions.values()) and PENDING not in stages:
            stages = tuple(dict.fromkeys((CURRENT, *stages)))  # the first version is the current one
        versions[token] = Version(call.now_ms, known.stages if known is not None else ())
        added = replace(changed or secret, versions=versions, changed_at_ms=call.now_ms)
        for stage in stages:
            added = added.with_stage(stage, token)
        return await self._secrets.keep(secret, added, [(token, value)])

    @operation("GetSecretValue")
    async def get_secret_value(self, call: Call, params: Params) -> Answer:
        """Give a value: the current one, or that of a version or a stage.

        Raises: ResourceNotFoundException, InvalidRequestException, DecryptionFailure.
        """
        secret = self._secrets.get(call, params["SecretId"])
        version_id = _chosen(secret, params)
        value = await self._secrets.value(secret, version_id)
        if value is None:
            raise ResourceNotFoundException(
                f"Secrets Manager can't find the specified secret value for VersionId: {version_id}"
            )
        await self._note(call, secret, version_id)
        version = secret.versions[version_id]
        return {
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": version_id,
            **value.to_aws(),
            "VersionStages": list(version.stages),
            "CreatedDate": version.created_at_ms,
        }

    async def _note(self, call: Call, secret: Secret, version_id: str) -> None:
        """Take note of the day of an access; once a day, because it is a write."""
        today = call.now_ms // DAY_MS * DAY_MS
        version = secret.versions[version_id]
        if (
            version.accessed_at_ms == today
            or self._secrets.find(secret.account_id, secret.region, secret.arn) != secret
        ):
            return
        versions = {**secret.versions, version_id: replace(version, accessed_at_ms=today)}
        try:
            await self._secrets.keep(secret, replace(secret, versions=versions, accessed_at_ms=today))
        except InvalidRequestException:  # it is being changed: the next access is noted
            return

    @operation("BatchGetSecretValue")
    async def batch_get_secret_value(self, call: Call, params: Params) -> Answer:
        """Give the current values of named or filtered secrets; what may not be read is told as an error of its own.

        Raises: InvalidParameterException, InvalidNextTokenException.
        """
        rest: Answer = {}
        if ("SecretIdList" in params) == ("Filters" in params):
            raise InvalidParameterException("Either 'SecretIdList' or 'Filters' must be provided, but not both.")
        if "SecretIdList" in params:
            if "MaxResults" in params:
                raise InvalidParameterException("'MaxResults' can only be used with 'Filters'.")
            names = list(params["SecretIdList"])
        else:
            found = [one for one in self._secrets.of(call.account_id, call.region) if not one.deleted_at_ms]
            found = [one for one in found if matching(one, params["Filters"])]
            page, rest = page_of(sorted_secrets(found, by="created-date", is_ascending=False), params, BATCH_MAX)
            names = [one.arn for one in page]
        values, errors = [], []
        for name in names:
            try:
                self._authorization.check(call, self.value_access(call, name, {}))
                answer = await self.get_secret_value(call, {"SecretId": name})
            except ServiceError as error:
                errors.append({"SecretId": name, "ErrorCode": error.code, "Message": error.message})
            else:
                values.append(answer)
        return {"SecretValues": values, **({"Errors": errors} if errors else {}), **rest}

    @operation("ListSecretVersionIds")
    def list_secret_version_ids(self, call: Call, params: Params) -> Answer:
        """List versions, newest first; those without a stage only when they are asked for.

        Raises: ResourceNotFoundException, InvalidNextTokenException.
        """
        secret = self._secrets.get(call, params["SecretId"], deleted=True)
        chosen = [
            (name, version)
            for name, version in sorted(secret.versions.items(), key=lambda one: -one[1].created_at_ms)
            if version.stages or params.get("IncludeDeprecated")
        ]
        page, rest = page_of(chosen, params)
        return {"Versions": [_listed(*one) for one in page], "ARN": secret.arn, "Name": secret.name, **rest}

    @operation("UpdateSecretVersionStage")
    @one_at_a_time
    async def update_secret_version_stage(self, call: Call, params: Params) -> Answer:
        """Move a stage from one version to another, give it to one, or take it away.

        Raises: ResourceNotFoundException, InvalidParameterException, LimitExceededException.
        """
        secret = self._secrets.get(call, params["SecretId"])
        stage, target, source = params["VersionStage"], params.get("MoveToVersionId"), params.get("RemoveFromVersionId")
        holder = secret.holder_of(stage)
        for version_id in (target, source):
            if version_id is not None and version_id not in secret.versions:
                raise ResourceNotFoundException(
                    f"Secrets Manager can't find the specified secret value for VersionId: {version_id}"
                )
        if target is None and source is None:
            raise InvalidParameterException("You must provide MoveToVersionId, RemoveFromVersionId or both.")
        if source is not None and holder != source:
            raise InvalidParameterException(
                f"The staging label {stage} is currently not attached to version {source}, so it can't be removed."
            )
        if source is None and holder is not None and holder != target:
            raise InvalidParameterException(
                f"The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to "
                f"version {holder}, so you must explicitly reference that version in RemoveFromVersionId."
            )
        if target is None and stage == CURRENT:
            raise InvalidParameterException(
                f"You can only move staging label {CURRENT} to a different secret version. "
                "It can't be completely removed."
            )
        if target is not None and len({*secret.versions[target].stages, stage}) > STAGES_MAX:
            raise LimitExceededException(f"A version has at most {STAGES_MAX} staging labels.")
        changed = replace(secret.with_stage(stage, target), changed_at_ms=call.now_ms)
        await self._secrets.keep(secret, changed)
        return {"ARN": secret.arn, "Name": secret.name}


def _listed(version_id: str, version: Version) -> Answer:
    told = {
        "VersionId": version_id,
        "VersionStages": list(version.stages),
        "LastAccessedDate": version.accessed_at_ms,
        "CreatedDate": version.created_at_ms,
        "KmsKeyIds": ["DefaultEncryptionKey"],
    }
    return {name: value for name, value in told.items() if value}


def _chosen(secret: Secret, params: Params) -> str:
    """Give the version that a request means. Raises: ResourceNotFoundException, InvalidRequestException."""
    version_id, stage = params.get("VersionId"), params.get("VersionStage")
    if version_id is not None:
        version = secret.versions.get(version_id)
        if version is None:
            raise ResourceNotFoundException(
                f"Secrets Manager can't find the specified secret value for VersionId: {version_id}"
            )
        if stage is not None and stage not in version.stages:
            raise InvalidRequestException(
                "You provided a VersionStage that is not associated to the provided VersionId."
            )
        return str(version_id)
    holder = secret.holder_of(stage or CURRENT)
    if holder is None:
        raise ResourceNotFoundException(
            f"Secrets Manager can't find the specified secret value for staging label: {stage or CURRENT}"
        )
    return holder


def _trimmed(secret: Secret, now_ms: int) -> dict[str, Version]:
    """Give the versions without those that have no stage, are a day old and too many."""
    versions = dict(secret.versions)
    old = [name for name, one in versions.items() if not one.stages and now_ms - one.created_at_ms > DAY_MS]
    for name in sorted(old, key=lambda name: versions[name].created_at_ms):
        if len(versions) < VERSIONS_KEPT:
            break
        del versions[name]
    return versions
