"""The front of a pool's domain: which path means what, who may send it, and what is said when something is wrong.

| path | answered by |
|---|---|
| `/oauth2/authorize`, `/logout`, `/error` | here |
| `/oauth2/token`, `/oauth2/revoke`, `/oauth2/userInfo` | `token_endpoint` |
| `/login` | `sign_in_pages` |
| `/signup`, `/confirmUser`, `/forgotPassword`, `/resetPassword` | `account_pages` |
| `/oauth2/idpresponse` | `federation` |

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-userpools-server-contract-reference.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from gatepost.services.cognito_idp.hosted.account_pages import AccountPages
from gatepost.services.cognito_idp.hosted.answers import (
    OAuthRefusal,
    page,
    preflight,
    redirect,
    refused,
    with_parameters,
)
from gatepost.services.cognito_idp.hosted.authorization_requests import (
    AuthorizationRequest,
    NotTrusted,
    Refused,
    parse_request,
    trusted_client,
)
from gatepost.services.cognito_idp.hosted.browser_sessions import SESSION_COOKIE, BrowserSessions, is_our_form
from gatepost.services.cognito_idp.hosted.federation import CALLBACK, Federation
from gatepost.services.cognito_idp.hosted.forms import PageParts, carried
from gatepost.services.cognito_idp.hosted.html import Page
from gatepost.services.cognito_idp.hosted.identity_providers import asked_for
from gatepost.services.cognito_idp.hosted.paces import AddressPace
from gatepost.services.cognito_idp.hosted.sign_in_pages import SignInPages
from gatepost.services.cognito_idp.hosted.token_endpoint import TokenEndpoint
from gatepost.services.cognito_idp.hosted.visits import Addresses, BadVisit, Visit
from gatepost.services.cognito_idp.pool import IDENTITY_PROVIDER
from gatepost.wire.messages import Request, Response

FORMS_PER_MINUTE_MAX: Final = 600  # from one address
_SAID: Final[Mapping[str, str]] = {  # an error page says nothing that its address could make up
    "redirect_mismatch": "The app asked to come back to an address that it has not registered.",
    "invalid_client": "The app that sent you here is not known.",
    "invalid_request": "The app's request is not complete.",
    "invalid_form": "The form is too old, or it did not come from this page. Go back and try again.",
    "logout_mismatch": "The app asked to go on to an address that it has not registered.",
}
_FOR_APPS: Final = frozenset({"/oauth2/token", "/oauth2/revoke", "/oauth2/userInfo"})
PageHandler = Callable[[Visit, AuthorizationRequest], Awaitable[Response]]


class HostedPages:
    """Answers requests to all pools' domains (`wire.messages.Handler` with a request id)."""

    def __init__(
        self,
        addresses: Addresses,
        parts: PageParts,
        sessions: BrowserSessions,
        token_endpoint: TokenEndpoint,
        federation: Federation,
    ) -> None:
        self.federation = federation
        self._addresses = addresses
        self._parts = parts
        self._sessions = sessions
        self._tokens = token_endpoint
        self._pace = AddressPace(parts.clock, count_max=FORMS_PER_MINUTE_MAX)
        self._sign_in = SignInPages(parts)
        self._account = AccountPages(parts, self._sign_in)
        self._forms: Mapping[str, PageHandler] = {
            "/login": self._sign_in.take,
            "/signup": self._account.take_sign_up,
            "/confirmUser": self._account.take_confirm,
            "/forgotPassword": self._account.take_forgot,
            "/resetPassword": self._account.take_reset,
        }

    def is_custom_domain(self, name: str) -> bool:
        """Say whether a host name is a pool's custom domain."""
        return self._addresses.is_custom(name)

    async def answer(self, request: Request, request_id: str) -> Response:
        """Answer a request to a domain."""
        try:
            visit = self._addresses.visit(request, request_id)
        except BadVisit as bad:
            return refused(OAuthRefusal("invalid_request", f"{bad}"))
        if visit is None:
            shown = Page("Not found", "Gatepost", errors={"": "No user pool has this domain."})
            return page(shown.render(), status=404)
        if visit.path in _FOR_APPS:
            return await self._for_app(visit)
        return await self._for_browser(visit)

    async def _for_app(self, visit: Visit) -> Response:
        if visit.method == "OPTIONS":
            return preflight()
        try:
            match visit.path:
                case "/oauth2/token":
                    return await self._tokens.token(visit)
                case "/oauth2/revoke":
                    return await self._tokens.revoke(visit)
                case _:
                    return await self._tokens.user_info(visit)
        except OAuthRefusal as refusal:
            return refused(refusal)

    async def _for_browser(self, visit: Visit) -> Response:
        try:
            if visit.method == "POST":
                return await self._form(visit)
            if visit.method != "GET":
                return self._error(visit, "invalid_request", status=405)
            return await self._page(visit)
        except NotTrusted as bad:
            told = {"error": bad.error}
            if visit.query.get("client_id"):
                told["client_id"] = visit.query["client_id"]
            return redirect(visit.link("/error", told))
        except Refused as refusal:
            return redirect(refusal.location)

    async def _form(self, visit: Visit) -> Response:
        handler = self._forms.get(visit.path)
        if handler is None:
            return self._error(visit, "invalid_request", status=405)
        if (too_many := self._counted(visit)) is not None:
            return too_many
        if not is_our_form(visit):
            return self._error(visit, "invalid_form", status=403)
        return await handler(visit, parse_request(self._parts.pools, visit.pool, visit.query))

    def _counted(self, visit: Visit) -> Response | None:
        """Count an attempt of an address; gives the answer to one that has made too many."""
        if self._pace.is_over(visit.ip):
            shown = Page("Too many attempts", visit.pool.name, errors={"": "Wait a minute, then try again."})
            return page(shown.render(), status=429)
        self._pace.count(visit.ip)
        return None

    async def _confirmed_by_link(self, visit: Visit) -> Response:
        return self._counted(visit) or await self._account.confirm_by_link(visit)

    async def _page(self, visit: Visit) -> Response:
        path = visit.path
        if path == "/logout":
            return self._logout(visit)
        if path == "/error":
            return self._error(visit, visit.query.get("error", ""))
        if path == CALLBACK:
            return await self.federation.back(visit)
        if path == "/confirmUser" and "confirmation_code" in visit.query:
            return await self._confirmed_by_link(visit)
        if path != "/oauth2/authorize" and path not in self._forms:
            return self._error(visit, "", status=404)
        request = parse_request(self._parts.pools, visit.pool, visit.query)
        match path:
            case "/oauth2/authorize":
                return await self._authorize(visit, request)
            case "/login":
                return await self._sign_in.show(visit, request)
            case "/signup":
                return self._account.show_sign_up(visit)
            case "/confirmUser":
                return self._account.show_confirm(visit)
            case "/forgotPassword":
                return self._account.show_forgot(visit)
        return self._account.show_reset(visit)

    async def _authorize(self, visit: Visit, request: AuthorizationRequest) -> Response:
        """Go back at once for a browser that is signed in; else to the page, or to the provider, that signs it in."""
        try:
            providers = await self._parts.hosted.things.every(IDENTITY_PROVIDER, visit.pool)
            provider = asked_for(request.client, providers, visit.query)
        except LookupError as error:
            raise request.refusal("invalid_request", "identity_provider is none of the client's") from error
        found = await self._sessions.find(visit)
        asks_again = request.prompt & {"login", "select_account"}
        if found is not None and not asks_again and (provider is None or provider["name"] == found[0].provider):
            return await self._parts.granting.grant(visit, request, *found)
        if "none" in request.prompt:
            raise request.refusal("login_required")
        if provider is not None:
            return await self.federation.begin(visit, request, provider)
        return redirect(visit.link("/login", carried(visit)))

    def _logout(self, visit: Visit) -> Response:
        """Sign the browser out and go on to an address of the client's, or to the sign-in page. Raises: NotTrusted."""
        if visit.cookies.get(SESSION_COOKIE) is None and not visit.query:
            return self._error(visit, "invalid_request")
        client = self._parts.pools.client(visit.query.get("client_id", ""))
        if client is None or client.pool_id != visit.pool.id:
            return self._error(visit, "invalid_client")
        logout_uri = visit.query.get("logout_uri", "")
        if logout_uri:
            if logout_uri not in (client.settings.get("LogoutURLs") or ()):
                return self._error(visit, "logout_mismatch")
            state = {"state": visit.query["state"]} if visit.query.get("state") else {}
            location = with_parameters(logout_uri, state) if state else logout_uri
        else:
            trusted_client(self._parts.pools, visit.pool, visit.query)
            location = visit.link("/login", carried(visit))
        return redirect(location, cookies=self._sessions.close(visit))

    def _error(self, visit: Visit, error: str, *, status: int = 400) -> Response:
        words = (
            "There is no such page." if status == 404 else _SAID.get(error, "Something went wrong. Go back to the app.")
        )
        return page(Page("This does not work", visit.pool.name, errors={"": words}).render(), status=status)
