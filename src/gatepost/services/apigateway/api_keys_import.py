"""ImportApiKeys: many keys, with their plans, at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.operations import Call
from gatepost.services.apigateway.api_key_pages import KeyPages
from gatepost.services.apigateway.api_keys import ApiKeys
from gatepost.services.apigateway.api_keys_csv import KeyRow, parse_key_rows
from gatepost.services.apigateway.model import BadRequestException, ConflictException, NotFoundException
from gatepost.services.apigateway.records import ApiRecords
from gatepost.services.apigateway.usage_model import API_KEY_PLACE, ApiKey, UsagePlan
from gatepost.services.apigateway.usage_plans import UsagePlans, check_one_plan_per_stage
from gatepost.storage.base import Write

KEYS_AT_ONCE: Final = 500
ROWS_IN_A_ROW: Final = 50
WARNINGS_MAX: Final = 1_000


class ApiKeyImports:
    """The operation on files of keys."""

    def __init__(self, records: ApiRecords, keys: ApiKeys, plans: UsagePlans, pages: KeyPages) -> None:
        self._records = records
        self._keys = keys
        self._plans = plans
        self._pages = pages

    async def run(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Make a key of each line, and of none with `failOnWarnings` when one cannot be.

        Raises: BadRequestException, ConflictException.
        """
        if params["format"] != "csv":
            raise BadRequestException(f"Invalid format {params['format']}: only csv is supported")
        rows, warnings = parse_key_rows(params["body"])

        async def attempt() -> dict[str, Any]:
            keys, found = await self._made(call, rows)
            said = [*warnings, *found]
            if said and params.get("failOnWarnings"):
                raise BadRequestException(f"The import was rolled back: {'; '.join(said[:20])}")
            await self._store(call, keys)
            return {"ids": [key.id for key in keys], "warnings": said[:WARNINGS_MAX]}

        return await self._plans.changing(call, attempt)

    async def _made(self, call: Call, rows: list[KeyRow]) -> tuple[list[ApiKey], list[str]]:
        keys: list[ApiKey] = []
        warnings: list[str] = []
        values: set[str] = set()
        plans: dict[str, UsagePlan] = {}
        for number, row in enumerate(rows):
            if number % ROWS_IN_A_ROW == 0:
                await asyncio.sleep(0)  # others get their turn
            try:
                if row.value in values or (row.value and await self._keys.exists(call, row.value)):
                    raise ConflictException("API Key already exists")
                keys.append(await self._key(call, row, plans))
                values.add(row.value)
            except (BadRequestException, NotFoundException, ConflictException) as error:
                warnings.append(f"Line {row.line}: {error.message}")
        return keys, warnings

    async def _key(self, call: Call, row: KeyRow, plans: dict[str, UsagePlan]) -> ApiKey:
        for plan_id in row.plan_ids:
            if plan_id not in plans:
                plans[plan_id] = (await self._plans.held(call, plan_id)).value
        check_one_plan_per_stage([plans[plan_id] for plan_id in row.plan_ids])
        given = {"name": row.name, "description": row.description, "enabled": row.is_enabled}
        return self._keys.new(call, row.value, given, row.plan_ids)

    async def _store(self, call: Call, keys: list[ApiKey]) -> None:
        """Store keys, a part at a time so that others get their turn, and tell the gateway once of each page."""
        try:
            for start in range(0, len(keys), KEYS_AT_ONCE):
                writes = [Write(call.key(API_KEY_PLACE, "keys"), {})]
                for key in keys[start : start + KEYS_AT_ONCE]:
                    writes.extend(self._keys.writes(call, key))
                await self._records.store.commit(writes)
        except VersionConflict:
            raise ConflictException("API Key already exists") from None
        finally:
            await self._pages.publish_all(call, [key.digest for key in keys])
