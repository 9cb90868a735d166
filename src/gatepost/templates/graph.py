"""Work in the order of dependencies: parallel where independent, bounded, stopping at the first failure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

CONCURRENT_MAX: Final = 8  # operations of one stack at a time


async def run_in_order(
    needs: Mapping[str, Collection[str]],
    work: Callable[[str], Awaitable[None]],
    *,
    goes_on_after_failure: bool = False,
    is_stopped: Callable[[], bool] = lambda: False,
) -> dict[str, BaseException]:
    """Run `work` for each name after it has ended for what the name needs; give the failures by name.

    After a failure, or once `is_stopped`, nothing new starts; what runs is waited for. With
    `goes_on_after_failure` only what needs a failed name is left out. Names that `needs` lacks do not count.
    """
    ended = {name: asyncio.Event() for name in needs}
    failures: dict[str, BaseException] = {}
    left_out: set[str] = set()
    slots = asyncio.Semaphore(CONCURRENT_MAX)

    async def one(name: str) -> None:
        inner = [needed for needed in needs[name] if needed in ended and needed != name]
        for needed in inner:
            await ended[needed].wait()
        async with slots:
            broken = any(needed in failures or needed in left_out for needed in inner)
            if broken or is_stopped() or (failures and not goes_on_after_failure):
                left_out.add(name)
            else:
                # gather captures whatever was raised; the caller decides what it means.
                (result,) = await asyncio.gather(work(name), return_exceptions=True)
                if isinstance(result, BaseException):
                    failures[name] = result
        ended[name].set()

    await asyncio.gather(*(one(name) for name in needs))
    return failures


def reversed_needs(needs: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """Turn the arrows round: what needs me must be done before me."""
    turned: dict[str, set[str]] = {name: set() for name in needs}
    for name, needed in needs.items():
        for other in needed:
            if other in turned:
                turned[other].add(name)
    return turned
