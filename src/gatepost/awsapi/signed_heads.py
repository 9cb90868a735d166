"""What is known of a header block whose signature has been verified, for the next request that differs in nothing else.

Most clients that keep a connection send the same headers again and again: only the signature, 64 characters, is another
with every body. The wire tells such blocks (`HeaderBlock.varies`). Host, origin, operation, claim and the canonical
request are then what they were; what is verified anew is the time, the key's owner, and the signature over the body.
"""

from __future__ import annotations

from typing import Final

from gatepost.awsapi.authentication import Authenticator, Caller
from gatepost.awsapi.routing import Routed
from gatepost.security.sigv4 import Claim, Proof
from gatepost.wire.messages import HeaderBlock, Request

SIGNATURE_BYTES: Final = 64
_LINE: Final = b"\nauthorization:"


class SignedHead:
    """The facts of one header block. `headers` hold an older signature, which nobody may ask for."""

    __slots__ = ("_caller", "_claim", "_proof", "headers", "method", "routed")

    def __init__(
        self,
        method: str,
        headers: dict[bytes, bytes],
        routed: Routed,
        claim: Claim,
        proof: Proof,
        caller: Caller,
    ) -> None:
        self.method = method
        self.headers = headers
        self.routed = routed
        self._claim = claim
        self._proof = proof
        self._caller = caller

    def caller(self, authenticator: Authenticator, request: Request, block: HeaderBlock, now_ms: int) -> Caller | None:
        """Verify another request with this head; None: verify it from the beginning, to tell what is wrong."""
        if request.target != "/" or request.method != self.method:
            return None
        at = block.signature_at
        signature = block.block[at : at + SIGNATURE_BYTES]
        identity = authenticator.proven(self._claim, self._proof, request.body, signature, now_ms)
        if identity is None:
            return None
        if identity.principal is not self._caller.principal:
            self._caller = self._caller._replace(principal=identity.principal)
        return self._caller


def remember(
    authenticator: Authenticator,
    request: Request,
    headers: dict[bytes, bytes],
    routed: Routed,
    claim: Claim,
    caller: Caller,
    now_ms: int,
) -> None:
    """Keep what a verified request's headers mean on their block, if the next ones may be told by it."""
    block = request.block
    if block is None or not block.varies or request.target != "/" or block.memo is not None:
        return
    at = block.signature_at
    begin = block.low.rfind(b"\n", 0, at)
    is_in_place = block.low.startswith(_LINE, begin) and block.block[at : at + SIGNATURE_BYTES] == claim.signature
    if not is_in_place or block.low.count(_LINE) != 1:
        return
    proof = authenticator.proof(claim, request, headers, now_ms)
    if proof is not None:
        block.memo = SignedHead(request.method, headers, routed, claim, proof, caller)
