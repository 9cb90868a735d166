"""Whether a request has an API key that its stage takes (`apiKeyRequired`)."""

from __future__ import annotations

from typing import ClassVar, Final

from gatepost.gateway.authorizer_result import AUTHORIZER
from gatepost.gateway.exchange import NO_FACTS, Exchange, Facts
from gatepost.gateway.mapping import MappingError
from gatepost.gateway.responses import INVALID_API_KEY, Refusal
from gatepost.gateway.usage_keys import API_KEY, KeyedCaller, StageKeys
from gatepost.services.apigateway.deployment import Method

HEADER: Final = b"x-api-key"


class ApiKeyGuard:
    """Refuse a request without an API key that is enabled and in a usage plan of the stage.

    The key comes from the header `x-api-key` or, with source AUTHORIZER, from the authorizer's `usageIdentifierKey`.
    A missing, unknown, disabled or planless key gets 403 "Forbidden" alike. Keys are found by a keyed digest; nothing
    depends on how much of a wrong key is right, and no value is logged. Keys come from memory: when services is down,
    those last published count. A connection that repeats its header lines has its key looked up once, until keys or
    plans change.

    Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-key-source.html. unverified: of
    a header that a client sends twice, the first one counts.
    """

    writes: ClassVar[Facts] = frozenset({API_KEY})

    def __init__(self, keys: StageKeys, source: str) -> None:
        self._keys = keys
        self._source = source
        self.needs: Facts = frozenset({AUTHORIZER}) if source == "AUTHORIZER" else NO_FACTS

    def check(self, exchange: Exchange) -> None:
        """Find the key. Raises: Refusal."""
        if self._source == "AUTHORIZER":
            exchange.write(
                API_KEY, self._find(exchange.read(AUTHORIZER).usage_identifier_key.encode("utf-8", "replace"))
            )
            return
        request = exchange.request
        block = request.block
        known = None if block is None or block.known is None else block.known.get(self._keys)
        if not isinstance(known, KeyedCaller) or known.version != self._keys.version:
            known = self._find(request.header(HEADER) or b"")
            if block is not None:
                block.remember(self._keys, known)
        exchange.write(API_KEY, known)

    def _find(self, value: bytes) -> KeyedCaller:
        if not value:
            raise Refusal(INVALID_API_KEY, detail="the request has no API key")
        member = self._keys.find(value)
        if member is None:
            raise Refusal(INVALID_API_KEY, detail="no usage plan of the stage has this key")
        return KeyedCaller(member, value.decode("latin-1"), self._keys.version)

    def __repr__(self) -> str:
        return f"ApiKeyGuard({self._source})"


def for_method(method: Method, keys: StageKeys | None, source: str) -> ApiKeyGuard | None:
    """Make the guard of a method that requires a key. Raises: MappingError when it cannot work."""
    if not method.api_key_required:
        return None
    if keys is None:
        raise MappingError("apiKeyRequired: this gateway was built without API keys")
    if source == "AUTHORIZER" and method.authorization_type != "CUSTOM":
        raise MappingError("apiKeyRequired with the key source AUTHORIZER needs a Lambda authorizer")
    return ApiKeyGuard(keys, source)
