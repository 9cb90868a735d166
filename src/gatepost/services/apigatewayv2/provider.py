"""The operations of API Gateway V2 on custom domain names, API mappings and routing rules.

They reach the same domain names as V1's: a mapping of several levels is made here and listed there.
Source: https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from gatepost.kernel.operations import Access, Call, operation, tag_context
from gatepost.kernel.paging import page_token, place_of
from gatepost.kernel.ports import CustomDomains
from gatepost.services.apigatewayv2.model import BadRequestException, NotFoundException

Params = Mapping[str, Any]
Answer = dict[str, Any]

_NAMES: Final = "/domainnames"
_NAME: Final = f"{_NAMES}/{{DomainName}}"
_MAPPINGS: Final = f"{_NAME}/apimappings"
_RULES: Final = f"{_NAME}/routingrules"
PATHS: Final[Mapping[str, tuple[str, str]]] = {
    "CreateApiMapping": ("POST", _MAPPINGS),
    "CreateDomainName": ("POST", _NAMES),
    "CreateRoutingRule": ("POST", _RULES),
    "DeleteApiMapping": ("DELETE", f"{_MAPPINGS}/{{ApiMappingId}}"),
    "DeleteDomainName": ("DELETE", _NAME),
    "DeleteRoutingRule": ("DELETE", f"{_RULES}/{{RoutingRuleId}}"),
    "GetApiMapping": ("GET", f"{_MAPPINGS}/{{ApiMappingId}}"),
    "GetApiMappings": ("GET", _MAPPINGS),
    "GetDomainName": ("GET", _NAME),
    "GetDomainNames": ("GET", _NAMES),
    "GetRoutingRule": ("GET", f"{_RULES}/{{RoutingRuleId}}"),
    "GetTags": ("GET", "/tags/{ResourceArn}"),
    "ListRoutingRules": ("GET", _RULES),
    "PutRoutingRule": ("PUT", f"{_RULES}/{{RoutingRuleId}}"),
    "TagResource": ("POST", "/tags/{ResourceArn}"),
    "UntagResource": ("DELETE", "/tags/{ResourceArn}"),
    "UpdateApiMapping": ("PATCH", f"{_MAPPINGS}/{{ApiMappingId}}"),
    "UpdateDomainName": ("PATCH", _NAME),
}
_MODES: Final = {
    "API_MAPPING_ONLY": "BASE_PATH_MAPPING_ONLY",
    "ROUTING_RULE_ONLY": "ROUTING_RULE_ONLY",
    "ROUTING_RULE_THEN_API_MAPPING": "ROUTING_RULE_THEN_BASE_PATH_MAPPING",
}
_V2_MODES: Final = {v1: v2 for v2, v1 in _MODES.items()}
PAGE_MAX: Final = 100
_TAGGED: Final = re.compile(r"arn:aws:apigateway:([a-z0-9-]+)::/domainnames/([^/]+)")
_ANSWERED: Final = (  # of a configuration: what answers carry, and nobody can set
    "ApiGatewayDomainName",
    "CertificateUploadDate",
    "DomainNameStatus",
    "DomainNameStatusMessage",
    "HostedZoneId",
)


class ApiGatewayV2:
    """What there is of API Gateway V2."""

    service = "apigatewayv2"

    def __init__(self, domains: CustomDomains) -> None:
        self._domains = domains

    def access(self, call: Call, params: Params) -> Sequence[Access]:
        """Say what a call touches: a verb on a path, as all of API Gateway."""
        verb, template = PATHS[call.operation]
        path = template.format_map({k: quote(v, safe="") for k, v in params.items() if isinstance(v, str)})
        context = tag_context((params.get("Tags") or {}).items(), params.get("TagKeys", ()))
        return (Access(f"apigateway:{verb}", f"arn:aws:apigateway:{call.region}::{path}", context),)

    # -- domain names

    @operation("CreateDomainName")
    async def create_domain_name(self, call: Call, params: Params) -> Answer:
        """Create a custom domain name, REGIONAL unless told."""
        configuration = _configuration(params)
        if configuration is None:
            raise BadRequestException("DomainNameConfigurations must hold one configuration")
        edge = configuration.get("EndpointType") == "EDGE"
        given: Answer = {
            "domainName": params["DomainName"],
            "certificateArn" if edge else "regionalCertificateArn": configuration.get("CertificateArn", ""),
            "certificateName" if edge else "regionalCertificateName": configuration.get("CertificateName", ""),
            "endpointConfiguration": {
                "types": ["EDGE" if edge else "REGIONAL"],
                "ipAddressType": configuration.get("IpAddressType") or "ipv4",
            },
            "securityPolicy": configuration.get("SecurityPolicy"),
            "ownershipVerificationCertificateArn": configuration.get("OwnershipVerificationCertificateArn", ""),
            "routingMode": _MODES[params.get("RoutingMode") or "API_MAPPING_ONLY"],
            "tags": params.get("Tags") or {},
        }
        mutual = params.get("MutualTlsAuthentication")
        if mutual:
            given["mutualTlsAuthentication"] = {
                "truststoreUri": mutual.get("TruststoreUri", ""),
                "truststoreVersion": mutual.get("TruststoreVersion", ""),
            }
        return _shape(await self._domains.create(call, given))

    @operation("GetDomainName")
    async def get_domain_name(self, call: Call, params: Params) -> Answer:
        """Give a custom domain name."""
        return _shape(await self._domains.get(call, _name(params)))

    @operation("GetDomainNames")
    async def get_domain_names(self, call: Call, params: Params) -> Answer:
        """Give a page of custom domain names."""
        return _page([_shape(each) for each in await self._domains.every(call)], params, "DomainName", "Items")

    @operation("UpdateDomainName")
    async def update_domain_name(self, call: Call, params: Params) -> Answer:
        """Change a custom domain name; what is not given stays."""
        name = _name(params)
        configuration = _configuration(params) or {}
        standing = await self._domains.get(call, name)
        edge = (configuration.get("EndpointType") or standing["endpointConfiguration"]["types"][0]) == "EDGE"
        kind = "certificate" if edge else "regionalCertificate"
        paths = {
            "EndpointType": "/endpointConfiguration/types/0",
            "CertificateArn": f"/{kind}Arn",
            "CertificateName": f"/{kind}Name",
            "IpAddressType": "/endpointConfiguration/ipAddressType",
            "SecurityPolicy": "/securityPolicy",
            "OwnershipVerificationCertificateArn": "/ownershipVerificationCertificateArn",
        }
        patches = [_replace(path, configuration[key]) for key, path in paths.items() if configuration.get(key)]
        mutual = params.get("MutualTlsAuthentication") or {}
        for key, path in (("TruststoreUri", "truststoreUri"), ("TruststoreVersion", "truststoreVersion")):
            if key in mutual:
                patches.append(_replace(f"/mutualTlsAuthentication/{path}", mutual[key]))
        if params.get("RoutingMode"):
            patches.append(_replace("/routingMode", _MODES[params["RoutingMode"]]))
        return _shape(await self._domains.update(call, name, patches))

    @operation("DeleteDomainName")
    async def delete_domain_name(self, call: Call, params: Params) -> None:
        """Delete a custom domain name with its mappings and rules."""
        await self._domains.delete(call, _name(params))

    # -- API mappings

    @operation("CreateApiMapping")
    async def create_api_mapping(self, call: Call, params: Params) -> Answer:
        """Map a base path, of several levels if wanted, to a stage."""
        return await self._domains.add_mapping(
            call, _name(params), params.get("ApiMappingKey", ""), params["ApiId"], params["Stage"]
        )

    @operation("GetApiMapping")
    async def get_api_mapping(self, call: Call, params: Params) -> Answer:
        """Give a mapping."""
        wanted = params["ApiMappingId"]
        for each in await self._domains.mappings(call, _name(params)):
            if each["ApiMappingId"] == wanted:
                return each
        return await self._domains.change_mapping(call, _name(params), wanted, {})  # which says that it is not

    @operation("GetApiMappings")
    async def get_api_mappings(self, call: Call, params: Params) -> Answer:
        """Give a page of a domain name's mappings."""
        return _page(await self._domains.mappings(call, _name(params)), params, "ApiMappingId", "Items")

    @operation("UpdateApiMapping")
    async def update_api_mapping(self, call: Call, params: Params) -> Answer:
        """Change a mapping; what is not given stays."""
        names = {"ApiMappingKey": "base_path", "ApiId": "api_id", "Stage": "stage_name"}
        changes = {ours: params[theirs] for theirs, ours in names.items() if theirs in params}
        return await self._domains.change_mapping(call, _name(params), params["ApiMappingId"], changes)

    @operation("DeleteApiMapping")
    async def delete_api_mapping(self, call: Call, params: Params) -> None:
        """Delete a mapping."""
        await self._domains.remove_mapping(call, _name(params), params["ApiMappingId"])

    # -- routing rules

    @operation("CreateRoutingRule")
    async def create_routing_rule(self, call: Call, params: Params) -> Answer:
        """Add a routing rule."""
        return await self._domains.put_rule(call, _name(params), "", _rule(params))

    @operation("GetRoutingRule")
    async def get_routing_rule(self, call: Call, params: Params) -> Answer:
        """Give a routing rule."""
        for each in await self._domains.rules(call, _name(params)):
            if each["RoutingRuleId"] == params["RoutingRuleId"]:
                return each
        raise NotFoundException(f"Unable to find Routing Rule by id {params['RoutingRuleId']}")

    @operation("ListRoutingRules")
    async def list_routing_rules(self, call: Call, params: Params) -> Answer:
        """Give a page of a domain name's routing rules, by priority."""
        rules = await self._domains.rules(call, _name(params))
        return _page(rules, params, "RoutingRuleId", "RoutingRules")

    @operation("PutRoutingRule")
    async def put_routing_rule(self, call: Call, params: Params) -> Answer:
        """Replace a routing rule."""
        return await self._domains.put_rule(call, _name(params), params["RoutingRuleId"], _rule(params))

    @operation("DeleteRoutingRule")
    async def delete_routing_rule(self, call: Call, params: Params) -> None:
        """Delete a routing rule."""
        await self._domains.remove_rule(call, _name(params), params["RoutingRuleId"])

    # -- tags

    @operation("TagResource")
    async def tag_resource(self, call: Call, params: Params) -> Answer:
        """Add or replace tags of a domain name."""
        given = dict(params.get("Tags") or {})
        await self._domains.tag(call, _tagged(call, params["ResourceArn"]), lambda held: {**held, **given})
        return {}

    @operation("UntagResource")
    async def untag_resource(self, call: Call, params: Params) -> None:
        """Take tags of a domain name away."""
        gone = set(params["TagKeys"])
        name = _tagged(call, params["ResourceArn"])
        await self._domains.tag(call, name, lambda held: {k: v for k, v in held.items() if k not in gone})

    @operation("GetTags")
    async def get_tags(self, call: Call, params: Params) -> Answer:
        """Give a domain name's tags."""
        return {"Tags": (await self._domains.get(call, _tagged(call, params["ResourceArn"]))).get("tags", {})}


