"""Groups and who is in them. A membership stands in the user's record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from gatepost.kernel.ids import UPPER_BASE32, random_id
from gatepost.kernel.operations import Call, operation
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.entities import Entities
from gatepost.services.iam.errors import DeleteConflictException, LimitExceededException, NoSuchEntityException
from gatepost.services.iam.holders import Answer, Params, missing
from gatepost.services.iam.listing import paged
from gatepost.services.iam.model import GROUP, USER, Group, User, whole_second

GROUPS_MAX: Final = 300
GROUPS_PER_USER_MAX: Final = 10


class GroupOperations:
    """The operations on groups; a part of the provider."""

    _directory: Directory
    _entities: Entities

    def _group(self, call: Call, name: str) -> Group:
        group = self._directory.group(call.account_id, name)
        if group is None:
            raise NoSuchEntityException(missing("group", name))
        return group

    def _members(self, call: Call, group: Group) -> list[User]:
        users = self._directory.every(USER, call.account_id, User)
        return [user for user in users if group.name.lower() in user.groups]

    @operation("CreateGroup")
    async def create_group(self, call: Call, params: Params) -> Answer:
        """Create a group. Raises: EntityAlreadyExists, LimitExceeded."""
        name = params["GroupName"]
        group = Group(
            account_id=call.account_id,
            name=name,
            path=params.get("Path", "/"),
            id="AGPA" + random_id(17, UPPER_BASE32),
            created_at_ms=whole_second(call.now_ms),
        )

        def check() -> None:
            if len(self._directory.every(GROUP, call.account_id, Group)) >= GROUPS_MAX:
                raise LimitExceededException(f"Cannot exceed quota for GroupsPerAccount: {GROUPS_MAX}")

        await self._entities.create(group, exists=f"Group with name {name} already exists.", check=check)
        return {"Group": group.to_aws()}

    @operation("GetGroup")
    def get_group(self, call: Call, params: Params) -> Answer:
        """Give a group and the users in it. Raises: NoSuchEntity."""
        group = self._group(call, params["GroupName"])
        page, rest = paged(self._members(call, group), params, name_of=lambda user: user.name.lower())
        return {"Group": group.to_aws(), "Users": [user.to_aws() for user in page], **rest}

    @operation("ListGroups")
    def list_groups(self, call: Call, params: Params) -> Answer:
        """List groups under a path."""
        prefix = params.get("PathPrefix", "/")
        groups = [g for g in self._directory.every(GROUP, call.account_id, Group) if g.path.startswith(prefix)]
        page, rest = paged(groups, params, name_of=lambda group: group.name.lower())
        return {"Groups": [group.to_aws() for group in page], **rest}

    @operation("ListGroupsForUser")
    def list_groups_for_user(self, call: Call, params: Params) -> Answer:
        """List the groups that a user is in. Raises: NoSuchEntity."""
        user = self._directory.user(call.account_id, params["UserName"])
        if user is None:
            raise NoSuchEntityException(missing("user", params["UserName"]))
        page, rest = paged(sorted(user.groups), params, name_of=str)
        groups = (self._directory.group(call.account_id, name) for name in page)
        return {"Groups": [group.to_aws() for group in groups if group is not None], **rest}

    @operation("UpdateGroup")
    async def update_group(self, call: Call, params: Params) -> Answer:
        """Rename or move a group; who is in it stays in it. Raises: NoSuchEntity, EntityAlreadyExists."""
        name = params["GroupName"]

        def change(group: Group) -> Group:
            new_name = params.get("NewGroupName", group.name)
            return replace(group, name=new_name, path=params.get("NewPath", group.path))

        await self._entities.change(Group, GROUP, call.account_id, name, missing=missing("group", name), change=change)
        return {}

    @operation("DeleteGroup")
    async def delete_group(self, call: Call, params: Params) -> Answer:
        """Delete a group without users and policies. Raises: NoSuchEntity, DeleteConflict."""
        name = params["GroupName"]

        def check(group: Group) -> None:
            if self._members(call, group):
                raise DeleteConflictException("Cannot delete entity, must remove users from group first.")
            if group.policies.attached:
                raise DeleteConflictException("Cannot delete entity, must detach all policies first.")
            if group.policies.inline:
                raise DeleteConflictException("Cannot delete entity, must delete policies first.")

        await self._entities.delete(Group, GROUP, call.account_id, name, missing=missing("group", name), check=check)
        return {}

    @operation("AddUserToGroup")
    async def add_user_to_group(self, call: Call, params: Params) -> Answer:
        """Put a user into a group; no fault when it is in it. Raises: NoSuchEntity, LimitExceeded."""

        def change(user: User) -> User:
            group = self._group(call, params["GroupName"]).name.lower()
            if group in user.groups:
                return user
            if len(user.groups) >= GROUPS_PER_USER_MAX:
                raise LimitExceededException(f"Cannot exceed quota for GroupsPerUser: {GROUPS_PER_USER_MAX}")
            return replace(user, groups=(*user.groups, group))

        return await self._change_member(call, params, change)

    @operation("RemoveUserFromGroup")
    async def remove_user_from_group(self, call: Call, params: Params) -> Answer:
        """Take a user out of a group. Raises: NoSuchEntity."""

        def change(user: User) -> User:
            group = self._group(call, params["GroupName"]).name.lower()
            return replace(user, groups=tuple(name for name in user.groups if name != group))

        return await self._change_member(call, params, change)

    async def _change_member(self, call: Call, params: Params, change: Callable[[User], User]) -> Answer:
        self._group(call, params["GroupName"])
        name = params["UserName"]
        await self._entities.change(User, USER, call.account_id, name, missing=missing("user", name), change=change)
        return {}
