"""Domain name access associations: which VPC endpoints reach a private domain name.

Domain names are not shared between accounts: who owns the name makes the associations, and may reject its own.
Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-private-custom-domains-associations.html
The words of refusals are unverified.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.operations import Call
from gatepost.services.apigateway.api_endpoint import VPC_ENDPOINT
from gatepost.services.apigateway.domain_model import AccessAssociation, DomainName
from gatepost.services.apigateway.domain_records import DomainRecords
from gatepost.services.apigateway.model import (
    BadRequestException,
    ConflictException,
    LimitExceededException,
    NotFoundException,
)
from gatepost.services.apigateway.paging import paged
from gatepost.services.apigateway.tag_limits import check_tags

ASSOCIATIONS_MAX: Final = 50  # unverified: a bound of ours
_DOMAIN: Final = re.compile(r"arn:aws[a-z-]*:apigateway:([a-z0-9-]*):([0-9]*):/domainnames/([^/]+\+[^/+]+)")
_ASSOCIATION: Final = re.compile(
    r"arn:aws[a-z-]*:apigateway:([a-z0-9-]*):([0-9]*):/domainnameaccessassociations/domainname/([^/]+\+[^/+]+)"
    r"/vpcesource/([^/]+)"
)


class AccessAssociations:
    """The operations on access associations."""

    def __init__(self, domains: DomainRecords) -> None:
        self._domains = domains

    async def create(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Let a VPC endpoint's callers reach a private domain name; it takes effect at once.

        Raises: BadRequestException, NotFoundException, ConflictException, LimitExceededException.
        """
        reference = _reference(call, params["domainNameArn"])
        source = params["accessAssociationSource"]
        if not VPC_ENDPOINT.fullmatch(source):
            raise BadRequestException(f"Invalid access association source specified: {source}")
        tags = dict(params.get("tags", {}))
        check_tags(tags)
        wanted = AccessAssociation(source, tags)
        others = await self._domains.all(call)

        def change(domain: DomainName) -> tuple[DomainName, None]:
            for each in (*others.values(), domain):
                if each.name == domain.name and any(one.vpc_endpoint_id == source for one in each.associations):
                    raise ConflictException(f"{source} has an access association with a domain name {each.name}")
            if len(domain.associations) >= ASSOCIATIONS_MAX:
                raise LimitExceededException(f"A domain name has at most {ASSOCIATIONS_MAX} access associations")
            return replace(domain, associations=(*domain.associations, wanted)), None

        domain, _ = await self._domains.change(call, reference, change)
        return domain.association_to_aws(wanted)

    async def list(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of the account's associations; other accounts have none here."""
        found = {}
        if params.get("resourceOwner") != "OTHER_ACCOUNTS":
            for domain in (await self._domains.all(call)).values():
                for each in domain.associations:
                    found[domain.association_arn(each.vpc_endpoint_id)] = domain.association_to_aws(each)
        page, position = paged(found, params)
        return {"items": page, **position}

    async def delete(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take an association away. Raises: BadRequestException, NotFoundException."""
        await self._remove(call, params["domainNameAccessAssociationArn"])

    async def reject(self, call: Call, params: Mapping[str, Any]) -> None:
        """Take an association away as the domain name's owner. Raises: BadRequestException, NotFoundException."""
        arn = params["domainNameAccessAssociationArn"]
        found = _ASSOCIATION.fullmatch(arn)
        if found is None or found[3] != _reference(call, params["domainNameArn"]):
            raise BadRequestException("The access association is not one of this domain name")
        await self._remove(call, arn)

    async def _remove(self, call: Call, arn: str) -> None:
        found = _ASSOCIATION.fullmatch(arn)
        if found is None:
            raise BadRequestException(f"Invalid domain name access association ARN specified {arn}")
        _check_owner(call, found[1], found[2])

        def change(domain: DomainName) -> tuple[DomainName, None]:
            kept = tuple(each for each in domain.associations if each.vpc_endpoint_id != found[4])
            if len(kept) == len(domain.associations):
                raise NotFoundException(f"Invalid domain name access association identifier specified {arn}")
            return replace(domain, associations=kept), None

        await self._domains.change(call, found[3], change)


def _reference(call: Call, arn: str) -> str:
    found = _DOMAIN.fullmatch(arn)
    if found is None:
        raise BadRequestException(f"Invalid domain name ARN specified {arn}: it must be of a private domain name")
    _check_owner(call, found[1], found[2])
    return found[3]


def _check_owner(call: Call, region: str, account_id: str) -> None:
    if region != call.region:
        raise BadRequestException("The domain name belongs to another region")
    if account_id != call.account_id:
        raise BadRequestException("Gatepost does not share domain names between accounts yet")
