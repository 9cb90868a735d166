"""The policies that users, groups and roles hold: inline, attached and the permissions boundary.

The 27 operations are three times the same nine, so each is one line over the def that does it for all three.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gatepost.kernel.operations import Call, operation
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.documents import attachable, characters, checked_document
from gatepost.services.iam.entities import Entities
from gatepost.services.iam.errors import (
    LimitExceededException,
    NoSuchEntityException,
    UnmodifiableEntityException,
)
from gatepost.services.iam.listing import paged
from gatepost.services.iam.model import (
    GROUP,
    ROLE,
    USER,
    Group,
    HeldPolicies,
    Holder,
    Role,
    User,
    encoded,
    with_policies,
)

ATTACHED_POLICIES_MAX: Final = 10  # AWS raises it to 20 on request

Params = Mapping[str, Any]
Answer = dict[str, object]


@dataclass(frozen=True, slots=True)
class HolderKind:
    """What differs between users, groups and roles."""

    kind: str
    entity_class: type[Any]
    word: str
    inline_characters_max: int  # of all inline policies together
    quota: str

    @property
    def parameter(self) -> str:
        """Give the parameter that names one."""
        return f"{self.word.capitalize()}Name"


USERS: Final = HolderKind(USER, User, "user", 2_048, "PoliciesPerUser")
GROUPS: Final = HolderKind(GROUP, Group, "group", 5_120, "PoliciesPerGroup")
ROLES: Final = HolderKind(ROLE, Role, "role", 10_240, "PoliciesPerRole")


class HolderOperations:
    """The operations on the policies of users, groups and roles; a part of the provider."""

    _directory: Directory
    _entities: Entities

    def _holder(self, call: Call, holders: HolderKind, params: Params) -> Holder:
        name = params[holders.parameter]
        stored = self._directory.stored(holders.kind, call.account_id, name)
        if stored is None or not isinstance(stored.entity, User | Group | Role):
            raise NoSuchEntityException(missing(holders.word, name))
        return stored.entity

    async def _change_holder(
        self, call: Call, holders: HolderKind, params: Params, change: Callable[[Any], Any]
    ) -> Answer:
        name = params[holders.parameter]

        def checked(holder: Any) -> Any:
            check_changeable(holder)
            return change(holder)

        await self._entities.change(
            holders.entity_class,
            holders.kind,
            call.account_id,
            name,
            missing=missing(holders.word, name),
            change=checked,
        )
        return {}

    # Inline policies

    async def _put_policy(self, call: Call, holders: HolderKind, params: Params) -> Answer:
        document = params["PolicyDocument"]

        def change(holder: Holder) -> Holder:
            inline = {**holder.policies.inline, params["PolicyName"]: document}
            if sum(map(characters, inline.values())) > holders.inline_characters_max:
                raise LimitExceededException(
                    f"Maximum policy size of {holders.inline_characters_max} bytes exceeded for {holders.word} "
                    f"{holder.name}"
                )
            checked_document(document, "identity")
            return with_policies(holder, inline=inline)

        return await self._change_holder(call, holders, params, change)

    def _get_policy(self, call: Call, holders: HolderKind, params: Params) -> Answer:
        holder = self._holder(call, holders, params)
        name = params["PolicyName"]
        if name not in holder.policies.inline:
            raise NoSuchEntityException(f"The {holders.word} policy with name {name} cannot be found.")
        return {
            holders.parameter: holder.name,
            "PolicyName": name,
            "PolicyDocument": encoded(holder.policies.inline[name]),
        }

    async def _delete_policy(self, call: Call, holders: HolderKind, params: Params) -> Answer:
        name = params["PolicyName"]

        def change(holder: Holder) -> Holder:
            if name not in holder.policies.inline:
                raise NoSuchEntityException(f"The {holders.word} policy with name {name} cannot be found.")
            return with_policies(holder, inline={n: d for n, d in holder.policies.inline.items() if n != name})

        return await self._change_holder(call, holders, params, change)

    def _list_policies(self, call: Call, holders: HolderKind, params: Params) -> Answer:
        names = sorted(self._holder(call, holders, params).policies.inline)
        page, rest = paged(names, params, name_of=str)
        return {"PolicyNames": list(page), **rest}

    # Managed policies

    async def _attach(self, call: Call, holders: HolderKind, params: Params) -> Answer:
        arn = params["PolicyArn"]

        def change(holder: Holder) -> Holder:
            attachable(self._directory, arn, call.account_id)
            attached = holder.policies.attached
            if arn in attached:
                return holder
            if len(attached) >= ATTACHED_POLICIES_MAX:
                raise LimitExceededException(f"Cannot exceed quota for {holders.quota}: {ATTACHED_POLICIES_MAX}")
            return with_policies(holder, attached=(*attached, arn))

        return await self._change_holder(call, holders, params, change)

    async def _detach(self, call: Call, holders: HolderKind, params: Params) -> Answer:
        arn = params["PolicyArn"]

        def change(holder: Holder) -> Holder:
            if arn not in holder.policies.attached:
                raise NoSuchEntityException(f"Policy {arn} was not found.")
            return with_policies(holder, attached=tuple(one for one in holder.policies.attached if one != arn))

        return await self._change_holder(call, holders, params, change)

    def _list_attached(self, call: Call, holders: HolderKind, params: Params) -> Answer:
        prefix = params.get("PathPrefix", "/")
        arns = [
            arn
            for arn in sorted(self._holder(call, holders, params).policies.attached)
            if ("/" + arn.partition(":policy/")[2]).startswith(prefix)
        ]
        page, rest = paged(arns, params, name_of=str)
        return {"AttachedPolicies": attached_to_aws(page), **rest}

    # Permissions boundary

    async def _put_boundary(self, call: Call, holders: HolderKind, params: Params) -> Answer:
        arn = params["PermissionsBoundary"]

        def change(holder: Holder) -> Holder:
            attachable(self._directory, arn, call.account_id, scope="Scope ARN:")
            return with_policies(holder, boundary=arn)

        return await self._change_holder(call, holders, params, change)

    async def _delete_boundary(self, call: Call, holders: HolderKind, params: Params) -> Answer:
        name = params[holders.parameter]

        def change(holder: Holder) -> Holder:
            if not holder.policies.boundary:
                raise NoSuchEntityException(f"{name} does not have PermissionBoundary")
            return with_policies(holder, boundary="")

        return await self._change_holder(call, holders, params, change)

    # AWS's operations: users

    @operation("PutUserPolicy")
    async def put_user_policy(self, call: Call, params: Params) -> Answer:
        """Add or replace an inline policy. Raises: NoSuchEntity, MalformedPolicyDocument, LimitExceeded."""
        return await self._put_policy(call, USERS, params)

    @operation("GetUserPolicy")
    def get_user_policy(self, call: Call, params: Params) -> Answer:
        """Give an inline policy. Raises: NoSuchEntity."""
        return self._get_policy(call, USERS, params)

    @operation("DeleteUserPolicy")
    async def delete_user_policy(self, call: Call, params: Params) -> Answer:
        """Delete an inline policy. Raises: NoSuchEntity."""
        return await self._delete_policy(call, USERS, params)

    @operation("ListUserPolicies")
    def list_user_policies(self, call: Call, params: Params) -> Answer:
        """List inline policies by name. Raises: NoSuchEntity."""
        return self._list_policies(call, USERS, params)

    @operation("AttachUserPolicy")
    async def attach_user_policy(self, call: Call, params: Params) -> Answer:
        """Attach a managed policy. Raises: NoSuchEntity, PolicyNotAttachable, LimitExceeded."""
        return await self._attach(call, USERS, params)

    @operation("DetachUserPolicy")
    async def detach_user_policy(self, call: Call, params: Params) -> Answer:
        """Detach a managed policy. Raises: NoSuchEntity."""
        return await self._detach(call, USERS, params)

    @operation("ListAttachedUserPolicies")
    def list_attached_user_policies(self, call: Call, params: Params) -> Answer:
        """List attached managed policies. Raises: NoSuchEntity."""
        return self._list_attached(call, USERS, params)

    @operation("PutUserPermissionsBoundary")
    async def put_user_permissions_boundary(self, call: Call, params: Params) -> Answer:
        """Limit a user by a managed policy. Raises: NoSuchEntity, PolicyNotAttachable."""
        return await self._put_boundary(call, USERS, params)

    @operation("DeleteUserPermissionsBoundary")
    async def delete_user_permissions_boundary(self, call: Call, params: Params) -> Answer:
        """Take the limit away. Raises: NoSuchEntity."""
        return await self._delete_boundary(call, USERS, params)

    # AWS's operations: groups

    @operation("PutGroupPolicy")
    async def put_group_policy(self, call: Call, params: Params) -> Answer:
        """Add or replace an inline policy. Raises: NoSuchEntity, MalformedPolicyDocument, LimitExceeded."""
        return await self._put_policy(call, GROUPS, params)

    @operation("GetGroupPolicy")
    def get_group_policy(self, call: Call, params: Params) -> Answer:
        """Give an inline policy. Raises: NoSuchEntity."""
        return self._get_policy(call, GROUPS, params)

    @operation("DeleteGroupPolicy")
    async def delete_group_policy(self, call: Call, params: Params) -> Answer:
        """Delete an inline policy. Raises: NoSuchEntity."""
        return await self._delete_policy(call, GROUPS, params)

    @operation("ListGroupPolicies")
    def list_group_policies(self, call: Call, params: Params) -> Answer:
        """List inline policies by name. Raises: NoSuchEntity."""
        return self._list_policies(call, GROUPS, params)

    @operation("AttachGroupPolicy")
    async def attach_group_policy(self, call: Call, params: Params) -> Answer:
        """Attach a managed policy. Raises: NoSuchEntity, PolicyNotAttachable, LimitExceeded."""
        return await self._attach(call, GROUPS, params)

    @operation("DetachGroupPolicy")
    async def detach_group_policy(self, call: Call, params: Params) -> Answer:
        """Detach a managed policy. Raises: NoSuchEntity."""
        return await self._detach(call, GROUPS, params)

    @operation("ListAttachedGroupPolicies")
    def list_attached_group_policies(self, call: Call, params: Params) -> Answer:
        """List attached managed policies. Raises: NoSuchEntity."""
        return self._list_attached(call, GROUPS, params)

    # AWS's operations: roles

    @operation("PutRolePolicy")
    async def put_role_policy(self, call: Call, params: Params) -> Answer:
        """Add or replace an inline policy. Raises: NoSuchEntity, MalformedPolicyDocument, LimitExceeded."""
        return await self._put_policy(call, ROLES, params)

    @operation("GetRolePolicy")
    def get_role_policy(self, call: Call, params: Params) -> Answer:
        """Give an inline policy. Raises: NoSuchEntity."""
        return self._get_policy(call, ROLES, params)

    @operation("DeleteRolePolicy")
    async def delete_role_policy(self, call: Call, params: Params) -> Answer:
        """Delete an inline policy. Raises: NoSuchEntity."""
        return await self._delete_policy(call, ROLES, params)

    @operation("ListRolePolicies")
    def list_role_policies(self, call: Call, params: Params) -> Answer:
        """List inline policies by name. Raises: NoSuchEntity."""
        return self._list_policies(call, ROLES, params)

    @operation("AttachRolePolicy")
    async def attach_role_policy(self, call: Call, params: Params) -> Answer:
        """Attach a managed policy. Raises: NoSuchEntity, PolicyNotAttachable, LimitExceeded."""
        return await self._attach(call, ROLES, params)

    @operation("DetachRolePolicy")
    async def detach_role_policy(self, call: Call, params: Params) -> Answer:
        """Detach a managed policy. Raises: NoSuchEntity."""
        return await self._detach(call, ROLES, params)

    @operation("ListAttachedRolePolicies")
    def list_attached_role_policies(self, call: Call, params: Params) -> Answer:
        """List attached managed policies. Raises: NoSuchEntity."""
        return self._list_attached(call, ROLES, params)

    @operation("PutRolePermissionsBoundary")
    async def put_role_permissions_boundary(self, call: Call, params: Params) -> Answer:
        """Limit a role by a managed policy. Raises: NoSuchEntity, PolicyNotAttachable."""
        return await self._put_boundary(call, ROLES, params)

    @operation("DeleteRolePermissionsBoundary")
    async def delete_role_permissions_boundary(self, call: Call, params: Params) -> Answer:
        """Take the limit away. Raises: NoSuchEntity."""
        return await self._delete_boundary(call, ROLES, params)


def check_changeable(holder: Holder) -> None:
    """Refuse to change a service's own role. Raises: UnmodifiableEntityException."""
    if isinstance(holder, Role) and holder.is_service_linked:
        raise UnmodifiableEntityException(
            f"Cannot perform the operation on the protected role '{holder.name}' - this role is only modifiable by AWS"
        )


def missing(word: str, name: str) -> str:
    """Give AWS's sentence for a user, group or role that is not there."""
    return f"The {word} with name {name} cannot be found."


def attached_to_aws(arns: Any) -> list[dict[str, str]]:
    """Give AWS's list of attached policies."""
    return [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in arns]


def new_policies(directory: Directory, params: Params, account_id: str) -> HeldPolicies:
    """Give the policies of a new user or role: none but the permissions boundary of the request.

    Raises: NoSuchEntityException, PolicyNotAttachableException.
    """
    arn = params.get("PermissionsBoundary", "")
    if arn:
        attachable(directory, arn, account_id, scope="Scope ARN:")
    return HeldPolicies(boundary=arn)
