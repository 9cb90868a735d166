"""IAM's records: users, groups, roles, customer managed policies, instance profiles and the account itself.

Each is one record with everything about it, so that a change is one compare-and-set: inline policies, attachments,
access keys and memberships are members of the entity, not records of their own. Ids of records are names in lower
case: IAM's names are unique without regard to case (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal
from urllib.parse import quote

import orjson

USER: Final = "iam.user"
GROUP: Final = "iam.group"
ROLE: Final = "iam.role"
POLICY: Final = "iam.policy"
INSTANCE_PROFILE: Final = "iam.instance_profile"
ACCOUNT: Final = "iam.account"
OIDC_PROVIDER: Final = "iam.oidc_provider"
KINDS: Final = (ACCOUNT, USER, GROUP, ROLE, POLICY, INSTANCE_PROFILE, OIDC_PROVIDER)
ACCOUNT_RECORD_ID: Final = "account"

AWS_POLICY_PREFIX: Final = "arn:aws:iam::aws:policy/"

Tags = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A long-term access key. The secret is sealed (base64) and leaves only with CreateAccessKey's answer."""

    id: str
    sealed_secret: str = field(repr=False)
    status: Literal["Active", "Inactive"]
    created_at_ms: int

    def to_aws(self, user_name: str) -> dict[str, object]:
        """Give AWS's AccessKeyMetadata."""
        return {
            "UserName": user_name,
            "AccessKeyId": self.id,
            "Status": self.status,
            "CreateDate": self.created_at_ms,
        }


@dataclass(frozen=True, slots=True)
class HeldPolicies:
    """The policies of a user, group or role."""

    inline: Mapping[str, str] = field(default_factory=dict)  # documents by name
    attached: tuple[str, ...] = ()  # ARNs of managed policies, in the order of attachment
    boundary: str = ""  # the ARN of the permissions boundary; groups have none

    @property
    def is_empty(self) -> bool:
        """Say whether neither inline nor attached policies are there."""
        return not self.inline and not self.attached


@dataclass(frozen=True, slots=True)
class User:
    """A user with its access keys and the groups that it is in (names in lower case)."""

    account_id: str
    name: str
    path: str
    id: str
    created_at_ms: int
    policies: HeldPolicies = HeldPolicies()
    access_keys: tuple[AccessKey, ...] = ()
    groups: tuple[str, ...] = ()
    tags: Tags = ()

    @property
    def arn(self) -> str:
        """Give the user's ARN."""
        return f"arn:aws:iam::{self.account_id}:user{self.path}{self.name}"

    def to_aws(self) -> dict[str, object]:
        """Give AWS's User."""
        return {
            "Path": self.path,
            "UserName": self.name,
            "UserId": self.id,
            "Arn": self.arn,
            "CreateDate": self.created_at_ms,
            **boundary_to_aws(self.policies.boundary),
            **tags_to_aws(self.tags),
        }


@dataclass(frozen=True, slots=True)
class Group:
    """A group. Who is in it stands in the users."""

    account_id: str
    name: str
    path: str
    id: str
    created_at_ms: int
    policies: HeldPolicies = HeldPolicies()

    @property
    def arn(self) -> str:
        """Give the group's ARN."""
        return f"arn:aws:iam::{self.account_id}:group{self.path}{self.name}"

    def to_aws(self) -> dict[str, object]:
        """Give AWS's Group."""
        return {
            "Path": self.path,
            "GroupName": self.name,
            "GroupId": self.id,
            "Arn": self.arn,
            "CreateDate": self.created_at_ms,
        }


@dataclass(frozen=True, slots=True)
class Role:
    """A role with its trust policy."""

    account_id: str
    name: str
    path: str
    id: str
    created_at_ms: int
    trust_policy: str
    description: str = ""
    session_duration_s_max: int = 3_600  # AWS: MaxSessionDuration
    policies: HeldPolicies = HeldPolicies()
    tags: Tags = ()

    @property
    def arn(self) -> str:
        """Give the role's ARN."""
        return f"arn:aws:iam::{self.account_id}:role{self.path}{self.name}"

    def to_aws(self) -> dict[str, object]:
        """Give AWS's Role; the trust policy is URL-encoded as AWS sends it."""
        return {
            "Path": self.path,
            "RoleName": self.name,
            "RoleId": self.id,
            "Arn": self.arn,
            "CreateDate": self.created_at_ms,
            "AssumeRolePolicyDocument": encoded(self.trust_policy),
            "MaxSessionDuration": self.session_duration_s_max,
            **({"Description": self.description} if self.description else {}),
            **boundary_to_aws(self.policies.boundary),
            **tags_to_aws(self.tags),
        }


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One version of a managed policy."""

    id: str  # v1, v2, …
    document: str
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """A managed policy: the customer's, or AWS's (`account_id` "aws"). Version numbers are never used again."""

    account_id: str
    name: str
    path: str
    id: str
    created_at_ms: int
    updated_at_ms: int
    versions: tuple[PolicyVersion, ...]
    default_version_id: str = "v1"
    next_version: int = 2
    description: str = ""
    tags: Tags = ()

    @property
    def arn(self) -> str:
        """Give the policy's ARN."""
        return f"arn:aws:iam::{self.account_id}:policy{self.path}{self.name}"

    @property
    def document(self) -> str:
        """Give the document of the default version: the one in force."""
        return next(version.document for version in self.versions if version.id == self.default_version_id)

    def version(self, version_id: str) -> PolicyVersion | None:
        """Find a version."""
        return next((version for version in self.versions if version.id == version_id), None)

    def version_to_aws(self, version: PolicyVersion, *, has_document: bool) -> dict[str, object]:
        """Give AWS's PolicyVersion."""
        return {
            **({"Document": encoded(version.document)} if has_document else {}),
            "VersionId": version.id,
            "IsDefaultVersion": version.id == self.default_version_id,
            "CreateDate": version.created_at_ms,
        }


