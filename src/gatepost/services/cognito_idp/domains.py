"""Domains of hosted pages: which name belongs to which pool.

A prefix (`shop`) stands for `shop.auth.{region}.amazoncognito.com` on AWS, and for `shop.auth.{region}.localhost` here;
a custom domain is a name of its own, and needs a certificate: the gateway is told of it and answers there over TLS.

Source: https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-add-custom-domain.html
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Final

from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.operations import Call, Change, RecordKey, operation
from gatepost.kernel.ports import Certificates, DomainsElsewhere, Publisher
from gatepost.security.certificates import names_match
from gatepost.security.tls_contexts import unsupported_policy
from gatepost.services.cognito_idp.errors import InvalidParameterException, ResourceNotFoundException
from gatepost.services.cognito_idp.pool import DOMAIN, UserPool
from gatepost.services.cognito_idp.pool_settings import unsupported
from gatepost.services.cognito_idp.pools import Pools
from gatepost.services.cognito_idp.publication import (
    DEFAULT_SECURITY_POLICY,
    POOL_DOMAIN,
    TLS_POLICIES,
    PublishedPoolDomain,
)
from gatepost.storage.base import Records

Params = Mapping[str, Any]
Answer = dict[str, Any]

_RESERVED: Final = ("aws", "amazon", "cognito")
_PREFIX: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_OWN: Final = re.compile(r"\.(?:auth|execute-api|lambda-url)\.(?:.*\.)?localhost$|\.amazon(?:aws|cognito)\.com$")
_NAME: Final = re.compile(r"(?![0-9.]+$)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+", re.ASCII)  # no address


class Domains:
    """Every domain, in memory and in the store; gateways hear of custom ones."""

    def __init__(self, records: Records, publisher: Publisher, certificates: Certificates) -> None:
        self._records = records
        self._publisher = publisher
        self._certificates = certificates
        self._domains: dict[str, dict[str, Any]] = {}
        self.elsewhere: DomainsElsewhere | None = None
        self.changing = asyncio.Lock()  # or a pool has two of a kind, and one that was deleted meanwhile comes back

    def beside(self, elsewhere: DomainsElsewhere) -> None:
        """Take no name that is served elsewhere."""
        self.elsewhere = elsewhere

    async def serves(self, name: str) -> bool:
        """Say whether a name is a custom domain of a pool."""
        return bool(self._domains.get(name, {}).get("is_custom"))

    async def load(self) -> None:
        """Read the domains."""
        self._domains = {record.key.id: record.value for record in await self._records.scan(DOMAIN)}

    def find(self, domain: str) -> Mapping[str, Any] | None:
        """Give a domain's record: pool_id, is_custom, certificate_arn, version."""
        return self._domains.get(domain)

    def of_pool(self, pool: UserPool) -> dict[str, str]:
        """Give a pool's Domain and CustomDomain, where it has such."""
        found = {}
        for name, value in self._domains.items():
            if value["pool_id"] == pool.id:
                found["CustomDomain" if value["is_custom"] else "Domain"] = name
        return found

    async def put(self, domain: str, value: dict[str, Any], *, is_new: bool) -> None:
        """Keep a domain. Names are unique over all accounts and regions. Raises: VersionConflict."""
        await self._records.put(RecordKey(DOMAIN, "", "", domain), value, expected_version=0 if is_new else None)
        self._domains[domain] = value
        if value["is_custom"]:
            await self._publisher.publish(_published(domain, value).change())

    async def delete(self, domain: str) -> None:
        """Let a domain go."""
        await self._records.delete(RecordKey(DOMAIN, "", "", domain))
        gone = self._domains.pop(domain, None)
        if gone is not None and gone["is_custom"]:
            await self._publisher.publish(Change(POOL_DOMAIN, domain, None))

    def published(self) -> list[Change]:
        """Give the custom domains."""
        return [_published(name, value).change() for name, value in self._domains.items() if value["is_custom"]]

    def certificate_uses(self) -> dict[str, list[str]]:
        """Give the custom domains that use a certificate, by its ARN."""
        found: dict[str, list[str]] = {}
        for name, value in self._domains.items():
            if value["is_custom"]:
                found.setdefault(value["certificate_arn"], []).append(name)
        return found

    def check_certificate(self, domain: str, arn: str, policy: str) -> None:
        """Check that a certificate can serve a domain on its terms. Raises: InvalidParameterException.

        The words are ours: unverified.
        """
        if problem := unsupported_policy(TLS_POLICIES[policy or DEFAULT_SECURITY_POLICY]):
            raise InvalidParameterException(f"SecurityPolicy {policy}: {problem}")
        certificate = self._certificates.certificate(arn)
        if certificate is None or certificate.status != "ISSUED":
            raise InvalidParameterException(f"Certificate {arn} does not exist, or is not issued.")
        if not names_match(domain, certificate.names):
            raise InvalidParameterException(f"Certificate {arn} does not cover the domain {domain}.")


def _published(name: str, value: Mapping[str, Any]) -> PublishedPoolDomain:
    policy = TLS_POLICIES[value["security_policy"] or DEFAULT_SECURITY_POLICY]
    return PublishedPoolDomain(name, value["certificate_arn"], policy)


