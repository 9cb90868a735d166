"""Who exists and what they may: IAM's records in memory, with compiled policies.

The directory is fed, it never reads: the provider applies every record at start and after each commit, the gateway
applies what is published under the topic "principal". So both roles hold the same directory, and neither waits for
storage when a request must be verified. Everything derived (identities, compiled policies) is dropped when any record
changes, and `generation` counts the changes for those who remember decisions.

Secrets are unsealed when a key is first used.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from gatepost.kernel.operations import Change, Principal
from gatepost.kernel.ports import Identity
from gatepost.languages.iam_policy import CompiledPolicies, Policy, deny_everything
from gatepost.security.access_keys import SESSION, account_of
from gatepost.security.session_tokens import Sealing, Session, SessionTokens
from gatepost.services.iam.aws_policies import AwsPolicies
from gatepost.services.iam.errors import ExpiredToken
from gatepost.services.iam.model import (
    ACCOUNT,
    ACCOUNT_RECORD_ID,
    AWS_POLICY_PREFIX,
    GROUP,
    INSTANCE_PROFILE,
    MFA_DEVICE,
    OIDC_PROVIDER,
    POLICY,
    ROLE,
    USER,
    AccessKey,
    Account,
    Entity,
    Group,
    Holder,
    InstanceProfile,
    ManagedPolicy,
    MfaDevice,
    OidcProvider,
    Role,
    ServerCertificate,
    Tags,
    User,
    from_json,
    to_json,
)

TOPIC: Final = "principal"
SECRET_PURPOSE: Final = "secret-access-key"  # noqa: S105
SESSIONS_MAX: Final = 10_000  # opened session tokens kept

AnEntity = TypeVar(
    "AnEntity", User, Group, Role, ManagedPolicy, InstanceProfile, Account, OidcProvider, ServerCertificate, MfaDevice
)


@dataclass(frozen=True, slots=True)
class Stored:
    """An entity with its record's version."""

    entity: Entity
    version: int


@dataclass(frozen=True, slots=True)
class OwnPolicies:
    """The compiled policies of a principal. `session` None: none was passed."""

    identity: tuple[Policy, ...] = ()
    boundary: Policy | None = None
    session: tuple[Policy, ...] | None = None


