"""Users and their access keys, and the root user's access keys.

Where `UserName` may be left out, it is the caller: a user, or the root user of the account.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.ids import UPPER_BASE32, random_id
from gatepost.kernel.operations import Call, operation
from gatepost.security.access_keys import LONG_TERM, new_access_key_id, new_secret_access_key
from gatepost.security.session_tokens import Sealing
from gatepost.services.iam.directory import SECRET_PURPOSE, Directory
from gatepost.services.iam.entities import Entities
from gatepost.services.iam.errors import (
    DeleteConflictException,
    LimitExceededException,
    NoSuchEntityException,
    ValidationError,
)
from gatepost.services.iam.holders import Answer, Params, missing, new_policies
from gatepost.services.iam.last_uses import LastUses
from gatepost.services.iam.listing import list_tags, new_tags, paged, tagged, untagged
from gatepost.services.iam.mfa_devices import mfa_in_the_way
from gatepost.services.iam.model import ACCOUNT, ACCOUNT_RECORD_ID, USER, AccessKey, Account, User, whole_second

USERS_MAX: Final = 5_000
ACCESS_KEYS_MAX: Final = 2


class UserOperations:
    """The operations on users and access keys; a part of the provider."""

    _directory: Directory
    _entities: Entities
    _seal: Sealing
    _uses: LastUses

    def _user(self, call: Call, name: str) -> User:
        user = self._directory.user(call.account_id, name)
        if user is None:
            raise NoSuchEntityException(missing("user", name))
        return user

    async def _change_user(self, call: Call, name: str, change: Any) -> User:
        return await self._entities.change(
            User, USER, call.account_id, name, missing=missing("user", name), change=change
        )

    @operation("CreateUser")
    async def create_user(self, call: Call, params: Params) -> Answer:
        """Create a user without any permission. Raises: EntityAlreadyExists, LimitExceeded, InvalidInput."""
        name = params["UserName"]
        user = User(
            account_id=call.account_id,
            name=name,
            path=params.get("Path", "/"),
            id="AIDA" + random_id(17, UPPER_BASE32),
            created_at_ms=whole_second(call.now_ms),
            policies=new_policies(self._directory, params, call.account_id),
            tags=new_tags(params.get("Tags", ())),
        )

        def check() -> None:
            if len(self._directory.every(USER, call.account_id, User)) >= USERS_MAX:
                raise LimitExceededException(f"Cannot exceed quota for UsersPerAccount: {USERS_MAX}")

        await self._entities.create(user, exists=f"User with name {name} already exists.", check=check)
        return {"User": user.to_aws()}

    @operation("GetUser")
    def get_user(self, call: Call, params: Params) -> Answer:
        """Give a user, by default the caller (of root there are no name and path).

        Raises: NoSuchEntity, ValidationError for a role's session.
        """
        name = params.get("UserName", "")
        if not name and call.principal.kind == "root":
            account = self._directory.account(call.account_id)
            root = {"UserId": account.account_id, "Arn": account.arn, "CreateDate": account.created_at_ms}
            return {"User": root}
        return {"User": self._user(call, name or caller_name(call)).to_aws()}

    @operation("ListUsers")
    def list_users(self, call: Call, params: Params) -> Answer:
        """List users under a path."""
        prefix = params.get("PathPrefix", "/")
        users = [u for u in self._directory.every(USER, call.account_id, User) if u.path.startswith(prefix)]
        page, rest = paged(users, params, name_of=lambda user: user.name.lower())
        return {"Users": [_listed(user) for user in page], **rest}

    @operation("UpdateUser")
    async def update_user(self, call: Call, params: Params) -> Answer:
        """Rename or move a user; its id and its keys stay. Raises: NoSuchEntity, EntityAlreadyExists."""

        def change(user: User) -> User:
            return replace(user, name=params.get("NewUserName", user.name), path=params.get("NewPath", user.path))

        await self._change_user(call, params["UserName"], change)
        return {}

    @operation("DeleteUser")
    async def delete_user(self, call: Call, params: Params) -> Answer:
        """Delete a user that nothing belongs to any more. Raises: NoSuchEntity, DeleteConflict."""
        await self._entities.delete(
            User,
            USER,
            call.account_id,
            params["UserName"],
            missing=missing("user", params["UserName"]),
            check=self._check_deletable,
        )
        return {}

    def _check_deletable(self, user: User) -> None:
        if (in_the_way := mfa_in_the_way(self._directory, user)) is not None:
            raise in_the_way
        _check_deletable(user)

    @operation("TagUser")
    async def tag_user(self, call: Call, params: Params) -> Answer:
        """Add or replace tags. Raises: NoSuchEntity, InvalidInput, LimitExceeded."""
        await self._change_user(
            call, params["UserName"], lambda user: replace(user, tags=tagged(user.tags, params["Tags"]))
        )
        return {}

    @operation("UntagUser")
    async def untag_user(self, call: Call, params: Params) -> Answer:
        """Take tags away. Raises: NoSuchEntity."""
        await self._change_user(
            call, params["UserName"], lambda user: replace(user, tags=untagged(user.tags, params["TagKeys"]))
        )
        return {}

    @operation("ListUserTags")
    def list_user_tags(self, call: Call, params: Params) -> Answer:
        """List a user's tags. Raises: NoSuchEntity."""
        return list_tags(self._user(call, params["UserName"]).tags, params)

    # Access keys

    @operation("CreateAccessKey")
    async def create_access_key(self, call: Call, params: Params) -> Answer:
        """Make an access key; its secret is told this once. Raises: NoSuchEntity, LimitExceeded."""
        secret = new_secret_access_key()
        key = self.new_access_key(call.account_id, secret, whole_second(call.now_ms))

        def change(owner: User | Account) -> User | Account:
            if len(owner.access_keys) >= ACCESS_KEYS_MAX:
                raise LimitExceededException(f"Cannot exceed quota for AccessKeysPerUser: {ACCESS_KEYS_MAX}")
            return replace(owner, access_keys=(*owner.access_keys, key))

        owner = await self._change_key_owner(call, params, change)
        return {"AccessKey": {**key.to_aws(_key_owner_name(owner)), "SecretAccessKey": secret}}

    @operation("ListAccessKeys")
    def list_access_keys(self, call: Call, params: Params) -> Answer:
        """List access keys, by default the caller's. Raises: NoSuchEntity."""
        name = params.get("UserName", "")
        owner: User | Account
        if not name and call.principal.kind == "root":
            owner = self._directory.account(call.account_id)
        else:
            owner = self._user(call, name or caller_name(call))
        numbered = list(enumerate(owner.access_keys))  # in the order in which they were made
        page, rest = paged(numbered, params, name_of=lambda one: str(one[0]))
        return {"AccessKeyMetadata": [key.to_aws(_key_owner_name(owner)) for _, key in page], **rest}

    @operation("GetAccessKeyLastUsed")
    def get_access_key_last_used(self, call: Call, params: Params) -> Answer:
        """Say when a key was last used, where and for which service. Raises: NoSuchEntity."""
        key_id = params["AccessKeyId"]
        owner = self._directory.key_owner(key_id)
        if owner is None or owner.account_id != call.account_id:
            raise NoSuchEntityException(f"The Access Key with id {key_id} cannot be found.")
        use = self._uses.of_key(key_id)
        told: dict[str, object] = {"ServiceName": "N/A", "Region": "N/A"}
        if use is not None:
            told = {"LastUsedDate": whole_second(use.at_ms), "ServiceName": use.service, "Region": use.region}
        return {"UserName": _key_owner_name(owner), "AccessKeyLastUsed": told}

    @operation("UpdateAccessKey")
    async def update_access_key(self, call: Call, params: Params) -> Answer:
        """Make a key active or inactive. Raises: NoSuchEntity, ValidationError."""
        key_id, status = params["AccessKeyId"], params["Status"]
        if status not in ("Active", "Inactive"):
            raise ValidationError(f"Status must be Active or Inactive, not {status}")

        def change(owner: User | Account) -> User | Account:
            _check_has_key(owner, key_id)
            keys = tuple(replace(key, status=status) if key.id == key_id else key for key in owner.access_keys)
            return replace(owner, access_keys=keys)

        await self._change_key_owner(call, params, change)
        return {}

    @operation("DeleteAccessKey")
    async def delete_access_key(self, call: Call, params: Params) -> Answer:
        """Delete a key. Raises: NoSuchEntity."""
        key_id = params["AccessKeyId"]

        def change(owner: User | Account) -> User | Account:
            _check_has_key(owner, key_id)
            return replace(owner, access_keys=tuple(key for key in owner.access_keys if key.id != key_id))

        await self._change_key_owner(call, params, change)
        return {}

    def new_access_key(self, account_id: str, secret: str, now_ms: int) -> AccessKey:
        """Make an active key with its secret sealed."""
        sealed = self._seal.seal(secret.encode(), purpose=SECRET_PURPOSE)
        key_id = new_access_key_id(LONG_TERM, account_id)
        return AccessKey(key_id, base64.b64encode(sealed).decode(), "Active", now_ms)

    async def _change_key_owner(self, call: Call, params: Mapping[str, Any], change: Any) -> User | Account:
        name = params.get("UserName", "")
        if name or call.principal.kind != "root":
            return await self._change_user(call, name or caller_name(call), change)
        return await self._entities.change(
            Account,
            ACCOUNT,
            call.account_id,
            ACCOUNT_RECORD_ID,
            missing="The root user has no access keys.",
            change=change,
        )


