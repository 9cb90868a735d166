"""Asking a gateway about a request: answered, not known, gone."""

from __future__ import annotations

import asyncio

import pytest

from gatepost.kernel.errors import ServiceUnavailable
from gatepost.link.explanations import ASKED_MAX, Explanations, answer_explain


def test_a_question_gets_the_answer_of_its_number():
    async def scenario():
        sent = []
        explanations = Explanations(lambda head: sent.append(head) or ["g"])
        first = asyncio.ensure_future(explanations.find("one"))
        second = asyncio.ensure_future(explanations.find("two"))
        await asyncio.sleep(0)

        async def find(request_id):
            return {"requestId": request_id} if request_id == "two" else None

        for head in reversed(sent):
            explanations.take("g", await answer_explain(head, find))
        assert await first is None
        assert await second == {"requestId": "two"}
        explanations.take("g", {"number": 1, "found": {}})  # nobody waits any more

    asyncio.run(scenario())


def test_without_a_gateway_or_when_it_goes_the_question_fails():
    async def scenario():
        with pytest.raises(ServiceUnavailable):
            await Explanations(lambda _head: []).find("one")
        explanations = Explanations(lambda _head: ["g"])
        waiting = asyncio.ensure_future(explanations.find("one"))
        await asyncio.sleep(0)
        explanations.lost("g")
        with pytest.raises(ServiceUnavailable):
            await waiting

    asyncio.run(scenario())


def test_of_several_gateways_the_one_that_remembers_answers_and_nothing_is_believed_of_all_only():
    async def scenario():
        explanations = Explanations(lambda _head: ["g", "h"])
        known = asyncio.ensure_future(explanations.find("one"))
        unknown = asyncio.ensure_future(explanations.find("two"))
        cut_off = asyncio.ensure_future(explanations.find("three"))
        await asyncio.sleep(0)
        explanations.take("g", {"number": 1, "found": None})
        explanations.take("h", {"number": 1, "found": {"requestId": "one"}})
        assert await known == {"requestId": "one"}
        explanations.take("g", {"number": 2, "found": None})
        await asyncio.sleep(0)
        assert not unknown.done()
        explanations.take("h", {"number": 2, "found": None})
        assert await unknown is None
        explanations.take("g", {"number": 3, "found": None})
        explanations.lost("g")
        await asyncio.sleep(0)
        assert not cut_off.done()
        explanations.lost("h")
        with pytest.raises(ServiceUnavailable):
            await cut_off

    asyncio.run(scenario())


def test_questions_at_one_time_are_bounded():
    async def scenario():
        explanations = Explanations(lambda _head: ["g"])
        waiting = [asyncio.ensure_future(explanations.find(str(n))) for n in range(ASKED_MAX)]
        await asyncio.sleep(0)
        with pytest.raises(ServiceUnavailable, match="More than 100"):
            await explanations.find("more")
        explanations.lost("g")
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(scenario())


def test_a_gateway_that_remembers_nothing_says_so():
    assert asyncio.run(answer_explain({"number": 3, "request_id": "x"}, None)) == {"number": 3, "found": None}
