"""Custom domain names, their mappings and routing rules, of both versions of API Gateway's types, by its operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.templates.resources.apigateway import patch
from gatepost.templates.resources.base import Outcome, ResourceFailure, ResourceHandler, Work
from gatepost.templates.resources.changes import Unnamed, present, tag_changes, tag_map, unless_gone

NO_BASE_PATH: Final = "(none)"
_TRUST: Final = "/mutualTlsAuthentication"


def _domain_outcome(made: Mapping[str, Any]) -> Outcome:
    attributes = {
        "DomainNameArn": made.get("domainNameArn"),
        "DistributionDomainName": made.get("distributionDomainName"),
        "DistributionHostedZoneId": made.get("distributionHostedZoneId"),
        "RegionalDomainName": made.get("regionalDomainName"),
        "RegionalHostedZoneId": made.get("regionalHostedZoneId"),
    }
    return Outcome(made["domainName"], {name: value for name, value in attributes.items() if value is not None})


class DomainName(Unnamed):
    """AWS::ApiGateway::DomainName."""

    name_property = "DomainName"

    async def create(self, work: Work) -> Outcome:
        """Make the domain name."""
        properties = work.properties
        name = properties.get("DomainName")
        if not name:
            raise ResourceFailure("a custom domain name needs DomainName")
        await work.initiated(name)
        endpoint = properties.get("EndpointConfiguration") or {}
        trust = properties.get("MutualTlsAuthentication") or {}
        made = await work.invoke(
            "apigateway",
            "CreateDomainName",
            present(
                domainName=name,
                certificateArn=properties.get("CertificateArn"),
                regionalCertificateArn=properties.get("RegionalCertificateArn"),
                endpointConfiguration=present(types=endpoint.get("Types"), ipAddressType=endpoint.get("IpAddressType")),
                securityPolicy=properties.get("SecurityPolicy"),
                endpointAccessMode=properties.get("EndpointAccessMode"),
                ownershipVerificationCertificateArn=properties.get("OwnershipVerificationCertificateArn"),
                routingMode=properties.get("RoutingMode"),
                mutualTlsAuthentication=present(
                    truststoreUri=trust.get("TruststoreUri"), truststoreVersion=trust.get("TruststoreVersion")
                )
                or None,
                tags=tag_map(properties) or None,
            ),
        )
        await work.made(name)
        return _domain_outcome(made)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Patch what differs from what stands, and change tags."""
        standing = await work.invoke("apigateway", "GetDomainName", {"domainName": physical_id})
        patches = _domain_patches(work.properties, standing)
        if patches:
            parameters = {"domainName": physical_id, "patchOperations": patches}
            standing = await work.invoke("apigateway", "UpdateDomainName", parameters)
        added, gone = tag_changes(work.before, work.properties)
        arn = standing["domainNameArn"]
        if added:
            await work.invoke("apigateway", "TagResource", {"resourceArn": arn, "tags": added})
        if gone:
            await work.invoke("apigateway", "UntagResource", {"resourceArn": arn, "tagKeys": gone})
        return _domain_outcome(standing)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the domain name with its mappings."""
        await unless_gone(work.invoke("apigateway", "DeleteDomainName", {"domainName": physical_id}))


def _domain_patches(properties: Mapping[str, Any], standing: Mapping[str, Any]) -> list[dict[str, str]]:
    """Give the patches from what stands to what is declared; what is not declared has AWS's default."""
    endpoint = properties.get("EndpointConfiguration") or {}
    trust = properties.get("MutualTlsAuthentication") or {}
    has_trust = standing.get("mutualTlsAuthentication") or {}
    old = standing["endpointConfiguration"]
    new_type = (endpoint.get("Types") or ["EDGE"])[0]
    certificate = "certificateArn" if new_type == "EDGE" else "regionalCertificateArn"
    declared = properties.get("CertificateArn" if new_type == "EDGE" else "RegionalCertificateArn", "")
    wanted = [
        (f"/endpointConfiguration/types/{old['types'][0]}", new_type, old["types"][0]),
        (f"/{certificate}", declared, standing.get(certificate, "")),
        (
            "/endpointConfiguration/ipAddressType",
            endpoint.get("IpAddressType") or "ipv4",
            old.get("ipAddressType", "ipv4"),
        ),
        ("/securityPolicy", properties.get("SecurityPolicy") or "TLS_1_2", standing["securityPolicy"]),
        (
            "/ownershipVerificationCertificateArn",
            properties.get("OwnershipVerificationCertificateArn", ""),
            standing.get("ownershipVerificationCertificateArn", ""),
        ),
        ("/routingMode", properties.get("RoutingMode") or "BASE_PATH_MAPPING_ONLY", standing["routingMode"]),
        (f"{_TRUST}/truststoreUri", trust.get("TruststoreUri", ""), has_trust.get("truststoreUri", "")),
        (f"{_TRUST}/truststoreVersion", trust.get("TruststoreVersion", ""), has_trust.get("truststoreVersion", "")),
    ]
    if properties.get("EndpointAccessMode"):
        wanted.append(("/endpointAccessMode", properties["EndpointAccessMode"], standing.get("endpointAccessMode", "")))
    return [patch("replace", path, new) for path, new, has in wanted if new != has]


