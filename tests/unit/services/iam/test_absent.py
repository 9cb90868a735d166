"""What nobody has here is said to be absent, so that tools that clean up before they delete a user can."""

import asyncio
from pathlib import Path

from tests.support.identities import an_identity_world


def test_a_user_has_none_of_what_is_not_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            name = "ana"
            await world.a_user(name)
            for operation, member in [("ListMFADevices", "MFADevices")]:
                assert await world.do(operation, UserName=name) == {member: [], "IsTruncated": False}
                await world.refused("NoSuchEntity", operation, UserName="nobody")
                await world.refused("ValidationError", operation, UserName=name, Marker="m")
            assert await world.do("ListServiceSpecificCredentials", UserName=name) == {"ServiceSpecificCredentials": []}

    asyncio.run(scenario())


def test_the_account_has_none_of_what_is_not_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            assert (await world.do("ListVirtualMFADevices"))["VirtualMFADevices"] == []
            assert await world.do("ListSAMLProviders") == {"SAMLProviderList": []}

    asyncio.run(scenario())
