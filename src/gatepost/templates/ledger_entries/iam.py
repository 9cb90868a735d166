"""What happens to the properties of AWS::IAM types."""

from __future__ import annotations

from typing import Final

from gatepost.templates.ledger import ENFORCED, TypeEntry, approximated, inert

_TAGS: Final = ENFORCED


_POLICIES: Final = {"ManagedPolicyArns": ENFORCED, "Path": ENFORCED, "Policies": ENFORCED}
ENTRIES: Final = (
    TypeEntry("AWS::IAM::AccessKey", ENFORCED, {"Serial": ENFORCED, "Status": ENFORCED, "UserName": ENFORCED}),
    TypeEntry("AWS::IAM::Group", ENFORCED, {"GroupName": ENFORCED, **_POLICIES}),
    TypeEntry(
        "AWS::IAM::InstanceProfile",
        approximated("it exists and can be described; there are no machines that would take its role"),
        {"InstanceProfileName": ENFORCED, "Path": ENFORCED, "Roles": ENFORCED},
    ),
    TypeEntry(
        "AWS::IAM::ManagedPolicy",
        ENFORCED,
        {
            "Description": ENFORCED,
            "Groups": ENFORCED,
            "ManagedPolicyName": ENFORCED,
            "Path": ENFORCED,
            "PolicyDocument": ENFORCED,
            "Roles": ENFORCED,
            "Users": ENFORCED,
        },
    ),
    TypeEntry(
        "AWS::IAM::Policy",
        ENFORCED,
        {
            "Groups": ENFORCED,
            "PolicyDocument": ENFORCED,
            "PolicyName": ENFORCED,
            "Roles": ENFORCED,
            "Users": ENFORCED,
        },
    ),
    TypeEntry(
        "AWS::IAM::Role",
        ENFORCED,
        {
            "AssumeRolePolicyDocument": ENFORCED,
            "Description": ENFORCED,
            "MaxSessionDuration": ENFORCED,
            "PermissionsBoundary": ENFORCED,
            "RoleName": ENFORCED,
            "Tags": _TAGS,
            **_POLICIES,
        },
    ),
    TypeEntry(
        "AWS::IAM::RolePolicy",
        ENFORCED,
        {"PolicyDocument": ENFORCED, "PolicyName": ENFORCED, "RoleName": ENFORCED},
    ),
    TypeEntry(
        "AWS::IAM::GroupPolicy",
        ENFORCED,
        {"PolicyDocument": ENFORCED, "PolicyName": ENFORCED, "GroupName": ENFORCED},
    ),
    TypeEntry(
        "AWS::IAM::UserPolicy",
        ENFORCED,
        {"PolicyDocument": ENFORCED, "PolicyName": ENFORCED, "UserName": ENFORCED},
    ),
    TypeEntry(
        "AWS::IAM::OIDCProvider",
        ENFORCED,
        {
            "ClientIdList": ENFORCED,
            "Tags": _TAGS,
            "ThumbprintList": inert(
                "keys of user pools are at hand, other issuers are vouched for by this machine's authorities"
            ),
            "Url": ENFORCED,
        },
    ),
    TypeEntry(
        "AWS::IAM::User",
        ENFORCED,
        {
            "Groups": ENFORCED,
            "LoginProfile": approximated("held to the account's password policy; there is no console to sign in to"),
            "PermissionsBoundary": ENFORCED,
            "Tags": _TAGS,
            "UserName": ENFORCED,
            **_POLICIES,
        },
    ),
    TypeEntry("AWS::IAM::UserToGroupAddition", ENFORCED, {"GroupName": ENFORCED, "Users": ENFORCED}),
    TypeEntry(
        "AWS::IAM::ServerCertificate",
        approximated("checked with its key, which is not kept: domains are served with ACM's certificates"),
        {
            "CertificateBody": ENFORCED,
            "CertificateChain": ENFORCED,
            "Path": ENFORCED,
            "PrivateKey": ENFORCED,
            "ServerCertificateName": ENFORCED,
            "Tags": _TAGS,
        },
    ),
    TypeEntry(
        "AWS::IAM::ServiceLinkedRole",
        approximated("it exists and nobody changes it; the services that would take it are not here"),
        {"AWSServiceName": ENFORCED, "CustomSuffix": ENFORCED, "Description": ENFORCED},
    ),
)


def entries() -> tuple[TypeEntry, ...]:
    """Give the entries of this service."""
    return ENTRIES
