"""Virtual MFA devices: made, enabled by two codes in a row, asked by STS, and what policies see of it."""

from __future__ import annotations

import asyncio
import base64
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatepost.kernel.errors import ServiceError
from gatepost.kernel.operations import Principal
from gatepost.security.totp import code_at, step_of
from gatepost.services.iam.mfa_devices import DEVICES_OF_USER_MAX, WRONG_MAX, WRONG_MS
from tests.support.identities import IdentityWorld
from tests.support.policies import ACCOUNT, a_statement, a_trust_document
from tests.support.stores import some_records

SERIAL = f"arn:aws:iam::{ACCOUNT}:mfa/phone"
WITH_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


class Phone:
    """An authenticator app with a device's seed."""

    def __init__(self, world: IdentityWorld, seed: bytes) -> None:
        self._world = world
        self._seed = base64.b32decode(seed)

    def code(self, steps: int = 0) -> str:
        return code_at(self._seed, step_of(self._world.clock.now_ms()) + steps)


async def a_device(world: IdentityWorld, name: str = "phone", **params: Any) -> Phone:
    made = (await world.do("CreateVirtualMFADevice", VirtualMFADeviceName=name, **params))["VirtualMFADevice"]
    return Phone(world, made["Base32StringSeed"])


async def enabled(world: IdentityWorld, user: str = "ana", name: str = "phone", **params: Any) -> Phone:
    phone = await a_device(world, name, **params)
    serial = f"arn:aws:iam::{ACCOUNT}:mfa{params.get('Path', '/')}{name}"
    codes = {"AuthenticationCode1": phone.code(-1), "AuthenticationCode2": phone.code()}
    await world.do("EnableMFADevice", UserName=user, SerialNumber=serial, **codes)
    world.clock.advance(ms=30_000)
    return phone


def run(tmp_path: Path, scenario: Callable[[IdentityWorld], Any]) -> None:
    async def whole() -> None:
        async with some_records(tmp_path) as records:
            await scenario(IdentityWorld(records))

    asyncio.run(whole())


def the_holder(world: IdentityWorld, answer: dict[str, Any]) -> Principal:
    """Give who has temporary credentials."""
    told = answer["Credentials"]
    identity = world.directory.find(told["AccessKeyId"], told["SessionToken"], world.clock.now_ms())
    assert identity is not None
    return identity.principal


def may(world: IdentityWorld, who: Principal) -> bool:
    return world.may(who, "s3:GetObject", "arn:aws:s3:::a/b")


def test_a_device_tells_its_seed_and_a_picture_of_it_once_and_belongs_to_nobody(tmp_path: Path) -> None:
    async def scenario(world: IdentityWorld) -> None:
        told = await world.do("CreateVirtualMFADevice", VirtualMFADeviceName="phone", Path="/eng/")
        made = told["VirtualMFADevice"]
        assert made["SerialNumber"] == f"arn:aws:iam::{ACCOUNT}:mfa/eng/phone"
        assert len(base64.b32decode(made["Base32StringSeed"])) == 40
        assert made["QRCodePNG"][:4] == b"\x89PNG"
        assert struct.unpack(">I", made["QRCodePNG"][16:20])[0] > 100
        again = {"VirtualMFADeviceName": "Phone", "Path": "/eng/"}
        await world.refused("EntityAlreadyExists", "CreateVirtualMFADevice", **again)
        (listed,) = (await world.do("ListVirtualMFADevices"))["VirtualMFADevices"]
        assert listed == {"SerialNumber": made["SerialNumber"], "Tags": []}
        stored = world.directory.mfa_device(made["SerialNumber"])
        assert stored is not None
        assert made["Base32StringSeed"].decode() not in stored.sealed_seed
        await world.do("DeleteVirtualMFADevice", SerialNumber=made["SerialNumber"])
        await world.refused("NoSuchEntity", "DeleteVirtualMFADevice", SerialNumber=made["SerialNumber"])

    run(tmp_path, scenario)


