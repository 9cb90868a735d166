"""Authorization codes: good once, for five minutes, for the client, redirect URI and verifier that they were made for.

They are kept in memory, by their hashes: whoever is just then on the way back to an app when services restarts has to
begin again. A code that was used is remembered until its time is over: if it comes again, somebody has copied it, and
what came of it is revoked (RFC 6749, section 4.1.2; RFC 9700, section 4.5).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gatepost.kernel.clock import Clock

CODE_MS: Final = 5 * 60 * 1000
CODES_MAX: Final = 50_000
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class CodeGrant:
    """What a code stands for."""

    pool_id: str
    client_id: str
    redirect_uri: str
    user_name: str
    sub: str
    scopes: Sequence[str]
    nonce: str
    code_challenge: str
    auth_time_s: int
    origin_jti: str
    expires_at_ms: int = 0
    is_used: bool = False


class AuthorizationCodes:
    """The codes that are out."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._out: OrderedDict[bytes, CodeGrant] = OrderedDict()

    def make(self, grant: CodeGrant) -> str:
        """Make a code."""
        code = secrets.token_urlsafe(32)
        now_ms = self._clock.now_ms()
        while self._out and (len(self._out) >= CODES_MAX or next(iter(self._out.values())).expires_at_ms <= now_ms):
            self._out.popitem(last=False)
        self._out[_hashed(code)] = replace(grant, expires_at_ms=now_ms + CODE_MS)
        return code

    def take(self, code: str) -> CodeGrant | None:
        """Give what a code stands for and use it up; `is_used`: it was already. None: there is no such code."""
        key = _hashed(code)
        found = self._out.get(key)
        if found is None or found.expires_at_ms <= self._clock.now_ms():
            return None
        self._out[key] = replace(found, is_used=True)
        return found


def _hashed(code: str) -> bytes:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).digest()


def verifies(challenge: str, verifier: str) -> bool:
    """Say whether a verifier is a challenge's (S256). A verifier where none was announced is wrong as well."""
    if not challenge or not verifier:
        return not challenge and not verifier
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    return hmac.compare_digest(digest, challenge)
