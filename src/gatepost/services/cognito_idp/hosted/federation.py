"""Users of another OpenID Connect provider: sent there, taken back at `/oauth2/idpresponse`, kept as users of the pool.

Such a user is called `{provider}_{sub}`, has the status EXTERNAL_PROVIDER and no password, and gets the attributes that
the provider's mapping names anew with every sign-in. Who they are is found by provider and subject alone: theirs, or a
user who was linked to them (`link_operations`); somebody who only has the same name is never taken for them.

Sources: https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-oidc-flow.html ,
cognito-user-pools-specifying-attribute-mapping.html
"""

from __future__ import annotations

import json
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ids import request_id as random_uuid
from gatepost.services.cognito_idp.errors import NotAuthorizedException
from gatepost.services.cognito_idp.hosted.answers import redirect, with_parameters
from gatepost.services.cognito_idp.hosted.authorization_requests import (
    AuthorizationRequest,
    NotTrusted,
    parse_request,
)
from gatepost.services.cognito_idp.hosted.browser_sessions import MARK_COOKIE, mark_of
from gatepost.services.cognito_idp.hosted.forms import PageParts, carried
from gatepost.services.cognito_idp.hosted.provider_requests import ProviderFailed, ProviderRequests
from gatepost.services.cognito_idp.hosted.visits import Visit
from gatepost.services.cognito_idp.pool import IDENTITY_PROVIDER, UserPool
from gatepost.services.cognito_idp.schema import check_attributes, check_required
from gatepost.services.cognito_idp.triggers import user_attributes
from gatepost.services.cognito_idp.user import EXTERNAL_PROVIDER, User, identity_alias
from gatepost.wire.messages import Response

CALLBACK: Final = "/oauth2/idpresponse"
AWAY_MS: Final = 10 * 60 * 1000
AWAY_MAX: Final = 50_000
SUBJECT_CHARACTERS_MAX: Final = 255

BeforeSignUp = Callable[..., Awaitable[User]]


@dataclass(frozen=True, slots=True)
class _Away:
    """A browser that was sent to a provider."""

    pool_id: str
    provider: str
    query: Mapping[str, str] = field(repr=False)
    mark: str = field(repr=False)
    nonce: str = field(repr=False)
    redirect_uri: str = ""
    ends_ms: int = 0


