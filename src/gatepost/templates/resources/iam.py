"""AWS::IAM types by IAM's operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.templates.resources.base import Outcome, ResourceHandler, Work
from gatepost.templates.resources.changes import (
    Unnamed,
    added_and_gone,
    json_text,
    present,
    tag_changes,
    unless_gone,
)
from gatepost.templates.resources.iam_for_services import ServerCertificate, ServiceLinkedRole

# What differs between users, groups and roles in IAM's operations.
_NOUNS: Final = {"Roles": "Role", "Users": "User", "Groups": "Group"}


def _tags(work: Work) -> list[dict[str, str]] | None:
    return work.properties.get("Tags") or None


def _inline(properties: Mapping[str, Any]) -> dict[str, str]:
    return {policy["PolicyName"]: json_text(policy["PolicyDocument"]) for policy in properties.get("Policies", [])}


async def _put_inline(work: Work, noun: str, name: str) -> None:
    """Make the inline policies of a role, user or group those that are declared."""
    old, new = _inline(work.before), _inline(work.properties)
    for policy_name, document in new.items():
        if old.get(policy_name) != document:
            await work.invoke(
                "iam",
                f"Put{noun}Policy",
                {f"{noun}Name": name, "PolicyName": policy_name, "PolicyDocument": document},
            )
    for policy_name in old:
        if policy_name not in new:
            await unless_gone(
                work.invoke("iam", f"Delete{noun}Policy", {f"{noun}Name": name, "PolicyName": policy_name})
            )


async def _attach_managed(work: Work, noun: str, name: str) -> None:
    """Make the attached managed policies those that are declared."""
    added, gone = added_and_gone(work.before.get("ManagedPolicyArns", []), work.properties.get("ManagedPolicyArns", []))
    for arn in added:
        await work.invoke("iam", f"Attach{noun}Policy", {f"{noun}Name": name, "PolicyArn": arn})
    for arn in gone:
        await unless_gone(work.invoke("iam", f"Detach{noun}Policy", {f"{noun}Name": name, "PolicyArn": arn}))


async def _clear_policies(work: Work, noun: str, name: str) -> None:
    """Take away every policy, so that the role, user or group can be deleted."""
    for policy_name in _inline(work.properties):
        await unless_gone(work.invoke("iam", f"Delete{noun}Policy", {f"{noun}Name": name, "PolicyName": policy_name}))
    for arn in work.properties.get("ManagedPolicyArns", []):
        await unless_gone(work.invoke("iam", f"Detach{noun}Policy", {f"{noun}Name": name, "PolicyArn": arn}))


async def _tag(work: Work, noun: str, name: str) -> None:
    added, gone = tag_changes(work.before, work.properties)
    if added:
        tags = [{"Key": key, "Value": value} for key, value in added.items()]
        await work.invoke("iam", f"Tag{noun}", {f"{noun}Name": name, "Tags": tags})
    if gone:
        await work.invoke("iam", f"Untag{noun}", {f"{noun}Name": name, "TagKeys": gone})


async def _bound(work: Work, noun: str, name: str) -> None:
    boundary = work.properties.get("PermissionsBoundary")
    if boundary:
        parameters = {f"{noun}Name": name, "PermissionsBoundary": boundary}
        await work.invoke("iam", f"Put{noun}PermissionsBoundary", parameters)
    elif work.before.get("PermissionsBoundary"):
        await unless_gone(work.invoke("iam", f"Delete{noun}PermissionsBoundary", {f"{noun}Name": name}))


class Role(Unnamed):
    """AWS::IAM::Role."""

    name_property = "RoleName"

    async def create(self, work: Work) -> Outcome:
        """Make the role with its policies."""
        name = work.name("RoleName", length_max=64)
        await work.initiated(name)
        properties = work.properties
        made = await work.invoke(
            "iam",
            "CreateRole",
            present(
                RoleName=name,
                AssumeRolePolicyDocument=json_text(properties["AssumeRolePolicyDocument"]),
                Path=properties.get("Path"),
                Description=properties.get("Description"),
                MaxSessionDuration=properties.get("MaxSessionDuration"),
                PermissionsBoundary=properties.get("PermissionsBoundary"),
                Tags=_tags(work),
            ),
        )
        await work.made(name)
        await _put_inline(work, "Role", name)
        await _attach_managed(work, "Role", name)
        return Outcome(name, {"Arn": made["Role"]["Arn"], "RoleId": made["Role"]["RoleId"]})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change trust, description, session length, policies, boundary and tags."""
        if work.changed("AssumeRolePolicyDocument"):
            document = json_text(work.properties["AssumeRolePolicyDocument"])
            parameters = {"RoleName": physical_id, "PolicyDocument": document}
            await work.invoke("iam", "UpdateAssumeRolePolicy", parameters)
        if work.changed("Description", "MaxSessionDuration"):
            await work.invoke(
                "iam",
                "UpdateRole",
                {
                    "RoleName": physical_id,
                    "Description": work.properties.get("Description", ""),
                    "MaxSessionDuration": work.properties.get("MaxSessionDuration", 3600),
                },
            )
        await _put_inline(work, "Role", physical_id)
        await _attach_managed(work, "Role", physical_id)
        if work.changed("PermissionsBoundary"):
            await _bound(work, "Role", physical_id)
        await _tag(work, "Role", physical_id)
        role = (await work.invoke("iam", "GetRole", {"RoleName": physical_id}))["Role"]
        return Outcome(physical_id, {"Arn": role["Arn"], "RoleId": role["RoleId"]})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the role after its policies."""
        await _clear_policies(work, "Role", physical_id)
        await unless_gone(work.invoke("iam", "DeleteRole", {"RoleName": physical_id}))


class InlinePolicy(Unnamed):
    """AWS::IAM::Policy: one inline policy on roles, users and groups."""

    async def create(self, work: Work) -> Outcome:
        """Put the policy on everyone named."""
        name = work.stable(length=12)
        await work.initiated(name)
        await self._put(work, name)
        return Outcome(name, {"Id": name})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Put the policy anew and take it from those no longer named."""
        await self._put(work, physical_id)
        renamed = work.changed("PolicyName")
        for attribute, noun in _NOUNS.items():
            _, gone = added_and_gone(work.before.get(attribute, []), work.properties.get(attribute, []))
            leaving = work.before.get(attribute, []) if renamed else gone
            await self._remove(work, noun, leaving, work.before["PolicyName"])
        return Outcome(physical_id, {"Id": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Take the policy from everyone named."""
        del physical_id
        for attribute, noun in _NOUNS.items():
            await self._remove(work, noun, work.properties.get(attribute, []), work.properties["PolicyName"])

    async def _put(self, work: Work, physical_id: str) -> None:
        document = json_text(work.properties["PolicyDocument"])
        for attribute, noun in _NOUNS.items():
            for name in work.properties.get(attribute, []):
                parameters = {f"{noun}Name": name, "PolicyName": work.properties["PolicyName"]}
                await work.invoke("iam", f"Put{noun}Policy", {**parameters, "PolicyDocument": document})
                await work.made(physical_id)

    async def _remove(self, work: Work, noun: str, names: list[str], policy_name: str) -> None:
        for name in names:
            parameters = {f"{noun}Name": name, "PolicyName": policy_name}
            await unless_gone(work.invoke("iam", f"Delete{noun}Policy", parameters))


class HolderPolicy(Unnamed):
    """AWS::IAM::RolePolicy, UserPolicy and GroupPolicy: one inline policy of one role, user or group."""

    def __init__(self, holder: str) -> None:
        """Take AWS's word for the holder: Role, User, Group."""
        self._holder = holder

    async def create(self, work: Work) -> Outcome:
        """Put the policy on its holder."""
        physical_id = f"{work.properties['PolicyName']}|{work.properties[f'{self._holder}Name']}"
        await work.initiated(physical_id)
        await self._put(work)
        return Outcome(physical_id)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Put the policy anew."""
        await self._put(work)
        return Outcome(physical_id)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Take the policy from its holder."""
        del physical_id
        await unless_gone(work.invoke("iam", f"Delete{self._holder}Policy", self._named(work)))

    async def _put(self, work: Work) -> None:
        document = json_text(work.properties.get("PolicyDocument", {}))
        await work.invoke("iam", f"Put{self._holder}Policy", {**self._named(work), "PolicyDocument": document})

    def _named(self, work: Work) -> dict[str, object]:
        holder = f"{self._holder}Name"
        return {holder: work.properties[holder], "PolicyName": work.properties["PolicyName"]}


class OidcProvider(Unnamed):
    """AWS::IAM::OIDCProvider: an issuer whose tokens AssumeRoleWithWebIdentity takes."""

    name_property = "Url"

    async def create(self, work: Work) -> Outcome:
        """Register the provider."""
        properties = work.properties
        url = str(properties.get("Url", ""))
        arn = f"arn:aws:iam::{work.account_id}:oidc-provider/{url.partition('://')[2].rstrip('/')}"
        await work.initiated(arn)
        parameters = present(
            Url=url,
            ClientIDList=properties.get("ClientIdList"),
            ThumbprintList=properties.get("ThumbprintList"),
            Tags=properties.get("Tags"),
        )
        await work.invoke("iam", "CreateOpenIDConnectProvider", parameters)
        await work.made(arn)
        return Outcome(arn, {"Arn": arn})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change client ids, thumbprints and tags."""
        on = {"OpenIDConnectProviderArn": physical_id}
        added, gone = added_and_gone(work.before.get("ClientIdList") or [], work.properties.get("ClientIdList") or [])
        for client in added:
            await work.invoke("iam", "AddClientIDToOpenIDConnectProvider", {**on, "ClientID": client})
        for client in gone:
            await work.invoke("iam", "RemoveClientIDFromOpenIDConnectProvider", {**on, "ClientID": client})
        if work.changed("ThumbprintList"):
            prints = work.properties.get("ThumbprintList") or []
            await work.invoke("iam", "UpdateOpenIDConnectProviderThumbprint", {**on, "ThumbprintList": prints})
        tags, untagged = tag_changes(work.before, work.properties)
        if untagged:
            await work.invoke("iam", "UntagOpenIDConnectProvider", {**on, "TagKeys": untagged})
        if tags:
            listed = [{"Key": key, "Value": value} for key, value in tags.items()]
            await work.invoke("iam", "TagOpenIDConnectProvider", {**on, "Tags": listed})
        return Outcome(physical_id, {"Arn": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Take the provider away."""
        await work.invoke("iam", "DeleteOpenIDConnectProvider", {"OpenIDConnectProviderArn": physical_id})


class ManagedPolicy(Unnamed):
    """AWS::IAM::ManagedPolicy: a policy of its own with a default version, attached to those named."""

    name_property = "ManagedPolicyName"

    async def create(self, work: Work) -> Outcome:
        """Make the policy and attach it."""
        name = work.name("ManagedPolicyName", length_max=128)
        path = work.properties.get("Path", "/")
        arn = f"arn:aws:iam::{work.account_id}:policy{path}{name}"
        await work.initiated(arn)
        made = await work.invoke(
            "iam",
            "CreatePolicy",
            present(
                PolicyName=name,
                Path=work.properties.get("Path"),
                Description=work.properties.get("Description"),
                PolicyDocument=json_text(work.properties["PolicyDocument"]),
            ),
        )
        arn = made["Policy"]["Arn"]
        await work.made(arn)
        await self._attach(work, arn)
        return Outcome(arn, {"PolicyArn": arn, "PolicyId": made["Policy"]["PolicyId"]})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Make a new default version; the oldest goes when AWS's limit of five is reached."""
        if work.changed("PolicyDocument"):
            versions = (await work.invoke("iam", "ListPolicyVersions", {"PolicyArn": physical_id}))["Versions"]
            if len(versions) >= 5:
                oldest = min(
                    (version for version in versions if not version["IsDefaultVersion"]),
                    key=lambda version: int(version["VersionId"][1:]),
                )
                parameters = {"PolicyArn": physical_id, "VersionId": oldest["VersionId"]}
                await work.invoke("iam", "DeletePolicyVersion", parameters)
            document = json_text(work.properties["PolicyDocument"])
            parameters = {"PolicyArn": physical_id, "PolicyDocument": document, "SetAsDefault": True}
            await work.invoke("iam", "CreatePolicyVersion", parameters)
        await self._attach(work, physical_id)
        policy = (await work.invoke("iam", "GetPolicy", {"PolicyArn": physical_id}))["Policy"]
        return Outcome(physical_id, {"PolicyArn": physical_id, "PolicyId": policy["PolicyId"]})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Detach and delete the policy with all its versions."""
        for attribute, noun in _NOUNS.items():
            for name in work.properties.get(attribute, []):
                parameters = {f"{noun}Name": name, "PolicyArn": physical_id}
                await unless_gone(work.invoke("iam", f"Detach{noun}Policy", parameters))
        if work.properties and not await unless_gone(work.invoke("iam", "GetPolicy", {"PolicyArn": physical_id})):
            return
        versions = await work.invoke("iam", "ListPolicyVersions", {"PolicyArn": physical_id})
        for version in versions["Versions"]:
            if not version["IsDefaultVersion"]:
                parameters = {"PolicyArn": physical_id, "VersionId": version["VersionId"]}
                await work.invoke("iam", "DeletePolicyVersion", parameters)
        await unless_gone(work.invoke("iam", "DeletePolicy", {"PolicyArn": physical_id}))

    async def _attach(self, work: Work, arn: str) -> None:
        for attribute, noun in _NOUNS.items():
            added, gone = added_and_gone(work.before.get(attribute, []), work.properties.get(attribute, []))
            for name in added:
                await work.invoke("iam", f"Attach{noun}Policy", {f"{noun}Name": name, "PolicyArn": arn})
            for name in gone:
                parameters = {f"{noun}Name": name, "PolicyArn": arn}
                await unless_gone(work.invoke("iam", f"Detach{noun}Policy", parameters))


class User(Unnamed):
    """AWS::IAM::User."""

    name_property = "UserName"

    async def create(self, work: Work) -> Outcome:
        """Make the user with its policies and groups."""
        name = work.name("UserName", length_max=64)
        await work.initiated(name)
        made = await work.invoke(
            "iam",
            "CreateUser",
            present(
                UserName=name,
                Path=work.properties.get("Path"),
                PermissionsBoundary=work.properties.get("PermissionsBoundary"),
                Tags=_tags(work),
            ),
        )
        await work.made(name)
        await _put_inline(work, "User", name)
        await _attach_managed(work, "User", name)
        await self._join(work, name)
        await self._give_password(work, name)
        return Outcome(name, {"Arn": made["User"]["Arn"]})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change path, policies, boundary, groups and tags."""
        if work.changed("Path"):
            await work.invoke(
                "iam", "UpdateUser", {"UserName": physical_id, "NewPath": work.properties.get("Path", "/")}
            )
        await _put_inline(work, "User", physical_id)
        await _attach_managed(work, "User", physical_id)
        if work.changed("PermissionsBoundary"):
            await _bound(work, "User", physical_id)
        await self._join(work, physical_id)
        if work.changed("LoginProfile"):
            await self._give_password(work, physical_id)
        await _tag(work, "User", physical_id)
        user = (await work.invoke("iam", "GetUser", {"UserName": physical_id}))["User"]
        return Outcome(physical_id, {"Arn": user["Arn"]})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the user after its policies and memberships."""
        await _clear_policies(work, "User", physical_id)
        for group in work.properties.get("Groups", []):
            parameters = {"GroupName": group, "UserName": physical_id}
            await unless_gone(work.invoke("iam", "RemoveUserFromGroup", parameters))
        if work.properties.get("LoginProfile"):
            await unless_gone(work.invoke("iam", "DeleteLoginProfile", {"UserName": physical_id}))
        await unless_gone(work.invoke("iam", "DeleteUser", {"UserName": physical_id}))

    async def _give_password(self, work: Work, name: str) -> None:
        """Make the user's password, if any, the one that is declared."""
        profile, on = work.properties.get("LoginProfile"), {"UserName": name}
        if profile:
            operation = "UpdateLoginProfile" if work.before.get("LoginProfile") else "CreateLoginProfile"
            required = profile.get("PasswordResetRequired", False)
            parameters = {**on, "Password": profile["Password"], "PasswordResetRequired": required}
            await work.invoke("iam", operation, parameters)
        elif work.before.get("LoginProfile"):
            await unless_gone(work.invoke("iam", "DeleteLoginProfile", on))

    async def _join(self, work: Work, name: str) -> None:
        added, gone = added_and_gone(work.before.get("Groups", []), work.properties.get("Groups", []))
        for group in added:
            await work.invoke("iam", "AddUserToGroup", {"GroupName": group, "UserName": name})
        for group in gone:
            await unless_gone(work.invoke("iam", "RemoveUserFromGroup", {"GroupName": group, "UserName": name}))


class Group(Unnamed):
    """AWS::IAM::Group."""

    name_property = "GroupName"

    async def create(self, work: Work) -> Outcome:
        """Make the group with its policies."""
        name = work.name("GroupName", length_max=128)
        await work.initiated(name)
        made = await work.invoke("iam", "CreateGroup", present(GroupName=name, Path=work.properties.get("Path")))
        await work.made(name)
        await _put_inline(work, "Group", name)
        await _attach_managed(work, "Group", name)
        return Outcome(name, {"Arn": made["Group"]["Arn"]})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change path and policies."""
        if work.changed("Path"):
            parameters = {"GroupName": physical_id, "NewPath": work.properties.get("Path", "/")}
            await work.invoke("iam", "UpdateGroup", parameters)
        await _put_inline(work, "Group", physical_id)
        await _attach_managed(work, "Group", physical_id)
        group = (await work.invoke("iam", "GetGroup", {"GroupName": physical_id}))["Group"]
        return Outcome(physical_id, {"Arn": group["Arn"]})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the group after its policies."""
        await _clear_policies(work, "Group", physical_id)
        await unless_gone(work.invoke("iam", "DeleteGroup", {"GroupName": physical_id}))


class UserToGroupAddition(Unnamed):
    """AWS::IAM::UserToGroupAddition."""

    async def create(self, work: Work) -> Outcome:
        """Add the users to the group."""
        physical_id = work.stable(length=12)
        await work.initiated(physical_id)
        await self._change(work, work.properties.get("Users", []), [])
        return Outcome(physical_id, {"Id": physical_id})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Add and remove users."""
        if work.changed("GroupName"):
            for user in work.before.get("Users", []):
                parameters = {"GroupName": work.before["GroupName"], "UserName": user}
                await unless_gone(work.invoke("iam", "RemoveUserFromGroup", parameters))
            await self._change(work, work.properties.get("Users", []), [])
        else:
            await self._change(work, *added_and_gone(work.before.get("Users", []), work.properties.get("Users", [])))
        return Outcome(physical_id, {"Id": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Remove the users from the group."""
        del physical_id
        await self._change(work, [], work.properties.get("Users", []))

    async def _change(self, work: Work, added: list[str], gone: list[str]) -> None:
        group = work.properties["GroupName"]
        for user in added:
            await work.invoke("iam", "AddUserToGroup", {"GroupName": group, "UserName": user})
        for user in gone:
            await unless_gone(work.invoke("iam", "RemoveUserFromGroup", {"GroupName": group, "UserName": user}))


class AccessKey(Unnamed):
    """AWS::IAM::AccessKey. A higher Serial makes a new key."""

    async def create(self, work: Work) -> Outcome:
        """Make the key; its secret is an attribute, as on AWS."""
        user = work.properties["UserName"]
        key = (await work.invoke("iam", "CreateAccessKey", {"UserName": user}))["AccessKey"]
        await work.made(key["AccessKeyId"])
        if work.properties.get("Status", "Active") != "Active":
            await self._set_status(work, key["AccessKeyId"])
        return Outcome(key["AccessKeyId"], {"SecretAccessKey": key["SecretAccessKey"]})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Switch the key on or off."""
        await self._set_status(work, physical_id)
        return Outcome(physical_id)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the key."""
        parameters = {"UserName": work.properties["UserName"], "AccessKeyId": physical_id}
        await unless_gone(work.invoke("iam", "DeleteAccessKey", parameters))

    async def _set_status(self, work: Work, key_id: str) -> None:
        parameters = {
            "UserName": work.properties["UserName"],
            "AccessKeyId": key_id,
            "Status": work.properties.get("Status", "Active"),
        }
        await work.invoke("iam", "UpdateAccessKey", parameters)


class InstanceProfile(Unnamed):
    """AWS::IAM::InstanceProfile: a role's wrapper for machines."""

    name_property = "InstanceProfileName"

    async def create(self, work: Work) -> Outcome:
        """Make the profile with its role."""
        name = work.name("InstanceProfileName", length_max=128)
        await work.initiated(name)
        made = await work.invoke(
            "iam", "CreateInstanceProfile", present(InstanceProfileName=name, Path=work.properties.get("Path"))
        )
        await work.made(name)
        await self._roles(work, name)
        return Outcome(name, {"Arn": made["InstanceProfile"]["Arn"]})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Exchange the role."""
        await self._roles(work, physical_id)
        profile = await work.invoke("iam", "GetInstanceProfile", {"InstanceProfileName": physical_id})
        return Outcome(physical_id, {"Arn": profile["InstanceProfile"]["Arn"]})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the profile after its role has left it."""
        for role in work.properties.get("Roles", []):
            parameters = {"InstanceProfileName": physical_id, "RoleName": role}
            await unless_gone(work.invoke("iam", "RemoveRoleFromInstanceProfile", parameters))
        await unless_gone(work.invoke("iam", "DeleteInstanceProfile", {"InstanceProfileName": physical_id}))

    async def _roles(self, work: Work, name: str) -> None:
        added, gone = added_and_gone(work.before.get("Roles", []), work.properties.get("Roles", []))
        for role in gone:
            parameters = {"InstanceProfileName": name, "RoleName": role}
            await unless_gone(work.invoke("iam", "RemoveRoleFromInstanceProfile", parameters))
        for role in added:
            await work.invoke("iam", "AddRoleToInstanceProfile", {"InstanceProfileName": name, "RoleName": role})


def handlers() -> dict[str, ResourceHandler]:
    """Give the handlers of this service by type."""
    return {
        "AWS::IAM::AccessKey": AccessKey(),
        "AWS::IAM::Group": Group(),
        "AWS::IAM::InstanceProfile": InstanceProfile(),
        "AWS::IAM::ManagedPolicy": ManagedPolicy(),
        "AWS::IAM::Policy": InlinePolicy(),
        "AWS::IAM::Role": Role(),
        "AWS::IAM::GroupPolicy": HolderPolicy("Group"),
        "AWS::IAM::OIDCProvider": OidcProvider(),
        "AWS::IAM::RolePolicy": HolderPolicy("Role"),
        "AWS::IAM::ServerCertificate": ServerCertificate(),
        "AWS::IAM::ServiceLinkedRole": ServiceLinkedRole(),
        "AWS::IAM::UserPolicy": HolderPolicy("User"),
        "AWS::IAM::User": User(),
        "AWS::IAM::UserToGroupAddition": UserToGroupAddition(),
    }