def caller_name(call: Call) -> str:
    """Give the calling user's name. Raises: ValidationError when the caller is no user."""
    if call.principal.kind != "user":
        raise ValidationError("Must specify userName when calling with non-User credentials")
    return call.principal.name


def _key_owner_name(owner: User | Account) -> str:
    return owner.name if isinstance(owner, User) else "root"


def _check_has_key(owner: User | Account, key_id: str) -> None:
    if all(key.id != key_id for key in owner.access_keys):
        raise NoSuchEntityException(f"The Access Key with id {key_id} cannot be found.")


def _check_deletable(user: User) -> None:
    """Say what is in the way, in the order that AWS asks for it to be removed (`unverified`)."""
    if user.login is not None:
        raise DeleteConflictException("Cannot delete entity, must delete login profile first.")
    if user.signing_certificates:
        raise DeleteConflictException("Cannot delete entity, must delete signing certificates first.")
    if user.ssh_keys:
        raise DeleteConflictException("Cannot delete entity, must delete SSH public keys first.")
    if user.access_keys:
        raise DeleteConflictException("Cannot delete entity, must delete access keys first.")
    if user.policies.attached:
        raise DeleteConflictException("Cannot delete entity, must detach all policies first.")
    if user.policies.inline:
        raise DeleteConflictException("Cannot delete entity, must delete policies first.")
    if user.groups:
        raise DeleteConflictException("Cannot delete entity, must remove users from group first.")


def _listed(user: User) -> dict[str, object]:
    """Give a user as lists do: without tags and boundary (API_ListUsers.html)."""
    members = user.to_aws()
    return {name: members[name] for name in ("Path", "UserName", "UserId", "Arn", "CreateDate")}
