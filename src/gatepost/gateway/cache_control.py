"""`Cache-Control: max-age=0`: whether a client may have its entry of a stage's cache made anew, and what else happens.

Source: "Invalidate an API Gateway cache entry",
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-caching.html#invalidate-method-caching
Only a signed request can show the permission `execute-api:InvalidateCache`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gatepost.gateway.exchange import CALLER, Exchange
from gatepost.gateway.guards.resource_policy import invocation_arn, invocation_call
from gatepost.gateway.guards.signature import SignatureParts
from gatepost.gateway.responses import ACCESS_DENIED, Refusal
from gatepost.gateway.route import StageFacts
from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.operations import Access
from gatepost.wire.messages import Headers

ACTION: Final = "execute-api:InvalidateCache"
# unverified: the text; "Adds a warning in the response header" is what is documented
WARNING: Final = (b"Warning", b'199 - "Cache-Control headers ignored because caller was unauthorized"')
ONLY_ONCE: Final = b"max-age=0"


class CacheControl:
    """A method's answer to clients that want their entry made anew."""

    __slots__ = ("_needs_permission", "_signatures", "_stage", "_strategy")

    def __init__(self, settings: Mapping[str, object], stage: StageFacts, signatures: SignatureParts | None) -> None:
        """Take the method's settings, by AWS's names."""
        self._needs_permission = settings.get("requireAuthorizationForCacheControl", True) is not False
        self._strategy = settings.get("unauthorizedCacheControlHeaderStrategy", "SUCCEED_WITH_RESPONSE_HEADER")
        self._stage = stage
        self._signatures = signatures

    def invalidates(self, exchange: Exchange, asked: bytes, warnings: Headers) -> bool:
        """Say whether a request that has `Cache-Control: {asked}` is to have its entry made anew.

        `warnings` gets what its answer has to say. Raises: Refusal, when it asks without permission and the method says
        FAIL_WITH_403.
        """
        if ONLY_ONCE not in [word.strip() for word in asked.lower().split(b",")]:
            return False
        if not self._needs_permission or self._is_permitted(exchange):
            return True
        if self._strategy == "FAIL_WITH_403":
            raise Refusal(ACCESS_DENIED, detail=f"Cache-Control: max-age=0 without {ACTION}")
        if self._strategy == "SUCCEED_WITH_RESPONSE_HEADER":
            warnings.append(WARNING)
        return False

    def _is_permitted(self, exchange: Exchange) -> bool:
        if self._signatures is None or not exchange.has(CALLER):
            return False
        call = invocation_call(exchange, self._stage, exchange.read(CALLER))
        try:
            self._signatures.authorization.check(call, Access(ACTION, invocation_arn(exchange, self._stage)))
        except AccessDeniedException:
            return False
        return True

    def __repr__(self) -> str:
        return f"needs permission, else {self._strategy}" if self._needs_permission else "free"
