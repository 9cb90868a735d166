"""What Lambda authorizers have said, remembered for all gateways that share a state: as on AWS, a stage has one memory.

What is remembered is the function's output, sealed and bound to its place: nobody who can write into the state can make
one caller's policy another's, or one of their own. Identities are tokens: only their keyed digests are there. Results
end with their time to live, with the next deployment, and with FlushStageAuthorizersCache, of which every gateway knows
before that operation answers: each of them is another place to look in. A state that is lost or slow, or what cannot be
opened, means that the function is asked.
"""

from __future__ import annotations

import logging
from typing import Final

from gatepost.gateway.guards.authorizer_identity import Identity
from gatepost.gateway.route import StageFacts
from gatepost.kernel.errors import StateUnavailable
from gatepost.security.sealing import NotSealed, Seal
from gatepost.state.base import SharedState, Space, settled

log = logging.getLogger(__name__)

BYTES_MAX: Final = 16 * 1024 * 1024
"""Of one authorizer's results, where the state is a process of this machine."""
_DIGITS: Final = 13  # of when a result ends, in milliseconds since 1970


class SharedResults:
    """The outputs of the authorizers of one stage. `flushes` counts FlushStageAuthorizersCache."""

    __slots__ = ("_digest", "_place", "_seal", "_state")

    def __init__(self, state: SharedState, seal: Seal, stage: StageFacts, flushes: int) -> None:
        self._state = state
        self._seal = seal
        self._digest = seal.digester("authorizer-identity")
        canary = "/canary" if stage.is_canary else ""
        place = f"{stage.account_id}/{stage.region}/{stage.api_id}/{stage.stage_name}{canary}"
        self._place = f"authorizers/{place}/{stage.deployment_id}/{flushes}"

    async def recall(self, authorizer_id: str, identity: Identity, now_ms: int) -> tuple[bytes, int] | None:
        """Give an output with when it ends (by the wall clock), if one is remembered. Never raises."""
        space, key = self._where(authorizer_id, identity)
        try:
            sealed = await settled(self._state.recall(space, key))
            if sealed is None:
                return None
            value = self._seal.open(sealed, purpose=_purpose(space, key))
        except StateUnavailable:
            return None
        except NotSealed:
            log.error("a remembered result of an authorizer cannot be opened", extra={"authorizer": authorizer_id})
            return None
        expires_at_ms = int(value[:_DIGITS])
        return (value[_DIGITS:], expires_at_ms) if now_ms < expires_at_ms else None

    async def remember(
        self, authorizer_id: str, identity: Identity, output: bytes, *, expires_at_ms: int, ttl_ms: int
    ) -> None:
        """Keep an output. Never raises."""
        space, key = self._where(authorizer_id, identity)
        sealed = self._seal.seal(b"%013d%b" % (expires_at_ms, output), purpose=_purpose(space, key))
        try:
            await settled(self._state.remember(space, key, sealed, expires_after_ms=ttl_ms))
        except StateUnavailable:
            return  # then other gateways ask, too

    def _where(self, authorizer_id: str, identity: Identity) -> tuple[Space, str]:
        told = "".join([f"{len(each)}:{each}" for each in identity])
        return Space(f"{self._place}/{authorizer_id}", BYTES_MAX), self._digest(told.encode("utf-8", "surrogatepass"))


def _purpose(space: Space, key: str) -> str:
    return f"authorizer-result/{space.name}/{key}"
