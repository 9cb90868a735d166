"""Users' passwords: login profiles, and users who change their own.

There is no console to sign in to: passwords are kept (as Argon2id hashes), held to the account's password policy, and
changed by who knows them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from gatepost.kernel.errors import ServiceUnavailable
from gatepost.kernel.operations import Call, operation
from gatepost.security.passwords import Passwords, TooManyPasswords
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.entities import Entities
from gatepost.services.iam.errors import (
    AccessDenied,
    ConcurrentModificationException,
    EntityAlreadyExistsException,
    InvalidUserTypeException,
    NoSuchEntityException,
    PasswordPolicyViolationException,
    ValidationError,
)
from gatepost.services.iam.holders import Answer, Params, missing
from gatepost.services.iam.model import USER, LoginProfile, User, whole_second
from gatepost.services.iam.password_rules import check_password, is_expired
from gatepost.services.iam.users import caller_name

FORMER_MAX: Final = 23  # with the one in force as many as PasswordReusePrevention can name


class LoginProfileOperations:
    """The operations on users' passwords; a part of the provider."""

    _directory: Directory
    _entities: Entities
    _passwords: Passwords

    @operation("CreateLoginProfile")
    async def create_login_profile(self, call: Call, params: Params) -> Answer:
        """Give a user a password. Raises: NoSuchEntity, EntityAlreadyExists, PasswordPolicyViolation."""
        name = params.get("UserName") or caller_name(call)
        if "Password" not in params:
            raise ValidationError("Password is required: there are no root users of member accounts.")
        user = self._user_of(call, name)
        if user.login is not None:
            raise _exists(name)
        hashed = await self._new_hash(call, params["Password"], None)
        now_ms = whole_second(call.now_ms)
        login = LoginProfile(now_ms, now_ms, hashed, params.get("PasswordResetRequired", False))

        def change(found: User) -> User:
            if found.login is not None:
                raise _exists(name)
            return replace(found, login=login)

        await self._change_login(call, name, change)
        return {"LoginProfile": login.to_aws(user.name)}

    @operation("GetLoginProfile")
    def get_login_profile(self, call: Call, params: Params) -> Answer:
        """Say that a user has a password, and since when. Raises: NoSuchEntity."""
        user = self._user_of(call, params.get("UserName") or caller_name(call))
        return {"LoginProfile": _login_of(user).to_aws(user.name)}

    @operation("UpdateLoginProfile")
    async def update_login_profile(self, call: Call, params: Params) -> Answer:
        """Change a user's password, or whether it has to be changed. Raises: NoSuchEntity, PasswordPolicyViolation."""
        name = params["UserName"]
        login = _login_of(self._user_of(call, name))
        hashed = await self._new_hash(call, params["Password"], login) if "Password" in params else ""

        def change(found: User) -> User:
            kept = _login_of(found)
            changed = _with_hash(kept, hashed, call.now_ms) if hashed else kept
            required = params.get("PasswordResetRequired", kept.reset_required)
            return replace(found, login=replace(changed, reset_required=required))

        await self._change_login(call, name, change)
        return {}

    @operation("DeleteLoginProfile")
    async def delete_login_profile(self, call: Call, params: Params) -> Answer:
        """Take a user's password away. Raises: NoSuchEntity."""

        def change(found: User) -> User:
            _login_of(found)
            return replace(found, login=None)

        await self._change_login(call, params.get("UserName") or caller_name(call), change)
        return {}

    @operation("ChangePassword")
    async def change_password(self, call: Call, params: Params) -> Answer:
        """Let a user change the own password.

        Raises: InvalidUserType, NoSuchEntity, AccessDenied, PasswordPolicyViolation, ConcurrentModification.
        """
        if call.principal.kind != "user":
            raise InvalidUserTypeException("Only IAM users can change their own password.")
        user = self._user_of(call, call.principal.name)
        login = _login_of(user)
        if not await self._is_password(login.hash, params["OldPassword"]):
            raise AccessDenied("The old password is incorrect.")
        policy = self._directory.account(call.account_id).password_policy
        if policy is not None and policy.hard_expiry and is_expired(login, policy, call.now_ms):
            raise PasswordPolicyViolationException("The password has expired: an administrator has to reset it.")
        hashed = await self._new_hash(call, params["NewPassword"], login)

        def change(found: User) -> User:
            if found.login != login:
                raise ConcurrentModificationException("The password was changed at the same time")
            return replace(found, login=replace(_with_hash(login, hashed, call.now_ms), reset_required=False))

        await self._change_login(call, user.name, change)
        return {}

    def _user_of(self, call: Call, name: str) -> User:
        user = self._directory.user(call.account_id, name)
        if user is None:
            raise NoSuchEntityException(missing("user", name))
        return user

    async def _change_login(self, call: Call, name: str, change: Callable[[User], User]) -> None:
        await self._entities.change(User, USER, call.account_id, name, missing=missing("user", name), change=change)

    async def _new_hash(self, call: Call, password: str, login: LoginProfile | None) -> str:
        """Check a new password by the account's policy and hash it. Raises: PasswordPolicyViolation."""
        account = self._directory.account(call.account_id)
        policy = account.password_policy
        check_password(password, policy, account)
        if login is not None and policy is not None and policy.reuse_prevention:
            for kept in (login.hash, *login.former)[: policy.reuse_prevention]:
                if await self._is_password(kept, password):
                    raise PasswordPolicyViolationException(
                        f"Password must not be one of the last {policy.reuse_prevention} passwords"
                    )
        try:
            return await self._passwords.hash(password)
        except TooManyPasswords as many:
            raise ServiceUnavailable("Too many passwords are being checked.") from many

    async def _is_password(self, kept: str, password: str) -> bool:
        try:
            return await self._passwords.verify(kept, password)
        except TooManyPasswords as many:
            raise ServiceUnavailable("Too many passwords are being checked.") from many


def _with_hash(login: LoginProfile, hashed: str, now_ms: int) -> LoginProfile:
    former = (login.hash, *login.former)[:FORMER_MAX]
    return replace(login, hash=hashed, former=former, changed_at_ms=whole_second(now_ms))


def _login_of(user: User) -> LoginProfile:
    if user.login is None:
        raise NoSuchEntityException(f"Login Profile for User {user.name} cannot be found.")
    return user.login


def _exists(name: str) -> EntityAlreadyExistsException:
    return EntityAlreadyExistsException(f"Login Profile for User {name} already exists.")
