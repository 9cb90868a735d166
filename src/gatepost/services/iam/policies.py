"""Managed policies: the customer's with their versions, and AWS's to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from gatepost.kernel.ids import UPPER_BASE32, random_id
from gatepost.kernel.operations import Call, operation
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.documents import checked_managed_document
from gatepost.services.iam.entities import Entities
from gatepost.services.iam.errors import (
    DeleteConflictException,
    LimitExceededException,
    NoSuchEntityException,
    UnmodifiableEntityException,
)
from gatepost.services.iam.holders import Answer, Params
from gatepost.services.iam.listing import list_tags, new_tags, paged, tagged, untagged
from gatepost.services.iam.model import (
    AWS_POLICY_PREFIX,
    POLICY,
    Group,
    ManagedPolicy,
    PolicyVersion,
    Role,
    User,
    tag_list,
    tags_to_aws,
    whole_second,
)

POLICIES_MAX: Final = 1_500
VERSIONS_MAX: Final = 5


class PolicyOperations:
    """The operations on managed policies; a part of the provider."""

    _directory: Directory
    _entities: Entities

    def _policy(self, call: Call, arn: str) -> ManagedPolicy:
        policy = self._directory.managed_policy(arn)
        if policy is None or policy.account_id not in (call.account_id, "aws"):
            raise NoSuchEntityException(f"Policy {arn} was not found.")
        return policy

    async def _change_policy(
        self, call: Call, arn: str, change: Callable[[ManagedPolicy], ManagedPolicy]
    ) -> ManagedPolicy:
        policy = self._own(call, arn)
        return await self._entities.change(
            ManagedPolicy, POLICY, call.account_id, policy.name, missing=f"Policy {arn} was not found.", change=change
        )

    def _own(self, call: Call, arn: str) -> ManagedPolicy:
        if arn.startswith(AWS_POLICY_PREFIX):
            raise UnmodifiableEntityException(f"Policy {arn} is managed by AWS and cannot be changed.")
        return self._policy(call, arn)

    @operation("CreatePolicy")
    async def create_policy(self, call: Call, params: Params) -> Answer:
        """Create a managed policy with its first version.

        Raises: EntityAlreadyExists, MalformedPolicyDocument, LimitExceeded, InvalidInput.
        """
        document = checked_managed_document(params["PolicyDocument"])
        policy = ManagedPolicy(
            account_id=call.account_id,
            name=params["PolicyName"],
            path=params.get("Path", "/"),
            id="ANPA" + random_id(17, UPPER_BASE32),
            created_at_ms=whole_second(call.now_ms),
            updated_at_ms=whole_second(call.now_ms),
            versions=(PolicyVersion("v1", document, whole_second(call.now_ms)),),
            description=params.get("Description", ""),
            tags=new_tags(params.get("Tags", ())),
        )

        def check() -> None:
            if len(self._directory.every(POLICY, call.account_id, ManagedPolicy)) >= POLICIES_MAX:
                raise LimitExceededException(f"Cannot exceed quota for PoliciesPerAccount: {POLICIES_MAX}")

        exists = f"A policy called {policy.name} already exists. Duplicate names are not allowed."
        await self._entities.create(policy, exists=exists, check=check)
        return {"Policy": {**_to_aws(policy, Uses()), **tags_to_aws(policy.tags)}}

    @operation("GetPolicy")
    def get_policy(self, call: Call, params: Params) -> Answer:
        """Give a managed policy. Raises: NoSuchEntity."""
        policy = self._policy(call, params["PolicyArn"])
        uses = uses_of_policies(self._directory, call.account_id)
        described = {"Description": policy.description} if policy.description else {}
        return {"Policy": {**_to_aws(policy, uses), **described, "Tags": tag_list(policy.tags)}}

    @operation("ListPolicies")
    def list_policies(self, call: Call, params: Params) -> Answer:
        """List managed policies, the customer's and those of AWS's that we have."""
        scope = params.get("Scope", "All")
        policies: list[ManagedPolicy] = []
        if scope in ("All", "Local"):
            policies.extend(self._directory.every(POLICY, call.account_id, ManagedPolicy))
        if scope in ("All", "AWS"):
            policies.extend(self._directory.aws_policies.heads())
        uses = uses_of_policies(self._directory, call.account_id)
        usage = params.get("PolicyUsageFilter")
        prefix = params.get("PathPrefix", "/")
        chosen = [
            policy
            for policy in policies
            if policy.path.startswith(prefix)
            and (not params.get("OnlyAttached") or uses.attached[policy.arn])
            and (usage != "PermissionsBoundary" or uses.boundaries[policy.arn])
        ]
        page, rest = paged(sorted(chosen, key=lambda policy: policy.arn), params, name_of=lambda policy: policy.arn)
        return {"Policies": [_to_aws(policy, uses) for policy in page], **rest}

    @operation("DeletePolicy")
    async def delete_policy(self, call: Call, params: Params) -> Answer:
        """Delete a policy that nobody holds and that has one version. Raises: NoSuchEntity, DeleteConflict."""
        arn = params["PolicyArn"]
        policy = self._own(call, arn)

        def check(found: ManagedPolicy) -> None:
            uses = uses_of_policies(self._directory, call.account_id)
            if uses.attached[arn] or uses.boundaries[arn]:
                raise DeleteConflictException("Cannot delete a policy attached to entities.")
            if len(found.versions) > 1:
                raise DeleteConflictException(
                    "This policy has more than one version. Before you delete a policy, you must delete the policy's "
                    "versions. The default version is deleted with the policy."
                )

        await self._entities.delete(
            ManagedPolicy, POLICY, call.account_id, policy.name, missing=f"Policy {arn} was not found.", check=check
        )
        return {}

    # Versions

    @operation("CreatePolicyVersion")
    async def create_policy_version(self, call: Call, params: Params) -> Answer:
        """Add a version. Raises: NoSuchEntity, MalformedPolicyDocument, LimitExceeded."""
        document = checked_managed_document(params["PolicyDocument"])

        def change(policy: ManagedPolicy) -> ManagedPolicy:
            if len(policy.versions) >= VERSIONS_MAX:
                raise LimitExceededException(
                    f"A managed policy can have up to {VERSIONS_MAX} versions. Before you create a new version, you "
                    "must delete an existing version."
                )
            version = PolicyVersion(f"v{policy.next_version}", document, whole_second(call.now_ms))
            return replace(
                policy,
                versions=(*policy.versions, version),
                next_version=policy.next_version + 1,
                updated_at_ms=whole_second(call.now_ms),
                default_version_id=version.id if params.get("SetAsDefault") else policy.default_version_id,
            )

        policy = await self._change_policy(call, params["PolicyArn"], change)
        return {"PolicyVersion": policy.version_to_aws(policy.versions[-1], has_document=False)}

    @operation("GetPolicyVersion")
    def get_policy_version(self, call: Call, params: Params) -> Answer:
        """Give a version with its document. Raises: NoSuchEntity."""
        policy = self._policy(call, params["PolicyArn"])
        version = _version(policy, params["VersionId"])
        return {"PolicyVersion": policy.version_to_aws(version, has_document=True)}

    @operation("ListPolicyVersions")
    def list_policy_versions(self, call: Call, params: Params) -> Answer:
        """List the versions, the newest first (there are five at most, so a page holds all). Raises: NoSuchEntity."""
        policy = self._policy(call, params["PolicyArn"])
        versions = sorted(policy.versions, key=lambda version: -int(version.id[1:]))
        page, rest = paged(versions, params, name_of=lambda version: f"{1_000_000 - int(version.id[1:]):07d}")
        return {"Versions": [policy.version_to_aws(version, has_document=False) for version in page], **rest}

    @operation("SetDefaultPolicyVersion")
    async def set_default_policy_version(self, call: Call, params: Params) -> Answer:
        """Put a version in force. Raises: NoSuchEntity."""

        def change(policy: ManagedPolicy) -> ManagedPolicy:
            version = _version(policy, params["VersionId"])
            return replace(policy, default_version_id=version.id, updated_at_ms=whole_second(call.now_ms))

        await self._change_policy(call, params["PolicyArn"], change)
        return {}

    @operation("DeletePolicyVersion")
    async def delete_policy_version(self, call: Call, params: Params) -> Answer:
        """Delete a version that is not in force. Raises: NoSuchEntity, DeleteConflict."""

        def change(policy: ManagedPolicy) -> ManagedPolicy:
            gone = _version(policy, params["VersionId"])
            if gone.id == policy.default_version_id:
                raise DeleteConflictException("Cannot delete the default version of a policy.")
            return replace(policy, versions=tuple(version for version in policy.versions if version is not gone))

        await self._change_policy(call, params["PolicyArn"], change)
        return {}

    # Who holds it

    @operation("ListEntitiesForPolicy")
    def list_entities_for_policy(self, call: Call, params: Params) -> Answer:
        """List who holds a managed policy, attached or as a boundary. Raises: NoSuchEntity."""
        policy = self._policy(call, params["PolicyArn"])
        usage, wanted = params.get("PolicyUsageFilter"), params.get("EntityFilter")
        prefix = params.get("PathPrefix", "/")
        holders = [
            holder
            for holder in self._directory.holders(call.account_id)
            if (
                (usage != "PermissionsBoundary" and policy.arn in holder.policies.attached)
                or (usage != "PermissionsPolicy" and policy.arn == holder.policies.boundary)
            )
            and wanted in (None, type(holder).__name__)
            and holder.path.startswith(prefix)
        ]
        page, rest = paged(sorted(holders, key=lambda holder: holder.arn), params, name_of=lambda holder: holder.arn)
        return {
            "PolicyGroups": [{"GroupName": one.name, "GroupId": one.id} for one in page if isinstance(one, Group)],
            "PolicyUsers": [{"UserName": one.name, "UserId": one.id} for one in page if isinstance(one, User)],
            "PolicyRoles": [{"RoleName": one.name, "RoleId": one.id} for one in page if isinstance(one, Role)],
            **rest,
        }

    @operation("TagPolicy")
    async def tag_policy(self, call: Call, params: Params) -> Answer:
        """Add or replace tags. Raises: NoSuchEntity, InvalidInput, LimitExceeded."""
        await self._change_policy(
            call, params["PolicyArn"], lambda policy: replace(policy, tags=tagged(policy.tags, params["Tags"]))
        )
        return {}

    @operation("UntagPolicy")
    async def untag_policy(self, call: Call, params: Params) -> Answer:
        """Take tags away. Raises: NoSuchEntity."""
        await self._change_policy(
            call, params["PolicyArn"], lambda policy: replace(policy, tags=untagged(policy.tags, params["TagKeys"]))
        )
        return {}

    @operation("ListPolicyTags")
    def list_policy_tags(self, call: Call, params: Params) -> Answer:
        """List a policy's tags. Raises: NoSuchEntity."""
        return list_tags(self._policy(call, params["PolicyArn"]).tags, params)


