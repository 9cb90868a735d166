"""Records in memory and in the store, changed together or not at all."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gatepost.services.lambda_.model import ALIAS, FUNCTION, Alias, Function, ResourceConflictException
from gatepost.services.lambda_.shelf import Shelf, commit
from tests.support.functions import a_function
from tests.support.rest_apis import KeptChanges
from tests.support.stores import some_records


def test_several_changes_are_one_commit_and_what_is_not_published_stays_here(tmp_path) -> None:
    async def scenario():
        async with some_records(tmp_path) as records:
            told = KeptChanges()
            functions = Shelf(FUNCTION, Function.from_json, topic=FUNCTION)
            aliases = Shelf(ALIAS, Alias.from_json)
            function = a_function()
            alias = Alias("live", f"{function.arn}:live", "1", "r")
            await commit(records, told, [functions.adding(function), aliases.adding(alias)])
            stale = [functions.replacing(replace(function), function), aliases.deleting(alias)]
            with pytest.raises(ResourceConflictException):
                await commit(records, told, stale)
            loaded = Shelf(ALIAS, Alias.from_json)
            await loaded.load(records)
            return functions, aliases, loaded, told.held, function, alias

    functions, aliases, loaded, held, function, alias = asyncio.run(scenario())
    assert functions.find(function.arn) is function
    assert aliases.all() == loaded.all() == [alias]
    assert list(held) == [function.arn]
    assert aliases.of_function(function.arn) == [alias]
    assert aliases.of_function(function.arn[:-1]) == []
    assert aliases.published() == []
