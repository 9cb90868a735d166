"""Roles: who may assume them (the trust policy), for how long, and their tags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from gatepost.kernel.ids import UPPER_BASE32, random_id
from gatepost.kernel.operations import Call, operation
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.documents import checked_trust_policy
from gatepost.services.iam.entities import Entities
from gatepost.services.iam.errors import (
    DeleteConflictException,
    InvalidInputException,
    LimitExceededException,
    NoSuchEntityException,
)
from gatepost.services.iam.holders import Answer, Params, check_changeable, missing, new_policies
from gatepost.services.iam.last_uses import LastUses
from gatepost.services.iam.listing import list_tags, new_tags, paged, tagged, untagged
from gatepost.services.iam.model import (
    INSTANCE_PROFILE,
    ROLE,
    SERVICE_ROLES_PATH,
    InstanceProfile,
    Role,
    whole_second,
)

ROLES_MAX: Final = 1_000


class RoleOperations:
    """The operations on roles; a part of the provider."""

    _directory: Directory
    _entities: Entities
    _uses: LastUses

    def _role(self, call: Call, name: str) -> Role:
        role = self._directory.role(call.account_id, name)
        if role is None:
            raise NoSuchEntityException(missing("role", name))
        return role

    async def _change_role(self, call: Call, params: Params, change: Callable[[Role], Role]) -> Role:
        name = params["RoleName"]
        return await self._entities.change(
            Role, ROLE, call.account_id, name, missing=missing("role", name), change=change
        )

    @operation("CreateRole")
    async def create_role(self, call: Call, params: Params) -> Answer:
        """Create a role. Raises: EntityAlreadyExists, MalformedPolicyDocument, LimitExceeded, InvalidInput."""
        name = params["RoleName"]
        if params.get("Path", "/").startswith(SERVICE_ROLES_PATH):
            raise InvalidInputException(f"{SERVICE_ROLES_PATH} is for roles that CreateServiceLinkedRole makes")
        trust_policy = checked_trust_policy(params["AssumeRolePolicyDocument"], self._directory, call.account_id)
        role = Role(
            account_id=call.account_id,
            name=name,
            path=params.get("Path", "/"),
            id="AROA" + random_id(17, UPPER_BASE32),
            created_at_ms=whole_second(call.now_ms),
            trust_policy=trust_policy,
            description=params.get("Description", ""),
            session_duration_s_max=params.get("MaxSessionDuration", 3_600),
            policies=new_policies(self._directory, params, call.account_id),
            tags=new_tags(params.get("Tags", ())),
        )

        def check() -> None:
            if len(self._directory.every(ROLE, call.account_id, Role)) >= ROLES_MAX:
                raise LimitExceededException(f"Cannot exceed quota for RolesPerAccount: {ROLES_MAX}")

        await self._entities.create(role, exists=f"Role with name {name} already exists.", check=check)
        return {"Role": role.to_aws()}

    @operation("GetRole")
    def get_role(self, call: Call, params: Params) -> Answer:
        """Give a role. Raises: NoSuchEntity."""
        role = self._role(call, params["RoleName"])
        return {"Role": {**role.to_aws(), "RoleLastUsed": self.role_last_used(role)}}

    def role_last_used(self, role: Role) -> dict[str, object]:
        """Give AWS's RoleLastUsed: empty when nobody has used a session of the role."""
        use = self._uses.last_of_entity(role.arn, role.created_at_ms)
        return {} if use is None else {"LastUsedDate": whole_second(use.at_ms), "Region": use.region}

    @operation("ListRoles")
    def list_roles(self, call: Call, params: Params) -> Answer:
        """List roles under a path, without tags and boundaries (API_ListRoles.html)."""
        prefix = params.get("PathPrefix", "/")
        roles = [r for r in self._directory.every(ROLE, call.account_id, Role) if r.path.startswith(prefix)]
        page, rest = paged(roles, params, name_of=lambda role: role.name.lower())
        return {"Roles": [listed_role(role) for role in page], **rest}

    @operation("UpdateRole")
    async def update_role(self, call: Call, params: Params) -> Answer:
        """Change description and the longest session; a duration that is left out is reset. Raises: NoSuchEntity.

        That a description that is left out stays is `unverified`.
        https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateRole.html
        """

        def change(role: Role) -> Role:
            return replace(
                role,
                description=params.get("Description", role.description),
                session_duration_s_max=params.get("MaxSessionDuration", 3_600),
            )

        await self._change_role(call, params, change)
        return {}

    @operation("UpdateRoleDescription")
    async def update_role_description(self, call: Call, params: Params) -> Answer:
        """Change the description. Raises: NoSuchEntity."""
        role = await self._change_role(call, params, lambda role: replace(role, description=params["Description"]))
        return {"Role": role.to_aws()}

    @operation("UpdateAssumeRolePolicy")
    async def update_assume_role_policy(self, call: Call, params: Params) -> Answer:
        """Replace the trust policy. Raises: NoSuchEntity, MalformedPolicyDocument, LimitExceeded."""

        def change(role: Role) -> Role:
            check_changeable(role)
            document = checked_trust_policy(params["PolicyDocument"], self._directory, call.account_id)
            return replace(role, trust_policy=document)

        await self._change_role(call, params, change)
        return {}

    @operation("DeleteRole")
    async def delete_role(self, call: Call, params: Params) -> Answer:
        """Delete a role that holds nothing; its sessions end. Raises: NoSuchEntity, DeleteConflict."""
        name = params["RoleName"]

        def check(role: Role) -> None:
            check_changeable(role)
            profiles = self._directory.every(INSTANCE_PROFILE, call.account_id, InstanceProfile)
            if any(profile.role == role.name.lower() for profile in profiles):
                raise DeleteConflictException("Cannot delete entity, must remove roles from instance profile first.")
            if role.policies.attached:
                raise DeleteConflictException("Cannot delete entity, must detach all policies first.")
            if role.policies.inline:
                raise DeleteConflictException("Cannot delete entity, must delete policies first.")

        await self._entities.delete(Role, ROLE, call.account_id, name, missing=missing("role", name), check=check)
        return {}

    @operation("TagRole")
    async def tag_role(self, call: Call, params: Params) -> Answer:
        """Add or replace tags. Raises: NoSuchEntity, InvalidInput, LimitExceeded."""
        await self._change_role(call, params, lambda role: replace(role, tags=tagged(role.tags, params["Tags"])))
        return {}

    @operation("UntagRole")
    async def untag_role(self, call: Call, params: Params) -> Answer:
        """Take tags away. Raises: NoSuchEntity."""
        await self._change_role(call, params, lambda role: replace(role, tags=untagged(role.tags, params["TagKeys"])))
        return {}

    @operation("ListRoleTags")
    def list_role_tags(self, call: Call, params: Params) -> Answer:
        """List a role's tags. Raises: NoSuchEntity."""
        return list_tags(self._role(call, params["RoleName"]).tags, params)


def listed_role(role: Role) -> dict[str, object]:
    """Give a role as lists do: without tags and boundary."""
    return {name: value for name, value in role.to_aws().items() if name not in ("Tags", "PermissionsBoundary")}
