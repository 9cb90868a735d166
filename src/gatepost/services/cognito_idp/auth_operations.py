"""InitiateAuth, RespondToAuthChallenge and the like: which flow a call means, and whether the client may use it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from gatepost.kernel.operations import Call, operation
from gatepost.services.cognito_idp.choice_flow import ChoiceFlow
from gatepost.services.cognito_idp.custom_flow import CustomFlow
from gatepost.services.cognito_idp.desk import check_secret_hash
from gatepost.services.cognito_idp.devices import Devices
from gatepost.services.cognito_idp.errors import (
    InvalidParameterException,
    NotAuthorizedException,
    UnsupportedOperationException,
)
from gatepost.services.cognito_idp.passkeys import Passkeys
from gatepost.services.cognito_idp.password_flows import PasswordFlows
from gatepost.services.cognito_idp.pool import AppClient, UserPool
from gatepost.services.cognito_idp.pools import Pools
from gatepost.services.cognito_idp.second_factors import SecondFactors
from gatepost.services.cognito_idp.sign_in import Attempt, SignIn
from gatepost.services.cognito_idp.tokens import Tokens

Params = Mapping[str, Any]
Answer = dict[str, Any]

ALLOWED_BY: Final = {
    "USER_PASSWORD_AUTH": "ALLOW_USER_PASSWORD_AUTH",
    "ADMIN_USER_PASSWORD_AUTH": "ALLOW_ADMIN_USER_PASSWORD_AUTH",
    "ADMIN_NO_SRP_AUTH": "ALLOW_ADMIN_USER_PASSWORD_AUTH",
    "USER_SRP_AUTH": "ALLOW_USER_SRP_AUTH",
    "CUSTOM_AUTH": "ALLOW_CUSTOM_AUTH",
    "USER_AUTH": "ALLOW_USER_AUTH",
    "REFRESH_TOKEN": "ALLOW_REFRESH_TOKEN_AUTH",
    "REFRESH_TOKEN_AUTH": "ALLOW_REFRESH_TOKEN_AUTH",
}
FOR_ADMINISTRATORS: Final = frozenset({"ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"})
REFRESHING: Final = frozenset({"REFRESH_TOKEN", "REFRESH_TOKEN_AUTH"})
NAME_CHARACTERS_MAX: Final = 2_048
PARAMETERS_CHARACTERS_MAX: Final = 65_536
CODES: Final = frozenset({"SMS_MFA", "SMS_OTP", "EMAIL_OTP", "SOFTWARE_TOKEN_MFA"})


class AuthOperations:
    """The operations of signing in; a part of the provider."""

    _pools: Pools
    _tokens: Tokens
    _sign_in: SignIn
    _password_flows: PasswordFlows
    _custom_flow: CustomFlow
    _choice_flow: ChoiceFlow
    _second_factors: SecondFactors
    _devices: Devices
    _passkeys: Passkeys

    @operation("InitiateAuth")
    async def initiate_auth(self, call: Call, params: Params) -> Answer:
        """Begin to sign in, or refresh tokens. Raises: NotAuthorizedException and many more."""
        del call
        if params["AuthFlow"] in FOR_ADMINISTRATORS:
            raise InvalidParameterException("Initiate Auth method not supported.")
        pool, client = self._pools.signing_in(params["ClientId"])
        return await self._initiate(pool, client, params)

    @operation("AdminInitiateAuth")
    async def admin_initiate_auth(self, call: Call, params: Params) -> Answer:
        """Begin to sign a user in from a server. Raises: NotAuthorizedException and many more."""
        if params["AuthFlow"] == "USER_PASSWORD_AUTH":
            raise InvalidParameterException("Initiate Auth method not supported.")
        pool = self._pools.get(call, params["UserPoolId"])
        return await self._initiate(pool, self._pools.client_of(pool, params["ClientId"]), params)

    async def _initiate(self, pool: UserPool, client: AppClient, params: Params) -> Answer:
        flow, given = params["AuthFlow"], checked(params.get("AuthParameters"))
        if ALLOWED_BY[flow] not in client.flows:
            raise InvalidParameterException(f"{flow} flow not enabled for this client")
        metadata = params.get("ClientMetadata") or {}
        if flow in REFRESHING:
            return await self._refresh(client, given, metadata)
        login = given.get("USERNAME")
        if not login:
            raise InvalidParameterException("Missing required parameter USERNAME")
        check_secret_hash(self._pools, client, login, given.get("SECRET_HASH"))
        attempt = Attempt(pool, client, login, given, metadata, flow, given.get("DEVICE_KEY", ""))
        match flow:
            case "USER_SRP_AUTH":
                return await self._password_flows.begin_srp(attempt)
            case "CUSTOM_AUTH":
                return await self._custom_flow.begin(attempt)
            case "USER_AUTH":
                return await self._choice_flow.begin(attempt, params.get("Session") or "")
            case _:
                password = given.get("PASSWORD")
                if not password:
                    raise InvalidParameterException("Missing required parameter PASSWORD")
                return await self._password_flows.with_password(attempt, password)

    async def _refresh(self, client: AppClient, given: Mapping[str, str], metadata: Mapping[str, str]) -> Answer:
        text = given.get("REFRESH_TOKEN")
        if not text:
            raise InvalidParameterException("Missing required parameter REFRESH_TOKEN")
        if client.has_secret:
            self._check_refresh_secret(client, text, given.get("SECRET_HASH") or "")
        result = await self._tokens.refresh(
            text, client, device_key=given.get("DEVICE_KEY", ""), client_metadata=metadata
        )
        return {"AuthenticationResult": result, "ChallengeParameters": {}}

    def _check_refresh_secret(self, client: AppClient, text: str, given: str) -> None:
        """Check SECRET_HASH of a refresh: it is of the user name or the sub, whichever the client knows.

        Many clients send the secret itself here, which AWS takes as well.
        """
        token = self._tokens.read_refresh_token(text)
        if token is None or token.client_id != client.id:
            raise NotAuthorizedException("Invalid Refresh Token")
        names = (token.user_name, token.sub)
        is_right = any(self._pools.secret_hash_matches(client, name, given) for name in names)
        if not is_right and not self._pools.secret_matches(client, given):
            raise NotAuthorizedException(f"Unable to verify secret hash for client {client.id}")

    @operation("GetTokensFromRefreshToken")
    async def get_tokens_from_refresh_token(self, call: Call, params: Params) -> Answer:
        """Refresh tokens; where they rotate, with a new refresh token. Raises: NotAuthorized…, RefreshTokenReuse…."""
        del call
        _, client = self._pools.signing_in(params["ClientId"])
        if client.has_secret and not self._pools.secret_matches(client, params.get("ClientSecret") or ""):
            raise NotAuthorizedException(f"Unable to verify secret for client {client.id}")
        result = await self._tokens.refresh(
            params["RefreshToken"],
            client,
            device_key=params.get("DeviceKey") or "",
            client_metadata=params.get("ClientMetadata"),
        )
        return {"AuthenticationResult": result}

    @operation("RespondToAuthChallenge")
    async def respond_to_auth_challenge(self, call: Call, params: Params) -> Answer:
        """Answer a challenge. Raises: NotAuthorizedException, CodeMismatchException and many more."""
        del call
        pool, client = self._pools.signing_in(params["ClientId"])
        return await self._respond(pool, client, params)

    @operation("AdminRespondToAuthChallenge")
    async def admin_respond_to_auth_challenge(self, call: Call, params: Params) -> Answer:
        """Answer a challenge from a server. Raises: NotAuthorizedException, CodeMismatchException and many more."""
        pool = self._pools.get(call, params["UserPoolId"])
        return await self._respond(pool, self._pools.client_of(pool, params["ClientId"]), params)

    async def _respond(self, pool: UserPool, client: AppClient, params: Params) -> Answer:
        name, given = params["ChallengeName"], checked(params.get("ChallengeResponses"))
        session = params.get("Session") or ""
        login = given.get("USERNAME", "")
        if not login:
            raise InvalidParameterException("Missing required parameter USERNAME")
        check_secret_hash(self._pools, client, login, given.get("SECRET_HASH"))
        attempt = Attempt(
            pool, client, login, given, params.get("ClientMetadata") or {}, device_key=given.get("DEVICE_KEY", "")
        )
        if name == "PASSWORD_VERIFIER":
            if session and self._sign_in.challenges.peek(session).flow == "CUSTOM_AUTH":
                return await self._custom_flow.password_proved(attempt, session)
            if session:
                self._sign_in.challenges.take(session, client_id=client.id, name=name)
            going_on, user = await self._password_flows.end_srp(attempt)
            if ALLOWED_BY.get(going_on.flow) not in client.flows or going_on.flow == "CUSTOM_AUTH":
                raise NotAuthorizedException("Invalid session for the user.")
            return await self._sign_in.passed_first_factor(going_on, user)
        if not session:
            raise InvalidParameterException("Missing required parameter Session")
        answers: dict[str, Callable[[Attempt, str], Awaitable[Answer]]] = {
            "NEW_PASSWORD_REQUIRED": self._password_flows.new_password,
            "SELECT_MFA_TYPE": self._second_factors.chosen,
            "MFA_SETUP": self._second_factors.set_up,
            "CUSTOM_CHALLENGE": self._custom_flow.answered,
            "SELECT_CHALLENGE": self._choice_flow.selected,
            "PASSWORD": self._choice_flow.password,
            "WEB_AUTHN": self._passkeys.answered,
            "DEVICE_SRP_AUTH": self._devices.begin_srp,
            "DEVICE_PASSWORD_VERIFIER": self._devices.end_srp,
        }
        if name in CODES:
            return await self._second_factors.code_given(attempt, session, name)
        if name not in answers:
            raise UnsupportedOperationException(f"{name} is no challenge that is answered here.")
        return await answers[name](attempt, session)


def checked(given: Mapping[str, str] | None) -> Mapping[str, str]:
    """Refuse parameters of a size that no client sends: parts of them are remembered. Raises: InvalidParameter…."""
    given = given or {}
    if any(len(given.get(name, "")) > NAME_CHARACTERS_MAX for name in ("USERNAME", "DEVICE_KEY")):
        raise InvalidParameterException(f"USERNAME and DEVICE_KEY have at most {NAME_CHARACTERS_MAX} characters.")
    if sum(len(name) + len(value) for name, value in given.items()) > PARAMETERS_CHARACTERS_MAX:
        raise InvalidParameterException(f"Parameters have at most {PARAMETERS_CHARACTERS_MAX} characters together.")
    return given