class BasePathMapping(Unnamed):
    """AWS::ApiGateway::BasePathMapping."""

    async def create(self, work: Work) -> Outcome:
        """Map the base path."""
        properties = work.properties
        if not properties.get("RestApiId"):
            raise ResourceFailure("a base path mapping needs RestApiId")
        domain, base_path = properties["DomainName"], properties.get("BasePath") or NO_BASE_PATH
        physical_id = f"{domain}|{base_path}"
        await work.initiated(physical_id)
        await work.invoke(
            "apigateway",
            "CreateBasePathMapping",
            present(
                domainName=domain,
                basePath=properties.get("BasePath"),
                restApiId=properties["RestApiId"],
                stage=properties.get("Stage"),
            ),
        )
        await work.made(physical_id)
        return Outcome(physical_id)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Lead the base path to another API or stage."""
        domain, _, base_path = physical_id.partition("|")
        parameters = {"domainName": domain, "basePath": base_path}
        standing = await work.invoke("apigateway", "GetBasePathMapping", parameters)
        wanted = (
            ("/restapiId", work.properties.get("RestApiId", ""), standing["restApiId"]),
            ("/stage", work.properties.get("Stage", ""), standing.get("stage", "")),
        )
        patches = [patch("replace", path, new) for path, new, has in wanted if new != has]
        if patches:
            await work.invoke("apigateway", "UpdateBasePathMapping", {**parameters, "patchOperations": patches})
        return Outcome(physical_id)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Take the mapping away."""
        domain, _, base_path = physical_id.partition("|")
        parameters = {"domainName": domain, "basePath": base_path}
        await unless_gone(work.invoke("apigateway", "DeleteBasePathMapping", parameters))


class DomainNameV2(Unnamed):
    """AWS::ApiGatewayV2::DomainName: the same domain names as V1's."""

    name_property = "DomainName"

    async def create(self, work: Work) -> Outcome:
        """Make the domain name."""
        name = work.properties["DomainName"]
        await work.initiated(name)
        parameters = present(
            DomainName=name,
            Tags={str(key): str(value) for key, value in (work.properties.get("Tags") or {}).items()} or None,
            **_v2_settings(work.properties),
        )
        made = await work.invoke("apigatewayv2", "CreateDomainName", parameters)
        await work.made(name)
        return self._outcome(made)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change settings and tags."""
        settings = _v2_settings(work.properties)
        if not settings.get("MutualTlsAuthentication") and work.before.get("MutualTlsAuthentication"):
            settings["MutualTlsAuthentication"] = {"TruststoreUri": ""}
        settings.setdefault("RoutingMode", "API_MAPPING_ONLY")
        made = await work.invoke("apigatewayv2", "UpdateDomainName", {"DomainName": physical_id, **settings})
        new, old = work.properties.get("Tags") or {}, work.before.get("Tags") or {}
        added = {str(key): str(value) for key, value in new.items() if old.get(key) != value}
        gone = [str(key) for key in old if key not in new]
        if added:
            await work.invoke("apigatewayv2", "TagResource", {"ResourceArn": made["DomainNameArn"], "Tags": added})
        if gone:
            await work.invoke("apigatewayv2", "UntagResource", {"ResourceArn": made["DomainNameArn"], "TagKeys": gone})
        return self._outcome(made)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the domain name with its mappings."""
        await unless_gone(work.invoke("apigatewayv2", "DeleteDomainName", {"DomainName": physical_id}))

    def _outcome(self, made: Mapping[str, Any]) -> Outcome:
        configuration = made["DomainNameConfigurations"][0]
        attributes = {
            "DomainNameArn": made["DomainNameArn"],
            "RegionalDomainName": configuration["ApiGatewayDomainName"],
            "RegionalHostedZoneId": configuration["HostedZoneId"],
        }
        return Outcome(made["DomainName"], attributes)


