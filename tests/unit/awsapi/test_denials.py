"""Denied AWS operations are kept for whoever explains them, the newest only."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gatepost.awsapi.authorization import Authorizer
from gatepost.awsapi.denials import DENIALS_MAX, WRITTEN_PER_SECOND, Denials
from gatepost.kernel.errors import AccessDeniedException
from gatepost.kernel.operations import Access
from tests.support.identities import IdentityWorld
from tests.support.policies import TABLE_ARN, a_statement
from tests.support.stores import some_records


def test_a_denied_operation_is_explained_by_its_statements(tmp_path):
    async def scenario():
        async with some_records(tmp_path) as records:
            world = IdentityWorld(records)
            await world.iam.load()
            ana = await world.a_user()
            await world.allow_user(
                "ana", a_statement(action="dynamodb:GetItem"), a_statement("Deny", "dynamodb:Put*", Sid="No")
            )
            denials = Denials()
            authorizer = Authorizer(world.directory, denials.note)
            call = replace(world.call(ana), request_id="r-1")
            with pytest.raises(AccessDeniedException):
                authorizer.check(call, Access("dynamodb:PutItem", TABLE_ARN))
            told = denials.find("r-1")
            assert told is not None
            assert (told["service"], told["operation"], told["principal"]) == ("dynamodb", "PutItem", ana.arn)
            assert told["policies"]["statements"][0]["statement"] == "No"
            assert "denies it" in told["wouldHaveAllowed"]
            assert denials.find("r-2") is None

    asyncio.run(scenario())


def test_only_the_newest_are_kept(tmp_path):
    async def scenario():
        async with some_records(tmp_path) as records:
            world = IdentityWorld(records)
            denials = Denials()
            for number in range(DENIALS_MAX + 1):
                denials.note(replace(world.call(world.root), request_id=str(number)), AccessDeniedException("no"))
            assert denials.find("0") is None
            assert denials.find(str(DENIALS_MAX)) is not None

    asyncio.run(scenario())


def test_a_flood_of_denials_is_written_down_in_part(tmp_path):
    async def scenario():
        async with some_records(tmp_path) as records:
            world = IdentityWorld(records)
            lines: list[bytes] = []
            denials = Denials(lines.append)
            call = world.call(world.root)
            for second in range(2):
                for number in range(WRITTEN_PER_SECOND + 5):
                    at_ms = call.now_ms + second * 1000
                    denials.note(replace(call, request_id=str(number), now_ms=at_ms), AccessDeniedException("no"))
            assert len(lines) == 2 * WRITTEN_PER_SECOND
            assert all(line.endswith(b"}\n") for line in lines)

    asyncio.run(scenario())
