"""Functions in memory and in the store."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gatepost.services.lambda_.catalogue import Catalogue
from gatepost.services.lambda_.model import ResourceConflictException
from tests.support.functions import a_function
from tests.support.rest_apis import KeptChanges
from tests.support.stores import some_records


def test_of_two_changes_at_the_same_time_one_wins_and_the_other_is_told(tmp_path) -> None:
    async def scenario():
        async with some_records(tmp_path) as records:
            told = KeptChanges()
            catalogue = Catalogue(records, told)
            function = a_function()
            await catalogue.create(function)
            changes = [catalogue.replace(function, replace(function, timeout_s=number)) for number in (4, 5)]
            answers = await asyncio.gather(*changes, return_exceptions=True)
            return answers, catalogue.find(function.arn), told.held[function.arn]

    answers, found, published = asyncio.run(scenario())
    assert [type(one) for one in answers] == [type(None), ResourceConflictException]
    assert found.timeout_s == published["timeout_s"] == 4


def test_a_stale_change_is_refused(tmp_path) -> None:
    async def scenario():
        async with some_records(tmp_path) as records:
            catalogue = Catalogue(records, KeptChanges())
            old = a_function()
            await catalogue.create(old)
            await catalogue.replace(old, replace(old, timeout_s=4))
            await catalogue.replace(old, replace(old, timeout_s=5))

    with pytest.raises(ResourceConflictException, match="An update is in progress"):
        asyncio.run(scenario())
