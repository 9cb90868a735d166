"""What users do with an access token: look at themselves, change attributes, password, second factors and passkeys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.operations import Call, operation
from gatepost.kernel.paging import page_token, place_of
from gatepost.services.cognito_idp.admin_users import AdminUserOperations, factors_to_aws, profile_to_aws
from gatepost.services.cognito_idp.codes import verifying
from gatepost.services.cognito_idp.errors import (
    EnableSoftwareTokenMFAException,
    InvalidParameterException,
    NotAuthorizedException,
    SoftwareTokenMFANotFoundException,
    UnauthorizedException,
)
from gatepost.services.cognito_idp.lockout import Lockout
from gatepost.services.cognito_idp.passkeys import Passkeys, passkey_to_aws
from gatepost.services.cognito_idp.password_policy import check_policy
from gatepost.services.cognito_idp.pool import UserPool
from gatepost.services.cognito_idp.schema import given_attributes, may_read, may_write
from gatepost.services.cognito_idp.second_factors import checked_preference, matching_step
from gatepost.services.cognito_idp.sign_in import BAD_LOGIN
from gatepost.services.cognito_idp.signed_in import AccessTokens
from gatepost.services.cognito_idp.user import VERIFIABLE, User

Params = Mapping[str, Any]
Answer = dict[str, Any]

_PREFERENCES: Final = {
    "SMSMfaSettings": "SMS_MFA",
    "SoftwareTokenMfaSettings": "SOFTWARE_TOKEN_MFA",
    "EmailMfaSettings": "EMAIL_OTP",
}


class SelfServiceOperations(AdminUserOperations):
    """The operations of users on themselves; a part of the provider."""

    _access_tokens: AccessTokens
    _passkeys: Passkeys
    _password_lockout: Lockout

    @operation("GetUser")
    async def get_user(self, call: Call, params: Params) -> Answer:
        """Give the user with the attributes that the client may read. Raises: NotAuthorizedException."""
        del call
        who = await self._access_tokens.read(params["AccessToken"])
        shown = {name: value for name, value in who.user.attributes.items() if may_read(who.client, name)}
        return profile_to_aws(who.user, shown)

    @operation("ChangePassword")
    async def change_password(self, call: Call, params: Params) -> Answer:
        """Set another password, by the one before. Raises: NotAuthorizedException, InvalidPasswordException."""
        who = await self._access_tokens.read(params["AccessToken"])
        self._password_lockout.check(who.pool.id, who.user.name)
        previous = params.get("PreviousPassword") or ""
        if who.user.has_password():
            is_right = await self._password_setting.matches(who.user, previous)
            self._password_lockout.check(who.pool.id, who.user.name)  # again: many guesses wait for their turn
            if not is_right:
                self._password_lockout.failed(who.pool.id, who.user.name)
                raise NotAuthorizedException(BAD_LOGIN)
        check_policy(who.pool, params["ProposedPassword"])
        new = await self._password_setting.with_password(who.pool, who.user, params["ProposedPassword"])
        before = who.user.secrets.password_hash

        def change(user: User) -> User:
            if user.secrets.password_hash != before:  # it was changed meanwhile: the old one proves nothing
                raise NotAuthorizedException(BAD_LOGIN)
            changed = user.with_secrets(
                password_hash=new.secrets.password_hash,
                srp_salt=new.secrets.srp_salt,
                srp_verifier=new.secrets.srp_verifier,
                history=new.secrets.history,
            )
            return replace(changed, changed_at_ms=call.now_ms)

        await self._users.change(who.pool, who.user.name, change)
        return {}

    @operation("UpdateUserAttributes")
    async def update_user_attributes(self, call: Call, params: Params) -> Answer:
        """Set attributes that the client may write. Raises: NotAuthorizedException, InvalidParameterException."""
        del call
        who = await self._access_tokens.read(params["AccessToken"])
        details = await self.update_attributes(
            who.pool,
            who.user,
            given_attributes(params["UserAttributes"]),
            client_id=who.client.id,
            is_admin=False,
            client_metadata=params.get("ClientMetadata"),
        )
        return {"CodeDeliveryDetailsList": details}

    @operation("DeleteUserAttributes")
    async def delete_user_attributes(self, call: Call, params: Params) -> Answer:
        """Take attributes away that the client may write. Raises: NotAuthorizedException, InvalidParameter…."""
        del call
        who = await self._access_tokens.read(params["AccessToken"])
        for name in params["UserAttributeNames"]:
            if not may_write(who.pool, who.client, name):
                raise NotAuthorizedException("A client attempted to write unauthorized attribute")
        await self.delete_attributes(who.pool, who.user, params["UserAttributeNames"])
        return {}

    @operation("DeleteUser")
    async def delete_user(self, call: Call, params: Params) -> None:
        """Delete the user. Raises: NotAuthorizedException."""
        del call
        who = await self._access_tokens.read(params["AccessToken"])
        await self.delete(who.pool, who.user)

    @operation("GetUserAttributeVerificationCode")
    async def get_user_attribute_verification_code(self, call: Call, params: Params) -> Answer:
        """Send a code that verifies an address. Raises: InvalidParameterException, LimitExceededException."""
        del call
        who = await self._access_tokens.read(params["AccessToken"])
        attribute = params["AttributeName"]
        code = who.user.secrets.codes.get(verifying(attribute))
        pending = code.pending if code is not None else ""
        if attribute not in VERIFIABLE or not (who.user.attributes.get(attribute) or pending):
            raise InvalidParameterException(f"The user has no {attribute} that could be verified.")
        details = await self._codes.send(
            who.pool,
            who.user,
            verifying(attribute),
            "CustomMessage_VerifyUserAttribute",
            attribute=attribute,
            client_id=who.client.id,
            pending=pending,
            client_metadata=params.get("ClientMetadata"),
        )
        return {"CodeDeliveryDetails": details}

    @operation("VerifyUserAttribute")
    async def verify_user_attribute(self, call: Call, params: Params) -> Answer:
        """Verify an address by the code that was sent there. Raises: CodeMismatchException, ExpiredCode… and others."""
        who = await self._access_tokens.read(params["AccessToken"])
        attribute = params["AttributeName"]

        def verify(user: User, code: Any) -> User:
            changes = {f"{attribute}_verified": "true"}
            if code.pending:
                changes[attribute] = code.pending
            return user.with_attributes(changes, now_ms=call.now_ms)

        if attribute not in VERIFIABLE:
            raise InvalidParameterException(f"{attribute} is no address that could be verified.")
        await self._codes.redeem(who.pool, who.user.name, verifying(attribute), params["Code"], verify)
        return {}

    @operation("GlobalSignOut")
    async def global_sign_out(self, call: Call, params: Params) -> Answer:
        """End every token of the user. Raises: NotAuthorizedException."""
        del call
        who = await self._access_tokens.read(params["AccessToken"])
        await self._tokens.sign_out_everywhere(who.pool, who.user.name)
        return {}

    @operation("RevokeToken")
    async def revoke_token(self, call: Call, params: Params) -> Answer:
        """Revoke a refresh token and what came of it. Raises: UnauthorizedException, UnsupportedTokenTypeException."""
        del call
        if params.get("RevokeAssociatedSessions"):
            raise InvalidParameterException("RevokeAssociatedSessions is not supported by Gatepost: leave it out")
        _, client = self._pools.signing_in(params["ClientId"])
        if client.has_secret and not self._pools.secret_matches(client, params.get("ClientSecret") or ""):
            raise UnauthorizedException("Invalid client secret")
        await self._tokens.revoke(params["Token"], client)
        return {}

    # --- second factors ----------------------------------------------------------------------------------------

    @operation("AssociateSoftwareToken")
    async def associate_software_token(self, call: Call, params: Params) -> Answer:
        """Give the secret for an authenticator app; it counts once VerifySoftwareToken has seen a code of it.

        Raises: NotAuthorizedException, SoftwareTokenMFANotFoundException.
        """
        del call
        import pyotp

        pool, user, session = await self._by_token_or_session(params)
        if "SOFTWARE_TOKEN_MFA" not in pool.second_factors:
            raise SoftwareTokenMFANotFoundException("Software Token MFA has not been enabled by the userPool")
        secret = pyotp.random_base32(52)
        if session:
            challenge = self._challenges.peek(session)
            return {
                "SecretCode": secret,
                "Session": self._challenges.replace(session, challenge.with_state(totp=secret)),
            }
        await self._users.change(pool, user.name, lambda user: user.with_secrets(pending_totp=secret))
        return {"SecretCode": secret}

    @operation("VerifySoftwareToken")
    async def verify_software_token(self, call: Call, params: Params) -> Answer:
        """Keep an authenticator app by one of its codes.

        Raises: EnableSoftwareTokenMFAException, NotAuthorizedException, SoftwareTokenMFANotFoundException.
        """
        pool, user, session = await self._by_token_or_session(params)
        challenge = self._challenges.peek(session) if session else None
        secret = challenge.state.get("totp", "") if challenge is not None else user.secrets.pending_totp
        if not secret:
            raise SoftwareTokenMFANotFoundException("The user has no software token to verify: associate one first")
        self._password_lockout.check(pool.id, f"code {user.name}")
        step = matching_step(secret, params["UserCode"], call.now_ms)
        if step is None:
            self._password_lockout.failed(pool.id, f"code {user.name}")
            raise EnableSoftwareTokenMFAException("Code mismatch")

        def keep(user: User) -> User:
            name = params.get("FriendlyDeviceName") or ""
            changed = user.with_secrets(totp_secret=secret, totp_last=step, totp_name=name, pending_totp="")
            if challenge is not None and "SOFTWARE_TOKEN_MFA" not in user.second_factors:
                factors = [*user.second_factors, "SOFTWARE_TOKEN_MFA"]
                changed = replace(changed, second_factors=factors, preferred_factor="SOFTWARE_TOKEN_MFA")
            return changed

        await self._users.change(pool, user.name, keep)
        if challenge is None:
            return {"Status": "SUCCESS"}
        going_on = self._challenges.replace(session, challenge.with_state(totp="", is_set_up=True))
        return {"Status": "SUCCESS", "Session": going_on}

    async def _by_token_or_session(self, params: Params) -> tuple[UserPool, User, str]:
        if params.get("AccessToken"):
            who = await self._access_tokens.read(params["AccessToken"])
            return who.pool, who.user, ""
        session = params.get("Session") or ""
        if not session:
            raise InvalidParameterException("An AccessToken or a Session is needed.")
        challenge = self._challenges.peek(session)
        pool = self._pools.find(challenge.pool_id)
        held = await self._users.by_name(pool, challenge.user_name) if pool is not None else None
        if challenge.name != "MFA_SETUP" or pool is None or held is None or not held.user.is_enabled:
            raise NotAuthorizedException("Invalid session for the user.")
        return pool, held.user, session

    @operation("SetUserMFAPreference")
    async def set_user_mfa_preference(self, call: Call, params: Params) -> Answer:
        """Choose second factors. Raises: InvalidParameterException, NotAuthorizedException, SoftwareTokenMFANot…."""
        who = await self._access_tokens.read(params["AccessToken"])
        await self._prefer(call, who.pool, who.user, params)
        return {}

    @operation("AdminSetUserMFAPreference")
    async def admin_set_user_mfa_preference(self, call: Call, params: Params) -> Answer:
        """Choose a user's second factors. Raises: InvalidParameterException, UserNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        held = await self._users.get(pool, params["Username"])
        await self._prefer(call, pool, held.user, params)
        return {}

    async def _prefer(self, call: Call, pool: UserPool, user: User, params: Params) -> None:
        if (params.get("WebAuthnMfaSettings") or {}).get("Enabled"):
            raise InvalidParameterException(
                "WebAuthnMfaSettings is not supported by Gatepost: passkeys are a first factor"
            )
        settings = {factor: params.get(member) for member, factor in _PREFERENCES.items()}
        for factor, told in settings.items():
            if told and told.get("Enabled") and factor not in pool.second_factors:
                raise InvalidParameterException(f"{factor} is not enabled in the user pool.")
        await self._users.change(
            pool,
            user.name,
            lambda user: replace(checked_preference(user, settings), changed_at_ms=call.now_ms),
        )

    @operation("AdminDeleteSoftwareToken")
    async def admin_delete_software_token(self, call: Call, params: Params) -> Answer:
        """Take a user's authenticator app away. Raises: UserNotFoundException, SoftwareTokenMFANotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        held = await self._users.get(pool, params["Username"])

        def leave(user: User) -> User:
            if not user.secrets.totp_secret:
                raise SoftwareTokenMFANotFoundException("The user has no software token")
            factors = [factor for factor in user.second_factors if factor != "SOFTWARE_TOKEN_MFA"]
            preferred = "" if user.preferred_factor == "SOFTWARE_TOKEN_MFA" else user.preferred_factor
            changed = user.with_secrets(totp_secret="", totp_last=0)
            return replace(changed, second_factors=factors, preferred_factor=preferred)

        await self._users.change(pool, held.user.name, leave)
        return {}

    @operation("GetUserAuthFactors")
    async def get_user_auth_factors(self, call: Call, params: Params) -> Answer:
        """Give the factors that the user has. Raises: NotAuthorizedException."""
        del call
        who = await self._access_tokens.read(params["AccessToken"])
        return auth_factors(who.pool, who.user)

    @operation("AdminGetUserAuthFactors")
    async def admin_get_user_auth_factors(self, call: Call, params: Params) -> Answer:
        """Give the factors that a user has. Raises: UserNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        return auth_factors(pool, (await self._users.get(pool, params["Username"])).user)

    # --- passkeys ----------------------------------------------------------------------------------------------

    @operation("StartWebAuthnRegistration")
    async def start_web_authn_registration(self, call: Call, params: Params) -> Answer:
        """Begin to register a passkey. Raises: WebAuthnNotEnabledException, WebAuthnConfigurationMissing…."""
        del call
        who = await self._access_tokens.read(params["AccessToken"])
        return {"CredentialCreationOptions": self._passkeys.start(who)}

    @operation("CompleteWebAuthnRegistration")
    async def complete_web_authn_registration(self, call: Call, params: Params) -> Answer:
        """Keep a passkey. Raises: WebAuthnChallengeNotFoundException and its siblings."""
        del call
        who = await self._access_tokens.read(params["AccessToken"])
        await self._passkeys.complete(who, params["Credential"])
        return {}

    @operation("ListWebAuthnCredentials")
    async def list_web_authn_credentials(self, call: Call, params: Params) -> Answer:
        """Give the user's passkeys, at most 20. Raises: NotAuthorizedException."""
        del call
        who = await self._access_tokens.read(params["AccessToken"])
        (first,) = place_of(params.get("NextToken"), InvalidParameterException("Invalid NextToken"), 0)
        count_max = params.get("MaxResults") or 20
        chosen = who.user.passkeys[first : first + count_max]
        is_more = len(who.user.passkeys) > first + count_max
        more = {"NextToken": page_token(first + count_max)} if is_more else {}
        return {"Credentials": [passkey_to_aws(one) for one in chosen], **more}

    @operation("DeleteWebAuthnCredential")
    async def delete_web_authn_credential(self, call: Call, params: Params) -> Answer:
        """Take a passkey away. Raises: ResourceNotFoundException."""
        del call
        await self._passkeys.delete(await self._access_tokens.read(params["AccessToken"]), params["CredentialId"])
        return {}


def auth_factors(pool: UserPool, user: User) -> Answer:
    """Give AWS's answer of GetUserAuthFactors."""
    found = ["PASSWORD"] if user.has_password() else []
    for factor, attribute in (("EMAIL_OTP", "email"), ("SMS_OTP", "phone_number")):
        if factor in pool.first_factors and user.attributes.get(attribute):
            found.append(factor)
    if user.passkeys and "WEB_AUTHN" in pool.first_factors:
        found.append("WEB_AUTHN")
    return {"Username": user.name, **factors_to_aws(user), "ConfiguredUserAuthFactors": found}