class Federation:
    """Sends browsers to identity providers and takes them back."""

    def __init__(self, parts: PageParts, requests: ProviderRequests, before_sign_up: BeforeSignUp) -> None:
        self._parts = parts
        self.requests = requests
        self._before_sign_up = before_sign_up
        self._away: OrderedDict[str, _Away] = OrderedDict()

    async def begin(self, visit: Visit, request: AuthorizationRequest, provider: Mapping[str, Any]) -> Response:
        """Send a browser to a provider. Raises: Refused."""
        details = provider["details"]
        try:
            where = await self.requests.endpoints(details)
        except ProviderFailed as error:
            raise request.refusal("server_error", str(error)) from error
        mark, cookies = mark_of(visit)
        state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        redirect_uri = f"{visit.origin}{visit.base}{CALLBACK}"
        now_ms = self._parts.clock.now_ms()
        while self._away and (len(self._away) >= AWAY_MAX or next(iter(self._away.values())).ends_ms <= now_ms):
            self._away.popitem(last=False)
        self._away[state] = _Away(
            visit.pool.id, provider["name"], carried(visit), mark, nonce, redirect_uri, now_ms + AWAY_MS
        )
        asked = {
            "client_id": details["client_id"],
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": details["authorize_scopes"],
            "state": state,
            "nonce": nonce,
        }
        return redirect(with_parameters(where.authorize, asked), cookies=cookies)

    async def back(self, visit: Visit) -> Response:
        """Take a browser back, once, when it is the one that was sent. Raises: NotTrusted, Refused."""
        away = self._away.get(visit.query.get("state", ""))
        if away is None or away.pool_id != visit.pool.id or away.mark != visit.cookies.get(MARK_COOKIE, ""):
            raise NotTrusted("invalid_request")
        del self._away[visit.query["state"]]
        if away.ends_ms <= self._parts.clock.now_ms():
            raise NotTrusted("invalid_request")
        request = parse_request(self._parts.pools, visit.pool, away.query)
        record = await self._parts.hosted.things.get(IDENTITY_PROVIDER, visit.pool, away.provider)
        if record is None:
            raise request.refusal("invalid_request", "the identity provider is gone")
        if visit.query.get("error") or not visit.query.get("code"):
            is_denied = visit.query.get("error") == "access_denied"
            raise request.refusal("access_denied" if is_denied else "invalid_request", "the identity provider refuses")
        provider = record.value
        try:
            claims = await self.requests.claims(
                provider["details"],
                code=visit.query["code"],
                redirect_uri=away.redirect_uri,
                nonce=away.nonce,
            )
            user = await self._user(visit.pool, request, provider, claims)
        except ProviderFailed as error:
            raise request.refusal("invalid_request", str(error)) from error
        except ServiceError as error:
            raise request.refusal("invalid_request", error.message) from error
        return await self._parts.granting.signed_in(visit, request, user, provider=away.provider)

    async def _user(
        self, pool: UserPool, request: AuthorizationRequest, provider: Mapping[str, Any], claims: Mapping[str, Any]
    ) -> User:
        """Give the pool's user for somebody of a provider: a new one at the first time. Raises: ServiceError."""
        subject = str(claims["sub"])
        if len(subject) > SUBJECT_CHARACTERS_MAX or not subject.isprintable():
            raise NotAuthorizedException("The identity provider's name for the user cannot be used")
        given = mapped(provider["mapping"], claims)
        held = await self._parts.hosted.users.by_alias(pool, *identity_alias(provider["name"], subject))
        if held is None:
            return await self._new(pool, request, provider, subject, given)
        user = held.user
        if not user.is_enabled:
            raise NotAuthorizedException("User is disabled.")
        changes = {key: value for key, value in given.items() if user.attributes.get(key) != value}
        if changes:
            check_attributes(pool, changes, is_new=False, is_admin=True, held=user.attributes)
            now_ms = self._parts.clock.now_ms()
            user = await self._parts.hosted.users.change(
                pool, user.name, lambda one: one.with_attributes(changes, now_ms=now_ms)
            )
        request_data = {"userAttributes": user_attributes(user), "newDeviceUsed": False, "clientMetadata": {}}
        await self._fire(pool, request, user, "PostAuthentication", "PostAuthentication_Authentication", request_data)
        return user

    async def _new(
        self,
        pool: UserPool,
        request: AuthorizationRequest,
        provider: Mapping[str, Any],
        subject: str,
        attributes: Mapping[str, str],
    ) -> User:
        check_attributes(pool, dict(attributes), is_new=True, is_admin=True)
        check_required(pool, dict(attributes))
        now_ms = self._parts.clock.now_ms()
        identity = {
            "userId": subject,
            "providerName": provider["name"],
            "providerType": provider["type"],
            "issuer": None,
            "primary": "true",
            "dateCreated": str(now_ms),
        }
        user = User(
            pool.id,
            f"{provider['name']}_{subject}",
            {"sub": random_uuid(), **attributes},
            EXTERNAL_PROVIDER,
            now_ms,
            now_ms,
            identities=[identity],
        )
        user = await self._before_sign_up(
            pool,
            user,
            "PreSignUp_ExternalProvider",
            client_id=request.client.id,
            validation_data={},
            client_metadata=None,
        )
        await self._parts.hosted.users.create(pool, user)
        data = {"userAttributes": user_attributes(user), "clientMetadata": {}}
        await self._fire(pool, request, user, "PostConfirmation", "PostConfirmation_ConfirmSignUp", data)
        return user

    async def _fire(
        self,
        pool: UserPool,
        request: AuthorizationRequest,
        user: User,
        trigger: str,
        source: str,
        data: Mapping[str, Any],
    ) -> None:
        await self._parts.hosted.sign_in.triggers.fire(
            pool, trigger, source, user_name=user.name, client_id=request.client.id, request=dict(data)
        )


def mapped(mapping: Mapping[str, str], claims: Mapping[str, Any]) -> dict[str, str]:
    """Give the attributes that a provider's mapping makes of its claims; the name is always of `sub`."""
    found = {}
    for attribute, claim in mapping.items():
        value = claims.get(claim)
        if attribute in ("username", "sub") or value is None:
            continue
        if isinstance(value, str):
            found[attribute] = value
        else:
            found[attribute] = json.dumps(value, separators=(",", ":"))
    return found
