"""The account as a whole: its summary, its alias, and everything in it at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.operations import Call, operation
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.documents import MANAGED_POLICY_CHARACTERS_MAX, TRUST_POLICY_CHARACTERS_MAX
from gatepost.services.iam.entities import Entities
from gatepost.services.iam.errors import EntityAlreadyExistsException, NoSuchEntityException
from gatepost.services.iam.groups import GROUPS_MAX, GROUPS_PER_USER_MAX
from gatepost.services.iam.holders import ATTACHED_POLICIES_MAX, GROUPS, ROLES, USERS, Answer, Params, attached_to_aws
from gatepost.services.iam.instance_profiles import INSTANCE_PROFILES_MAX
from gatepost.services.iam.listing import paged
from gatepost.services.iam.model import (
    ACCOUNT,
    ACCOUNT_RECORD_ID,
    GROUP,
    INSTANCE_PROFILE,
    POLICY,
    ROLE,
    SERVER_CERTIFICATE,
    USER,
    Account,
    Group,
    Holder,
    InstanceProfile,
    ManagedPolicy,
    Role,
    ServerCertificate,
    User,
    encoded,
    whole_second,
)
from gatepost.services.iam.policies import POLICIES_MAX, VERSIONS_MAX, policy_to_aws, uses_of_policies
from gatepost.services.iam.roles import ROLES_MAX
from gatepost.services.iam.server_certificates import SERVER_CERTIFICATES_MAX
from gatepost.services.iam.user_certificates import SIGNING_CERTIFICATES_MAX
from gatepost.services.iam.users import ACCESS_KEYS_MAX, USERS_MAX

POLICY_VERSIONS_MAX: Final = 10_000  # more than the quotas of policies and of their versions allow together
TOKEN_VERSION: Final = 2  # session tokens are good in every region
_KINDS: Final = ("User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy")


class AccountOperations:
    """The operations on the account; a part of the provider."""

    _directory: Directory
    _entities: Entities
    profile_to_aws: Callable[[InstanceProfile], dict[str, object]]
    role_last_used: Callable[[Role], dict[str, object]]

    @operation("GetAccountSummary")
    def get_account_summary(self, call: Call, params: Params) -> Answer:  # noqa: ARG002
        """Give how much of each there is, and the quotas."""
        account = self._directory.account(call.account_id)
        policies = self._directory.every(POLICY, call.account_id, ManagedPolicy)
        return {
            "SummaryMap": {
                "Users": len(self._directory.every(USER, call.account_id, User)),
                "UsersQuota": USERS_MAX,
                "Groups": len(self._directory.every(GROUP, call.account_id, Group)),
                "GroupsQuota": GROUPS_MAX,
                "Roles": len(self._directory.every(ROLE, call.account_id, Role)),
                "RolesQuota": ROLES_MAX,
                "Policies": len(policies),
                "PoliciesQuota": POLICIES_MAX,
                "PolicyVersionsInUse": sum(len(policy.versions) for policy in policies),
                "PolicyVersionsInUseQuota": POLICY_VERSIONS_MAX,
                "VersionsPerPolicyQuota": VERSIONS_MAX,
                "InstanceProfiles": len(self._directory.every(INSTANCE_PROFILE, call.account_id, InstanceProfile)),
                "InstanceProfilesQuota": INSTANCE_PROFILES_MAX,
                "ServerCertificates": len(
                    self._directory.every(SERVER_CERTIFICATE, call.account_id, ServerCertificate)
                ),
                "ServerCertificatesQuota": SERVER_CERTIFICATES_MAX,
                "SigningCertificatesPerUserQuota": SIGNING_CERTIFICATES_MAX,
                "AccountSigningCertificatesPresent": 0,
                "AccountPasswordPresent": 0,
                "AccountMFAEnabled": 0,
                "MFADevices": len(devices := self._directory.mfa_devices(call.account_id)),
                "MFADevicesInUse": sum(1 for device in devices if device.user_id),
                "GlobalEndpointTokenVersion": TOKEN_VERSION,
                "Providers": len(self._directory.oidc_providers(call.account_id)),
                "AccountAccessKeysPresent": min(1, len(account.access_keys)),
                "AccessKeysPerUserQuota": ACCESS_KEYS_MAX,
                "GroupsPerUserQuota": GROUPS_PER_USER_MAX,
                "AttachedPoliciesPerUserQuota": ATTACHED_POLICIES_MAX,
                "AttachedPoliciesPerGroupQuota": ATTACHED_POLICIES_MAX,
                "AttachedPoliciesPerRoleQuota": ATTACHED_POLICIES_MAX,
                "UserPolicySizeQuota": USERS.inline_characters_max,
                "GroupPolicySizeQuota": GROUPS.inline_characters_max,
                "RolePolicySizeQuota": ROLES.inline_characters_max,
                "PolicySizeQuota": MANAGED_POLICY_CHARACTERS_MAX,
                "AssumeRolePolicySizeQuota": TRUST_POLICY_CHARACTERS_MAX,
            }
        }

    @operation("CreateAccountAlias")
    async def create_account_alias(self, call: Call, params: Params) -> Answer:
        """Give the account a name; one it has already is replaced. Raises: EntityAlreadyExists."""
        alias = params["AccountAlias"]
        if self._directory.stored(ACCOUNT, call.account_id, ACCOUNT_RECORD_ID) is None:
            await self._entities.create(
                Account(call.account_id, alias=alias, created_at_ms=whole_second(call.now_ms)),
                exists=f"The account alias {alias} already exists.",
            )
            return {}

        def change(account: Account) -> Account:
            if account.alias == alias:
                raise EntityAlreadyExistsException(f"The account alias {alias} already exists.")
            return replace(account, alias=alias)

        return await self._change_account(call, change)

    @operation("DeleteAccountAlias")
    async def delete_account_alias(self, call: Call, params: Params) -> Answer:
        """Take the account's name away. Raises: NoSuchEntity."""
        alias = params["AccountAlias"]

        def change(account: Account) -> Account:
            if account.alias != alias:
                raise NoSuchEntityException(f"The account alias {alias} cannot be found.")
            return replace(account, alias="")

        return await self._change_account(call, change)

    @operation("ListAccountAliases")
    def list_account_aliases(self, call: Call, params: Params) -> Answer:  # noqa: ARG002
        """List the account's alias: there is one at most."""
        alias = self._directory.account(call.account_id).alias
        return {"AccountAliases": [alias] if alias else [], "IsTruncated": False}

    async def _change_account(self, call: Call, change: Callable[[Account], Account]) -> Answer:
        await self._entities.change(
            Account,
            ACCOUNT,
            call.account_id,
            ACCOUNT_RECORD_ID,
            missing="The account has no alias.",
            change=change,
        )
        return {}

    @operation("GetAccountAuthorizationDetails")
    def get_account_authorization_details(self, call: Call, params: Params) -> Answer:
        """Give users, groups, roles and managed policies with all their policies, in pages over all of them."""
        wanted = params.get("Filter") or _KINDS
        entities: list[Holder | ManagedPolicy] = []
        entities.extend(one for one in self._directory.holders(call.account_id) if type(one).__name__ in wanted)
        if "LocalManagedPolicy" in wanted:
            entities.extend(self._directory.every(POLICY, call.account_id, ManagedPolicy))
        uses = uses_of_policies(self._directory, call.account_id)
        if "AWSManagedPolicy" in wanted:
            attached = (self._directory.aws_policies.find(arn) for arn, count in uses.attached.items() if count)
            entities.extend(policy for policy in attached if policy is not None)
        page, rest = paged(sorted(entities, key=lambda one: one.arn), params, name_of=lambda one: one.arn)
        return {
            "UserDetailList": [self._user_detail(one) for one in page if isinstance(one, User)],
            "GroupDetailList": [_held(one, "Group") | one.to_aws() for one in page if isinstance(one, Group)],
            "RoleDetailList": [self._role_detail(one) for one in page if isinstance(one, Role)],
            "Policies": [
                {
                    **policy_to_aws(one, uses),
                    "PolicyVersionList": [one.version_to_aws(version, has_document=True) for version in one.versions],
                }
                for one in page
                if isinstance(one, ManagedPolicy)
            ],
            **rest,
        }

    def _user_detail(self, user: User) -> dict[str, Any]:
        groups = (self._directory.group(user.account_id, name) for name in user.groups)
        return {
            **user.to_aws(),
            **_held(user, "User"),
            "GroupList": [group.name for group in groups if group is not None],
        }

    def _role_detail(self, role: Role) -> dict[str, Any]:
        profiles = self._directory.every(INSTANCE_PROFILE, role.account_id, InstanceProfile)
        members = {k: v for k, v in role.to_aws().items() if k not in ("Description", "MaxSessionDuration")}
        return {
            **members,
            **_held(role, "Role"),
            "RoleLastUsed": self.role_last_used(role),
            "InstanceProfileList": [self.profile_to_aws(one) for one in profiles if one.role == role.name.lower()],
        }


def _held(holder: Holder, word: str) -> dict[str, Any]:
    inline = holder.policies.inline
    return {
        f"{word}PolicyList": [{"PolicyName": n, "PolicyDocument": encoded(inline[n])} for n in sorted(inline)],
        "AttachedManagedPolicies": attached_to_aws(holder.policies.attached),
    }
