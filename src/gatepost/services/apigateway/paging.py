"""Pages of lists: `limit` items from `position` on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, TypeVar

from gatepost.kernel.paging import page_token, place_of
from gatepost.services.apigateway.model import BadRequestException

LIMIT_DEFAULT: Final = 25
LIMIT_MAX: Final = 500

Item = TypeVar("Item")


def limit_of(params: Mapping[str, Any]) -> int:
    """Give how many items a page holds: 25 unless told, 500 at most (a greater limit gives 500).

    Raises: BadRequestException.
    """
    limit = params.get("limit")
    if limit is None:
        return LIMIT_DEFAULT
    if limit < 1:
        raise BadRequestException(f"Invalid limit {limit}: it must be between 1 and {LIMIT_MAX}")
    return min(int(limit), LIMIT_MAX)


def position_of(params: Mapping[str, Any]) -> str:
    """Give the id after which the page starts, "" for the first. Raises: BadRequestException."""
    return place_of(params.get("position") or None, BadRequestException("Invalid position parameter"), "")[0]


def position_after(item_id: str) -> dict[str, str]:
    """Give the answer's `position` for the page after `item_id`."""
    return {"position": page_token(item_id)}


def paged(items: Mapping[str, Item], params: Mapping[str, Any]) -> tuple[list[Item], dict[str, str]]:
    """Cut a page out of `items`, in the order of their ids; give it with the answer's `position`, if any.

    Raises: BadRequestException.
    """
    limit, after = limit_of(params), position_of(params)
    ids = sorted(each for each in items if each > after)
    page = [items[each] for each in ids[:limit]]
    return page, position_after(ids[limit - 1]) if len(ids) > limit else {}


async def first_page(
    found: AsyncIterator[Item], params: Mapping[str, Any], item_id: Callable[[Item], str]
) -> tuple[list[Item], dict[str, str]]:
    """Take a page's items from those that follow `position`; give them with the answer's `position`, if any.

    Raises: BadRequestException.
    """
    limit = limit_of(params)
    page: list[Item] = []
    async for item in found:
        if len(page) == limit:
            return page, position_after(item_id(page[-1]))
        page.append(item)
    return page, {}
