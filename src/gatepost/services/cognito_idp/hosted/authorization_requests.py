"""What an app asks for when it sends a browser to sign in: read, and refused where the client may not have it.

Order: client and redirect URI first. Until both are known to be right nothing is sent to the redirect URI, because it
might be anybody's.

Sources: https://docs.aws.amazon.com/cognito/latest/developerguide/authorization-endpoint.html ,
RFC 6749 section 4.1.2.1, RFC 7636 section 4.4.1, RFC 9700 section 4.8.2
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gatepost.services.cognito_idp.hosted.answers import with_parameters
from gatepost.services.cognito_idp.pool import AppClient, UserPool
from gatepost.services.cognito_idp.pools import Pools

STATE_CHARACTERS_MAX: Final = 4_096
NONCE_CHARACTERS_MAX: Final = 1_024
FLOWS: Final[Mapping[str, str]] = {"code": "code", "token": "implicit"}
PARAMETERS: Final = (  # what a page hands on to the next one
    "response_type",
    "client_id",
    "redirect_uri",
    "state",
    "scope",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "identity_provider",
    "idp_identifier",
    "login_hint",
    "lang",
    "prompt",
)
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_PROMPTS: Final = frozenset({"none", "login", "select_account", "consent"})


class NotTrusted(Exception):
    """Client or redirect URI are wrong: the browser must stay here. `error` is what the error page is told."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class Refused(Exception):
    """The request is refused; the app hears of it at `location`."""

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request that may be granted once somebody has signed in."""

    client: AppClient
    redirect_uri: str
    response_type: str
    scopes: Sequence[str]
    state: str | None = field(repr=False)
    nonce: str
    code_challenge: str
    prompt: frozenset[str]
    login_hint: str

    def answer_uri(self, parameters: Mapping[str, str]) -> str:
        """Give where the browser goes with an answer; `state` goes with it."""
        told = {**parameters, **({"state": self.state} if self.state is not None else {})}
        return with_parameters(self.redirect_uri, told, in_fragment=self.response_type == "token")

    def refusal(self, error: str, description: str = "") -> Refused:
        """Give the error that tells the app."""
        told = {"error": error, **({"error_description": description} if description else {})}
        return Refused(self.answer_uri(told))


def trusted_client(pools: Pools, pool: UserPool, given: Mapping[str, str]) -> tuple[AppClient, str]:
    """Give client and redirect URI once both are right: the URI is one of the client's, letter by letter.

    Raises: NotTrusted.
    """
    client = pools.client(given.get("client_id", ""))
    if client is None or client.pool_id != pool.id:
        raise NotTrusted("invalid_client")
    redirect_uri = given.get("redirect_uri") or str(client.settings.get("DefaultRedirectURI") or "")
    if not redirect_uri:
        raise NotTrusted("invalid_request")
    if redirect_uri not in (client.settings.get("CallbackURLs") or ()):
        raise NotTrusted("redirect_mismatch")
    return client, redirect_uri


def parse_request(pools: Pools, pool: UserPool, given: Mapping[str, str]) -> AuthorizationRequest:
    """Read and check an authorization request. Raises: NotTrusted, Refused."""
    client, redirect_uri = trusted_client(pools, pool, given)
    state = given.get("state")
    request = AuthorizationRequest(
        client=client,
        redirect_uri=redirect_uri,
        response_type=given.get("response_type", ""),
        scopes=_scopes(client, given.get("scope", "")),
        state=state if state is not None and len(state) <= STATE_CHARACTERS_MAX else None,
        nonce=given.get("nonce", ""),
        code_challenge=given.get("code_challenge", ""),
        prompt=frozenset(given.get("prompt", "").split()),
        login_hint=given.get("login_hint", "")[:256],
    )
    if request.response_type not in FLOWS:
        raise request.refusal("unsupported_response_type" if request.response_type else "invalid_request")
    if (state is not None and request.state is None) or len(request.nonce) > NONCE_CHARACTERS_MAX:
        raise request.refusal("invalid_request", "state or nonce is too long")
    if not request.prompt <= _PROMPTS or ("none" in request.prompt and len(request.prompt) > 1):
        raise request.refusal("invalid_request", "prompt is none of those that there are")
    if given.get("resource"):
        raise request.refusal("invalid_target", "resource binding is not supported: leave resource out")
    settings = client.settings
    if not settings.get("AllowedOAuthFlowsUserPoolClient") or FLOWS[request.response_type] not in (
        settings.get("AllowedOAuthFlows") or ()
    ):
        raise request.refusal("unauthorized_client")
    _check_scopes(request)
    _check_challenge(request, given)
    return request


def _scopes(client: AppClient, asked: str) -> list[str]:
    """Give the scopes that are asked for, each once; none: all that the client may have."""
    return list(dict.fromkeys(asked.split())) or list(client.settings.get("AllowedOAuthScopes") or ())


def _check_scopes(request: AuthorizationRequest) -> None:
    allowed: Sequence[Any] = request.client.settings.get("AllowedOAuthScopes") or ()
    if not request.scopes or any(scope not in allowed for scope in request.scopes):
        raise request.refusal("invalid_scope")


def _check_challenge(request: AuthorizationRequest, given: Mapping[str, str]) -> None:
    """Take S256 and nothing else: `plain` shows the verifier to whoever sees the request."""
    method = given.get("code_challenge_method", "")
    if not request.code_challenge and not method:
        return
    if method != "S256" or not _CHALLENGE.fullmatch(request.code_challenge) or request.response_type != "code":
        raise request.refusal("invalid_request", "code_challenge needs code_challenge_method S256")