def test_a_device_is_enabled_by_two_codes_in_a_row_and_nothing_else(tmp_path: Path) -> None:
    async def scenario(world: IdentityWorld) -> None:
        await world.a_user()
        await world.a_user("ben")
        phone = await a_device(world)
        on = {"UserName": "ana", "SerialNumber": SERIAL}
        for first, second in ((0, 0), (-2, 0), (0, -1), (-30, -29)):
            codes = {"AuthenticationCode1": phone.code(first), "AuthenticationCode2": phone.code(second)}
            await world.refused("InvalidAuthenticationCode", "EnableMFADevice", **on, **codes)
        codes = {"AuthenticationCode1": phone.code(-1), "AuthenticationCode2": phone.code()}
        await world.do("EnableMFADevice", **on, **codes)
        world.clock.advance(ms=60_000)
        codes = {"AuthenticationCode1": phone.code(-1), "AuthenticationCode2": phone.code()}
        await world.refused("EntityAlreadyExists", "EnableMFADevice", **{**on, "UserName": "ben"}, **codes)
        (listed,) = (await world.do("ListMFADevices", UserName="ana"))["MFADevices"]
        assert (listed["UserName"], listed["SerialNumber"]) == ("ana", SERIAL)
        assert (await world.do("ListMFADevices", UserName="ben"))["MFADevices"] == []
        assert (await world.do("GetMFADevice", SerialNumber=SERIAL))["UserName"] == "ana"
        assigned = await world.do("ListVirtualMFADevices", AssignmentStatus="Assigned")
        assert assigned["VirtualMFADevices"][0]["User"]["UserName"] == "ana"
        assert (await world.do("ListVirtualMFADevices", AssignmentStatus="Unassigned"))["VirtualMFADevices"] == []
        summary = (await world.do("GetAccountSummary"))["SummaryMap"]
        assert (summary["MFADevices"], summary["MFADevicesInUse"]) == (1, 1)
        await world.refused("DeleteConflict", "DeleteVirtualMFADevice", SerialNumber=SERIAL)
        for key in (await world.do("ListAccessKeys", UserName="ana"))["AccessKeyMetadata"]:
            await world.do("DeleteAccessKey", UserName="ana", AccessKeyId=key["AccessKeyId"])
        await world.refused("DeleteConflict", "DeleteUser", UserName="ana")
        await world.do("UpdateUser", UserName="ana", NewUserName="anabel")
        assert (await world.do("GetMFADevice", SerialNumber=SERIAL))["UserName"] == "anabel"
        await world.refused("NoSuchEntity", "DeactivateMFADevice", UserName="ben", SerialNumber=SERIAL)
        await world.do("DeactivateMFADevice", UserName="anabel", SerialNumber=SERIAL)
        await world.refused("NoSuchEntity", "GetMFADevice", SerialNumber=SERIAL)
        await world.do("DeleteUser", UserName="anabel")

    run(tmp_path, scenario)


def test_a_session_remembers_the_code_that_it_was_made_with_and_policies_see_it(tmp_path: Path) -> None:
    async def scenario(world: IdentityWorld) -> None:
        ana = await world.a_user()
        recent = {**WITH_MFA, "NumericLessThan": {"aws:MultiFactorAuthAge": "300"}}
        await world.allow_user("ana", a_statement(action="s3:*", Condition=recent))
        phone = await enabled(world)
        assert not may(world, ana)
        plain = the_holder(world, await world.do("GetSessionToken", ana, service="sts"))
        assert not may(world, plain)
        shown = {"SerialNumber": SERIAL, "TokenCode": phone.code()}
        told = await world.do("GetSessionToken", ana, service="sts", **shown)
        holder = the_holder(world, told)
        assert may(world, holder)
        await world.refused("AccessDeniedException", "GetSessionToken", ana, service="sts", **shown)  # it is used up
        world.clock.advance(ms=301_000)
        assert not may(world, holder)

    run(tmp_path, scenario)