@dataclass(frozen=True, slots=True)
class InstanceProfile:
    """An instance profile and the name of its role, in lower case."""

    account_id: str
    name: str
    path: str
    id: str
    created_at_ms: int
    role: str = ""
    tags: Tags = ()

    @property
    def arn(self) -> str:
        """Give the instance profile's ARN."""
        return f"arn:aws:iam::{self.account_id}:instance-profile{self.path}{self.name}"


@dataclass(frozen=True, slots=True)
class Account:
    """The account itself: its root user's access keys and its alias."""

    account_id: str
    access_keys: tuple[AccessKey, ...] = ()
    alias: str = ""
    created_at_ms: int = 0

    @property
    def name(self) -> str:
        """Give the id of its only record."""
        return ACCOUNT_RECORD_ID

    @property
    def arn(self) -> str:
        """Give the root user's ARN."""
        return f"arn:aws:iam::{self.account_id}:root"


@dataclass(frozen=True, slots=True)
class OidcProvider:
    """An OpenID Connect provider. `name` is its URL without scheme."""

    account_id: str
    name: str
    url: str
    client_ids: tuple[str, ...]
    thumbprints: tuple[str, ...]
    created_at_ms: int
    tags: Tags = ()

    @property
    def arn(self) -> str:
        """Give the provider's ARN."""
        return f"arn:aws:iam::{self.account_id}:oidc-provider/{self.name}"


Entity = User | Group | Role | ManagedPolicy | InstanceProfile | Account | OidcProvider
Holder = User | Group | Role

_CLASSES: Final[Mapping[str, type[Any]]] = {
    USER: User,
    GROUP: Group,
    ROLE: Role,
    POLICY: ManagedPolicy,
    INSTANCE_PROFILE: InstanceProfile,
    ACCOUNT: Account,
    OIDC_PROVIDER: OidcProvider,
}


def kind_of(entity: Entity) -> str:
    """Give the record kind of an entity."""
    return next(kind for kind, entity_class in _CLASSES.items() if isinstance(entity, entity_class))


def to_json(entity: Entity) -> dict[str, Any]:
    """Give the record's value: JSON's own types, so that what is told equals what is read back."""
    value: dict[str, Any] = orjson.loads(orjson.dumps(entity))
    return value


def from_json(kind: str, value: Mapping[str, Any]) -> Entity:
    """Read a record's value back."""
    members = dict(value)
    if "policies" in members:
        held = members["policies"]
        members["policies"] = HeldPolicies(dict(held["inline"]), tuple(held["attached"]), held["boundary"])
    if "access_keys" in members:
        members["access_keys"] = tuple(AccessKey(**key) for key in members["access_keys"])
    if "versions" in members:
        members["versions"] = tuple(PolicyVersion(**version) for version in members["versions"])
    for name in ("client_ids", "thumbprints"):
        if name in members:
            members[name] = tuple(members[name])
    if "groups" in members:
        members["groups"] = tuple(members["groups"])
    if "tags" in members:
        members["tags"] = tuple((key, value) for key, value in members["tags"])
    entity: Entity = _CLASSES[kind](**members)
    return entity


def whole_second(at_ms: int) -> int:
    """Give the second that `at_ms` lies in: IAM keeps no fractions."""
    return at_ms // 1000 * 1000


def with_policies(holder: Holder, **changes: Any) -> Holder:
    """Give `holder` with members of its policies replaced."""
    return replace(holder, policies=replace(holder.policies, **changes))


def encoded(document: str) -> str:
    """Encode a policy document as IAM does in its answers (RFC 3986)."""
    return quote(document, safe="")


def tags_to_aws(tags: Tags) -> dict[str, object]:
    """Give the member Tags, or nothing when there are none."""
    return {"Tags": tag_list(tags)} if tags else {}


def tag_list(tags: Tags) -> list[dict[str, str]]:
    """Give tags as AWS's list."""
    return [{"Key": key, "Value": value} for key, value in tags]


def boundary_to_aws(arn: str) -> dict[str, object]:
    """Give the member PermissionsBoundary, or nothing when there is none."""
    if not arn:
        return {}
    return {"PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}}
