"""What users' passwords must be: the account's password policy, or AWS's own where the account has none.

Sources: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_passwords_account-policy.html,
https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccountPasswordPolicy.html. The words of the refusals are
`unverified`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.operations import Call, operation
from gatepost.services.iam.directory import Directory
from gatepost.services.iam.entities import Entities
from gatepost.services.iam.errors import NoSuchEntityException, PasswordPolicyViolationException
from gatepost.services.iam.holders import Answer, Params
from gatepost.services.iam.model import (
    ACCOUNT,
    ACCOUNT_RECORD_ID,
    Account,
    LoginProfile,
    PasswordPolicy,
    whole_second,
)

PASSWORD_CHARACTERS_MAX: Final = 128
_DEFAULT_CHARACTERS_MIN: Final = 8  # of AWS's own policy, with three of the four kinds of characters
_DEFAULT_KINDS_MIN: Final = 3
_SYMBOLS: Final = frozenset("!@#$%^&*()_+-=[]{}|'")
_DAY_MS: Final = 86_400_000


def check_password(password: str, policy: PasswordPolicy | None, account: Account) -> None:
    """Refuse a password that the policy does not let be. Raises: PasswordPolicyViolationException."""
    if len(password) > PASSWORD_CHARACTERS_MAX:
        raise PasswordPolicyViolationException(
            f"Password should have a maximum length of {PASSWORD_CHARACTERS_MAX} characters"
        )
    if policy is None:
        _check_by_default(password, account)
        return
    if len(password) < policy.characters_min:
        raise PasswordPolicyViolationException(f"Password should have a minimum length of {policy.characters_min}")
    rules: tuple[tuple[bool, Callable[[str], bool], str], ...] = (
        (policy.needs_uppercase, _is_upper, "uppercase letter"),
        (policy.needs_lowercase, _is_lower, "lowercase letter"),
        (policy.needs_numbers, _is_number, "number"),
        (policy.needs_symbols, _SYMBOLS.__contains__, "symbol"),
    )
    for is_needed, has, word in rules:
        if is_needed and not any(map(has, password)):
            raise PasswordPolicyViolationException(f"Password should have at least one {word}")


def _check_by_default(password: str, account: Account) -> None:
    kinds = sum(any(map(has, password)) for has in (_is_upper, _is_lower, _is_number, _is_other))
    if len(password) < _DEFAULT_CHARACTERS_MIN or kinds < _DEFAULT_KINDS_MIN:
        raise PasswordPolicyViolationException(
            "Password does not conform to the account password policy: it needs at least "
            f"{_DEFAULT_CHARACTERS_MIN} characters, and three of uppercase and lowercase letters, numbers, symbols"
        )
    if password.lower() in (account.account_id, account.alias.lower()):
        raise PasswordPolicyViolationException("Password must not be the account's name")


def _is_upper(character: str) -> bool:
    return "A" <= character <= "Z"


def _is_lower(character: str) -> bool:
    return "a" <= character <= "z"


def _is_number(character: str) -> bool:
    return "0" <= character <= "9"


def _is_other(character: str) -> bool:
    return not character.isalnum()


def is_expired(login: LoginProfile, policy: PasswordPolicy | None, now_ms: int) -> bool:
    """Say whether a password is older than the policy lets it become."""
    return bool(
        policy is not None and policy.age_days_max and now_ms >= login.changed_at_ms + policy.age_days_max * _DAY_MS
    )


def expires_at_ms(login: LoginProfile, policy: PasswordPolicy | None) -> int | None:
    """Give when a password becomes too old, or None."""
    if policy is None or not policy.age_days_max:
        return None
    return login.changed_at_ms + policy.age_days_max * _DAY_MS


class PasswordPolicyOperations:
    """The operations on the account's password policy; a part of the provider."""

    _directory: Directory
    _entities: Entities

    @operation("GetAccountPasswordPolicy")
    def get_account_password_policy(self, call: Call, params: Params) -> Answer:  # noqa: ARG002
        """Give the account's password policy. Raises: NoSuchEntity while AWS's own is in force."""
        policy = self._directory.account(call.account_id).password_policy
        if policy is None:
            raise NoSuchEntityException(_missing(call))
        return {"PasswordPolicy": _to_aws(policy)}

    @operation("UpdateAccountPasswordPolicy")
    async def update_account_password_policy(self, call: Call, params: Params) -> Answer:
        """Replace the account's password policy; what is left out is reset to its default."""
        policy = PasswordPolicy(
            characters_min=params.get("MinimumPasswordLength", 6),
            needs_symbols=params.get("RequireSymbols", False),
            needs_numbers=params.get("RequireNumbers", False),
            needs_uppercase=params.get("RequireUppercaseCharacters", False),
            needs_lowercase=params.get("RequireLowercaseCharacters", False),
            users_may_change=params.get("AllowUsersToChangePassword", False),
            age_days_max=params.get("MaxPasswordAge", 0),
            reuse_prevention=params.get("PasswordReusePrevention", 0),
            hard_expiry=params.get("HardExpiry"),
        )
        if self._directory.stored(ACCOUNT, call.account_id, ACCOUNT_RECORD_ID) is None:
            account = Account(call.account_id, created_at_ms=whole_second(call.now_ms), password_policy=policy)
            await self._entities.create(account, exists="The account has its record already.")
            return {}
        return await self._change_account(call, lambda account: replace(account, password_policy=policy))

    @operation("DeleteAccountPasswordPolicy")
    async def delete_account_password_policy(self, call: Call, params: Params) -> Answer:  # noqa: ARG002
        """Go back to AWS's own policy. Raises: NoSuchEntity."""

        def change(account: Account) -> Account:
            if account.password_policy is None:
                raise NoSuchEntityException(_missing(call, "The account policy"))
            return replace(account, password_policy=None)

        return await self._change_account(call, change)

    async def _change_account(self, call: Call, change: Callable[[Account], Account]) -> Answer:
        missing = _missing(call)
        await self._entities.change(
            Account, ACCOUNT, call.account_id, ACCOUNT_RECORD_ID, missing=missing, change=change
        )
        return {}


def _missing(call: Call, what: str = "The Password Policy") -> str:
    return f"{what} with domain name {call.account_id} cannot be found."


def _to_aws(policy: PasswordPolicy) -> dict[str, Any]:
    """Give AWS's PasswordPolicy; what is not set is left out."""
    told: dict[str, Any] = {
        "MinimumPasswordLength": policy.characters_min,
        "RequireSymbols": policy.needs_symbols,
        "RequireNumbers": policy.needs_numbers,
        "RequireUppercaseCharacters": policy.needs_uppercase,
        "RequireLowercaseCharacters": policy.needs_lowercase,
        "AllowUsersToChangePassword": policy.users_may_change,
        "ExpirePasswords": policy.age_days_max > 0,
        "MaxPasswordAge": policy.age_days_max or None,
        "PasswordReusePrevention": policy.reuse_prevention or None,
        "HardExpiry": policy.hard_expiry,
    }
    return {name: value for name, value in told.items() if value is not None}
