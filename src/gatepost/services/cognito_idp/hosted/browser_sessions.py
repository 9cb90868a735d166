"""Browsers that are signed in, and the marks that tell a form of ours from one that another site has made up.

The session's cookie is made when somebody has signed in, never taken from the browser (no fixation), and is good for an
hour, as on AWS. Sessions are in memory, 50,000 at most. Each browser also has a random mark from its first page on; a
form carries the mark's MAC, so that neither another site nor one that can plant cookies can send one.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-managed-login.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from gatepost.kernel.clock import Clock
from gatepost.services.cognito_idp.hosted.visits import Visit
from gatepost.services.cognito_idp.user import User
from gatepost.services.cognito_idp.users import Users
from gatepost.wire.messages import Headers

SESSION_MS: Final = 60 * 60 * 1000
SESSIONS_MAX: Final = 50_000
SESSION_COOKIE: Final = "cognito"
MARK_COOKIE: Final = "XSRF-TOKEN"
MARK_FIELD: Final = "_csrf"
_MARK: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """Who is signed in, since when."""

    pool_id: str
    user_name: str
    sub: str
    made_at_ms: int
    provider: str = ""  # of another identity provider; empty: the pool's own


class BrowserSessions:
    """The sessions of all browsers."""

    def __init__(self, users: Users, clock: Clock) -> None:
        self._users = users
        self._clock = clock
        self._open: OrderedDict[bytes, BrowserSession] = OrderedDict()

    async def find(self, visit: Visit) -> tuple[BrowserSession, User] | None:
        """Give who is signed in; None: nobody, or somebody who was switched off or signed out everywhere since."""
        session = self._open.get(_key(visit.cookies.get(SESSION_COOKIE, "")))
        if session is None or session.pool_id != visit.pool.id:
            return None
        if session.made_at_ms + SESSION_MS <= self._clock.now_ms():
            return None
        held = await self._users.by_name(visit.pool, session.user_name)
        if held is None or held.user.sub != session.sub or not held.user.is_enabled:
            return None
        if session.made_at_ms <= held.user.signed_out_at_ms:
            return None
        return session, held.user

    def open(self, visit: Visit, user: User, *, provider: str = "") -> tuple[BrowserSession, Headers]:
        """Sign a browser in: under a new text, and the one that it had is worth nothing any more."""
        self.close(visit)
        text = secrets.token_urlsafe(32)
        session = BrowserSession(visit.pool.id, user.name, user.sub, self._clock.now_ms(), provider)
        while len(self._open) >= SESSIONS_MAX:
            self._open.popitem(last=False)
        self._open[_key(text)] = session
        return session, [_cookie(visit, SESSION_COOKIE, text, seconds=SESSION_MS // 1000)]

    def close(self, visit: Visit) -> Headers:
        """Sign a browser out; gives what takes its cookie away."""
        self._open.pop(_key(visit.cookies.get(SESSION_COOKIE, "")), None)
        return [_cookie(visit, SESSION_COOKIE, "", seconds=0)]


def mark_of(visit: Visit) -> tuple[str, Headers]:
    """Give a browser's mark, and the cookie to set when it has none yet."""
    mark = visit.cookies.get(MARK_COOKIE, "")
    if _MARK.fullmatch(mark):
        return mark, []
    mark = secrets.token_urlsafe(32)
    return mark, [_cookie(visit, MARK_COOKIE, mark)]


def form_mark(visit: Visit, mark: str) -> str:
    """Give what a form for this browser carries."""
    text = f"form\x00{visit.domain}\x00{mark}".encode()
    return hmac.new(visit.pool.secret, text, hashlib.sha256).hexdigest()


def is_our_form(visit: Visit) -> bool:
    """Say whether a form was sent from a page that we gave to this browser."""
    mark = visit.cookies.get(MARK_COOKIE, "")
    given = visit.form.get(MARK_FIELD, "")
    if not _MARK.fullmatch(mark) or not given.isascii():
        return False
    if visit.browser_origin is not None and visit.browser_origin.lower() != visit.origin.lower():
        return False
    if visit.fetch_site in ("cross-site", "same-site"):
        return False
    return hmac.compare_digest(form_mark(visit, mark), given)


def _cookie(visit: Visit, name: str, value: str, *, seconds: int | None = None) -> tuple[bytes, bytes]:
    parts = [f"{name}={value}", f"Path={visit.base or ''}/", "HttpOnly", "SameSite=Lax"]
    if seconds is not None:
        parts.append(f"Max-Age={seconds}")
    if visit.is_secure:
        parts.append("Secure")
    return b"set-cookie", "; ".join(parts).encode()


def _key(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