class DomainOperations:
    """The operations on domains; a part of the provider."""

    _pools: Pools
    _domains: Domains

    @operation("CreateUserPoolDomain")
    async def create_user_pool_domain(self, call: Call, params: Params) -> Answer:
        """Give a pool a domain: one prefix, one custom name. Raises: InvalidParameterException."""
        pool = self._pools.get(call, params["UserPoolId"])
        domain, custom = params["Domain"], params.get("CustomDomainConfig")
        _check_version(params)
        if custom:
            if not _NAME.fullmatch(domain):
                raise InvalidParameterException(f"{domain} is no domain name.")
            if _OWN.search(domain):
                raise InvalidParameterException(f"{domain} belongs to the platform's own endpoints.")
            elsewhere = self._domains.elsewhere
            if elsewhere is not None and await elsewhere.serves(domain):
                raise InvalidParameterException("One or more aliases are already associated with another resource.")
            self._domains.check_certificate(domain, custom["CertificateArn"], custom.get("SecurityPolicy", ""))
        elif not _PREFIX.fullmatch(domain):
            raise InvalidParameterException("Domain name should be an alphanumeric prefix with hyphens between.")
        elif any(word in domain for word in _RESERVED):
            raise InvalidParameterException(f"Domain cannot contain reserved word: {_reserved(domain)}")
        value = {
            "pool_id": pool.id,
            "is_custom": bool(custom),
            "certificate_arn": (custom or {}).get("CertificateArn", ""),
            "security_policy": (custom or {}).get("SecurityPolicy", ""),
            "managed_login_version": params.get("ManagedLoginVersion") or 1,
        }
        async with self._domains.changing:
            if ("CustomDomain" if custom else "Domain") in self._domains.of_pool(pool):
                raise InvalidParameterException("User pool already has a domain configured.")
            try:
                await self._domains.put(domain, value, is_new=True)
            except VersionConflict as conflict:
                raise InvalidParameterException("Domain already associated with another user pool.") from conflict
        told = {"CloudFrontDomain": f"{domain}"} if custom else {}
        return {"ManagedLoginVersion": value["managed_login_version"], **told}

    @operation("UpdateUserPoolDomain")
    async def update_user_pool_domain(self, call: Call, params: Params) -> Answer:
        """Give a custom domain another certificate. Raises: ResourceNotFoundException, InvalidParameterException."""
        async with self._domains.changing:
            return await self._update_domain(self._pools.get(call, params["UserPoolId"]), params)

    async def _update_domain(self, pool: UserPool, params: Params) -> Answer:
        value = self._own(pool, params["Domain"])
        custom = params.get("CustomDomainConfig")
        _check_version(params)
        if custom and not value["is_custom"]:
            raise InvalidParameterException("A domain prefix has no certificate.")
        changed = {
            **value,
            "managed_login_version": params.get("ManagedLoginVersion") or value["managed_login_version"],
        }
        if custom:
            self._domains.check_certificate(
                params["Domain"], custom["CertificateArn"], custom.get("SecurityPolicy", "")
            )
            changed["certificate_arn"] = custom["CertificateArn"]
            changed["security_policy"] = custom.get("SecurityPolicy", "")
        await self._domains.put(params["Domain"], changed, is_new=False)
        told = {"CloudFrontDomain": params["Domain"]} if value["is_custom"] else {}
        return {"ManagedLoginVersion": changed["managed_login_version"], **told}

    @operation("DeleteUserPoolDomain")
    async def delete_user_pool_domain(self, call: Call, params: Params) -> Answer:
        """Take a pool's domain away. Raises: ResourceNotFoundException."""
        async with self._domains.changing:
            self._own(self._pools.get(call, params["UserPoolId"]), params["Domain"])
            await self._domains.delete(params["Domain"])
        return {}

    @operation("DescribeUserPoolDomain")
    def describe_user_pool_domain(self, call: Call, params: Params) -> Answer:
        """Describe a domain; one that nobody has gets an empty description, as on AWS."""
        value = self._domains.find(params["Domain"])
        pool = self._pools.find(value["pool_id"]) if value else None
        if value is None or pool is None or pool.account_id != call.account_id:
            return {"DomainDescription": {}}
        told: Answer = {
            "UserPoolId": pool.id,
            "AWSAccountId": pool.account_id,
            "Domain": params["Domain"],
            "Status": "ACTIVE",
            "Version": str(pool.created_at_ms),
            "ManagedLoginVersion": value["managed_login_version"],
        }
        if value["is_custom"]:
            told["CustomDomainConfig"] = {"CertificateArn": value["certificate_arn"]}
            if value["security_policy"]:
                told["CustomDomainConfig"]["SecurityPolicy"] = value["security_policy"]
            told["CloudFrontDistribution"] = params["Domain"]
        return {"DomainDescription": told}

    def _own(self, pool: UserPool, domain: str) -> Mapping[str, Any]:
        value = self._domains.find(domain)
        if value is None or value["pool_id"] != pool.id:
            raise ResourceNotFoundException("Domain does not exist.")
        return value


def _check_version(params: Params) -> None:
    if params.get("Routing"):
        raise unsupported("Routing", "there is one region: leave it out")
    if (params.get("ManagedLoginVersion") or 1) not in (1, 2):
        raise InvalidParameterException("ManagedLoginVersion is 1 or 2.")


def _reserved(domain: str) -> str:
    return next(word for word in _RESERVED if word in domain)