def _v2_settings(properties: Mapping[str, Any]) -> dict[str, Any]:
    return present(
        DomainNameConfigurations=properties.get("DomainNameConfigurations"),
        MutualTlsAuthentication=properties.get("MutualTlsAuthentication"),
        RoutingMode=properties.get("RoutingMode"),
    )


class ApiMapping(Unnamed):
    """AWS::ApiGatewayV2::ApiMapping."""

    async def create(self, work: Work) -> Outcome:
        """Map the key."""
        properties = work.properties
        made = await work.invoke(
            "apigatewayv2",
            "CreateApiMapping",
            present(
                DomainName=properties["DomainName"],
                ApiId=properties["ApiId"],
                Stage=properties["Stage"],
                ApiMappingKey=properties.get("ApiMappingKey"),
            ),
        )
        await work.made(made["ApiMappingId"])
        return Outcome(made["ApiMappingId"], {"ApiMappingId": made["ApiMappingId"]})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change key, API or stage."""
        properties = work.properties
        parameters = {
            "DomainName": properties["DomainName"],
            "ApiMappingId": physical_id,
            "ApiId": properties["ApiId"],
            "Stage": properties["Stage"],
            "ApiMappingKey": properties.get("ApiMappingKey", ""),
        }
        await work.invoke("apigatewayv2", "UpdateApiMapping", parameters)
        return Outcome(physical_id, {"ApiMappingId": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Take the mapping away."""
        parameters = {"DomainName": work.properties["DomainName"], "ApiMappingId": physical_id}
        await unless_gone(work.invoke("apigatewayv2", "DeleteApiMapping", parameters))


class RoutingRule(Unnamed):
    """AWS::ApiGatewayV2::RoutingRule."""

    async def create(self, work: Work) -> Outcome:
        """Add the rule."""
        made = await work.invoke("apigatewayv2", "CreateRoutingRule", self._parameters(work))
        await work.made(made["RoutingRuleArn"])
        return self._outcome(made)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Put the rule anew."""
        parameters = {**self._parameters(work), "RoutingRuleId": physical_id.rpartition("/")[2]}
        return self._outcome(await work.invoke("apigatewayv2", "PutRoutingRule", parameters))

    async def delete(self, work: Work, physical_id: str) -> None:
        """Take the rule away."""
        parameters = {"DomainName": _name_in(physical_id), "RoutingRuleId": physical_id.rpartition("/")[2]}
        await unless_gone(work.invoke("apigatewayv2", "DeleteRoutingRule", parameters))

    def _parameters(self, work: Work) -> dict[str, Any]:
        properties = work.properties
        return {
            "DomainName": _name_in(properties["DomainNameArn"]),
            "Priority": properties["Priority"],
            "Conditions": properties["Conditions"],
            "Actions": properties["Actions"],
        }

    def _outcome(self, made: Mapping[str, Any]) -> Outcome:
        names = ("RoutingRuleArn", "RoutingRuleId")
        return Outcome(made["RoutingRuleArn"], {name: made[name] for name in names})


def _name_in(arn: str) -> str:
    """Give the domain name in its ARN, or in that of one of its rules. Raises: ResourceFailure."""
    found = arn.partition("/domainnames/")[2].partition("/")[0]
    if not found:
        raise ResourceFailure(f"{arn} is not the ARN of a custom domain name")
    return found


def handlers() -> dict[str, ResourceHandler]:
    """Give the handlers by type."""
    return {
        "AWS::ApiGateway::BasePathMapping": BasePathMapping(),
        "AWS::ApiGateway::DomainName": DomainName(),
        "AWS::ApiGatewayV2::ApiMapping": ApiMapping(),
        "AWS::ApiGatewayV2::DomainName": DomainNameV2(),
        "AWS::ApiGatewayV2::RoutingRule": RoutingRule(),
    }
