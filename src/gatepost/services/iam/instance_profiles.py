"""Instance profiles: a name for one role. Gatepost has no machines to give them to."""

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
from gatepost.services.iam.listing import list_tags, new_tags, paged, tagged, untagged
from gatepost.services.iam.model import INSTANCE_PROFILE, InstanceProfile, tags_to_aws, whole_second
from gatepost.services.iam.roles import listed_role

INSTANCE_PROFILES_MAX: Final = 1_000


class InstanceProfileOperations:
    """The operations on instance profiles; a part of the provider."""

    _directory: Directory
    _entities: Entities

    def _profile(self, call: Call, name: str) -> InstanceProfile:
        profile = self._directory.instance_profile(call.account_id, name)
        if profile is None:
            raise NoSuchEntityException(_missing(name))
        return profile

    async def _change_profile(
        self, call: Call, params: Params, change: Callable[[InstanceProfile], InstanceProfile]
    ) -> Answer:
        name = params["InstanceProfileName"]
        await self._entities.change(
            InstanceProfile, INSTANCE_PROFILE, call.account_id, name, missing=_missing(name), change=change
        )
        return {}

    def profile_to_aws(self, profile: InstanceProfile) -> dict[str, object]:
        """Give AWS's InstanceProfile, with its role."""
        role = self._directory.role(profile.account_id, profile.role) if profile.role else None
        return {
            "Path": profile.path,
            "InstanceProfileName": profile.name,
            "InstanceProfileId": profile.id,
            "Arn": profile.arn,
            "CreateDate": profile.created_at_ms,
            "Roles": [] if role is None else [listed_role(role)],
            **tags_to_aws(profile.tags),
        }

    def _page(self, call: Call, params: Params, *, role: str | None) -> Answer:
        prefix = params.get("PathPrefix", "/")
        profiles = [
            profile
            for profile in self._directory.every(INSTANCE_PROFILE, call.account_id, InstanceProfile)
            if profile.path.startswith(prefix) and role in (None, profile.role)
        ]
        page, rest = paged(profiles, params, name_of=lambda profile: profile.name.lower())
        return {"InstanceProfiles": [self.profile_to_aws(profile) for profile in page], **rest}

    @operation("CreateInstanceProfile")
    async def create_instance_profile(self, call: Call, params: Params) -> Answer:
        """Create an instance profile without a role. Raises: EntityAlreadyExists, LimitExceeded, InvalidInput."""
        name = params["InstanceProfileName"]
        profile = InstanceProfile(
            account_id=call.account_id,
            name=name,
            path=params.get("Path", "/"),
            id="AIPA" + random_id(17, UPPER_BASE32),
            created_at_ms=whole_second(call.now_ms),
            tags=new_tags(params.get("Tags", ())),
        )

        def check() -> None:
            if len(self._directory.every(INSTANCE_PROFILE, call.account_id, InstanceProfile)) >= INSTANCE_PROFILES_MAX:
                raise LimitExceededException(
                    f"Cannot exceed quota for InstanceProfilesPerAccount: {INSTANCE_PROFILES_MAX}"
                )

        await self._entities.create(profile, exists=f"Instance Profile {name} already exists.", check=check)
        return {"InstanceProfile": self.profile_to_aws(profile)}

    @operation("GetInstanceProfile")
    def get_instance_profile(self, call: Call, params: Params) -> Answer:
        """Give an instance profile. Raises: NoSuchEntity."""
        return {"InstanceProfile": self.profile_to_aws(self._profile(call, params["InstanceProfileName"]))}

    @operation("ListInstanceProfiles")
    def list_instance_profiles(self, call: Call, params: Params) -> Answer:
        """List instance profiles under a path."""
        return self._page(call, params, role=None)

    @operation("ListInstanceProfilesForRole")
    def list_instance_profiles_for_role(self, call: Call, params: Params) -> Answer:
        """List the instance profiles that have a role. Raises: NoSuchEntity."""
        role = self._directory.role(call.account_id, params["RoleName"])
        if role is None:
            raise NoSuchEntityException(missing("role", params["RoleName"]))
        return self._page(call, params, role=role.name.lower())

    @operation("AddRoleToInstanceProfile")
    async def add_role_to_instance_profile(self, call: Call, params: Params) -> Answer:
        """Give an instance profile its one role. Raises: NoSuchEntity, LimitExceeded."""

        def change(profile: InstanceProfile) -> InstanceProfile:
            role = self._directory.role(call.account_id, params["RoleName"])
            if role is None:
                raise NoSuchEntityException(missing("role", params["RoleName"]))
            if profile.role:
                raise LimitExceededException("Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
            return replace(profile, role=role.name.lower())

        return await self._change_profile(call, params, change)

    @operation("RemoveRoleFromInstanceProfile")
    async def remove_role_from_instance_profile(self, call: Call, params: Params) -> Answer:
        """Take the role away. Raises: NoSuchEntity."""

        def change(profile: InstanceProfile) -> InstanceProfile:
            if profile.role != params["RoleName"].lower():
                raise NoSuchEntityException(missing("role", params["RoleName"]))
            return replace(profile, role="")

        return await self._change_profile(call, params, change)

    @operation("DeleteInstanceProfile")
    async def delete_instance_profile(self, call: Call, params: Params) -> Answer:
        """Delete an instance profile without a role. Raises: NoSuchEntity, DeleteConflict."""

        def check(profile: InstanceProfile) -> None:
            if profile.role:
                raise DeleteConflictException("Cannot delete entity, must remove roles from instance profile first.")

        name = params["InstanceProfileName"]
        await self._entities.delete(
            InstanceProfile, INSTANCE_PROFILE, call.account_id, name, missing=_missing(name), check=check
        )
        return {}

    @operation("TagInstanceProfile")
    async def tag_instance_profile(self, call: Call, params: Params) -> Answer:
        """Add or replace tags. Raises: NoSuchEntity, InvalidInput, LimitExceeded."""
        return await self._change_profile(
            call, params, lambda profile: replace(profile, tags=tagged(profile.tags, params["Tags"]))
        )

    @operation("UntagInstanceProfile")
    async def untag_instance_profile(self, call: Call, params: Params) -> Answer:
        """Take tags away. Raises: NoSuchEntity."""
        return await self._change_profile(
            call, params, lambda profile: replace(profile, tags=untagged(profile.tags, params["TagKeys"]))
        )

    @operation("ListInstanceProfileTags")
    def list_instance_profile_tags(self, call: Call, params: Params) -> Answer:
        """List an instance profile's tags. Raises: NoSuchEntity."""
        return list_tags(self._profile(call, params["InstanceProfileName"]).tags, params)


def _missing(name: str) -> str:
    return f"Instance Profile {name} cannot be found."
