"""The operations on API keys, usage plans and usage: a part of the provider, which is one for all of API Gateway.

The provider inherits them, because what is an operation is found by its class; nothing else is inherited.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.operations import Call, Change, operation
from gatepost.kernel.ports import Publisher
from gatepost.security.sealing import Seal
from gatepost.services.apigateway.api_key_pages import KeyPages, all_key_pages
from gatepost.services.apigateway.api_keys import ApiKeys
from gatepost.services.apigateway.api_keys_import import ApiKeyImports
from gatepost.services.apigateway.records import ApiRecords
from gatepost.services.apigateway.usage import Usage, all_extension_changes
from gatepost.services.apigateway.usage_plans import UsagePlans, all_plan_changes
from gatepost.storage.base import Records

_KEYS: Final = "/apikeys"
_KEY: Final = f"{_KEYS}/{{apiKey}}"
_PLANS: Final = "/usageplans"
_PLAN: Final = f"{_PLANS}/{{usagePlanId}}"
_PLAN_KEYS: Final = f"{_PLAN}/keys"
_PLAN_KEY: Final = f"{_PLAN_KEYS}/{{keyId}}"

USAGE_PATHS: Final[Mapping[str, tuple[str, str]]] = {
    "CreateApiKey": ("POST", _KEYS),
    "CreateUsagePlan": ("POST", _PLANS),
    "CreateUsagePlanKey": ("POST", _PLAN_KEYS),
    "DeleteApiKey": ("DELETE", _KEY),
    "DeleteUsagePlan": ("DELETE", _PLAN),
    "DeleteUsagePlanKey": ("DELETE", _PLAN_KEY),
    "GetApiKey": ("GET", _KEY),
    "GetApiKeys": ("GET", _KEYS),
    "GetUsage": ("GET", f"{_PLAN}/usage"),
    "GetUsagePlan": ("GET", _PLAN),
    "GetUsagePlanKey": ("GET", _PLAN_KEY),
    "GetUsagePlanKeys": ("GET", _PLAN_KEYS),
    "GetUsagePlans": ("GET", _PLANS),
    "ImportApiKeys": ("POST", _KEYS),
    "UpdateApiKey": ("PATCH", _KEY),
    "UpdateUsage": ("PATCH", f"{_PLAN_KEY}/usage"),
    "UpdateUsagePlan": ("PATCH", _PLAN),
}


class UsageParts:
    """What the operations hand over to."""

    def __init__(self, records: ApiRecords, publisher: Publisher, seal: Seal) -> None:
        pages = KeyPages(records.store, publisher)
        self.keys = ApiKeys(records, pages, seal)
        self.plans = UsagePlans(records, publisher, self.keys)
        self.imports = ApiKeyImports(records, self.keys, self.plans, pages)
        self.usage = Usage(records, publisher, self.plans)


class UsageOperations:
    """Seventeen of API Gateway's operations."""

    usage_parts: UsageParts

    @operation("CreateApiKey")
    async def create_api_key(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Make an API key."""
        return await self.usage_parts.keys.create(call, params)

    @operation("GetApiKey")
    async def get_api_key(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give an API key."""
        return await self.usage_parts.keys.get(call, params)

    @operation("GetApiKeys")
    async def get_api_keys(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of API keys."""
        return await self.usage_parts.keys.list(call, params)

    @operation("ImportApiKeys")
    async def import_api_keys(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Make API keys of a CSV file."""
        return await self.usage_parts.imports.run(call, params)

    @operation("UpdateApiKey")
    async def update_api_key(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch an API key; the gateway sees it at once."""
        return await self.usage_parts.keys.update(call, params)

    @operation("DeleteApiKey")
    async def delete_api_key(self, call: Call, params: Mapping[str, Any]) -> None:
        """Delete an API key; the gateway takes it no longer."""
        await self.usage_parts.keys.delete(call, params)

    @operation("CreateUsagePlan")
    async def create_usage_plan(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Make a usage plan."""
        return await self.usage_parts.plans.create(call, params)

    @operation("GetUsagePlan")
    async def get_usage_plan(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a usage plan."""
        return await self.usage_parts.plans.get(call, params)

    @operation("GetUsagePlans")
    async def get_usage_plans(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of usage plans."""
        return await self.usage_parts.plans.list(call, params)

    @operation("UpdateUsagePlan")
    async def update_usage_plan(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch a usage plan; the gateway sees it at once."""
        return await self.usage_parts.plans.update(call, params)

    @operation("DeleteUsagePlan")
    async def delete_usage_plan(self, call: Call, params: Mapping[str, Any]) -> None:
        """Delete a usage plan without stages."""
        await self.usage_parts.plans.delete(call, params)

    @operation("CreateUsagePlanKey")
    async def create_usage_plan_key(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Let an API key into a usage plan."""
        return await self.usage_parts.plans.add_key(call, params)

    @operation("GetUsagePlanKey")
    async def get_usage_plan_key(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a key of a usage plan."""
        return await self.usage_parts.plans.get_key(call, params)

    @operation("GetUsagePlanKeys")
    async def get_usage_plan_keys(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of a usage plan's keys."""
        return await self.usage_parts.plans.list_keys(call, params)

    @operation("DeleteUsagePlanKey")
    async def delete_usage_plan_key(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take a key out of a usage plan."""
        await self.usage_parts.plans.remove_key(call, params)

    @operation("GetUsage")
    async def get_usage(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give what keys have used, day by day."""
        return await self.usage_parts.usage.get(call, params)

    @operation("UpdateUsage")
    async def update_usage(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Set what remains of a key's quota in this period."""
        return await self.usage_parts.usage.update(call, params)


async def all_usage_changes(records: Records) -> list[Change]:
    """Give what the gateway should hold of plans, of what was granted beyond them, and of keys."""
    plans, granted = await all_plan_changes(records), await all_extension_changes(records)
    return [*plans, *granted, *await all_key_pages(records)]
