"""Instance profiles."""

import asyncio
from pathlib import Path

from tests.support.identities import an_identity_world
from tests.support.policies import a_statement


def test_an_instance_profile_has_one_role_that_its_giver_may_pass(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            await world.allow_user("ana", a_statement(action="iam:AddRoleToInstanceProfile"))
            await world.a_role("app")
            await world.a_role("second")
            await world.do("CreateInstanceProfile", InstanceProfileName="ip")
            add = {"InstanceProfileName": "ip", "RoleName": "app"}
            told = await world.refused("AccessDeniedException", "AddRoleToInstanceProfile", ana, **add)
            assert "iam:PassRole" in told
            await world.do("AddRoleToInstanceProfile", **add)
            await world.refused("LimitExceeded", "AddRoleToInstanceProfile", **(add | {"RoleName": "second"}))
            profile = (await world.do("GetInstanceProfile", InstanceProfileName="ip"))["InstanceProfile"]
            assert [role["RoleName"] for role in profile["Roles"]] == ["app"]
            assert len((await world.do("ListInstanceProfilesForRole", RoleName="app"))["InstanceProfiles"]) == 1
            assert (await world.do("ListInstanceProfilesForRole", RoleName="second"))["InstanceProfiles"] == []
            await world.refused("DeleteConflict", "DeleteInstanceProfile", InstanceProfileName="ip")
            await world.do("RemoveRoleFromInstanceProfile", **add)
            await world.do("TagInstanceProfile", InstanceProfileName="ip", Tags=[{"Key": "a", "Value": "b"}])
            assert len((await world.do("ListInstanceProfileTags", InstanceProfileName="ip"))["Tags"]) == 1
            await world.do("DeleteInstanceProfile", InstanceProfileName="ip")

    asyncio.run(scenario())
