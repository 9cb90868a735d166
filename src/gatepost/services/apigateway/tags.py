"""Tags of REST APIs, stages, client certificates, custom domain names, API keys and usage plans."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from gatepost.kernel.arn import parse_arn
from gatepost.kernel.operations import Call
from gatepost.kernel.ports import Publisher
from gatepost.services.apigateway.client_certificates import ClientCertificates
from gatepost.services.apigateway.custom_domains import ApiMappings
from gatepost.services.apigateway.model import BadRequestException, NotFoundException
from gatepost.services.apigateway.records import ApiRecords
from gatepost.services.apigateway.stages import contents_of, stage_change
from gatepost.services.apigateway.tag_limits import check_tags
from gatepost.services.apigateway.usage_model import ApiKey, UsagePlan
from gatepost.services.apigateway.usage_operations import UsageParts

Tagged = TypeVar("Tagged", ApiKey, UsagePlan)

_TAGGED: Final = re.compile(r"/restapis/([^/]+)(?:/stages/([^/]+))?")
_CERTIFICATE: Final = re.compile(r"/clientcertificates/([^/]+)")
_DOMAIN: Final = re.compile(r"/domainnames/([^/+]+(?:\+[^/+]+)?)")
_USAGE: Final = re.compile(r"/(apikeys|usageplans)/([^/]+)")


class Tags:
    """The operations on tags."""

    def __init__(
        self,
        records: ApiRecords,
        publisher: Publisher,
        usage: UsageParts,
        certificates: ClientCertificates,
        domains: ApiMappings,
    ) -> None:
        self._domains = domains
        self._certificates = certificates
        self._records = records
        self._publisher = publisher
        self._usage = usage

    async def tag(self, call: Call, params: Mapping[str, Any]) -> None:
        """Add or replace tags. Raises: NotFoundException, BadRequestException."""
        given = dict(params["tags"])
        await self._change(call, params["resourceArn"], lambda held: {**held, **given})

    async def untag(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take tags away; names that are not there are passed over. Raises: NotFoundException, BadRequestException."""
        gone = set(params["tagKeys"])
        await self._change(
            call, params["resourceArn"], lambda held: {name: value for name, value in held.items() if name not in gone}
        )

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give all tags: there are at most 50. Raises: NotFoundException, BadRequestException."""
        if certificate_id := _of_certificate(call, params["resourceArn"]):
            return {"tags": await self._certificates.tags(call, certificate_id)}
        if domain_name := _of_domain(call, params["resourceArn"]):
            return {"tags": (await self._domains.get(call, domain_name)).get("tags", {})}
        if (named := _of_usage(call, params["resourceArn"])) is not None:
            kind, usage_id = named
            held = await (self._usage.keys if kind == "apikeys" else self._usage.plans).held(call, usage_id)
            return {"tags": dict(held.value.tags)}
        api_id, stage_name = _tagged(call, params["resourceArn"])
        if stage_name:
            stage = (await self._records.stage(call, api_id, stage_name)).value
            return {"tags": dict(stage.settings.tags)}
        return {"tags": dict((await self._records.api(call, api_id)).value.tags)}

    async def _change(
        self, call: Call, resource_arn: str, change: Callable[[Mapping[str, str]], dict[str, str]]
    ) -> None:
        if certificate_id := _of_certificate(call, resource_arn):
            tags = change(await self._certificates.tags(call, certificate_id))
            await self._certificates.tag(call, certificate_id, tags)
            return
        if domain_name := _of_domain(call, resource_arn):
            await self._domains.tag(call, domain_name, change)
            return
        if (named := _of_usage(call, resource_arn)) is not None:
            await self._change_usage(call, named, change)
            return
        api_id, stage_name = _tagged(call, resource_arn)

        async def attempt() -> None:
            if stage_name:
                stage = await self._records.stage(call, api_id, stage_name)
                tags = change(stage.value.settings.tags)
                check_tags(tags)
                changed = replace(stage.value, settings=replace(stage.value.settings, tags=tags))
                contents = await contents_of(self._records, call, changed)
                await self._records.store.put(stage.key, changed.to_json(), expected_version=stage.version)
                await self._publisher.publish(stage_change(changed, *contents))
                return
            api = await self._records.api(call, api_id)
            tags = change(api.value.tags)
            check_tags(tags)
            value = replace(api.value, tags=tags).to_json()
            await self._records.store.put(api.key, value, expected_version=api.version)

        await self._records.changing(call, api_id, attempt)

    async def _change_usage(
        self, call: Call, named: tuple[str, str], change: Callable[[Mapping[str, str]], dict[str, str]]
    ) -> None:
        kind, usage_id = named

        def changed(held: Tagged) -> Tagged:
            tags = change(held.tags)
            check_tags(tags)
            return replace(held, tags=tags)

        if kind == "apikeys":
            await self._usage.keys.change(call, usage_id, changed)
        else:
            await self._usage.plans.change(call, usage_id, changed)


def _of_certificate(call: Call, resource_arn: str) -> str:
    """Give the id of the client certificate that an ARN names, or ""."""
    parsed = parse_arn(resource_arn)
    if parsed is None or parsed.service != "apigateway" or parsed.region != call.region:
        return ""
    found = _CERTIFICATE.fullmatch(parsed.resource)
    return found[1] if found else ""


def _of_domain(call: Call, resource_arn: str) -> str:
    """Give the custom domain name that an ARN names, or ""."""
    parsed = parse_arn(resource_arn)
    if parsed is None or parsed.service != "apigateway" or parsed.region != call.region:
        return ""
    found = _DOMAIN.fullmatch(parsed.resource)
    return found[1] if found else ""


def _of_usage(call: Call, resource_arn: str) -> tuple[str, str] | None:
    """Give the kind and id of an API key or usage plan that an ARN names, or None."""
    parsed = parse_arn(resource_arn)
    if parsed is None or parsed.service != "apigateway" or parsed.region != call.region:
        return None
    found = _USAGE.fullmatch(parsed.resource)
    return (found[1], found[2]) if found else None


def _tagged(call: Call, resource_arn: str) -> tuple[str, str]:
    """Give the ids of the API and the stage ("" for the API itself) that an ARN names."""
    parsed = parse_arn(resource_arn)
    if parsed is None or parsed.service != "apigateway" or parsed.region != call.region:
        raise BadRequestException("Invalid ARN specified in the request")
    found = _TAGGED.fullmatch(parsed.resource)
    if found is None:
        raise NotFoundException("Invalid resource identifier specified")
    return found[1], found[2] or ""
