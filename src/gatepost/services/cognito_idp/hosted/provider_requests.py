"""Requests to an OpenID Connect provider: its documents, tokens, what it knows of a user. Bounded, not redirected."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import orjson

from gatepost.kernel.clock import Clock
from gatepost.security.jwt import BadKey, BadToken, Verifier, verifying_keys
from gatepost.wire.messages import Headers
from gatepost.wire.outgoing import IncomingResponse, OutgoingRequest, UpstreamError

READ_MS: Final = 5_000
ANSWER_BYTES_MAX: Final = 256 * 1024
_FORM: Final = (b"content-type", b"application/x-www-form-urlencoded")
_JSON: Final = (b"accept", b"application/json")

Send = Callable[[OutgoingRequest], Awaitable[IncomingResponse]]


class ProviderFailed(Exception):
    """A provider does not answer, or its answer cannot be believed. The text may be told to the app."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a provider answers. `user_info` may be empty."""

    issuer: str
    authorize: str
    token: str
    user_info: str
    jwks: str


class ProviderRequests:
    """Talks to providers. `send` puts a request on the wire."""

    def __init__(self, send: Send, clock: Clock) -> None:
        self.send = send
        self._clock = clock

    async def endpoints(self, details: Mapping[str, str]) -> Endpoints:
        """Give a provider's addresses: those that it was configured with, else those that it publishes itself.

        Raises: ProviderFailed.
        """
        names = {
            "authorize_url": "authorization_endpoint",
            "token_url": "token_endpoint",
            "jwks_uri": "jwks_uri",
            "attributes_url": "userinfo_endpoint",
        }
        issuer, found = details["oidc_issuer"], {name: details.get(name, "") for name in names}
        if not all(found[name] for name in ("authorize_url", "token_url", "jwks_uri")):
            document = await self._json("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if document.get("issuer") != issuer:
                raise ProviderFailed("The identity provider publishes another issuer")
            found = {name: found[name] or str(document.get(published, "")) for name, published in names.items()}
        if any(not _may_be_asked(found[name]) for name in ("authorize_url", "token_url", "jwks_uri")):
            raise ProviderFailed("The identity provider does not say where it answers")
        return Endpoints(issuer, found["authorize_url"], found["token_url"], found["attributes_url"], found["jwks_uri"])

    async def claims(self, details: Mapping[str, str], *, code: str, redirect_uri: str, nonce: str) -> dict[str, Any]:
        """Exchange a code and give what the provider says of the user, proved by its id token.

        Raises: ProviderFailed.
        """
        where = await self.endpoints(details)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": details["client_id"],
        }
        if details.get("client_secret"):
            form["client_secret"] = details["client_secret"]
        tokens = await self._json("POST", where.token, form=form)
        identity = tokens.get("id_token")
        if not isinstance(identity, str):
            raise ProviderFailed("The identity provider gave no id token")
        keys = await self._json("GET", where.jwks)
        try:
            verified = Verifier(where.issuer, verifying_keys(keys), self._clock).verify(identity).claims
        except (BadToken, BadKey) as error:
            raise ProviderFailed("The identity provider's id token cannot be verified") from error
        audience = verified.get("aud")
        if audience not in (details["client_id"], [details["client_id"]]) or verified.get("nonce") != nonce:
            raise ProviderFailed("The identity provider's id token is for another sign-in")
        if not isinstance(verified.get("sub"), str) or not verified["sub"]:
            raise ProviderFailed("The identity provider's id token names nobody")
        if not _may_be_asked(where.user_info) or not tokens.get("access_token"):
            return dict(verified)
        method = details.get("attributes_request_method", "GET")
        told = await self._json(method, where.user_info, bearer=str(tokens["access_token"]))
        if told.get("sub") != verified["sub"]:  # OpenID Connect Core, section 5.3.2
            raise ProviderFailed("The identity provider tells of somebody else")
        return {**verified, **told}

    async def _json(
        self, method: str, url: str, *, form: Mapping[str, str] | None = None, bearer: str = ""
    ) -> dict[str, Any]:
        parts = urlsplit(url)
        is_tls = parts.scheme == "https"
        headers: Headers = [_JSON, *([_FORM] if form else [])]
        if bearer:
            headers.append((b"authorization", f"Bearer {bearer}".encode()))
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            answer = await self.send(
                OutgoingRequest(
                    method,
                    parts.hostname or "",
                    parts.port or (443 if is_tls else 80),
                    target,
                    headers,
                    urlencode(form).encode() if form else b"",
                    is_tls=is_tls,
                    read_ms=READ_MS,
                    body_bytes_max=ANSWER_BYTES_MAX,
                )
            )
            found = orjson.loads(answer.body) if answer.status == 200 else None
        except (UpstreamError, ValueError) as error:
            raise ProviderFailed("The identity provider does not answer") from error
        if not isinstance(found, dict):
            raise ProviderFailed("The identity provider refuses")
        return found


def _may_be_asked(url: str) -> bool:
    """Say whether an address is https, or this machine's: others could be read and changed on the way."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1"))
