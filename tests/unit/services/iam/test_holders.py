"""The same nine operations on what users, groups and roles hold."""

import asyncio
from pathlib import Path
from urllib.parse import unquote

import pytest

from gatepost.services.iam.holders import GROUPS, ROLES, USERS, HolderKind
from tests.support.identities import an_identity_world
from tests.support.policies import a_document, a_statement, a_trust_document


@pytest.mark.parametrize("holders", [USERS, GROUPS, ROLES], ids=lambda holders: holders.word)
def test_a_holders_policies_come_and_go(tmp_path: Path, holders: HolderKind) -> None:
    word = holders.word.capitalize()
    name = {holders.parameter: "x"}

    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            trust = {"AssumeRolePolicyDocument": a_trust_document()} if holders is ROLES else {}
            await world.do(f"Create{word}", **name, **trust)
            document = a_document(a_statement())
            await world.do(f"Put{word}Policy", **name, PolicyName="p", PolicyDocument=document)
            read = await world.do(f"Get{word}Policy", **name, PolicyName="p")
            assert unquote(read["PolicyDocument"]) == document
            assert (await world.do(f"List{word}Policies", **name))["PolicyNames"] == ["p"]
            await world.do(f"Delete{word}Policy", **name, PolicyName="p")
            told = await world.refused("NoSuchEntity", f"Delete{word}Policy", **name, PolicyName="p")
            assert told == f"The {holders.word} policy with name p cannot be found."
            arn = await world.a_policy()
            await world.do(f"Attach{word}Policy", **name, PolicyArn=arn)
            attached = (await world.do(f"ListAttached{word}Policies", **name))["AttachedPolicies"]
            assert attached == [{"PolicyName": "managed", "PolicyArn": arn}]
            assert (await world.do(f"ListAttached{word}Policies", **name, PathPrefix="/x/"))["AttachedPolicies"] == []
            await world.do(f"Detach{word}Policy", **name, PolicyArn=arn)
            nobody = {holders.parameter: "nobody"}
            for operation in (f"List{word}Policies", f"ListAttached{word}Policies", f"Get{word}Policy"):
                params = {"PolicyName": "p"} if operation.startswith("Get") else {}
                told = await world.refused("NoSuchEntity", operation, **nobody, **params)
                assert told == f"The {holders.word} with name nobody cannot be found."

    asyncio.run(scenario())


@pytest.mark.parametrize(("holders", "room"), [(USERS, 2_048), (GROUPS, 5_120), (ROLES, 10_240)])
def test_inline_policies_have_a_quota_that_white_space_does_not_fill(
    tmp_path: Path, holders: HolderKind, room: int
) -> None:
    word = holders.word.capitalize()

    async def scenario() -> None:
        async with an_identity_world(tmp_path) as world:
            trust = {"AssumeRolePolicyDocument": a_trust_document()} if holders is ROLES else {}
            await world.do(f"Create{word}", **{holders.parameter: "x"}, **trust)
            empty = a_document(a_statement(Sid=""))
            used = sum(not c.isspace() for c in empty)
            fits = a_document(a_statement(Sid="A" * (room - used)))
            params = {holders.parameter: "x", "PolicyName": "p"}
            await world.do(f"Put{word}Policy", **params, PolicyDocument=fits.replace(" ", " " * 50))
            over = a_document(a_statement(Sid="A" * (room - used + 1)))
            await world.refused("LimitExceeded", f"Put{word}Policy", **params, PolicyDocument=over)

    asyncio.run(scenario())
