"""The operations on custom domain names.

EDGE is approximated: there is no CloudFront before the gateway, the same listeners answer. DNS names are the client's
matter: names below `localhost` lead here by themselves, for others a hosts file or `--resolve`.
Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-custom-domains.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.ids import random_id, stable_id
from gatepost.kernel.operations import Call
from gatepost.kernel.ports import CertificateInfo, Certificates, DomainsElsewhere
from gatepost.security.certificates import names_match
from gatepost.security.tls_contexts import DEFAULT_POLICY, POLICIES, unsupported_policy
from gatepost.services.apigateway.api_endpoint import address_type_of, check_policy_fits
from gatepost.services.apigateway.domain_model import V1_MODES, DomainEndpoint, DomainName, reference_of
from gatepost.services.apigateway.domain_patches import DOMAIN_PATCHES, check_requests, local_name
from gatepost.services.apigateway.domain_records import DomainRecords
from gatepost.services.apigateway.domain_trust import TrustStore, TrustStores
from gatepost.services.apigateway.model import BadRequestException, ConflictException, LimitExceededException
from gatepost.services.apigateway.paging import paged
from gatepost.services.apigateway.rest_apis import check_policy
from gatepost.services.apigateway.support import check_supported
from gatepost.services.apigateway.tag_limits import check_tags

DOMAINS_MAX: Final = 120  # public custom domain names per account and region
ENDPOINT_TYPES: Final = ("REGIONAL", "EDGE", "PRIVATE")
DOMAIN_ID_LENGTH: Final = 10
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME: Final = re.compile(rf"(?=.{{3,255}}$)(?:\*\.)?(?:{_LABEL}\.)+{_LABEL}")
_OWN: Final = re.compile(
    r"(?:^|\.)(?:execute-api|lambda-url)\.|(?:^|\.)auth\.(?:.*\.)?localhost$|\.amazon(?:aws|cognito)\.com$"
    r"|^host\.(?:docker|containers)\.internal$"
)
_ADDRESS: Final = re.compile(
    r"[0-9.]+"
)  # requests to an address name their API by the path: all of them would be caught
_UPLOADED: Final = ("certificateBody", "certificatePrivateKey", "certificateChain")


class DomainNames:
    """Create, show, change and delete custom domain names."""

    def __init__(self, domains: DomainRecords, certificates: Certificates, trust: TrustStores) -> None:
        self._domains = domains
        self._certificates = certificates
        self._trust = trust
        self._elsewhere: DomainsElsewhere | None = None

    def beside(self, elsewhere: DomainsElsewhere) -> None:
        """Take no name that is served elsewhere: whoever has it would lose what is sent there, sign-ins for one."""
        self._elsewhere = elsewhere

    async def create(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Create a domain name: it serves at once.

        Raises: BadRequestException, ConflictException, LimitExceededException.
        """
        name = params["domainName"]
        if not _NAME.fullmatch(name) or _ADDRESS.fullmatch(name):
            raise BadRequestException(f"The domain name to be created, {name}, is not a valid domain name")
        if _OWN.search(name):
            raise BadRequestException(f"The domain name {name} belongs to the platform's own endpoints")
        if self._elsewhere is not None and await self._elsewhere.serves(name):
            raise ConflictException("The domain name you provided already exists.")
        for setting in _UPLOADED:
            if params.get(setting):
                raise BadRequestException(f"{setting} is not supported: import the certificate into ACM")
        domain = self._from_params(call, name, params)
        domain = _with_trust_store(domain, await self._trust_store(call, domain))
        if len(await self._domains.all(call)) >= DOMAINS_MAX:
            raise LimitExceededException("Maximum number of domain names for this account has been reached.")
        self._check(domain)
        await self._domains.add(call, domain)
        return domain.to_aws()

    def _from_params(self, call: Call, name: str, params: Mapping[str, Any]) -> DomainName:
        endpoint = params.get("endpointConfiguration", {})
        types = endpoint.get("types") or ["EDGE"]
        if len(types) != 1:
            raise BadRequestException(f"A domain name has one endpoint type: use one of {', '.join(ENDPOINT_TYPES)}")
        endpoint_type = types[0]
        if endpoint.get("vpcEndpointIds"):
            raise BadRequestException("VPC endpoints are associated by CreateDomainNameAccessAssociation")
        if endpoint_type not in ENDPOINT_TYPES:
            raise BadRequestException(f"Invalid endpoint type {endpoint_type}: use one of {', '.join(ENDPOINT_TYPES)}")
        arn = self._certificate_arn(endpoint_type, params)
        mutual = params.get("mutualTlsAuthentication", {})
        length = 13 if endpoint_type == "EDGE" else 10
        local = stable_id(call.account_id, call.region, name, length=length)
        return DomainName(
            name=name,
            account_id=call.account_id,
            region=call.region,
            local_name=local_name(endpoint_type, local),
            certificate_arn=arn,
            created_at_ms=call.now_ms,
            certificate_at_ms=call.now_ms,
            endpoint_type=endpoint_type,
            ip_address_type=address_type_of(endpoint_type, endpoint.get("ipAddressType", "")),
            domain_id=random_id(DOMAIN_ID_LENGTH) if endpoint_type == "PRIVATE" else "",
            policy=params.get("policy", ""),
            certificate_name=params.get("regionalCertificateName") or params.get("certificateName", ""),
            security_policy=params.get("securityPolicy") or DEFAULT_POLICY,
            access_mode=params.get("endpointAccessMode", ""),
            routing_mode=V1_MODES[params.get("routingMode") or "BASE_PATH_MAPPING_ONLY"],
            trust_store_uri=mutual.get("truststoreUri", ""),
            trust_store_version=mutual.get("truststoreVersion", ""),
            ownership_arn=params.get("ownershipVerificationCertificateArn", ""),
            tags=dict(params.get("tags", {})),
        )

    def _certificate_arn(self, endpoint_type: str, params: Mapping[str, Any]) -> str:
        wanted, other = "regionalCertificateArn", "certificateArn"
        if endpoint_type != "REGIONAL":
            wanted, other = other, wanted
        if params.get(other):
            raise BadRequestException(f"Cannot specify {other} for {endpoint_type} domain names: use {wanted}")
        arn: str = params.get(wanted, "")
        if not arn:
            raise BadRequestException(f"{wanted} is required for {endpoint_type} domain names")
        return arn

    def _certificate(self, arn: str) -> CertificateInfo:
        found = self._certificates.certificate(arn)
        if found is None:
            raise BadRequestException(f"Invalid certificate ARN {arn}: there is no such certificate")
        return found

    def _check(self, domain: DomainName) -> None:
        """Check a domain name as a whole. Raises: BadRequestException."""
        for endpoint in domain.endpoints:
            self._check_certificate(domain.name, endpoint)
        if domain.ownership_arn:
            self._certificate(domain.ownership_arn)
        check_tags(domain.tags)
        check_policy_fits(domain.security_policy, domain.endpoint_type)
        _check_private(domain)
        if problem := unsupported_policy(domain.security_policy):
            raise BadRequestException(f"securityPolicy: {problem}")
        _check_modes(domain)

    def _check_certificate(self, name: str, endpoint: DomainEndpoint) -> None:
        if not endpoint.certificate_arn:
            raise BadRequestException(f"A certificate is required for the endpoint type {endpoint.type}")
        certificate = self._certificate(endpoint.certificate_arn)
        if certificate.status != "ISSUED":
            raise BadRequestException(f"The certificate {certificate.arn} cannot be used: it is {certificate.status}")
        if not names_match(name, certificate.names):
            names = ", ".join(certificate.names)
            raise BadRequestException(f"The domain name {name} is not covered by the certificate's names: {names}")

    async def _trust_store(self, call: Call, domain: DomainName) -> TrustStore | None:
        if not domain.trust_store_uri:
            return None
        return await self._trust.read(call, domain.trust_store_uri, domain.trust_store_version)

    async def get(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a domain name. Raises: NotFoundException."""
        return (await self._domains.find(call, _reference(params))).to_aws()

    async def list(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Give a page of the account's domain names; other accounts share none here."""
        domains = {} if params.get("resourceOwner") == "OTHER_ACCOUNTS" else await self._domains.all(call)
        page, position = paged(domains, params)
        return {"items": [each.to_aws() for each in page], **position}

    async def update(self, call: Call, params: Mapping[str, Any]) -> dict[str, Any]:
        """Patch a domain name; it takes effect at once for new connections and requests.

        Raises: NotFoundException, BadRequestException, ConflictException.
        """
        patches = params.get("patchOperations", ())
        check_requests(patches)
        planned, store = None, None
        if any("truststore" in each.get("path", "") for each in patches):
            planned = DOMAIN_PATCHES.apply(await self._domains.find(call, _reference(params)), params)
            store = await self._trust_store(call, planned)

        def change(domain: DomainName) -> tuple[DomainName, None]:
            changed = DOMAIN_PATCHES.apply(domain, params)
            if planned is not None:
                if _place(changed) != _place(planned):  # what was read meanwhile is of another place
                    raise ConflictException("The truststore was changed by another request at the same time")
                changed = _with_trust_store(changed, store)
            if changed.certificate_arn != domain.certificate_arn:
                changed = replace(changed, certificate_at_ms=call.now_ms)
            self._check(changed)
            return changed, None

        domain, _ = await self._domains.change(call, _reference(params), change)
        return domain.to_aws()

    async def delete(self, call: Call, params: Mapping[str, Any]) -> None:
        """Delete a domain name with its mappings and routing rules. Raises: NotFoundException."""
        await self._domains.remove(call, _reference(params))


def _place(domain: DomainName) -> tuple[str, str]:
    return domain.trust_store_uri, domain.trust_store_version


def _with_trust_store(domain: DomainName, store: TrustStore | None) -> DomainName:
    if store is None:
        return replace(domain, trust_store="", trust_store_version="", trust_store_warnings=())
    return replace(domain, trust_store=store[0], trust_store_warnings=store[1])


def _check_private(domain: DomainName) -> None:
    """Check what only private domain names have, and what they cannot have. Raises: BadRequestException."""
    if not domain.is_private:
        if domain.policy:
            raise BadRequestException("policy is a setting of private domain names only")
        return
    if domain.name.startswith("*"):
        raise BadRequestException("Wildcard custom domain names are not supported for PRIVATE domain names")
    if domain.ip_address_type != "dualstack":
        raise BadRequestException("Only dualstack IP address type is supported for PRIVATE domain names")
    if domain.security_policy != DEFAULT_POLICY or domain.access_mode:
        raise BadRequestException(f"All PRIVATE domain names have the security policy {DEFAULT_POLICY}")
    check_supported("managementPolicy", domain.management_policy)
    if domain.policy:
        check_policy(domain.policy)


def _check_modes(domain: DomainName) -> None:
    """Check what settings need of each other. Raises: BadRequestException."""
    is_enhanced = POLICIES[domain.security_policy].is_enhanced
    if is_enhanced and not domain.access_mode:
        raise BadRequestException(f"endpointAccessMode is required with {domain.security_policy}: use BASIC or STRICT")
    if domain.access_mode == "STRICT" and not is_enhanced:
        raise BadRequestException("endpointAccessMode STRICT needs a security policy that starts with SecurityPolicy_")
    if not domain.trust_store_uri:
        return
    if domain.endpoint_type != "REGIONAL":
        raise BadRequestException("Mutual TLS is supported for REGIONAL domain names only")
    if domain.security_policy != DEFAULT_POLICY:
        raise BadRequestException(f"Mutual TLS needs the security policy {DEFAULT_POLICY}")


def _reference(params: Mapping[str, Any]) -> str:
    return reference_of(params["domainName"], params.get("domainNameId", ""))
