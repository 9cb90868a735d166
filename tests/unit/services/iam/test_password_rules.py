"""The account's password policy: what it makes of a password, and its three operations."""

import asyncio
from pathlib import Path

import pytest

from gatepost.services.iam.errors import PasswordPolicyViolationException
from gatepost.services.iam.model import Account, PasswordPolicy
from gatepost.services.iam.password_rules import check_password
from tests.support.identities import an_identity_world

ACCOUNT = Account("123456789012", alias="My-Company1")


@pytest.mark.parametrize(
    ("policy", "password", "says"),
    [
        (None, "Short-1", "at least 8"),
        (None, "lowercaseonly1", "three of"),
        (None, "my-company1", "account's name"),
        (None, "x" * 129, "maximum length of 128"),
        (PasswordPolicy(characters_min=10), "nine-char", "minimum length of 10"),
        (PasswordPolicy(needs_uppercase=True), "no-upper-1", "one uppercase letter"),
        (PasswordPolicy(needs_lowercase=True), "NO-LOWER-1", "one lowercase letter"),
        (PasswordPolicy(needs_numbers=True), "no-number", "one number"),
        (PasswordPolicy(needs_symbols=True), "nosymbol1", "one symbol"),
    ],
)
def test_a_password_that_breaks_a_rule_is_refused(policy: PasswordPolicy | None, password: str, says: str) -> None:
    with pytest.raises(PasswordPolicyViolationException, match=says):
        check_password(password, policy, ACCOUNT)


def test_a_password_that_keeps_every_rule_is_taken() -> None:
    check_password("Passw0rd", None, ACCOUNT)
    check_password("Aa1-xyz", PasswordPolicy(7, True, True, True, True), ACCOUNT)
    check_password("simple", PasswordPolicy(), ACCOUNT)


def test_a_policy_is_put_in_force_replaced_as_a_whole_and_taken_away(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            message = await world.refused("NoSuchEntity", "GetAccountPasswordPolicy")
            account_id = world.root.account_id
            assert message == f"The Password Policy with domain name {account_id} cannot be found."
            await world.do("UpdateAccountPasswordPolicy", RequireSymbols=True, MaxPasswordAge=90, HardExpiry=False)
            assert (await world.do("GetAccountPasswordPolicy"))["PasswordPolicy"] == {
                "MinimumPasswordLength": 6,
                "RequireSymbols": True,
                "RequireNumbers": False,
                "RequireUppercaseCharacters": False,
                "RequireLowercaseCharacters": False,
                "AllowUsersToChangePassword": False,
                "ExpirePasswords": True,
                "MaxPasswordAge": 90,
                "HardExpiry": False,
            }
            await world.do("UpdateAccountPasswordPolicy", PasswordReusePrevention=3)
            told = (await world.do("GetAccountPasswordPolicy"))["PasswordPolicy"]
            assert (told["RequireSymbols"], told["ExpirePasswords"], told["PasswordReusePrevention"]) == (
                False,
                False,
                3,
            )
            await world.iam.load()
            assert (await world.do("GetAccountPasswordPolicy"))["PasswordPolicy"] == told
            await world.do("DeleteAccountPasswordPolicy")
            await world.refused("NoSuchEntity", "DeleteAccountPasswordPolicy")

    asyncio.run(scenario())
