"""Second factors by SMS as they were set before SetUserMFAPreference: one list, of phone numbers only."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from gatepost.kernel.operations import Call, operation
from gatepost.services.cognito_idp.errors import InvalidParameterException
from gatepost.services.cognito_idp.pool import UserPool
from gatepost.services.cognito_idp.pools import Pools
from gatepost.services.cognito_idp.signed_in import AccessTokens
from gatepost.services.cognito_idp.user import User
from gatepost.services.cognito_idp.users import Users

Params = Mapping[str, Any]
Answer = dict[str, Any]


class UserSettingsOperations:
    """The operations on `MFAOptions`; a part of the provider.

    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_AdminSetUserSettings.html
    """

    _pools: Pools
    _users: Users
    _access_tokens: AccessTokens
    _prefer: Callable[[Call, UserPool, User, Params], Coroutine[Any, Any, None]]

    @operation("SetUserSettings")
    async def set_user_settings(self, call: Call, params: Params) -> Answer:
        """Turn the second factor by SMS on or off. Raises: NotAuthorizedException, InvalidParameterException."""
        who = await self._access_tokens.read(params["AccessToken"])
        await self._prefer(call, who.pool, who.user, preference_of(params))
        return {}

    @operation("AdminSetUserSettings")
    async def admin_set_user_settings(self, call: Call, params: Params) -> Answer:
        """Turn a user's second factor by SMS on or off. Raises: UserNotFoundException, InvalidParameterException."""
        pool = self._pools.get(call, params["UserPoolId"])
        held = await self._users.get(pool, params["Username"])
        await self._prefer(call, pool, held.user, preference_of(params))
        return {}


def preference_of(params: Params) -> Params:
    """Give the same as SetUserMFAPreference has it. Raises: InvalidParameterException."""
    for option in params["MFAOptions"]:
        if option.get("DeliveryMedium") != "SMS" or option.get("AttributeName", "phone_number") != "phone_number":
            raise InvalidParameterException("MFAOptions can only be SMS to phone_number.")
    return {"SMSMfaSettings": {"Enabled": bool(params["MFAOptions"])}}
