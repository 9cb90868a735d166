"""The tokens that identity pools issue: OpenID Connect tokens for AssumeRoleWithWebIdentity, by one key pair.

Their issuer is `https://cognito-identity.amazonaws.com` on every platform, as trust policies name it; the key pair is
this platform's own and sealed at rest. It is made when the first token is.
Source: https://docs.aws.amazon.com/cognito/latest/developerguide/authentication-flow.html
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.ids import random_id
from gatepost.kernel.operations import RecordKey
from gatepost.security.jwt import SigningKey, Verifier, verifying_keys
from gatepost.security.session_tokens import Sealing
from gatepost.services.cognito_identity.errors import ConcurrentModificationException
from gatepost.services.cognito_identity.model import ISSUER, KEY, IdentityPool
from gatepost.storage.base import Records

TAGS_CLAIM: Final = "https://aws.amazon.com/tags"
POOL_ARN_CLAIM: Final = "https://cognito-identity.amazonaws.com/identity-pool-arn"
_KEY_ID: Final = "signing"
_PURPOSE: Final = "identity-pool-key"


class IdentityTokens:
    """Signs and verifies identity pools' tokens."""

    def __init__(self, records: Records, seal: Sealing, clock: Clock) -> None:
        self._records = records
        self._seal = seal
        self._clock = clock
        self._record_key = RecordKey(KEY, "", "", _KEY_ID)
        self._key: SigningKey | None = None
        self._making = asyncio.Lock()
        self.verifier = Verifier(ISSUER, (), clock)

    async def load(self) -> None:
        """Read the key pair, if there is one. Raises: StoreUnavailable."""
        record = await self._records.get(self._record_key)
        if record is not None:
            pem = self._seal.open(base64.b64decode(record.value["sealed"]), purpose=_PURPOSE)
            self._take(SigningKey(record.value["kid"], pem))

    def jwks(self) -> Mapping[str, Any] | None:
        """Give the public key as `kernel.ports.TokenIssuers` does; None until a token was issued."""
        return {"issuer": ISSUER, "keys": [self._key.public_jwk()]} if self._key is not None else None

    async def issue(
        self,
        pool: IdentityPool,
        identity_id: str,
        amr: list[str],
        *,
        duration_s: int,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """Give a token of an identity that is good for `duration_s`; `tags` become the session's."""
        now_s = self._clock.now_ms() // 1000
        claims: dict[str, Any] = {
            "sub": identity_id,
            "aud": pool.id,
            "amr": amr,
            "iss": ISSUER,
            POOL_ARN_CLAIM: pool.arn,
            "exp": now_s + duration_s,
            "iat": now_s,
        }
        if tags:
            claims[TAGS_CLAIM] = {"principal_tags": {key: [value] for key, value in tags.items()}}
        return (await self._signing_key()).sign(claims)

    async def _signing_key(self) -> SigningKey:
        key = self._key
        if key is None:
            async with self._making:
                key = self._key or await self._make()
        return key

    async def _make(self) -> SigningKey:
        kid = random_id(24)
        made = await asyncio.get_running_loop().run_in_executor(None, SigningKey.generate, kid)
        sealed = base64.b64encode(self._seal.seal(made.pem, purpose=_PURPOSE)).decode()
        try:
            await self._records.put(self._record_key, {"kid": kid, "sealed": sealed}, expected_version=0)
        except VersionConflict:
            raise ConcurrentModificationException("The signing key was made by another request: try again.") from None
        return self._take(made)

    def _take(self, key: SigningKey) -> SigningKey:
        self._key = key
        self.verifier.replace_keys(verifying_keys({"keys": [key.public_jwk()]}))
        return key
