"""The operations on custom domain names: a part of the provider, which is one for all of API Gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.operations import Call, Change, operation
from gatepost.kernel.ports import CertificateInfo, Certificates, Publisher
from gatepost.services.apigateway.custom_domains import ApiMappings
from gatepost.services.apigateway.domain_associations import AccessAssociations
from gatepost.services.apigateway.domain_mappings import BasePathMappings
from gatepost.services.apigateway.domain_names import DomainNames
from gatepost.services.apigateway.domain_records import DomainRecords
from gatepost.services.apigateway.domain_trust import TrustStores
from gatepost.services.apigateway.records import ApiRecords

_NAMES: Final = "/domainnames"
_NAME: Final = f"{_NAMES}/{{domainName}}"
_MAPPINGS: Final = f"{_NAME}/basepathmappings"
_MAPPING: Final = f"{_MAPPINGS}/{{basePath}}"
_ASSOCIATIONS: Final = "/domainnameaccessassociations"

DOMAIN_PATHS: Final[Mapping[str, tuple[str, str]]] = {
    "CreateBasePathMapping": ("POST", _MAPPINGS),
    "CreateDomainName": ("POST", _NAMES),
    "CreateDomainNameAccessAssociation": ("POST", _ASSOCIATIONS),
    "DeleteBasePathMapping": ("DELETE", _MAPPING),
    "DeleteDomainName": ("DELETE", _NAME),
    "DeleteDomainNameAccessAssociation": ("DELETE", f"{_ASSOCIATIONS}/{{domainNameAccessAssociationArn}}"),
    "GetBasePathMapping": ("GET", _MAPPING),
    "GetBasePathMappings": ("GET", _MAPPINGS),
    "GetDomainName": ("GET", _NAME),
    "GetDomainNameAccessAssociations": ("GET", _ASSOCIATIONS),
    "GetDomainNames": ("GET", _NAMES),
    "RejectDomainNameAccessAssociation": ("POST", "/rejectdomainnameaccessassociations"),
    "UpdateBasePathMapping": ("PATCH", _MAPPING),
    "UpdateDomainName": ("PATCH", _NAME),
}


class NoCertificates:
    """For an API Gateway without a certificate manager beside it: no domain name can be made."""

    def certificate(self, arn: str) -> CertificateInfo | None:
        """Give none."""
        del arn
        return None


class DomainParts:
    """What the operations hand over to."""

    def __init__(
        self, records: ApiRecords, publisher: Publisher, certificates: Certificates | None, trust: TrustStores
    ) -> None:
        self.records = DomainRecords(records, publisher)
        self.names = DomainNames(self.records, certificates or NoCertificates(), trust)
        self.mappings = BasePathMappings(self.records)
        self.associations = AccessAssociations(self.records)
        self.v2 = ApiMappings(self.records, self.names, self.mappings)

    async def changes(self) -> list[Change]:
        """Give every domain name as the gateway should hold it."""
        return await self.records.changes()

    async def serves(self, name: str) -> bool:
        """Say whether a name is a custom domain name that everyone can reach."""
        return any(each.name == name and not each.is_private for each in await self.records.every())

    async def certificate_uses(self) -> dict[str, list[str]]:
        """Give the ARNs of the domain names that use a certificate, by its ARN."""
        found: dict[str, list[str]] = {}
        for domain in await self.records.every():
            for arn in {*(each.certificate_arn for each in domain.endpoints), domain.ownership_arn} - {""}:
                found.setdefault(arn, []).append(domain.arn)
        return found


class DomainOperations:
    """The operations on domain names, their mappings and their access associations."""

    domain_parts: DomainParts

    @operation("CreateDomainName")
    async def create_domain_name(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Create a custom domain name."""
        return await self.domain_parts.names.create(call, params)

    @operation("GetDomainName")
    async def get_domain_name(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a custom domain name."""
        return await self.domain_parts.names.get(call, params)

    @operation("GetDomainNames")
    async def get_domain_names(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of custom domain names."""
        return await self.domain_parts.names.list(call, params)

    @operation("UpdateDomainName")
    async def update_domain_name(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch a custom domain name."""
        return await self.domain_parts.names.update(call, params)

    @operation("DeleteDomainName")
    async def delete_domain_name(self, call: Call, params: Mapping[str, Any]) -> None:
        """Delete a custom domain name with its mappings."""
        await self.domain_parts.names.delete(call, params)

    @operation("CreateBasePathMapping")
    async def create_base_path_mapping(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Map a base path to an API's stage."""
        return await self.domain_parts.mappings.create(call, params)

    @operation("GetBasePathMapping")
    async def get_base_path_mapping(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a base path mapping."""
        return await self.domain_parts.mappings.get(call, params)

    @operation("GetBasePathMappings")
    async def get_base_path_mappings(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of a domain name's base path mappings."""
        return await self.domain_parts.mappings.list(call, params)

    @operation("UpdateBasePathMapping")
    async def update_base_path_mapping(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch a base path mapping."""
        return await self.domain_parts.mappings.update(call, params)

    @operation("DeleteBasePathMapping")
    async def delete_base_path_mapping(self, call: Call, params: Mapping[str, Any]) -> None:
        """Delete a base path mapping."""
        await self.domain_parts.mappings.delete(call, params)

    @operation("CreateDomainNameAccessAssociation")
    async def create_domain_name_access_association(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Let a VPC endpoint's callers reach a private domain name."""
        return await self.domain_parts.associations.create(call, params)

    @operation("GetDomainNameAccessAssociations")
    async def get_domain_name_access_associations(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of access associations."""
        return await self.domain_parts.associations.list(call, params)

    @operation("DeleteDomainNameAccessAssociation")
    async def delete_domain_name_access_association(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take an access association away."""
        await self.domain_parts.associations.delete(call, params)

    @operation("RejectDomainNameAccessAssociation")
    async def reject_domain_name_access_association(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take an access association away as the domain name's owner."""
        await self.domain_parts.associations.reject(call, params)