class Directory:
    """Implements `kernel.ports.Identities`."""

    def __init__(self, seal: Sealing, *, aws_policies: AwsPolicies | None = None) -> None:
        self._seal = seal
        self._tokens = SessionTokens(seal)
        self._aws_policies = aws_policies or AwsPolicies()
        self._stored: dict[tuple[str, str], dict[str, Stored]] = {}
        self._key_owners: dict[str, tuple[AccessKey, User | Account]] = {}
        self._identities: dict[str, Identity] = {}
        self._sessions: dict[str, Identity] = {}
        self._held: dict[str, OwnPolicies] = {}
        self.compiled = CompiledPolicies()
        self.generation = 0

    @property
    def aws_policies(self) -> AwsPolicies:
        """Give AWS's managed policies."""
        return self._aws_policies

    # What is fed in

    def apply(self, kind: str, account_id: str, record_id: str, value: Mapping[str, Any] | None, version: int) -> None:
        """Take over a record as it was committed; None: it was deleted."""
        entities = self._stored.setdefault((kind, account_id), {})
        before = entities.pop(record_id, None)
        if before is not None:
            for key in _access_keys(before.entity):
                self._key_owners.pop(key.id, None)
        if value is not None:
            entity = from_json(kind, value)
            entities[record_id] = Stored(entity, version)
            if isinstance(entity, User | Account):
                self._key_owners.update({key.id: (key, entity) for key in entity.access_keys})
        self.generation += 1
        self._identities.clear()
        self._sessions.clear()
        self._held.clear()

    def apply_change(self, key: str, value: Mapping[str, Any] | None) -> None:
        """Take over what was published under (`TOPIC`, `key`)."""
        kind, account_id, record_id = key.split("/", 2)
        self.apply(kind, account_id, record_id, value, 0)

    def changes(self) -> list[Change]:
        """Give everything as published, for a snapshot."""
        return [
            Change(TOPIC, change_key(kind, account_id, record_id), to_json(stored.entity))
            for (kind, account_id), entities in self._stored.items()
            for record_id, stored in entities.items()
        ]

    # What is looked up

    def find(self, access_key_id: str, session_token: str, now_ms: int) -> Identity | None:
        """Give the identity, or None when the key is unknown or inactive or the token is not its own.

        Raises: ExpiredToken.
        """
        if session_token:
            identity = self._sessions.get(session_token) or self._open(session_token)
            if identity is None or identity.principal.access_key_id != access_key_id:
                return None
            if now_ms >= identity.principal.expires_at_ms:
                raise ExpiredToken("The security token included in the request is expired")
            return identity
        return self._identities.get(access_key_id) or self._long_term(access_key_id)

    def knows(self, access_key_id: str) -> bool:
        """Say whether an access key is one of ours, active or not, with a valid session token or without.

        Of sessions nothing is stored: every key id of a session that was made for one of our accounts counts.
        """
        if access_key_id in self._key_owners:
            return True
        account_id = account_of(access_key_id)
        return access_key_id.startswith(SESSION) and any(account_id == account for _, account in self._stored)

    def key_owner(self, access_key_id: str) -> User | Account | None:
        """Give whose a long-term access key is, active or not."""
        found = self._key_owners.get(access_key_id)
        return None if found is None else found[1]

    def stored(self, kind: str, account_id: str, name: str) -> Stored | None:
        """Find an entity and its version by its name, in any case."""
        return self._stored.get((kind, account_id), {}).get(name.lower())

    def user(self, account_id: str, name: str) -> User | None:
        """Find a user by its name, in any case."""
        return _as(User, self.stored(USER, account_id, name))

    def group(self, account_id: str, name: str) -> Group | None:
        """Find a group by its name, in any case."""
        return _as(Group, self.stored(GROUP, account_id, name))

    def role(self, account_id: str, name: str) -> Role | None:
        """Find a role by its name, in any case."""
        return _as(Role, self.stored(ROLE, account_id, name))

    def account(self, account_id: str) -> Account:
        """Give the account's own record, or an empty one."""
        return _as(Account, self.stored(ACCOUNT, account_id, ACCOUNT_RECORD_ID)) or Account(account_id)

    def role_by_arn(self, arn: str) -> Role | None:
        """Find a role by its whole ARN, path included."""
        parts = arn.split(":", 5)
        if len(parts) != 6:
            return None
        role = self.role(parts[4], parts[5].rpartition("/")[2])
        return role if role is not None and role.arn == arn else None

    def managed_policy(self, arn: str) -> ManagedPolicy | None:
        """Find a managed policy by its ARN: a customer's, or one of AWS's that we have."""
        if arn.startswith(AWS_POLICY_PREFIX):
            return self._aws_policies.find(arn)
        parts = arn.split(":", 5)
        if len(parts) != 6:
            return None
        policy = _as(ManagedPolicy, self.stored(POLICY, parts[4], parts[5].rpartition("/")[2]))
        return policy if policy is not None and policy.arn == arn else None

    def instance_profile(self, account_id: str, name: str) -> InstanceProfile | None:
        """Find an instance profile by its name, in any case."""
        return _as(InstanceProfile, self.stored(INSTANCE_PROFILE, account_id, name))

    def oidc_provider(self, arn: str) -> OidcProvider | None:
        """Find an OpenID Connect provider by its ARN."""
        parts = arn.split(":", 5)
        if len(parts) != 6 or not parts[5].startswith("oidc-provider/"):
            return None
        found = _as(OidcProvider, self.stored(OIDC_PROVIDER, parts[4], parts[5].removeprefix("oidc-provider/")))
        return found if found is not None and found.arn == arn else None

    def mfa_device(self, serial: str) -> MfaDevice | None:
        """Find a virtual MFA device by its serial number, which is its ARN."""
        parts = serial.split(":", 5)
        if len(parts) != 6 or not parts[5].startswith("mfa/"):
            return None
        found = _as(MfaDevice, self.stored(MFA_DEVICE, parts[4], parts[5].removeprefix("mfa/")))
        return found if found is not None and found.arn == serial else None

    def mfa_devices(self, account_id: str) -> list[MfaDevice]:
        """Give an account's virtual MFA devices."""
        return self.every(MFA_DEVICE, account_id, MfaDevice)

    def user_by_id(self, account_id: str, user_id: str) -> User | None:
        """Find a user by the id that outlasts renames. It walks through all."""
        return next((user for user in self.every(USER, account_id, User) if user.id == user_id), None)

    def oidc_providers(self, account_id: str) -> list[OidcProvider]:
        """Give an account's OpenID Connect providers."""
        return self.every(OIDC_PROVIDER, account_id, OidcProvider)

    def every(self, kind: str, account_id: str, entity_class: type[AnEntity]) -> list[AnEntity]:
        """Give all of a kind, in the order of their names."""
        entities = self._stored.get((kind, account_id), {})
        found = (entities[record_id].entity for record_id in sorted(entities))
        return [entity for entity in found if isinstance(entity, entity_class)]

    def holders(self, account_id: str) -> Iterator[Holder]:
        """Give every user, group and role of an account."""
        yield from self.every(USER, account_id, User)
        yield from self.every(GROUP, account_id, Group)
        yield from self.every(ROLE, account_id, Role)

    def policies_of(self, principal: Principal) -> OwnPolicies:
        """Give what a principal's own policies are: none for root, services and anonymous."""
        holder: Holder | None = None
        if principal.kind == "user":
            holder = self.user(principal.account_id, principal.name)
        elif principal.kind == "federated":
            holder = self.user(principal.account_id, principal.owner_name)
        elif principal.kind == "assumed-role":
            holder = self.role_by_arn(principal.role_arn)
        if holder is None:
            return OwnPolicies()
        own = self._held.get(holder.arn)
        if own is None:
            own = self._held[holder.arn] = self.held_policies(holder)
        if not principal.session_policies and principal.kind != "federated":  # who may nothing without one
            return own
        session = tuple(self._session_policy(one) for one in principal.session_policies)
        return OwnPolicies(own.identity, own.boundary, session)

    def held_policies(self, holder: Holder) -> OwnPolicies:
        """Compile what a user (with its groups), group or role holds."""
        holders: list[Holder] = [holder]
        if isinstance(holder, User):
            groups = (self.group(holder.account_id, name) for name in holder.groups)
            holders.extend(group for group in groups if group is not None)
        identity: list[Policy] = []
        for one in holders:
            identity.extend(
                self.compiled.get(document, "identity", name=name) for name, document in one.policies.inline.items()
            )
            identity.extend(self._managed(arn) for arn in one.policies.attached)
        boundary = holder.policies.boundary
        return OwnPolicies(tuple(identity), self._managed(boundary) if boundary else None)

    # How it is derived

    def _managed(self, arn: str) -> Policy:
        policy = self.managed_policy(arn)
        return deny_everything(arn) if policy is None else self.compiled.get(policy.document, "identity", name=arn)

    def _session_policy(self, document: str) -> Policy:
        if document.startswith("arn:"):
            return self._managed(document)
        return self.compiled.get(document, "session", name="session policy")

    def _long_term(self, access_key_id: str) -> Identity | None:
        found = self._key_owners.get(access_key_id)
        if found is None or found[0].status != "Active":
            return None
        key, owner = found
        secret = self._seal.open(base64.b64decode(key.sealed_secret), purpose=SECRET_PURPOSE).decode()
        identity = Identity(principal_of(owner, access_key_id), secret)
        self._identities[access_key_id] = identity
        return identity

    def _open(self, token: str) -> Identity | None:
        session = self._tokens.open(token)
        principal = None if session is None else self._session_principal(session)
        if session is None or principal is None:
            return None
        identity = Identity(principal, session.secret_access_key)
        if len(self._sessions) >= SESSIONS_MAX:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[token] = identity
        return identity

    def _session_principal(self, session: Session) -> Principal | None:
        """Give the principal of a session, or None when its user or role is gone."""
        if session.kind == "assumed-role":
            role = self.role_by_arn(session.role_arn)
            return session_of_role(session, role) if role is not None and role.id == session.owner_id else None
        owner: User | Account | None = (
            self.account(session.account_id) if session.kind == "root" else self.user(session.account_id, session.name)
        )
        if owner is None or (isinstance(owner, User) and owner.id != session.owner_id):
            return None
        if session.kind == "federated" and isinstance(owner, User):
            return federated_user(session, owner)
        return principal_of(
            owner,
            session.access_key_id,
            token_issued_at_ms=session.issued_at_ms,
            expires_at_ms=session.expires_at_ms,
            mfa_at_ms=session.mfa_at_ms,
        )


