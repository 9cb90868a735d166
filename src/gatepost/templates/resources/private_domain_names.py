"""Private domain names, their mappings and the VPC endpoints that reach them, by API Gateway's operations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from gatepost.templates.resources.apigateway import patch
from gatepost.templates.resources.base import Outcome, ResourceFailure, ResourceHandler, Work
from gatepost.templates.resources.changes import Unnamed, present, tag_changes, tag_map, unless_gone

NO_BASE_PATH: Final = "(none)"
_ASSOCIATION: Final = "DomainNameAccessAssociationArn"


def named(arn: str) -> dict[str, str]:
    """Give the parameters that name the private domain name of an ARN. Raises: ResourceFailure."""
    name, _, domain_id = arn.partition("/domainnames/")[2].partition("/")[0].partition("+")
    if not name or not domain_id:
        raise ResourceFailure(f"{arn} is not the ARN of a private custom domain name")
    return {"domainName": name, "domainNameId": domain_id}


def _policy(properties: Mapping[str, Any]) -> str:
    given = properties.get("Policy") or ""
    return given if isinstance(given, str) else json.dumps(given)


class PrivateDomainName(Unnamed):
    """AWS::ApiGateway::DomainNameV2. Its physical id is its ARN."""

    async def create(self, work: Work) -> Outcome:
        """Make the domain name."""
        properties = work.properties
        if not properties.get("DomainName"):
            raise ResourceFailure("a private custom domain name needs DomainName")
        endpoint = properties.get("EndpointConfiguration") or {}
        made = await work.invoke(
            "apigateway",
            "CreateDomainName",
            present(
                domainName=properties["DomainName"],
                certificateArn=properties.get("CertificateArn"),
                endpointConfiguration=present(
                    types=endpoint.get("Types") or ["PRIVATE"], ipAddressType=endpoint.get("IpAddressType")
                ),
                policy=_policy(properties) or None,
                securityPolicy=properties.get("SecurityPolicy"),
                routingMode=properties.get("RoutingMode"),
                tags=tag_map(properties) or None,
            ),
        )
        await work.made(made["domainNameArn"])
        return self._outcome(made)

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Patch what differs from what stands, and change tags."""
        standing = await work.invoke("apigateway", "GetDomainName", named(physical_id))
        properties = work.properties
        wanted = (
            ("/certificateArn", properties.get("CertificateArn", ""), standing.get("certificateArn", "")),
            ("/policy", _policy(properties), standing.get("policy", "")),
            ("/routingMode", properties.get("RoutingMode") or "BASE_PATH_MAPPING_ONLY", standing["routingMode"]),
        )
        patches = [patch("replace", path, new) for path, new, has in wanted if new != has]
        if patches:
            parameters = {**named(physical_id), "patchOperations": patches}
            standing = await work.invoke("apigateway", "UpdateDomainName", parameters)
        added, gone = tag_changes(work.before, properties)
        if added:
            await work.invoke("apigateway", "TagResource", {"resourceArn": physical_id, "tags": added})
        if gone:
            await work.invoke("apigateway", "UntagResource", {"resourceArn": physical_id, "tagKeys": gone})
        return self._outcome(standing)

    async def delete(self, work: Work, physical_id: str) -> None:
        """Delete the domain name with its mappings."""
        await unless_gone(work.invoke("apigateway", "DeleteDomainName", named(physical_id)))

    def _outcome(self, made: Mapping[str, Any]) -> Outcome:
        attributes = {"DomainNameArn": made["domainNameArn"], "DomainNameId": made["domainNameId"]}
        return Outcome(made["domainNameArn"], attributes)


class PrivateBasePathMapping(Unnamed):
    """AWS::ApiGateway::BasePathMappingV2. Its physical id is `{domain name's ARN}/basepathmappings/{base path}`."""

    async def create(self, work: Work) -> Outcome:
        """Map the base path."""
        properties = work.properties
        base_path = properties.get("BasePath") or NO_BASE_PATH
        physical_id = f"{properties['DomainNameArn']}/basepathmappings/{base_path}"
        await work.initiated(physical_id)
        await work.invoke(
            "apigateway",
            "CreateBasePathMapping",
            present(
                **named(properties["DomainNameArn"]),
                basePath=properties.get("BasePath"),
                restApiId=properties["RestApiId"],
                stage=properties.get("Stage"),
            ),
        )
        await work.made(physical_id)
        return Outcome(physical_id, {"BasePathMappingArn": physical_id})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Lead the base path to another API or stage."""
        parameters = self._named(physical_id)
        standing = await work.invoke("apigateway", "GetBasePathMapping", parameters)
        wanted = (
            ("/restapiId", work.properties.get("RestApiId", ""), standing["restApiId"]),
            ("/stage", work.properties.get("Stage", ""), standing.get("stage", "")),
        )
        patches = [patch("replace", path, new) for path, new, has in wanted if new != has]
        if patches:
            await work.invoke("apigateway", "UpdateBasePathMapping", {**parameters, "patchOperations": patches})
        return Outcome(physical_id, {"BasePathMappingArn": physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Take the mapping away."""
        await unless_gone(work.invoke("apigateway", "DeleteBasePathMapping", self._named(physical_id)))

    def _named(self, physical_id: str) -> dict[str, str]:
        arn, _, base_path = physical_id.partition("/basepathmappings/")
        return {**named(arn), "basePath": base_path}


class AccessAssociation(Unnamed):
    """AWS::ApiGateway::DomainNameAccessAssociation. Every change makes a new one."""

    async def create(self, work: Work) -> Outcome:
        """Associate the VPC endpoint."""
        properties = work.properties
        made = await work.invoke(
            "apigateway",
            "CreateDomainNameAccessAssociation",
            present(
                domainNameArn=properties["DomainNameArn"],
                accessAssociationSource=properties["AccessAssociationSource"],
                accessAssociationSourceType=properties["AccessAssociationSourceType"],
                tags=tag_map(properties) or None,
            ),
        )
        arn = made["domainNameAccessAssociationArn"]
        await work.made(arn)
        return Outcome(arn, {_ASSOCIATION: arn})

    async def update(self, work: Work, physical_id: str) -> Outcome:
        """Change nothing: every property makes a new one."""
        del work
        return Outcome(physical_id, {_ASSOCIATION: physical_id})

    async def delete(self, work: Work, physical_id: str) -> None:
        """Take the association away."""
        parameters = {"domainNameAccessAssociationArn": physical_id}
        await unless_gone(work.invoke("apigateway", "DeleteDomainNameAccessAssociation", parameters))


def handlers() -> dict[str, ResourceHandler]:
    """Give the handlers by type."""
    return {
        "AWS::ApiGateway::BasePathMappingV2": PrivateBasePathMapping(),
        "AWS::ApiGateway::DomainNameAccessAssociation": AccessAssociation(),
        "AWS::ApiGateway::DomainNameV2": PrivateDomainName(),
    }
