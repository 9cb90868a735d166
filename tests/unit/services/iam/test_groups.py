"""Groups: a user holds what its groups hold."""

import asyncio
from pathlib import Path

from tests.support.identities import an_identity_world
from tests.support.policies import TABLE_ARN, a_document, a_statement


def test_a_user_may_what_its_group_may(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            await world.do("CreateGroup", GroupName="Staff")
            await world.do(
                "PutGroupPolicy", GroupName="staff", PolicyName="p", PolicyDocument=a_document(a_statement())
            )
            assert not world.may(ana, "dynamodb:PutItem", TABLE_ARN)
            await world.do("AddUserToGroup", GroupName="STAFF", UserName="ana")
            assert world.may(ana, "dynamodb:PutItem", TABLE_ARN)
            assert [user["UserName"] for user in (await world.do("GetGroup", GroupName="Staff"))["Users"]] == ["ana"]
            groups = (await world.do("ListGroupsForUser", UserName="ana"))["Groups"]
            assert [group["GroupName"] for group in groups] == ["Staff"]
            await world.do("RemoveUserFromGroup", GroupName="Staff", UserName="ana")
            assert not world.may(ana, "dynamodb:PutItem", TABLE_ARN)

    asyncio.run(scenario())


def test_a_group_goes_only_when_it_is_empty(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.a_user()
            arn = await world.a_policy()
            await world.do("CreateGroup", GroupName="g")
            await world.do("AddUserToGroup", GroupName="g", UserName="ana")
            await world.do("AttachGroupPolicy", GroupName="g", PolicyArn=arn)
            assert "remove users" in await world.refused("DeleteConflict", "DeleteGroup", GroupName="g")
            await world.do("RemoveUserFromGroup", GroupName="g", UserName="ana")
            assert "detach" in await world.refused("DeleteConflict", "DeleteGroup", GroupName="g")
            await world.do("DetachGroupPolicy", GroupName="g", PolicyArn=arn)
            await world.do("UpdateGroup", GroupName="g", NewGroupName="h")
            await world.do("DeleteGroup", GroupName="h")
            assert (await world.do("ListGroups"))["Groups"] == []

    asyncio.run(scenario())


def test_a_group_takes_its_members_along_to_a_new_name(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            ana = await world.a_user()
            for name in ("g", "other"):
                await world.do("CreateGroup", GroupName=name)
                await world.do("AddUserToGroup", GroupName=name, UserName="ana")
            await world.do("PutGroupPolicy", GroupName="g", PolicyName="p", PolicyDocument=a_document(a_statement()))
            taken = await world.refused("EntityAlreadyExists", "UpdateGroup", GroupName="g", NewGroupName="other")
            assert taken == "Group with name other already exists."
            await world.do("UpdateGroup", GroupName="g", NewGroupName="h")
            await world.iam.load()
            assert world.may(ana, "dynamodb:PutItem", TABLE_ARN)
            groups = (await world.do("ListGroupsForUser", UserName="ana"))["Groups"]
            assert [group["GroupName"] for group in groups] == ["h", "other"]

    asyncio.run(scenario())


def test_a_user_is_in_ten_groups_at_most(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            await world.a_user()
            for n in range(11):
                await world.do("CreateGroup", GroupName=f"g{n}")
            for n in range(10):
                await world.do("AddUserToGroup", GroupName=f"g{n}", UserName="ana")
            await world.do("AddUserToGroup", GroupName="g0", UserName="ana")  # again: no fault
            told = await world.refused("LimitExceeded", "AddUserToGroup", GroupName="g10", UserName="ana")
            assert told == "Cannot exceed quota for GroupsPerUser: 10"
            await world.refused("NoSuchEntity", "AddUserToGroup", GroupName="none", UserName="ana")
            await world.refused("NoSuchEntity", "AddUserToGroup", GroupName="g0", UserName="none")

    asyncio.run(scenario())