def change_key(kind: str, account_id: str, record_id: str) -> str:
    """Give the key under which a record is published."""
    return f"{kind}/{account_id}/{record_id}"


def principal_of(owner: User | Account, access_key_id: str = "", **session: Any) -> Principal:
    """Give the principal of a user, or of the account's root user."""
    if isinstance(owner, User):
        return Principal(
            kind="user",
            account_id=owner.account_id,
            arn=owner.arn,
            principal_id=owner.id,
            access_key_id=access_key_id,
            name=owner.name,
            tags=owner.tags,
            **session,
        )
    return Principal(
        kind="root",
        account_id=owner.account_id,
        arn=owner.arn,
        principal_id=owner.account_id,
        access_key_id=access_key_id,
        **session,
    )


def federated_user(session: Session, owner: User) -> Principal:
    """Give the principal of GetFederationToken's credentials. A session tag takes the place of the user's."""
    return Principal(
        kind="federated",
        account_id=owner.account_id,
        arn=f"arn:aws:sts::{owner.account_id}:federated-user/{session.session_name}",
        principal_id=f"{owner.account_id}:{session.session_name}",
        access_key_id=session.access_key_id,
        name=session.session_name,
        owner_name=owner.name,
        session_policies=session.policies,
        tags=_merged(owner.tags, session.tags),
        token_issued_at_ms=session.issued_at_ms,
        expires_at_ms=session.expires_at_ms,
    )


