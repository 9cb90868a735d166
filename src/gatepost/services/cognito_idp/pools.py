"""Pools and their app clients in memory and in the store, and what the gateway hears of them.

There are at most a thousand pools; a sign-in names its client, nothing else, so both are held in memory.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.operations import Call, Change, RecordKey
from gatepost.kernel.ports import Publisher
from gatepost.security.jwt import SigningKey, Verifier, verifying_keys
from gatepost.security.session_tokens import Sealing
from gatepost.services.cognito_idp.errors import ConcurrentModificationException, ResourceNotFoundException
from gatepost.services.cognito_idp.pool import CLIENT, POOL, SEPARATOR, AppClient, UserPool
from gatepost.storage.base import Records, Write

JWKS: Final = "jwks"  # topic: key is the pool's ARN


class Pools:
    """Every user pool and app client."""

    def __init__(
        self, records: Records, publisher: Publisher, seal: Sealing, clock: Clock, issuer: Callable[[UserPool], str]
    ) -> None:
        """Take where they are kept; `issuer` gives what a pool's tokens name as theirs."""
        self._records = records
        self._publisher = publisher
        self._seal = seal
        self._clock = clock
        self.issuer = issuer
        self._pools: dict[str, tuple[UserPool, int]] = {}
        self._clients: dict[str, tuple[AppClient, int]] = {}
        self._signing: dict[str, tuple[SigningKey, SigningKey]] = {}
        self._verifiers: dict[str, Verifier] = {}

    async def load(self) -> None:
        """Read everything from the store. Raises: StoreUnavailable."""
        for record in await self._records.scan(POOL):
            self._pools[record.key.id] = (UserPool.from_json(record.value), record.version)
        for record in await self._records.scan(CLIENT):
            client = AppClient.from_json(record.value)
            self._clients[client.id] = (client, record.version)

    # --- pools -------------------------------------------------------------------------------------------------

    def find(self, pool_id: str) -> UserPool | None:
        """Give a pool by its id, of whatever account and region."""
        found = self._pools.get(pool_id)
        return found[0] if found else None

    def get(self, call: Call, pool_id: str) -> UserPool:
        """Give a pool of the caller's account and region. Raises: ResourceNotFoundException."""
        pool = self.find(pool_id)
        if pool is None or (pool.account_id, pool.region) != (call.account_id, call.region):
            raise ResourceNotFoundException(f"User pool {pool_id} does not exist.")
        return pool

    def every(self, account_id: str, region: str) -> list[UserPool]:
        """Give the pools of an account and region by their ids."""
        found = (pool for pool, _ in self._pools.values() if (pool.account_id, pool.region) == (account_id, region))
        return sorted(found, key=lambda pool: pool.id)

    async def keep(self, pool: UserPool, old: UserPool | None) -> None:
        """Store a new pool, or `old` as it is changed. Raises: ConcurrentModificationException, StoreUnavailable."""
        held = self._pools.get(pool.id)
        if (held[0] if held else None) is not old:
            raise ConcurrentModificationException("The user pool was changed by another request: try again.")
        key = RecordKey(POOL, pool.account_id, pool.region, pool.id)
        try:
            record = await self._records.put(key, pool.to_json(), expected_version=held[1] if held else 0)
        except VersionConflict as conflict:
            words = "The user pool was changed by another request: try again."
            raise ConcurrentModificationException(words) from conflict
        self._pools[pool.id] = (pool, record.version)
        if old is None or old.jwks != pool.jwks:
            await self._publisher.publish(self._change(pool))

    async def delete(self, pool: UserPool) -> None:
        """Delete a pool and its clients."""
        clients = self.clients_of(pool)
        writes = [Write(RecordKey(POOL, pool.account_id, pool.region, pool.id), None)]
        await self._records.commit([*writes, *(Write(_client_key(pool, client.id), None) for client in clients)])
        for client in clients:
            self._clients.pop(client.id, None)
        self._pools.pop(pool.id, None)
        self._signing.pop(pool.id, None)
        self._verifiers.pop(pool.id, None)
        await self._publisher.publish(Change(JWKS, pool.arn, None))

    def published(self) -> list[Change]:
        """Give the public keys of every pool."""
        return [self._change(pool) for pool, _ in self._pools.values()]

    def _change(self, pool: UserPool) -> Change:
        return Change(
            JWKS,
            pool.arn,
            {"issuer": self.issuer(pool), "user_pool_id": pool.id, "keys": [dict(key) for key in pool.jwks]},
        )

    # --- keys --------------------------------------------------------------------------------------------------

    def new_keys(self, pool: UserPool) -> UserPool:
        """Give the pool with two new key pairs: for id tokens and for access tokens. Slow: call it in a thread."""
        pairs = [SigningKey.generate(_kid()) for _ in range(2)]
        sealed = [self._seal.seal(pair.pem, purpose=f"user-pool-key:{pool.id}:{pair.kid}") for pair in pairs]
        return replace(
            pool,
            jwks=[pair.public_jwk() for pair in pairs],
            sealed_keys=[base64.b64encode(one).decode() for one in sealed],
        )

    def signing_key(self, pool: UserPool, *, is_access: bool) -> SigningKey:
        """Give the key that signs a pool's id tokens, or its access tokens."""
        pair = self._signing.get(pool.id)
        if pair is None:
            one, other = (
                SigningKey(
                    jwk["kid"],
                    self._seal.open(base64.b64decode(sealed), purpose=f"user-pool-key:{pool.id}:{jwk['kid']}"),
                )
                for jwk, sealed in zip(pool.jwks, pool.sealed_keys, strict=True)
            )
            pair = self._signing[pool.id] = (one, other)
        return pair[1 if is_access else 0]

    def verifier(self, pool: UserPool) -> Verifier:
        """Give what verifies a pool's own tokens."""
        found = self._verifiers.get(pool.id)
        if found is None:
            keys = verifying_keys({"keys": list(pool.jwks)})
            found = self._verifiers[pool.id] = Verifier(self.issuer(pool), keys, self._clock)
        return found

    def by_issuer(self, issuer: str) -> UserPool | None:
        """Give the pool whose tokens name this issuer."""
        pool = self.find(issuer.rpartition("/")[2])
        return pool if pool is not None and self.issuer(pool) == issuer else None

    # --- clients -----------------------------------------------------------------------------------------------

    def client(self, client_id: str) -> AppClient | None:
        """Give an app client by its id."""
        found = self._clients.get(client_id)
        return found[0] if found else None

    def client_of(self, pool: UserPool, client_id: str) -> AppClient:
        """Give an app client of a pool. Raises: ResourceNotFoundException."""
        client = self.client(client_id)
        if client is None or client.pool_id != pool.id:
            raise ResourceNotFoundException(f"User pool client {client_id} does not exist.")
        return client

    def signing_in(self, client_id: str) -> tuple[UserPool, AppClient]:
        """Give a client with its pool, for those who know no more than its id. Raises: ResourceNotFoundException."""
        client = self.client(client_id)
        pool = self.find(client.pool_id) if client is not None else None
        if client is None or pool is None:
            raise ResourceNotFoundException(f"User pool client {client_id} does not exist.")
        return pool, client

    def clients_of(self, pool: UserPool) -> Sequence[AppClient]:
        """Give a pool's clients by their ids."""
        found = (client for client, _ in self._clients.values() if client.pool_id == pool.id)
        return sorted(found, key=lambda client: client.id)

    async def keep_client(self, pool: UserPool, client: AppClient, old: AppClient | None) -> None:
        """Store a new client, or `old` as it is changed. Raises: ConcurrentModificationException."""
        held = self._clients.get(client.id)
        if (held[0] if held else None) is not old:
            raise ConcurrentModificationException("The client was changed by another request: try again.")
        try:
            record = await self._records.put(
                _client_key(pool, client.id), client.to_json(), expected_version=held[1] if held else 0
            )
        except VersionConflict as conflict:
            raise ConcurrentModificationException("The client was changed by another request: try again.") from conflict
        self._clients[client.id] = (client, record.version)

    async def delete_client(self, pool: UserPool, client: AppClient) -> None:
        """Delete a client."""
        await self._records.delete(_client_key(pool, client.id))
        self._clients.pop(client.id, None)

    def seal_secret(self, client_id: str, secret: str) -> str:
        """Seal a client's secret for its record."""
        sealed = self._seal.seal(secret.encode(), purpose=f"user-pool-client:{client_id}")
        return base64.b64encode(sealed).decode()

    def secret_of(self, client: AppClient) -> str:
        """Give a client's secret, or an empty text when it has none."""
        if not client.sealed_secret:
            return ""
        sealed = base64.b64decode(client.sealed_secret)
        return self._seal.open(sealed, purpose=f"user-pool-client:{client.id}").decode()

    def secret_matches(self, client: AppClient, given: str) -> bool:
        """Say, in constant time, whether a text is the client's secret."""
        kept = self.secret_of(client)
        return bool(kept) and hmac.compare_digest(kept.encode(), given.encode("utf-8", "surrogatepass"))

    def secret_hash_matches(self, client: AppClient, username: str, given: str) -> bool:
        """Say, in constant time, whether SECRET_HASH is that of a user name and this client.

        It is base64 of HMAC-SHA256 over user name and client id with the secret
        (https://docs.aws.amazon.com/cognito/latest/developerguide/signing-up-users-in-your-app.html).
        """
        mac = hmac.new(
            self.secret_of(client).encode(), (username + client.id).encode("utf-8", "surrogatepass"), "sha256"
        )
        return hmac.compare_digest(base64.b64encode(mac.digest()), given.encode("utf-8", "surrogatepass"))


def _client_key(pool: UserPool, client_id: str) -> RecordKey:
    return RecordKey(CLIENT, pool.account_id, pool.region, f"{pool.id}{SEPARATOR}{client_id}")


def _kid() -> str:
    """Make a key id in the form of Cognito's: 32 bytes in base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode()
