"""IAM's records: users, groups, roles, customer managed policies, instance profiles, certificates, the account itself.

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
SERVER_CERTIFICATE: Final = "iam.server_certificate"
MFA_DEVICE: Final = "iam.mfa_device"
KINDS: Final = (ACCOUNT, USER, GROUP, ROLE, POLICY, INSTANCE_PROFILE, OIDC_PROVIDER, SERVER_CERTIFICATE, MFA_DEVICE)
ACCOUNT_RECORD_ID: Final = "account"

AWS_POLICY_PREFIX: Final = "arn:aws:iam::aws:policy/"
SERVICE_ROLES_PATH: Final = "/aws-service-role/"

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
class LoginProfile:
    """A user's password, as its hash, with those before it (the newest first) for the rule against using them again."""

    created_at_ms: int
    changed_at_ms: int
    hash: str = field(repr=False)
    reset_required: bool = False  # AWS: PasswordResetRequired
    former: tuple[str, ...] = field(default=(), repr=False)

    def to_aws(self, user_name: str) -> dict[str, object]:
        """Give AWS's LoginProfile."""
        return {
            "UserName": user_name,
            "CreateDate": self.created_at_ms,
            "PasswordResetRequired": self.reset_required,
        }


@dataclass(frozen=True, slots=True)
class SshPublicKey:
    """A user's public key for SSH, as it was uploaded."""

    id: str
    body: str
    fingerprint: str
    status: str
    uploaded_at_ms: int


@dataclass(frozen=True, slots=True)
class SigningCertificate:
    """A user's X.509 certificate, as it was uploaded."""

    id: str
    body: str
    status: str
    uploaded_at_ms: int


@dataclass(frozen=True, slots=True)
class User:
    """A user with its credentials and the groups that it is in (names in lower case)."""

    account_id: str
    name: str
    path: str
    id: str
    created_at_ms: int
    policies: HeldPolicies = HeldPolicies()
    access_keys: tuple[AccessKey, ...] = ()
    groups: tuple[str, ...] = ()
    tags: Tags = ()
    login: LoginProfile | None = None
    ssh_keys: tuple[SshPublicKey, ...] = ()
    signing_certificates: tuple[SigningCertificate, ...] = ()

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

    @property
    def is_service_linked(self) -> bool:
        """Say whether the role is a service's own."""
        return self.path.startswith(SERVICE_ROLES_PATH)

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
class PasswordPolicy:
    """What passwords of users must be. Zero: that rule is not there."""

    characters_min: int = 6  # AWS: MinimumPasswordLength
    needs_symbols: bool = False
    needs_numbers: bool = False
    needs_uppercase: bool = False
    needs_lowercase: bool = False
    users_may_change: bool = False  # AWS: AllowUsersToChangePassword
    age_days_max: int = 0  # AWS: MaxPasswordAge
    reuse_prevention: int = 0  # former passwords that may not be used again
    hard_expiry: bool | None = None  # a password that is too old cannot be changed by its user


@dataclass(frozen=True, slots=True)
class Account:
    """The account itself: its root user's access keys, its alias, its rules and what was begun for it."""

    account_id: str
    access_keys: tuple[AccessKey, ...] = ()
    alias: str = ""
    created_at_ms: int = 0
    password_policy: PasswordPolicy | None = None
    deletion_tasks: tuple[str, ...] = ()  # of service-linked roles, the newest last; all of them succeeded

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


@dataclass(frozen=True, slots=True)
class MfaDevice:
    """A virtual MFA device. `name` has its path, without the first slash; `user_id` is "" while nobody has it."""

    account_id: str
    name: str
    sealed_seed: str = field(repr=False)
    user_id: str = ""
    enabled_at_ms: int = 0
    last_step: int = 0  # of the last code that was used: none is good twice
    drift_steps: int = 0  # how many time steps its clock is off
    tags: Tags = ()

    @property
    def arn(self) -> str:
        """Give the device's ARN: its serial number."""
        return f"arn:aws:iam::{self.account_id}:mfa/{self.name}"


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A server certificate with its chain. Its private key was checked and is not kept: nothing here serves with it."""

    account_id: str
    name: str
    path: str
    id: str
    created_at_ms: int  # AWS: UploadDate
    expires_at_ms: int
    body: str
    chain: str = ""
    tags: Tags = ()

    @property
    def arn(self) -> str:
        """Give the server certificate's ARN."""
        return f"arn:aws:iam::{self.account_id}:server-certificate{self.path}{self.name}"

    def to_aws(self) -> dict[str, object]:
        """Give AWS's ServerCertificateMetadata."""
        return {
            "Path": self.path,
            "ServerCertificateName": self.name,
            "ServerCertificateId": self.id,
            "Arn": self.arn,
            "UploadDate": self.created_at_ms,
            "Expiration": self.expires_at_ms,
        }


Entity = User | Group | Role | ManagedPolicy | InstanceProfile | Account | OidcProvider | ServerCertificate | MfaDevice
Holder = User | Group | Role

_CLASSES: Final[Mapping[str, type[Any]]] = {
    USER: User,
    GROUP: Group,
    ROLE: Role,
    POLICY: ManagedPolicy,
    INSTANCE_PROFILE: InstanceProfile,
    ACCOUNT: Account,
    OIDC_PROVIDER: OidcProvider,
    SERVER_CERTIFICATE: ServerCertificate,
    MFA_DEVICE: MfaDevice,
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
    for name in ("client_ids", "thumbprints", "groups", "deletion_tasks"):
        if name in members:
            members[name] = tuple(members[name])
    if members.get("login") is not None:
        members["login"] = LoginProfile(**{**members["login"], "former": tuple(members["login"]["former"])})
    if members.get("password_policy") is not None:
        members["password_policy"] = PasswordPolicy(**members["password_policy"])
    for name, one in (("ssh_keys", SshPublicKey), ("signing_certificates", SigningCertificate)):
        if name in members:
            members[name] = tuple(one(**each) for each in members[name])
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