def session_of_role(session: Session, role: Role) -> Principal:
    """Give the principal of a role's session. A session tag takes the place of the role's tag of that key."""
    return Principal(
        kind="assumed-role",
        account_id=role.account_id,
        arn=f"arn:aws:sts::{role.account_id}:assumed-role/{role.name}/{session.session_name}",
        principal_id=f"{role.id}:{session.session_name}",
        access_key_id=session.access_key_id,
        name=role.name,
        role_arn=role.arn,
        session_policies=session.policies,
        tags=_merged(role.tags, session.tags),
        token_issued_at_ms=session.issued_at_ms,
        expires_at_ms=session.expires_at_ms,
        transitive_tag_keys=session.transitive_tag_keys,
        source_identity=session.source_identity,
        provider_keys=session.provider_keys,
    )


def _merged(tags: Tags, session_tags: Tags) -> Tags:
    replaced = {key.lower() for key, _ in session_tags}
    return tuple(tag for tag in tags if tag[0].lower() not in replaced) + session_tags


def _access_keys(entity: Entity) -> tuple[AccessKey, ...]:
    return entity.access_keys if isinstance(entity, User | Account) else ()


def _as(entity_class: type[AnEntity], stored: Stored | None) -> AnEntity | None:
    return stored.entity if stored is not None and isinstance(stored.entity, entity_class) else None
