"""Users who come from elsewhere when they first sign in or forget their password: the UserMigration trigger.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-migrate-user.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.ids import request_id as random_uuid
from gatepost.services.cognito_idp.desk import new_name
from gatepost.services.cognito_idp.errors import InvalidLambdaResponseException, UserLambdaValidationException
from gatepost.services.cognito_idp.messages import Messages
from gatepost.services.cognito_idp.password_policy import PasswordSetting
from gatepost.services.cognito_idp.pool import AppClient, UserPool
from gatepost.services.cognito_idp.schema import check_attributes, check_required
from gatepost.services.cognito_idp.triggers import Triggers
from gatepost.services.cognito_idp.user import CONFIRMED, RESET_REQUIRED, User
from gatepost.services.cognito_idp.users import Held, Users

_STATES: Final = {"CONFIRMED": CONFIRMED, "RESET_REQUIRED": RESET_REQUIRED}


class Migration:
    """Takes over users; a part of the provider."""

    _users: Users
    _triggers: Triggers
    _messages: Messages
    _password_setting: PasswordSetting
    _clock: Clock

    async def migrated(
        self,
        pool: UserPool,
        client: AppClient,
        login: str,
        source: str,
        client_metadata: Mapping[str, str] | None,
        password: str = "",
    ) -> Held | None:
        """Ask the trigger for somebody whom the pool does not know; the user whom it knows is kept from now on.

        None: there is no trigger, or it does not know them either (it raises then; that is no error of the client's).

        Raises: InvalidLambdaResponseException, UnexpectedLambdaException, UserLambdaValidationException.
        """
        if not self._triggers.has(pool, "UserMigration"):
            return None
        try:
            told = await self._asked(pool, client.id, login, source, client_metadata, password)
        except UserLambdaValidationException:
            if client.hides_users:  # "the function does not know them" would tell who exists
                return None
            raise
        given = told.get("userAttributes")
        if not isinstance(given, Mapping) or not given:
            return None
        attributes = {str(name): str(value) for name, value in given.items() if name not in ("username", "sub")}
        sub = random_uuid()
        name, attributes = new_name(pool, login, attributes, sub=sub)
        check_attributes(pool, attributes, is_new=True, is_admin=True)
        check_required(pool, attributes)
        status = _STATES.get(told.get("finalUserStatus") or RESET_REQUIRED)
        if status is None:
            raise InvalidLambdaResponseException("Unrecognizable lambda output")
        now_ms = self._clock.now_ms()
        user = User(pool.id, name, {"sub": sub, **attributes}, status, now_ms, now_ms)
        if password and status == CONFIRMED:
            user = await self._password_setting.with_password(pool, user, password)
        if told.get("enableSMSMFA"):
            user = _with_sms(user)
        await self._users.create(pool, user, force_alias=bool(told.get("forceAliasCreation")))
        if told.get("messageAction") != "SUPPRESS":
            await self._welcome(pool, user, client.id, told.get("desiredDeliveryMediums") or ["SMS"])
        return await self._users.by_name(pool, name)

    async def _asked(
        self,
        pool: UserPool,
        client_id: str,
        login: str,
        source: str,
        client_metadata: Mapping[str, str] | None,
        password: str,
    ) -> dict[str, Any]:
        return await self._triggers.fire(
            pool,
            "UserMigration",
            source,
            user_name=login,
            client_id=client_id,
            request={
                **({"password": password} if source == "UserMigration_Authentication" else {}),
                "validationData": dict(client_metadata or {}) or None,
                "clientMetadata": dict(client_metadata or {}),
            },
            response={
                "userAttributes": None,
                "finalUserStatus": None,
                "messageAction": None,
                "desiredDeliveryMediums": None,
                "forceAliasCreation": None,
                "enableSMSMFA": None,
            },
        )

    async def _welcome(self, pool: UserPool, user: User, client_id: str, media: object) -> None:
        for medium, attribute in (("EMAIL", "email"), ("SMS", "phone_number")):
            if isinstance(media, list) and medium in media and user.attributes.get(attribute):
                await self._messages.send(
                    pool,
                    user,
                    "CustomMessage_AdminCreateUser",
                    attribute=attribute,
                    code="",
                    client_id=client_id,
                )


def _with_sms(user: User) -> User:

    return replace(user, second_factors=["SMS_MFA"], preferred_factor="SMS_MFA")
