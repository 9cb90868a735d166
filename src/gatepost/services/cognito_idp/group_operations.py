"""The operations on groups and who is in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.operations import Call, operation
from gatepost.kernel.paging import page_token, place_of
from gatepost.services.cognito_idp.errors import (
    GroupExistsException,
    InvalidParameterException,
    ResourceNotFoundException,
)
from gatepost.services.cognito_idp.groups_store import Group, GroupStore
from gatepost.services.cognito_idp.pool import GROUP, UserPool
from gatepost.services.cognito_idp.pool_things import PoolThings
from gatepost.services.cognito_idp.pools import Pools
from gatepost.services.cognito_idp.user import User, user_to_aws
from gatepost.services.cognito_idp.users import Users

Params = Mapping[str, Any]
Answer = dict[str, Any]

GROUPS_PER_USER_MAX: Final = 100
PAGE_MAX: Final = 60


class GroupOperations:
    """The operations on groups; a part of the provider."""

    _pools: Pools
    _users: Users
    _groups: GroupStore
    _things: PoolThings

    @operation("CreateGroup")
    async def create_group(self, call: Call, params: Params) -> Answer:
        """Make a group. Raises: ResourceNotFoundException, GroupExistsException."""
        pool = self._pools.get(call, params["UserPoolId"])
        group = Group(
            pool.id,
            params["GroupName"],
            call.now_ms,
            call.now_ms,
            description=params.get("Description") or "",
            role_arn=params.get("RoleArn") or "",
            precedence=params.get("Precedence"),
        )
        try:
            await self._things.put(GROUP, pool, group.name, group.to_json(), version=0)
        except VersionConflict as conflict:
            raise GroupExistsException("A group with the name already exists.") from conflict
        return {"Group": group.to_aws()}

    @operation("UpdateGroup")
    async def update_group(self, call: Call, params: Params) -> Answer:
        """Change a group: what is left out stays. Raises: ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        group, version = await self._group(pool, params["GroupName"])
        changed = replace(
            group,
            description=params.get("Description", group.description) or "",
            role_arn=params.get("RoleArn", group.role_arn) or "",
            precedence=params.get("Precedence", group.precedence),
            changed_at_ms=call.now_ms,
        )
        await self._things.put(GROUP, pool, group.name, changed.to_json(), version=version)
        return {"Group": changed.to_aws()}

    @operation("GetGroup")
    async def get_group(self, call: Call, params: Params) -> Answer:
        """Describe a group. Raises: ResourceNotFoundException."""
        group, _ = await self._group(self._pools.get(call, params["UserPoolId"]), params["GroupName"])
        return {"Group": group.to_aws()}

    @operation("ListGroups")
    async def list_groups(self, call: Call, params: Params) -> Answer:
        """Give a page of a pool's groups by name. Raises: ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        found, more = await self._things.page(GROUP, pool, params, limit="Limit")
        return {"Groups": [Group.from_json(value).to_aws() for value in found], **more}

    @operation("DeleteGroup")
    async def delete_group(self, call: Call, params: Params) -> None:
        """Delete a group; its users stay. Raises: ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        group, _ = await self._group(pool, params["GroupName"])
        await self._things.delete(GROUP, pool, group.name)
        while members := await self._users.members(pool, group.name):
            for name in members:
                await self._leave(pool, name, group.name)

    @operation("AdminAddUserToGroup")
    async def admin_add_user_to_group(self, call: Call, params: Params) -> None:
        """Put a user into a group. Raises: ResourceNotFoundException, UserNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        held = await self._users.get(pool, params["Username"])
        group, _ = await self._group(pool, params["GroupName"])

        def join(user: User) -> User:
            if group.name in user.groups:
                return user
            if len(user.groups) >= GROUPS_PER_USER_MAX:
                raise InvalidParameterException(f"A user is in at most {GROUPS_PER_USER_MAX} groups.")
            return replace(user, groups=[*user.groups, group.name], changed_at_ms=call.now_ms)

        await self._users.change(pool, held.user.name, join)

    @operation("AdminRemoveUserFromGroup")
    async def admin_remove_user_from_group(self, call: Call, params: Params) -> None:
        """Take a user out of a group. Raises: ResourceNotFoundException, UserNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        held = await self._users.get(pool, params["Username"])
        group, _ = await self._group(pool, params["GroupName"])
        await self._leave(pool, held.user.name, group.name)

    @operation("AdminListGroupsForUser")
    async def admin_list_groups_for_user(self, call: Call, params: Params) -> Answer:
        """Give a page of a user's groups by name. Raises: UserNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        held = await self._users.get(pool, params["Username"])
        (after,) = place_of(params.get("NextToken"), InvalidParameterException("Invalid NextToken"), "")
        names = sorted(name for name in held.user.groups if name > after)
        count_max = min(params.get("Limit") or PAGE_MAX, PAGE_MAX)
        groups = {group.name: group for group in await self._groups.of(pool, names[:count_max])}
        more = {"NextToken": page_token(names[count_max - 1])} if len(names) > count_max else {}
        return {"Groups": [groups[name].to_aws() for name in names[:count_max] if name in groups], **more}

    @operation("ListUsersInGroup")
    async def list_users_in_group(self, call: Call, params: Params) -> Answer:
        """Give a page of a group's users by name. Raises: ResourceNotFoundException."""
        pool = self._pools.get(call, params["UserPoolId"])
        group, _ = await self._group(pool, params["GroupName"])
        (after,) = place_of(params.get("NextToken"), InvalidParameterException("Invalid NextToken"), "")
        count_max = min(params.get("Limit") or PAGE_MAX, PAGE_MAX)
        names = await self._users.members(pool, group.name, after=after, count_max=count_max + 1)
        found = [await self._users.by_name(pool, name) for name in names[:count_max]]
        more = {"NextToken": page_token(names[count_max - 1])} if len(names) > count_max else {}
        return {"Users": [user_to_aws(held.user) for held in found if held is not None], **more}

    async def _group(self, pool: UserPool, name: str) -> tuple[Group, int]:
        record = await self._groups.find(pool, name)
        if record is None:
            raise ResourceNotFoundException("Group not found.")
        return Group.from_json(record.value), record.version

    async def _leave(self, pool: UserPool, user_name: str, group_name: str) -> None:
        def leave(user: User) -> User:
            if group_name not in user.groups:
                return user
            return replace(user, groups=[name for name in user.groups if name != group_name])

        await self._users.change(pool, user_name, leave)
