"""Signing up, confirming it, and getting back in with a forgotten password.

What a client whose PreventUserExistenceErrors is ENABLED must not learn here is listed at
https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pool-managing-errors.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import ServiceError
from gatepost.kernel.ids import request_id as random_uuid
from gatepost.kernel.operations import Call, operation
from gatepost.services.cognito_idp.challenges import Challenge, Challenges
from gatepost.services.cognito_idp.codes import (
    FORGOT_PASSWORD,
    SIGN_UP,
    Codes,
    raise_fault,
    recovery_attribute,
)
from gatepost.services.cognito_idp.desk import new_name, pool_of_client
from gatepost.services.cognito_idp.errors import (
    InvalidParameterException,
    InvalidPasswordException,
    NotAuthorizedException,
    UsernameExistsException,
    UserNotFoundException,
)
from gatepost.services.cognito_idp.migration import Migration
from gatepost.services.cognito_idp.password_policy import PasswordSetting, check_policy
from gatepost.services.cognito_idp.pool import AppClient, UserPool
from gatepost.services.cognito_idp.pools import Pools
from gatepost.services.cognito_idp.pretence import Pretence
from gatepost.services.cognito_idp.schema import check_attributes, given_attributes
from gatepost.services.cognito_idp.triggers import Triggers, user_attributes
from gatepost.services.cognito_idp.user import (
    CONFIRMED,
    EXTERNAL_PROVIDER,
    FORCE_CHANGE_PASSWORD,
    RESET_REQUIRED,
    UNCONFIRMED,
    VERIFIABLE,
    User,
)
from gatepost.services.cognito_idp.users import Held, Users

Params = Mapping[str, Any]
Answer = dict[str, Any]

PASSWORDLESS: Final = frozenset({"EMAIL_OTP", "SMS_OTP"})
SIGNED_UP: Final = "signed-up"  # a session that lets a new user in without signing in again


class SignUpOperations(Migration):
    """The operations on the way in; a part of the provider."""

    _pools: Pools
    _users: Users
    _codes: Codes
    _triggers: Triggers
    _password_setting: PasswordSetting
    _challenges: Challenges
    _pretence: Pretence
    _clock: Clock

    @operation("SignUp")
    async def sign_up(self, call: Call, params: Params) -> Answer:
        """Make a user who has yet to confirm.

        Raises: UsernameExistsException, InvalidParameterException, InvalidPasswordException, NotAuthorizedException,
        and what the PreSignUp trigger raises.
        """
        pool, client = pool_of_client(self._pools, params, username=params["Username"])
        if pool.admin_create_user_config.get("AllowAdminCreateUserOnly"):
            raise NotAuthorizedException("SignUp is not permitted for this user pool")
        sub = random_uuid()
        given = given_attributes(params.get("UserAttributes"))
        name, attributes = new_name(pool, params["Username"], given, sub=sub)
        check_attributes(pool, attributes, is_new=True, is_admin=False, client=client)
        password = params.get("Password") or ""
        if password:
            check_policy(pool, password)
        elif not PASSWORDLESS & set(pool.first_factors):
            raise InvalidPasswordException("Password did not conform with policy: Password not long enough")
        if await self._users.by_name(pool, name) is not None:
            raise UsernameExistsException("User already exists")
        user = User(pool.id, name, {"sub": sub, **attributes}, UNCONFIRMED, call.now_ms, call.now_ms)
        user = await self.asked_before_sign_up(
            pool,
            user,
            "PreSignUp_SignUp",
            client_id=client.id,
            validation_data=given_attributes(params.get("ValidationData")),
            client_metadata=params.get("ClientMetadata"),
        )
        if password:
            user = await self._password_setting.with_password(pool, user, password)
        await self._users.create(pool, user)
        return await self._after_sign_up(pool, client, user, params.get("ClientMetadata"))

    async def asked_before_sign_up(
        self,
        pool: UserPool,
        user: User,
        source: str,
        *,
        client_id: str,
        validation_data: Mapping[str, str],
        client_metadata: Mapping[str, str] | None,
    ) -> User:
        """Ask the PreSignUp trigger; gives the user confirmed and verified as it says."""
        attributes = {name: value for name, value in user.attributes.items() if name != "sub"}
        told = await self._triggers.fire(
            pool,
            "PreSignUp",
            source,
            user_name=user.name,
            client_id=client_id,
            request={
                "userAttributes": attributes,
                "validationData": dict(validation_data) or None,
                "clientMetadata": dict(client_metadata or {}),
            },
            response={"autoConfirmUser": False, "autoVerifyEmail": False, "autoVerifyPhone": False},
        )
        verified = {}
        for attribute, member in (("email", "autoVerifyEmail"), ("phone_number", "autoVerifyPhone")):
            if told.get(member) and attribute in user.attributes:
                verified[f"{attribute}_verified"] = "true"
            elif told.get(member):
                raise InvalidParameterException(f"{member} is set, but the user has no {attribute}.")
        user = user.with_attributes(verified, now_ms=user.changed_at_ms)
        is_confirmed = told.get("autoConfirmUser") is True and user.status == UNCONFIRMED
        return replace(user, status=CONFIRMED) if is_confirmed else user

    async def _after_sign_up(
        self, pool: UserPool, client: AppClient, user: User, client_metadata: Mapping[str, str] | None
    ) -> Answer:
        answer: Answer = {"UserConfirmed": user.status == CONFIRMED, "UserSub": user.sub}
        attribute = sign_up_attribute(pool, user)
        if attribute and not user.is_verified(attribute):
            answer["CodeDeliveryDetails"] = await self._codes.send(
                pool,
                user,
                SIGN_UP,
                "CustomMessage_SignUp",
                attribute=attribute,
                client_id=client.id,
                client_metadata=client_metadata,
            )
        if user.status == CONFIRMED:
            await self._confirmed(pool, client.id, user, "PostConfirmation_ConfirmSignUp", client_metadata)
        if "ALLOW_USER_AUTH" in client.flows:
            answer["Session"] = self._signed_up_session(pool, client, user)
        return answer

    def _signed_up_session(self, pool: UserPool, client: AppClient, user: User) -> str:
        ends_ms = self._clock.now_ms() + client.session_ms
        return self._challenges.open(Challenge(pool.id, client.id, user.name, SIGNED_UP, ends_ms))

    async def _confirmed(
        self,
        pool: UserPool,
        client_id: str,
        user: User,
        source: str,
        client_metadata: Mapping[str, str] | None,
    ) -> None:
        await self._triggers.fire(
            pool,
            "PostConfirmation",
            source,
            user_name=user.name,
            client_id=client_id,
            request={"userAttributes": user_attributes(user), "clientMetadata": dict(client_metadata or {})},
        )

    @operation("ConfirmSignUp")
    async def confirm_sign_up(self, call: Call, params: Params) -> Answer:
        """Confirm a sign-up by the code that was sent; the address is verified with it.

        Raises: CodeMismatchException, ExpiredCodeException, NotAuthorizedException, AliasExistsException,
        UserNotFoundException, LimitExceededException.
        """
        pool, client = pool_of_client(self._pools, params, username=params["Username"])
        held = await self._users.find(pool, params["Username"])
        if held is None:
            if client.hides_users:
                raise_fault("expired")
            raise UserNotFoundException("Username/client id combination not found.")
        if held.user.status != UNCONFIRMED:
            raise NotAuthorizedException(f"User cannot be confirmed. Current status is {held.user.status}")

        def confirm(user: User, code: Any) -> User:
            verified = {f"{code.attribute}_verified": "true"} if code.attribute else {}
            return replace(user.with_attributes(verified, now_ms=call.now_ms), status=CONFIRMED)

        user = await self._codes.redeem(
            pool,
            held.user.name,
            SIGN_UP,
            params["ConfirmationCode"],
            confirm,
            force_alias=bool(params.get("ForceAliasCreation")),
        )
        await self._confirmed(pool, client.id, user, "PostConfirmation_ConfirmSignUp", params.get("ClientMetadata"))
        if not params.get("Session"):
            return {}
        challenge = self._challenges.take(params["Session"], client_id=client.id, name=SIGNED_UP)
        if challenge.user_name != user.name:
            raise NotAuthorizedException("Invalid session for the user.")
        session = Challenge(
            pool.id, client.id, user.name, SIGNED_UP, call.now_ms + client.session_ms, auth_ms=call.now_ms
        )
        return {"Session": self._challenges.open(session)}

    @operation("ResendConfirmationCode")
    async def resend_confirmation_code(self, call: Call, params: Params) -> Answer:
        """Send another code for a sign-up. Raises: InvalidParameterException, UserNotFoundException, LimitExceeded…."""
        del call
        begun_ns = self._pretence.begin()
        pool, client = pool_of_client(self._pools, params, username=params["Username"])
        held = await self._users.find(pool, params["Username"])
        if held is None or not held.user.is_enabled:
            if client.hides_users:
                details = await self._codes.seem_to_send(pool, params["Username"], SIGN_UP)
                await self._pretence.wait(pool.id, SIGN_UP, begun_ns)
                return {"CodeDeliveryDetails": details}
            if held is None:
                raise UserNotFoundException("Username/client id combination not found.")
            raise NotAuthorizedException("User is disabled.")
        if held.user.status != UNCONFIRMED:
            raise InvalidParameterException("User is already confirmed.")
        attribute = sign_up_attribute(pool, held.user)
        if not attribute:
            raise InvalidParameterException("Auto verification not turned on.")
        details = await self._codes.send(
            pool,
            held.user,
            SIGN_UP,
            "CustomMessage_ResendCode",
            attribute=attribute,
            client_id=client.id,
            client_metadata=params.get("ClientMetadata"),
        )
        self._pretence.note(pool.id, SIGN_UP, begun_ns)
        return {"CodeDeliveryDetails": details}

    @operation("ForgotPassword")
    async def forgot_password(self, call: Call, params: Params) -> Answer:
        """Send a code that a new password can be set with.

        Raises: UserNotFoundException, InvalidParameterException, NotAuthorizedException, LimitExceededException.
        """
        del call
        begun_ns = self._pretence.begin()
        pool, client = pool_of_client(self._pools, params, username=params["Username"])
        held = await self._users.find(pool, params["Username"])
        if held is None:
            held = await self.migrated(
                pool, client, params["Username"], "UserMigration_ForgotPassword", params.get("ClientMetadata")
            )
        try:
            attribute = _recoverable(pool, held)
        except ServiceError:
            if not client.hides_users:
                raise
            details = await self._codes.seem_to_send(pool, params["Username"], FORGOT_PASSWORD)
            await self._pretence.wait(pool.id, FORGOT_PASSWORD, begun_ns)
            return {"CodeDeliveryDetails": details}
        assert held is not None
        details = await self._codes.send(
            pool,
            held.user,
            FORGOT_PASSWORD,
            "CustomMessage_ForgotPassword",
            attribute=attribute,
            client_id=client.id,
            client_metadata=params.get("ClientMetadata"),
        )
        self._pretence.note(pool.id, FORGOT_PASSWORD, begun_ns)
        return {"CodeDeliveryDetails": details}

    @operation("ConfirmForgotPassword")
    async def confirm_forgot_password(self, call: Call, params: Params) -> Answer:
        """Set a new password by a code; whoever had not confirmed the sign-up has now.

        Raises: CodeMismatchException, ExpiredCodeException, InvalidPasswordException, UserNotFoundException,
        LimitExceededException, PasswordHistoryPolicyViolationException.
        """
        pool, client = pool_of_client(self._pools, params, username=params["Username"])
        held = await self._users.find(pool, params["Username"])
        if client.hides_users:
            check_policy(pool, params["Password"])
            if held is None or not held.user.is_enabled:
                await self._refuse_nobodys_code(pool, params["Username"])
            elif FORGOT_PASSWORD not in held.user.secrets.codes:  # as for nobody, but for who had the code
                used = self._codes.was_used(pool, held.user.name, FORGOT_PASSWORD, params["ConfirmationCode"])
                raise_fault("expired" if used else "mismatch")
        if held is None:
            raise UserNotFoundException("Username/client id combination not found.")
        if not held.user.is_enabled:
            raise NotAuthorizedException("User is disabled.")
        check_policy(pool, params["Password"])
        if not self._codes.check(held.user, FORGOT_PASSWORD, params["ConfirmationCode"]):
            changed = await self._password_setting.with_password(pool, held.user, params["Password"])
            new = changed.secrets
        else:
            new = held.user.secrets  # the code is wrong: no password is hashed for that

        def reset(user: User, code: Any) -> User:
            verified = {f"{code.attribute}_verified": "true"} if user.attributes.get(code.attribute) else {}
            user = user.with_attributes(verified, now_ms=call.now_ms).with_secrets(
                password_hash=new.password_hash,
                srp_salt=new.srp_salt,
                srp_verifier=new.srp_verifier,
                history=new.history,
            )
            return replace(user, status=CONFIRMED, temporary_until_ms=0)

        user = await self._codes.redeem(pool, held.user.name, FORGOT_PASSWORD, params["ConfirmationCode"], reset)
        await self._confirmed(
            pool, client.id, user, "PostConfirmation_ConfirmForgotPassword", params.get("ClientMetadata")
        )
        return {}

    async def _refuse_nobodys_code(self, pool: UserPool, login: str) -> None:
        """Refuse a code as if there were a user to whom one may have been sent. Raises: as `Codes.redeem`."""
        raise_fault(await self._codes.fault_for_nobody(pool, login, FORGOT_PASSWORD) or "mismatch")

    @operation("AdminConfirmSignUp")
    async def admin_confirm_sign_up(self, call: Call, params: Params) -> Answer:
        """Confirm a sign-up without a code. Raises: UserNotFoundException, NotAuthorizedException."""
        pool = self._pools.get(call, params["UserPoolId"])
        held = await self._users.get(pool, params["Username"])

        def confirm(user: User) -> User:
            if user.status != UNCONFIRMED:
                raise NotAuthorizedException(f"User cannot be confirmed. Current status is {user.status}")
            return replace(user.without_code(SIGN_UP), status=CONFIRMED, changed_at_ms=call.now_ms)

        user = await self._users.change(pool, held.user.name, confirm)
        await self._confirmed(
            pool, "CLIENT_ID_NOT_APPLICABLE", user, "PostConfirmation_ConfirmSignUp", params.get("ClientMetadata")
        )
        return {}

    @operation("AdminResetUserPassword")
    async def admin_reset_user_password(self, call: Call, params: Params) -> Answer:
        """Void a user's password and send a code for a new one. Raises: UserNotFoundException, NotAuthorized…."""
        pool = self._pools.get(call, params["UserPoolId"])
        held = await self._users.get(pool, params["Username"])
        if held.user.status in (FORCE_CHANGE_PASSWORD, EXTERNAL_PROVIDER, UNCONFIRMED):
            raise NotAuthorizedException("User password cannot be reset in the current state.")
        attribute = recovery_attribute(pool, held.user)
        user = await self._users.change(
            pool, held.user.name, lambda user: replace(user, status=RESET_REQUIRED, changed_at_ms=call.now_ms)
        )
        await self._codes.send(
            pool,
            user,
            FORGOT_PASSWORD,
            "CustomMessage_ForgotPassword",
            attribute=attribute,
            client_id="CLIENT_ID_NOT_APPLICABLE",
            client_metadata=params.get("ClientMetadata"),
        )
        return {}


def _recoverable(pool: UserPool, held: Held | None) -> str:
    """Give the address that a user's reset code goes to, when there is a user who may reset the password."""
    if held is None:
        raise UserNotFoundException("Username/client id combination not found.")
    if not held.user.is_enabled:
        raise NotAuthorizedException("User is disabled.")
    if held.user.status in (FORCE_CHANGE_PASSWORD, EXTERNAL_PROVIDER):
        raise NotAuthorizedException("User password cannot be reset in the current state.")
    return recovery_attribute(pool, held.user)


def sign_up_attribute(pool: UserPool, user: User) -> str:
    """Give the address that a sign-up is confirmed by: a phone before a mailbox, as on AWS; none: an empty text."""
    for attribute in reversed(VERIFIABLE):
        if attribute in pool.auto_verified and user.attributes.get(attribute):
            return attribute
    return ""
