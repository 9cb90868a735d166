"""Who sent a request: its signature read, the access key looked up, the signature verified."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gatepost.awsapi.errors import (
    IncompleteSignatureException,
    InvalidSignatureException,
    MissingAuthenticationTokenException,
    UnrecognizedClientException,
)
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import Principal
from gatepost.kernel.ports import Identities, Identity
from gatepost.security.sigv4 import Claim, Proof, SignatureError, SignatureVerifier
from gatepost.wire.messages import Request


class Caller(NamedTuple):
    """Who calls, and the region and service that they signed for."""

    principal: Principal
    region: str
    service: str


def as_service_error(error: SignatureError) -> ServiceError:
    """Say in AWS's codes why a signature proves nothing."""
    if error.kind == "missing":
        return MissingAuthenticationTokenException(error.message)
    if error.kind == "incomplete":
        return IncompleteSignatureException(error.message)
    return InvalidSignatureException(error.message, detail=error.detail)


class Authenticator:
    """Verifies every signed request.

    `any_credentials`, where it is given, is who an access key that nobody has stands for (`--any-credentials`); a key
    that exists is verified as always. It never stands for the unknown key of a pre-signed URL: a page could have a
    browser open one, and nothing in it would have to be right.
    """

    def __init__(
        self, identities: Identities, *, verifier: SignatureVerifier, any_credentials: Principal | None = None
    ) -> None:
        self._identities = identities
        self._verifier = verifier
        self._any_credentials = any_credentials

    def read(self, request: Request, headers: Mapping[bytes, bytes], now_ms: int) -> Claim:
        """Read who a request claims to be from. Raises: ServiceError."""
        try:
            return self._verifier.read(headers, request.query, now_ms=now_ms)
        except SignatureError as error:
            raise as_service_error(error) from error

    def caller(
        self,
        claim: Claim,
        request: Request,
        headers: Mapping[bytes, bytes],
        now_ms: int,
        *,
        unsigned_payload_allowed: bool = False,
    ) -> Caller:
        """Verify a claim and give who it proves. Raises: ServiceError."""
        scope = claim.scope
        identity = self._identities.find(scope.access_key_id, claim.session_token, now_ms)
        if identity is None:
            stand_in = None if claim.is_presigned else self._any_credentials
            if stand_in is not None and not self._identities.knows(scope.access_key_id):
                return Caller(stand_in, scope.region, scope.service)
            raise UnrecognizedClientException("The security token included in the request is invalid.")
        try:
            self._verifier.verify(
                claim,
                identity.secret_access_key,
                method=request.method,
                path=request.path,
                query=request.query,
                headers=headers,
                body=request.body,
                unsigned_payload_allowed=unsigned_payload_allowed,
            )
        except SignatureError as error:
            raise as_service_error(error) from error
        return Caller(identity.principal, scope.region, scope.service)

    def proof(self, claim: Claim, request: Request, headers: Mapping[bytes, bytes], now_ms: int) -> Proof | None:
        """Give what is left to verify of further requests with the headers of one that was verified, or None."""
        scope = claim.scope
        identity = self._identities.find(scope.access_key_id, claim.session_token, now_ms)
        if identity is None:
            return None
        return self._verifier.proof(
            claim,
            identity.secret_access_key,
            method=request.method,
            path=request.path,
            query=request.query,
            headers=headers,
        )

    def proven(self, claim: Claim, proof: Proof, body: bytes, signature: bytes, now_ms: int) -> Identity | None:
        """Give whom a further request proves; None: nobody, or not without looking at everything."""
        if not self._verifier.is_current(proof.at_ms, now_ms):
            return None
        try:
            identity = self._identities.find(claim.scope.access_key_id, claim.session_token, now_ms)
        except ServiceError:
            return None
        if identity is None or not proof.holds(identity.secret_access_key, body, signature):
            return None
        return identity

    def knows(self, claim: Claim, now_ms: int) -> bool:
        """Say whether the access key of an unverified claim is one that may get anywhere."""
        if self._any_credentials is not None:
            return True
        try:
            return self._identities.find(claim.access_key_id, claim.session_token, now_ms) is not None
        except ServiceError:
            return False
