"""The operations on devices, by users themselves and by administrators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.operations import Call, operation
from gatepost.kernel.paging import page_token, place_of
from gatepost.services.cognito_idp.devices import Devices, device_of, device_to_aws
from gatepost.services.cognito_idp.errors import InvalidParameterException
from gatepost.services.cognito_idp.pool import UserPool
from gatepost.services.cognito_idp.pools import Pools
from gatepost.services.cognito_idp.signed_in import AccessTokens, SignedIn
from gatepost.services.cognito_idp.user import User
from gatepost.services.cognito_idp.users import Users

Params = Mapping[str, Any]
Answer = dict[str, Any]

PAGE_MAX: Final = 60


class DeviceOperations:
    """The operations on devices; a part of the provider."""

    _access_tokens: AccessTokens
    _devices: Devices
    _pools: Pools
    _users: Users

    @operation("ConfirmDevice")
    async def confirm_device(self, call: Call, params: Params) -> Answer:
        """Keep the device that the user signed in on. Raises: NotAuthorizedException, InvalidParameterException."""
        who = await self._access_tokens.read(params["AccessToken"])
        return {"UserConfirmationNecessary": await self._devices.confirm(who, params, call.source_ip)}

    @operation("GetDevice")
    async def get_device(self, call: Call, params: Params) -> Answer:
        """Describe one of the user's devices. Raises: ResourceNotFoundException."""
        del call
        who = await self._who(params)
        return {"Device": device_to_aws(device_of(who.user, params["DeviceKey"]))}

    @operation("ListDevices")
    async def list_devices(self, call: Call, params: Params) -> Answer:
        """Give the user's devices. Raises: NotAuthorizedException."""
        del call
        who = await self._who(params)
        return devices_page(who.user, params)

    @operation("UpdateDeviceStatus")
    async def update_device_status(self, call: Call, params: Params) -> Answer:
        """Remember a device or do not. Raises: ResourceNotFoundException."""
        del call
        who = await self._who(params)
        await self._devices.set_status(who.pool, who.user, params["DeviceKey"], params.get("DeviceRememberedStatus"))
        return {}

    @operation("ForgetDevice")
    async def forget_device(self, call: Call, params: Params) -> None:
        """Let a device go. Raises: ResourceNotFoundException."""
        del call
        who = await self._who(params)
        await self._devices.forget(who.pool, who.user, params["DeviceKey"])

    @operation("AdminGetDevice")
    async def admin_get_device(self, call: Call, params: Params) -> Answer:
        """Describe a user's device. Raises: ResourceNotFoundException, UserNotFoundException."""
        _, user = await self._user(call, params)
        return {"Device": device_to_aws(device_of(user, params["DeviceKey"]))}

    @operation("AdminListDevices")
    async def admin_list_devices(self, call: Call, params: Params) -> Answer:
        """Give a user's devices. Raises: UserNotFoundException."""
        _, user = await self._user(call, params)
        return devices_page(user, params)

    @operation("AdminForgetDevice")
    async def admin_forget_device(self, call: Call, params: Params) -> None:
        """Let a user's device go. Raises: ResourceNotFoundException, UserNotFoundException."""
        pool, user = await self._user(call, params)
        await self._devices.forget(pool, user, params["DeviceKey"])

    @operation("AdminUpdateDeviceStatus")
    async def admin_update_device_status(self, call: Call, params: Params) -> Answer:
        """Remember a user's device or do not. Raises: ResourceNotFoundException, UserNotFoundException."""
        pool, user = await self._user(call, params)
        await self._devices.set_status(pool, user, params["DeviceKey"], params.get("DeviceRememberedStatus"))
        return {}

    async def _user(self, call: Call, params: Params) -> tuple[UserPool, User]:
        pool = self._pools.get(call, params["UserPoolId"])
        return pool, (await self._users.get(pool, params["Username"])).user

    async def _who(self, params: Params) -> SignedIn:
        token = params.get("AccessToken")
        if not token:
            raise InvalidParameterException("An AccessToken is needed.")
        return await self._access_tokens.read(token)


def devices_page(user: User, params: Params) -> Answer:
    """Give a page of a user's devices."""
    (first,) = place_of(params.get("PaginationToken"), InvalidParameterException("Invalid PaginationToken"), 0)
    count_max = min(params.get("Limit") or PAGE_MAX, PAGE_MAX)
    chosen = user.devices[first : first + count_max]
    more = {"PaginationToken": page_token(first + count_max)} if len(user.devices) > first + count_max else {}
    return {"Devices": [device_to_aws(device) for device in chosen], **more}
