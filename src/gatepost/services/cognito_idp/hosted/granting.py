"""What an app gets once somebody has signed in: a code, or (implicit) the tokens themselves."""

from __future__ import annotations

from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ids import request_id as random_uuid
from gatepost.services.cognito_idp.hosted.answers import redirect
from gatepost.services.cognito_idp.hosted.authorization_codes import AuthorizationCodes, CodeGrant
from gatepost.services.cognito_idp.hosted.authorization_requests import AuthorizationRequest, Refused
from gatepost.services.cognito_idp.hosted.browser_sessions import BrowserSession, BrowserSessions
from gatepost.services.cognito_idp.hosted.token_endpoint import told
from gatepost.services.cognito_idp.hosted.visits import Visit
from gatepost.services.cognito_idp.tokens import Grant, Tokens
from gatepost.services.cognito_idp.user import User
from gatepost.wire.messages import Headers, Response


class Granting:
    """Sends signed-in browsers back to the app that they came from."""

    def __init__(self, sessions: BrowserSessions, codes: AuthorizationCodes, tokens: Tokens) -> None:
        self._sessions = sessions
        self._codes = codes
        self._tokens = tokens

    async def signed_in(
        self, visit: Visit, request: AuthorizationRequest, user: User, *, provider: str = ""
    ) -> Response:
        """Sign the browser in and go back to the app. Raises: Refused."""
        session, cookies = self._sessions.open(visit, user, provider=provider)
        return await self.grant(visit, request, session, user, cookies=cookies)

    async def grant(
        self,
        visit: Visit,
        request: AuthorizationRequest,
        session: BrowserSession,
        user: User,
        *,
        cookies: Headers | None = None,
    ) -> Response:
        """Go back to the app with a code or with tokens. Raises: Refused when a trigger refuses the tokens."""
        auth_time_s = session.made_at_ms // 1000
        origin_jti = random_uuid()
        if request.response_type == "code":
            code = self._codes.make(
                CodeGrant(
                    pool_id=visit.pool.id,
                    client_id=request.client.id,
                    redirect_uri=request.redirect_uri,
                    user_name=user.name,
                    sub=user.sub,
                    scopes=tuple(request.scopes),
                    nonce=request.nonce,
                    code_challenge=request.code_challenge,
                    auth_time_s=auth_time_s,
                    origin_jti=origin_jti,
                )
            )
            return redirect(request.answer_uri({"code": code}), cookies=cookies)
        grant = Grant(
            visit.pool,
            request.client,
            user,
            source="TokenGeneration_HostedAuth",
            auth_time_s=auth_time_s,
            origin_jti=origin_jti,
            scopes=request.scopes,
            nonce=request.nonce,
            is_hosted=True,
        )
        try:
            result = await self._tokens.issue(grant)
        except ServiceError as error:
            raise Refused(
                request.answer_uri({"error": "invalid_request", "error_description": error.message})
            ) from error
        shown = {name: str(value) for name, value in told(result).items() if name != "refresh_token"}
        return redirect(request.answer_uri(shown), cookies=cookies)