def _configuration(params: Params) -> Mapping[str, Any] | None:
    given = params.get("DomainNameConfigurations") or ()
    if len(given) > 1:
        raise BadRequestException("DomainNameConfigurations must hold one configuration: migrations are not supported")
    for name in _ANSWERED:
        if given and given[0].get(name):
            raise BadRequestException(f"{name} of a domain name's configuration cannot be set")
    return given[0] if given else None


def _shape(domain: Mapping[str, Any]) -> Answer:
    """Give V2's shape of a domain name of V1's."""
    edge = domain["endpointConfiguration"]["types"] == ["EDGE"]
    configuration: Answer = {
        "ApiGatewayDomainName": domain["distributionDomainName" if edge else "regionalDomainName"],
        "CertificateArn": domain["certificateArn" if edge else "regionalCertificateArn"],
        "CertificateUploadDate": domain["certificateUploadDate"],
        "DomainNameStatus": domain["domainNameStatus"],
        "EndpointType": "EDGE" if edge else "REGIONAL",
        "HostedZoneId": domain["distributionHostedZoneId" if edge else "regionalHostedZoneId"],
        "IpAddressType": domain["endpointConfiguration"]["ipAddressType"],
        "SecurityPolicy": domain["securityPolicy"],
    }
    if name := domain.get("certificateName") or domain.get("regionalCertificateName"):
        configuration["CertificateName"] = name
    if arn := domain.get("ownershipVerificationCertificateArn"):
        configuration["OwnershipVerificationCertificateArn"] = arn
    shape: Answer = {
        "ApiMappingSelectionExpression": "$request.basepath",
        "DomainName": domain["domainName"],
        "DomainNameArn": domain["domainNameArn"],
        "DomainNameConfigurations": [configuration],
        "RoutingMode": _V2_MODES[domain["routingMode"]],
        "Tags": domain.get("tags", {}),
    }
    if mutual := domain.get("mutualTlsAuthentication"):
        shape["MutualTlsAuthentication"] = {f"{key[0].upper()}{key[1:]}": value for key, value in mutual.items()}
    return shape