class Uses:
    """How often each managed policy is attached, and how often it is a boundary, by ARN."""

    def __init__(self) -> None:
        self.attached: Counter[str] = Counter()
        self.boundaries: Counter[str] = Counter()


def uses_of_policies(directory: Directory, account_id: str) -> Uses:
    """Count who holds which managed policy."""
    uses = Uses()
    for holder in directory.holders(account_id):
        uses.attached.update(holder.policies.attached)
        if holder.policies.boundary:
            uses.boundaries[holder.policies.boundary] += 1
    return uses


def _version(policy: ManagedPolicy, version_id: str) -> PolicyVersion:
    version = policy.version(version_id)
    if version is None:
        raise NoSuchEntityException(f"Policy {policy.arn} version {version_id} does not exist or is not attachable.")
    return version


def _to_aws(policy: ManagedPolicy, uses: Uses) -> dict[str, object]:
    return {
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": policy.default_version_id,
        "AttachmentCount": uses.attached[policy.arn],
        "PermissionsBoundaryUsageCount": uses.boundaries[policy.arn],
        "IsAttachable": True,
        "CreateDate": policy.created_at_ms,
        "UpdateDate": policy.updated_at_ms,
    }


def policy_to_aws(policy: ManagedPolicy, uses: Uses) -> dict[str, object]:
    """Give AWS's Policy, without description and tags."""
    return _to_aws(policy, uses)
