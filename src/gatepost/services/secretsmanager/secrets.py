"""Every secret in memory but its values, which stay in the store, sealed; found by name, ARN or the ARN's beginning."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, Final
from weakref import WeakValueDictionary

from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.operations import Call
from gatepost.security.sealing import NotSealed
from gatepost.security.session_tokens import Sealing
from gatepost.services.secretsmanager.errors import (
    DecryptionFailure,
    InvalidRequestException,
    LimitExceededException,
    marked_deleted,
    not_found,
)
from gatepost.services.secretsmanager.model import SECRET, Secret, Value
from gatepost.storage.base import Records, Write

SECRETS_MAX: Final = 500_000  # https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
SUFFIX_LENGTH: Final = 6
Key = tuple[str, str, str]  # account, region, name


class Secrets:
    """Finds secrets, keeps them, and seals and opens their values."""

    def __init__(self, records: Records, seal: Sealing) -> None:
        self._records = records
        self._seal = seal
        self._secrets: dict[Key, tuple[Secret, int]] = {}
        self._names: dict[str, Key] = {}  # by ARN
        self._locks: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    async def load(self) -> None:
        """Read every secret. Raises: StoreUnavailable."""
        for record in await self._records.scan(SECRET):
            self._hold(Secret.from_json(record.value), record.version)

    def find(self, account_id: str, region: str, secret_id: str) -> Secret | None:
        """Find a secret by its name in an account and region, or by its ARN wherever it is, in whatever state.

        "For an ARN, we recommend that you specify a complete ARN rather than a partial ARN": one without the last
        hyphen and six characters is found too.
        """
        if secret_id.startswith("arn:"):
            key = self._names.get(secret_id) or self._by_partial_arn(secret_id)
        else:
            key = (account_id, region, secret_id)
        found = self._secrets.get(key) if key is not None else None
        return found[0] if found else None

    def _by_partial_arn(self, arn: str) -> Key | None:
        parts = arn.split(":", 6)
        if len(parts) != 7 or parts[5] != "secret":
            return None
        key = (parts[4], parts[3], parts[6])
        return key if key in self._secrets else None

    def get(self, call: Call, secret_id: str, *, deleted: bool = False) -> Secret:
        """Give a secret; one in its recovery window only with `deleted`.

        Raises: ResourceNotFoundException, InvalidRequestException.
        """
        secret = self.find(call.account_id, call.region, secret_id)
        if secret is None or (secret.deleted_at_ms and call.now_ms >= secret.gone_at_ms):
            raise not_found()
        if secret.deleted_at_ms and not deleted:
            raise marked_deleted()
        return secret

    def lock(self, account_id: str, region: str, secret_id: str) -> asyncio.Lock:
        """Give the lock of a secret, there or not: who changes it holds it, so that changes wait for each other."""
        secret = self.find(account_id, region, secret_id)
        key = (account_id, region, secret_id) if secret is None else (secret.account_id, secret.region, secret.name)
        found = self._locks.get(key)
        if found is None:
            found = self._locks[key] = asyncio.Lock()
        return found

    def of(self, account_id: str, region: str) -> list[Secret]:
        """Give all secrets of an account and region."""
        return [secret for key, (secret, _) in self._secrets.items() if key[:2] == (account_id, region)]

    def every(self) -> Iterable[Secret]:
        """Give all secrets."""
        return [secret for secret, _ in self._secrets.values()]

    async def keep(self, old: Secret | None, secret: Secret, values: Sequence[tuple[str, Value]] = ()) -> Secret:
        """Store a new secret, or `old` as it is changed, with new values by version; gone versions lose theirs.

        Raises: InvalidRequestException when it was changed meanwhile; StoreUnavailable.
        """
        key = (secret.account_id, secret.region, secret.name)
        held = self._secrets.get(key)
        if (held[0] if held else None) is not old:
            raise InvalidRequestException("The secret was changed by another request: try again.")
        if old is None and len(self._secrets) >= SECRETS_MAX:
            raise LimitExceededException(f"There are {SECRETS_MAX} secrets already.")
        writes = [Write(secret.key, secret.to_json(), held[1] if held else 0)]
        writes += [
            Write(secret.value_key(name), {"sealed": self._sealed(secret, name, value)}) for name, value in values
        ]
        if old is not None:
            writes += [Write(old.value_key(name), None) for name in old.versions if name not in secret.versions]
        try:
            stored = await self._records.commit(writes)
        except VersionConflict as conflict:
            raise InvalidRequestException("The secret was changed by another request: try again.") from conflict
        assert stored[0] is not None
        self._hold(secret, stored[0].version)
        return secret

    async def remove(self, secret: Secret) -> None:
        """Delete a secret with its values. Raises: StoreUnavailable."""
        writes = [Write(secret.key, None), *(Write(secret.value_key(name), None) for name in secret.versions)]
        await self._records.commit(writes)
        self._secrets.pop((secret.account_id, secret.region, secret.name), None)
        self._names.pop(secret.arn, None)

    async def value(self, secret: Secret, version_id: str) -> Value | None:
        """Open a version's value; None when it has none. Raises: DecryptionFailure, StoreUnavailable."""
        record = await self._records.get(secret.value_key(version_id))
        if record is None:
            return None
        try:
            sealed = base64.b64decode(record.value["sealed"])
            return Value.unpacked(self._seal.open(sealed, purpose=_purpose(secret, version_id)))
        except NotSealed as error:
            raise DecryptionFailure(
                "Secrets Manager can't decrypt the protected secret text using the provided KMS key.", detail=str(error)
            ) from error

    def _sealed(self, secret: Secret, version_id: str, value: Value) -> str:
        sealed = self._seal.seal(value.packed(), purpose=_purpose(secret, version_id))
        return base64.b64encode(sealed).decode()

    def _hold(self, secret: Secret, version: int) -> None:
        key = (secret.account_id, secret.region, secret.name)
        self._secrets[key] = (secret, version)
        self._names[secret.arn] = key


def _purpose(secret: Secret, version_id: str) -> str:
    return f"secret:{secret.arn}:{version_id}"


def one_at_a_time(
    method: Callable[[Any, Call, Mapping[str, Any]], Awaitable[dict[str, Any]]],
) -> Callable[[Any, Call, Mapping[str, Any]], Awaitable[dict[str, Any]]]:
    """Let an operation that changes a secret wait for the one before it on the same secret."""

    @wraps(method)
    async def waiting(self: Any, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        secrets: Secrets = self._secrets
        async with secrets.lock(call.account_id, call.region, params.get("SecretId") or params["Name"]):
            return await method(self, call, params)

    return waiting