def test_a_role_that_wants_a_second_factor_is_assumed_with_a_code_or_a_session_that_had_one(tmp_path: Path) -> None:
    async def scenario(world: IdentityWorld) -> None:
        ana, ben = await world.a_user(), await world.a_user("ben")
        role = await world.a_role("app", trusts={"AWS": ana.arn})
        document = a_trust_document({"AWS": [ana.arn, ben.arn]}, Condition=WITH_MFA)
        await world.do("UpdateAssumeRolePolicy", RoleName="app", PolicyDocument=document)
        phone = await enabled(world)
        asked = {"RoleArn": role, "RoleSessionName": "phone"}
        await world.refused("AccessDeniedException", "AssumeRole", ana, service="sts", **asked)
        shown = {"SerialNumber": SERIAL, "TokenCode": phone.code()}
        await world.refused("AccessDeniedException", "AssumeRole", ben, service="sts", **asked, **shown)
        session = the_holder(world, await world.do("AssumeRole", ana, service="sts", **asked, **shown))
        assert session.mfa_at_ms == 0  # "do not include MFA information in the context"
        await world.refused("AccessDeniedException", "AssumeRole", ana, service="sts", **asked, **shown)
        world.clock.advance(ms=30_000)
        shown = {"SerialNumber": SERIAL, "TokenCode": phone.code()}
        with_code = the_holder(world, await world.do("GetSessionToken", ana, service="sts", **shown))
        await world.do("AssumeRole", with_code, service="sts", **asked)
        half = {**asked, "SerialNumber": SERIAL}
        await world.refused("ValidationError", "AssumeRole", ana, service="sts", **half)

    run(tmp_path, scenario)


def test_who_guesses_is_left_waiting(tmp_path: Path) -> None:
    async def scenario(world: IdentityWorld) -> None:
        ana = await world.a_user()
        phone = await enabled(world)
        wrong = "000000" if phone.code() != "000000" else "000001"
        for _ in range(WRONG_MAX):
            shown = {"SerialNumber": SERIAL, "TokenCode": wrong}
            await world.refused("AccessDeniedException", "GetSessionToken", ana, service="sts", **shown)
        right = {"SerialNumber": SERIAL, "TokenCode": phone.code()}
        await world.refused("AccessDeniedException", "GetSessionToken", ana, service="sts", **right)
        world.clock.advance(ms=WRONG_MS)
        await world.do("GetSessionToken", ana, service="sts", SerialNumber=SERIAL, TokenCode=phone.code())

    run(tmp_path, scenario)


def test_a_clock_that_is_off_is_learnt_and_of_two_at_once_one_uses_a_code(tmp_path: Path) -> None:
    async def scenario(world: IdentityWorld) -> None:
        ana = await world.a_user()
        phone = await enabled(world)
        world.clock.advance(ms=600_000)
        off = {"SerialNumber": SERIAL, "TokenCode": phone.code(-8)}
        await world.refused("AccessDeniedException", "GetSessionToken", ana, service="sts", **off)
        codes = {"AuthenticationCode1": phone.code(-9), "AuthenticationCode2": phone.code(-8)}
        await world.do("ResyncMFADevice", UserName="ana", SerialNumber=SERIAL, **codes)
        world.clock.advance(ms=60_000)
        shown = {"SerialNumber": SERIAL, "TokenCode": phone.code(-8)}
        asked = [world.do("GetSessionToken", ana, service="sts", **shown) for _ in range(4)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert len([one for one in answers if isinstance(one, dict)]) == 1

    run(tmp_path, scenario)


def test_a_user_has_so_many_devices_and_they_have_tags(tmp_path: Path) -> None:
    async def scenario(world: IdentityWorld) -> None:
        await world.a_user()
        for number in range(DEVICES_OF_USER_MAX):
            await enabled(world, name=f"d{number}")
        with pytest.raises(ServiceError) as refused:
            await enabled(world, name="one-more")
        assert refused.value.code == "LimitExceeded"
        serial = f"arn:aws:iam::{ACCOUNT}:mfa/d0"
        await world.do("TagMFADevice", SerialNumber=serial, Tags=[{"Key": "team", "Value": "a"}])
        assert (await world.do("ListMFADeviceTags", SerialNumber=serial))["Tags"] == [{"Key": "team", "Value": "a"}]
        await world.do("UntagMFADevice", SerialNumber=serial, TagKeys=["team"])
        assert (await world.do("ListMFADeviceTags", SerialNumber=serial))["Tags"] == []

    run(tmp_path, scenario)
