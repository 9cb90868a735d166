"""Custom domain names for API Gateway V2, which reaches those that are kept here: see `kernel.ports.CustomDomains`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gatepost.kernel.ids import random_id
from gatepost.kernel.operations import Call
from gatepost.services.apigateway.domain_mappings import BasePathMappings
from gatepost.services.apigateway.domain_model import BasePathMapping, DomainName, RoutingRule
from gatepost.services.apigateway.domain_names import DomainNames
from gatepost.services.apigateway.domain_records import DomainRecords
from gatepost.services.apigateway.model import BadRequestException, NotFoundException
from gatepost.services.apigateway.tag_limits import check_tags


class ApiMappings:
    """Implements `kernel.ports.CustomDomains`."""

    def __init__(self, domains: DomainRecords, names: DomainNames, mappings: BasePathMappings) -> None:
        self._domains = domains
        self._names = names
        self._mappings = mappings

    async def create(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Create a domain name by V1's parameters, and give V1's shape."""
        return await self._names.create(call, params)

    async def get(self, call: Call, name: str) -> dict[str, Any]:
        """Give V1's shape of a domain name."""
        return (await self._domains.find(call, name)).to_aws()

    async def every(self, call: Call) -> Sequence[dict[str, Any]]:
        """Give V1's shapes of all domain names, by name."""
        return [domain.to_aws() for _, domain in sorted((await self._domains.all(call)).items())]

    async def update(self, call: Call, name: str, patches: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        """Patch a domain name by V1's operations, and give V1's shape."""
        return await self._names.update(call, {"domainName": name, "patchOperations": patches})

    async def delete(self, call: Call, name: str) -> None:
        """Delete a domain name."""
        await self._domains.remove(call, name)

    async def tag(self, call: Call, name: str, change: Callable[[Mapping[str, str]], dict[str, str]]) -> dict[str, str]:
        """Replace a domain name's tags by what `change` makes of them, and give them."""

        def changed(domain: DomainName) -> tuple[DomainName, None]:
            tags = change(domain.tags)
            check_tags(tags)
            return replace(domain, tags=tags), None

        domain, _ = await self._domains.change(call, name, changed)
        return dict(domain.tags)

    async def mappings(self, call: Call, name: str) -> Sequence[dict[str, Any]]:
        """Give V2's shapes of a domain name's mappings."""
        found = sorted((await self._domains.find(call, name)).mappings, key=lambda each: each.id)
        return [each.to_v2() for each in found]

    async def add_mapping(self, call: Call, name: str, base_path: str, api_id: str, stage_name: str) -> dict[str, Any]:
        """Map a base path of any number of levels to a stage; give V2's shape."""
        mapping = BasePathMapping(random_id(6), base_path, api_id, stage_name)
        return (await self._mappings.add(call, name, mapping)).to_v2()

    async def change_mapping(
        self, call: Call, name: str, mapping_id: str, changes: Mapping[str, str]
    ) -> dict[str, Any]:
        """Change a mapping's `base_path`, `api_id` or `stage_name`; give V2's shape."""
        domain = await self._domains.find(call, name)
        for each in domain.mappings:
            if each.id == mapping_id:
                changed = BasePathMapping(
                    each.id,
                    changes.get("base_path", each.base_path),
                    changes.get("api_id", each.api_id),
                    changes.get("stage_name", each.stage_name),
                )
                return (await self._mappings.replace(call, name, changed)).to_v2()
        raise NotFoundException(f"Unable to find ApiMapping by id {mapping_id}")

    async def remove_mapping(self, call: Call, name: str, mapping_id: str) -> None:
        """Take a mapping away."""
        await self._mappings.remove(call, name, mapping_id)

    async def rules(self, call: Call, name: str) -> Sequence[dict[str, Any]]:
        """Give V2's shapes of a domain name's routing rules, by priority."""
        domain = await self._domains.find(call, name)
        return [each.to_v2(domain.arn) for each in domain.rules]

    async def put_rule(self, call: Call, name: str, rule_id: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Add a routing rule (`rule_id` ""), or put one in the place of that of the id; give V2's shape."""
        actions = params["Actions"]
        if len(actions) != 1:
            raise BadRequestException("A routing rule has one action: to invoke an API")
        action = actions[0]["InvokeApi"]
        rule = RoutingRule(
            rule_id or random_id(10),
            params["Priority"],
            tuple(params["Conditions"]),
            action["ApiId"],
            action["Stage"],
            bool(action.get("StripBasePath", False)),
        )
        domain, kept = await self._mappings.put_rule(call, name, rule, is_new=not rule_id)
        return kept.to_v2(domain.arn)

    async def remove_rule(self, call: Call, name: str, rule_id: str) -> None:
        """Take a routing rule away."""
        await self._mappings.remove_rule(call, name, rule_id)
