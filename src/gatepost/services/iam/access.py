"""What each IAM operation touches: action, resource and the service's condition keys.

Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from gatepost.kernel.operations import Access, Call, pass_role, tag_context
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.model import (
    GROUP,
    INSTANCE_PROFILE,
    ROLE,
    SERVER_CERTIFICATE,
    SERVICE_ROLES_PATH,
    USER,
    InstanceProfile,
    ManagedPolicy,
    MfaDevice,
    OidcProvider,
    Role,
    ServerCertificate,
    User,
)
from gatepost.services.iam.service_linked_roles import name_of

# Operations on everything at once: they need Resource "*".
_UNBOUND: Final = frozenset(
    {
        "DeleteAccountPasswordPolicy",
        "GenerateCredentialReport",
        "GetAccountAuthorizationDetails",
        "GetAccountPasswordPolicy",
        "GetCredentialReport",
        "GetServiceLastAccessedDetails",
        "GetServiceLastAccessedDetailsWithEntities",
        "GetAccountSummary",
        "ListAccountAliases",
        "CreateAccountAlias",
        "DeleteAccountAlias",
        "GetContextKeysForCustomPolicy",
        "ListGroups",
        "ListInstanceProfiles",
        "ListOpenIDConnectProviders",
        "ListPolicies",
        "ListRoles",
        "ListSAMLProviders",
        "ListServerCertificates",
        "ListUsers",
        "ListVirtualMFADevices",
        "SimulateCustomPolicy",
        "UpdateAccountPasswordPolicy",
    }
)
# Operations on the caller itself when no UserName is given.
_CALLER: Final = frozenset(
    {
        "ChangePassword",
        "CreateAccessKey",
        "CreateLoginProfile",
        "DeactivateMFADevice",
        "DeleteAccessKey",
        "DeleteLoginProfile",
        "DeleteSigningCertificate",
        "GetLoginProfile",
        "GetMFADevice",
        "GetUser",
        "ListAccessKeys",
        "ListMFADevices",
        "ListSSHPublicKeys",
        "ListServiceSpecificCredentials",
        "ListSigningCertificates",
        "UpdateAccessKey",
        "UpdateSigningCertificate",
        "UploadSigningCertificate",
    }
)
_ON_MFA_DEVICES: Final = frozenset(
    {"CreateVirtualMFADevice", "DeleteVirtualMFADevice", "ListMFADeviceTags", "TagMFADevice", "UntagMFADevice"}
)
# The parameter that names what is touched, the first that is there.
_NAMED: Final = (
    ("GroupName", GROUP, "group"),  # before UserName: AddUserToGroup touches the group
    ("InstanceProfileName", INSTANCE_PROFILE, "instance-profile"),
    ("RoleName", ROLE, "role"),
    ("ServerCertificateName", SERVER_CERTIFICATE, "server-certificate"),
    ("UserName", USER, "user"),
)
_NEW: Final = frozenset({"CreateUser", "CreateGroup", "CreateRole", "CreateInstanceProfile", "UploadServerCertificate"})
_NEW_NAMES: Final = ("NewUserName", "NewGroupName", "NewServerCertificateName")
_ATTACHING: Final = frozenset(
    {
        "AttachUserPolicy",
        "AttachGroupPolicy",
        "AttachRolePolicy",
        "DetachUserPolicy",
        "DetachGroupPolicy",
        "DetachRolePolicy",
    }
)


def access_of(directory: Directory, call: Call, params: Mapping[str, Any]) -> tuple[Access, ...]:
    """Say what an IAM call touches."""
    action = f"iam:{call.operation}"
    if call.operation in _UNBOUND:
        return (Access(action),)
    if call.operation == "ChangePassword" and _may_change_password(directory, call):
        return ()
    arn, entity = _resource(directory, call, params)
    found = [Access(action, arn, _context(call, params, entity))]
    if (renamed := _renamed(arn, params)) != arn:
        found.append(Access(action, renamed, _context(call, params, entity)))
    if call.operation == "AddRoleToInstanceProfile":
        role = directory.role(call.account_id, params["RoleName"])
        role_arn = role.arn if role else f"arn:aws:iam::{call.account_id}:role/{params['RoleName']}"
        found.append(pass_role(role_arn, "ec2.amazonaws.com"))
    return tuple(found)


def _first(params: Mapping[str, Any], names: Iterable[str]) -> str:
    return next((params[name] for name in names if params.get(name)), "")


def _renamed(arn: str, params: Mapping[str, Any]) -> str:
    """Give the ARN that a user or group has after a rename.

    "The requester must have appropriate permissions on both the source object and the target object":
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateUser.html
    """
    new_name, new_path = _first(params, _NEW_NAMES), params.get("NewPath")
    if not new_name and not new_path:
        return arn
    head, _, old = arn.partition("/")
    path, _, name = f"/{old}".rpartition("/")
    return f"{head}{new_path or f'{path}/'}{new_name or name}"


def _resource(directory: Directory, call: Call, params: Mapping[str, Any]) -> tuple[str, object | None]:
    own = f"arn:aws:iam::{call.account_id}:"
    if given := _first(params, ("PolicySourceArn", "Arn")):  # of the simulator, of access advisor
        return given, None
    for parameter, kind, word in _NAMED:
        name = params.get(parameter)
        if name is None:
            continue
        stored = None if call.operation in _NEW else directory.stored(kind, call.account_id, name)
        if stored is not None and not isinstance(stored.entity, ManagedPolicy):
            return stored.entity.arn, stored.entity
        return f"{own}{word}{params.get('Path', '/')}{name}", None
    if call.operation == "CreateServiceLinkedRole":
        service = params["AWSServiceName"]
        return f"{own}role{SERVICE_ROLES_PATH}{service}/{name_of(service, params.get('CustomSuffix', ''))}", None
    if call.operation == "GetServiceLinkedRoleDeletionStatus":
        return f"{own}role/{'/'.join(params['DeletionTaskId'].split('/')[1:4])}", None
    if call.operation == "GetAccessKeyLastUsed":
        owner = directory.key_owner(params["AccessKeyId"])
        return (owner.arn, owner) if owner is not None and owner.account_id == call.account_id else ("*", None)
    if call.operation == "CreateOpenIDConnectProvider":
        return f"{own}oidc-provider/{params['Url'].partition('://')[2].rstrip('/')}", None
    if "OpenIDConnectProviderArn" in params:
        arn = params["OpenIDConnectProviderArn"]
        return arn, directory.oidc_provider(arn)
    if call.operation in _ON_MFA_DEVICES:
        serial = params.get("SerialNumber") or f"{own}mfa{params.get('Path', '/')}{params['VirtualMFADeviceName']}"
        return serial, directory.mfa_device(serial)
    if "PolicyArn" in params:
        return params["PolicyArn"], directory.managed_policy(params["PolicyArn"])
    if "PolicyName" in params:
        return f"{own}policy{params.get('Path', '/')}{params['PolicyName']}", None
    if call.operation in _CALLER:
        principal = call.principal
        return principal.arn, directory.user(call.account_id, principal.name) if principal.kind == "user" else None
    return "*", None


def _may_change_password(directory: Directory, call: Call) -> bool:
    """Say whether the account's password policy lets every user change the own password."""
    policy = directory.account(call.account_id).password_policy
    return call.principal.kind == "user" and policy is not None and policy.users_may_change


def _context(call: Call, params: Mapping[str, Any], entity: object | None) -> dict[str, str | tuple[str, ...]]:
    context: dict[str, str | tuple[str, ...]] = {}
    if isinstance(entity, User | Role | ManagedPolicy | InstanceProfile | OidcProvider | ServerCertificate | MfaDevice):
        for key, value in entity.tags:
            context[f"aws:resourcetag/{key.lower()}"] = value
            context[f"iam:resourcetag/{key.lower()}"] = value
    if isinstance(entity, User | Role) and entity.policies.boundary:
        context["iam:permissionsboundary"] = entity.policies.boundary
    if "PermissionsBoundary" in params:
        context["iam:permissionsboundary"] = params["PermissionsBoundary"]
    if "AWSServiceName" in params:
        context["iam:awsservicename"] = params["AWSServiceName"]
    if call.operation in _ATTACHING:
        context["iam:policyarn"] = params["PolicyArn"]
    tags = ((tag["Key"], tag["Value"]) for tag in params.get("Tags", ()))
    return context | tag_context(tags, params.get("TagKeys", ()))
