"""Who calls, by AWS Signature Version 4 (authorization type AWS_IAM)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

from gatepost.gateway.exchange import CALLER, CALLER_TOKEN, NO_FACTS, Exchange, Facts
from gatepost.gateway.guards.policy_decisions import PolicyDecisions
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.responses import (
    EXPIRED_TOKEN,
    INCOMPLETE_SIGNATURE,
    INVALID_SIGNATURE,
    MISSING_AUTHENTICATION_TOKEN,
    UNRECOGNIZED_CLIENT,
    Refusal,
    RefusalKind,
)
from gatepost.gateway.route import StageFacts
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ports import Identities
from gatepost.security.sigv4 import SignatureError, SignatureVerifier, joined_headers

SERVICE: Final = "execute-api"
OVERRIDE: Final = b"x-http-method-override"  # whoever has a URL signed for POST must not make it a DELETE

_KINDS: Final[dict[str, RefusalKind]] = {
    "missing": MISSING_AUTHENTICATION_TOKEN,
    "incomplete": INCOMPLETE_SIGNATURE,
    "mismatch": INVALID_SIGNATURE,
    "expired": INVALID_SIGNATURE,
}


@dataclass(frozen=True, slots=True)
class SignatureParts:
    """What guards of AWS_IAM methods use: who owns a key, and who may do what."""

    identities: Identities
    authorization: PolicyDecisions
    verifier: SignatureVerifier = field(default_factory=SignatureVerifier)


class SignatureGuard:
    """Refuse a request without a valid signature for `execute-api` in the API's region; write who signed.

    Bounds are the verifier's: 5 minutes of clock skew, 7 days for a pre-signed URL. Identities come from memory:
    when services is down, those last published count.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html; status and error types by API
    Gateway's gateway response types. unverified: the type of INCOMPLETE_SIGNATURE and UNRECOGNIZED_CLIENT.
    """

    needs: ClassVar[Facts] = NO_FACTS
    writes: ClassVar[Facts] = frozenset({CALLER, CALLER_TOKEN})

    def __init__(self, parts: SignatureParts, region: str) -> None:
        self._identities = parts.identities
        self._verifier = parts.verifier
        self._region = region

    def check(self, exchange: Exchange) -> None:
        """Verify the signature. Raises: Refusal."""
        request = exchange.request
        headers = joined_headers(request.headers)
        try:
            claim = self._verifier.read(headers, request.query, now_ms=exchange.time_ms)
            self._check_scope(claim.scope.service, claim.scope.region)
            if exchange.method != request.method and OVERRIDE not in claim.scope.names:
                raise SignatureError("mismatch", f"'{OVERRIDE.decode()}' must be a 'SignedHeader': it is the method.")
            identity = self._identities.find(claim.access_key_id, claim.session_token, exchange.time_ms)
            if identity is None:
                raise Refusal(UNRECOGNIZED_CLIENT, detail=f"access key {claim.access_key_id} is not known")
            self._verifier.verify(
                claim,
                identity.secret_access_key,
                method=request.method,
                path=request.path,
                query=request.query,
                headers=headers,
                body=request.body,
            )
        except SignatureError as error:
            # Not the error's own detail: it may hold the canonical request, session token included.
            raise Refusal(_KINDS[error.kind], message=error.message, detail=error.message) from error
        except ServiceError as error:  # the session token has expired
            raise Refusal(EXPIRED_TOKEN, message=error.message or None, detail=error.code) from error
        exchange.write(CALLER, identity.principal)
        exchange.write(CALLER_TOKEN, claim.session_token)

    def _check_scope(self, service: str, region: str) -> None:
        if service != SERVICE:
            raise SignatureError("mismatch", f"Credential should be scoped to correct service: '{SERVICE}'.")
        if region != self._region:
            raise SignatureError("mismatch", f"Credential should be scoped to a valid region, not '{region}'.")

    def __repr__(self) -> str:
        return f"SignatureGuard({SERVICE}, {self._region})"


def for_stage(stage: StageFacts, parts: SignatureParts | None) -> SignatureGuard:
    """Make the guard. Raises: MappingError when this gateway cannot verify signatures."""
    if parts is None:
        raise MappingError("authorizationType AWS_IAM: this gateway was built without identities")
    return SignatureGuard(parts, stage.region)
