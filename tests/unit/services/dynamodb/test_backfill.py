import asyncio

from gatepost.kernel.errors import StoreUnavailable
from gatepost.services.dynamodb.backfill import in_steps
from gatepost.storage.items import TableGone


def run(*answers):
    """Run steps that give or raise `answers` in turn; give the result and where each step went on from."""
    left, seen = list(answers), []

    async def step(after):
        seen.append(after)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return asyncio.run(in_steps(step, retry_s=0)), seen


def test_steps_go_on_from_where_the_last_one_ended() -> None:
    assert run(b"a", b"b", None) == (True, [b"", b"a", b"b"])


def test_a_lost_store_is_tried_again_from_the_same_place() -> None:
    assert run(b"a", StoreUnavailable(), StoreUnavailable(), None) == (True, [b"", b"a", b"a", b"a"])


def test_a_table_that_went_away_ends_it() -> None:
    assert run(b"a", TableGone()) == (False, [b"", b"a"])