def _page(items: Sequence[Answer], params: Params, key: str, member: str) -> Answer:
    """Cut a page out of `items`. Raises: BadRequestException."""
    given = params.get("MaxResults")
    try:
        count = min(int(given), PAGE_MAX) if given is not None else PAGE_MAX
    except ValueError:
        raise BadRequestException(f"Invalid value for maxResults: {given}") from None
    if count < 1:
        raise BadRequestException(f"Invalid value for maxResults: {given}")
    (after,) = place_of(params.get("NextToken") or None, BadRequestException("Invalid NextToken"), "")
    start = next((at + 1 for at, each in enumerate(items) if each[key] == after), len(items)) if after else 0
    page = items[start : start + count]
    more = {"NextToken": page_token(page[-1][key])} if start + count < len(items) else {}
    return {member: list(page), **more}


def _replace(path: str, value: str) -> dict[str, str]:
    return {"op": "replace", "path": path, "value": value}


def _tagged(call: Call, arn: str) -> str:
    match = _TAGGED.fullmatch(arn)
    if match is None or match[1] != call.region:
        raise BadRequestException("Invalid ARN: only custom domain names are tagged here")
    return match[2]


def _rule(params: Params) -> Answer:
    return {name: params[name] for name in ("Priority", "Conditions", "Actions")}


def _name(params: Params) -> str:
    """Give what names a domain name: a private one's id stands behind its name."""
    name, domain_id = params["DomainName"].replace("+", "%2B"), params.get("DomainNameId", "")
    return f"{name}+{domain_id}" if domain_id else str(name)
