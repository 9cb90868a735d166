"""What belongs to a pool and lies in the store under its id: groups, resource servers, identity providers, jobs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.operations import RecordKey
from gatepost.kernel.paging import page_token, place_of
from gatepost.services.cognito_idp.errors import InvalidParameterException
from gatepost.services.cognito_idp.pool import (
    GROUP,
    IDENTITY_PROVIDER,
    IMPORT_JOB,
    RESOURCE_SERVER,
    REVOCATION,
    SEPARATOR,
    UserPool,
)
from gatepost.storage.base import Record, Records, Write

PAGE: Final = 500
COUNT_MAX: Final = 1_000  # of one kind in one pool


class PoolThings:
    """Records by pool and name."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def get(self, kind: str, pool: UserPool, name: str) -> Record | None:
        """Give one thing's record, or None."""
        return await self._records.get(_key(kind, pool, name))

    async def put(self, kind: str, pool: UserPool, name: str, value: dict[str, Any], *, version: int | None) -> None:
        """Write one thing; version 0: it must be new. Raises: VersionConflict."""
        await self._records.put(_key(kind, pool, name), value, expected_version=version)

    async def delete(self, kind: str, pool: UserPool, name: str) -> bool:
        """Delete one thing and say whether it was there."""
        return await self._records.delete(_key(kind, pool, name))

    async def every(self, kind: str, pool: UserPool) -> list[Mapping[str, Any]]:
        """Give all things of a kind, at most `COUNT_MAX`, by name."""
        prefix = f"{pool.id}{SEPARATOR}"
        found = await self._records.page(kind, pool.account_id, pool.region, prefix=prefix, count_max=COUNT_MAX)
        return [record.value for record in found]

    async def everywhere(self, kind: str) -> list[Record]:
        """Give the records of a kind of all pools."""
        return await self._records.scan(kind)

    async def rewrite(self, record: Record, value: dict[str, Any]) -> None:
        """Write a record anew that was read. Raises: VersionConflict."""
        await self._records.put(record.key, value, expected_version=record.version)

    async def page(
        self,
        kind: str,
        pool: UserPool,
        params: Mapping[str, Any],
        *,
        limit: str = "MaxResults",
        token: str = "NextToken",  # noqa: S107 a name
    ) -> tuple[list[Mapping[str, Any]], dict[str, str]]:
        """Give a page of things and the token of the next one. Raises: InvalidParameterException."""
        count_max = params.get(limit) or 60
        prefix = f"{pool.id}{SEPARATOR}"
        (after,) = place_of(params.get(token), InvalidParameterException(f"Invalid {token}"), "")
        start = f"{prefix}{after}" if after else ""
        found = await self._records.page(
            kind, pool.account_id, pool.region, prefix=prefix, after=start, count_max=count_max + 1
        )
        chosen = found[:count_max]
        more = {token: page_token(chosen[-1].key.id.removeprefix(prefix))} if len(found) > count_max else {}
        return [record.value for record in chosen], more

    async def delete_all(self, pool: UserPool) -> None:
        """Delete everything of a pool that is going."""
        for kind in (GROUP, RESOURCE_SERVER, IDENTITY_PROVIDER, IMPORT_JOB, REVOCATION):
            while records := await self._records.page(
                kind, pool.account_id, pool.region, prefix=f"{pool.id}{SEPARATOR}", count_max=PAGE
            ):
                await self._records.commit([Write(record.key, None) for record in records])


def _key(kind: str, pool: UserPool, name: str) -> RecordKey:
    return RecordKey(kind, pool.account_id, pool.region, f"{pool.id}{SEPARATOR}{name}")
