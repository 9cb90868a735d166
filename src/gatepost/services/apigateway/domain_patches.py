"""The patch operations of domain names.

A domain name that migrates between EDGE and REGIONAL has both for a time: `add` gives it the second type with its
certificate, `remove` takes one away. One request does only one of the two.
Sources: https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html ("UpdateDomainName"),
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-api-custom-domain-migrate.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.ids import random_id
from gatepost.services.apigateway.domain_model import V1_MODES, DomainEndpoint, DomainName
from gatepost.services.apigateway.model import BadRequestException
from gatepost.services.apigateway.patches import Patch, PatchTable, one_of, rule

MIGRATING: Final = ("REGIONAL", "EDGE")
_LENGTHS: Final = {"EDGE": 13, "REGIONAL": 10}
_ENDPOINT_PATHS: Final = (
    "/certificateArn",
    "/certificateName",
    "/endpointConfiguration/types",
    "/regionalCertificateArn",
    "/regionalCertificateName",
)

Apply = Callable[[DomainName, Patch], DomainName]


def local_name(endpoint_type: str, local: str) -> str:
    """Give the first label of the DNS name that a record points to."""
    return f"d{local}" if endpoint_type == "EDGE" else f"d-{local}"


def check_requests(operations: Sequence[Mapping[str, str]]) -> None:
    """Refuse a request that gives a domain name an endpoint type and takes one away. Raises: BadRequestException."""
    ops = {each.get("op", "") for each in operations if each.get("path", "") in _ENDPOINT_PATHS}
    if {"add", "remove"} <= ops:
        raise BadRequestException("An endpoint type cannot be added and removed in the same request")


def _with_endpoint(domain: DomainName, endpoint_type: str, **changes: Any) -> DomainName:
    """Give the domain name with changes to one endpoint; a second one is made where there is none of the type."""
    if domain.endpoint_type == endpoint_type:
        return replace(domain, **changes)
    second = domain.second or DomainEndpoint(
        endpoint_type, local_name(endpoint_type, random_id(_LENGTHS[endpoint_type]))
    )
    return replace(domain, second=replace(second, **changes))


def _certificate(endpoint_type: str, setting: str) -> Apply:
    def apply(domain: DomainName, patch: Patch) -> DomainName:
        is_there = any(each.type == endpoint_type for each in domain.endpoints)
        if domain.endpoint_type == "PRIVATE":
            if setting.endswith("arn") and endpoint_type == "EDGE" and patch.op != "remove":
                return replace(domain, certificate_arn=patch.value)  # a private domain name's is `certificateArn`
            raise BadRequestException(f"{patch.path} is not a setting of PRIVATE domain names")
        if patch.op == "remove":
            return _with_endpoint(domain, endpoint_type, **{setting: ""}) if is_there else domain
        if patch.op == "replace" and not is_there:
            raise BadRequestException(f"{patch.path} is not a setting of {domain.endpoint_type} domain names")
        return _with_endpoint(domain, endpoint_type, **{setting: patch.value})

    return apply


def _types(domain: DomainName, patch: Patch) -> DomainName:
    if domain.endpoint_type == "PRIVATE":
        raise BadRequestException("The endpoint type of a private domain name cannot be changed")
    wanted = one_of(patch, MIGRATING)
    if patch.op == "add":
        return _with_endpoint(domain, wanted)
    if domain.second is None or wanted not in (domain.endpoint_type, domain.second.type):
        raise BadRequestException(f"Invalid patch value  '{patch.value}' specified for path '{patch.path}'")
    if domain.second.type == wanted:
        return replace(domain, second=None)
    second = domain.second
    return replace(
        domain,
        endpoint_type=second.type,
        local_name=second.local_name,
        certificate_arn=second.certificate_arn,
        certificate_name=second.certificate_name,
        second=None,
    )


def _migrate(domain: DomainName, patch: Patch) -> DomainName:
    """Make a REGIONAL domain name of an EDGE one, or the other way round, at once."""
    if domain.endpoint_type == "PRIVATE" or patch.value == "PRIVATE":
        raise BadRequestException("The endpoint type of a private domain name cannot be changed")
    wanted = one_of(patch, MIGRATING)
    if domain.second is not None or wanted == domain.endpoint_type:
        return domain
    local = random_id(_LENGTHS[wanted])
    return replace(domain, endpoint_type=wanted, local_name=local_name(wanted, local))


def _text(name: str) -> Apply:
    def apply(domain: DomainName, patch: Patch) -> DomainName:
        changed: Mapping[str, Any] = {name: "" if patch.op == "remove" else patch.value}
        return replace(domain, **changed)

    return apply


def _of_private(name: str) -> Apply:
    def apply(domain: DomainName, patch: Patch) -> DomainName:
        if domain.endpoint_type != "PRIVATE":
            raise BadRequestException(f"{patch.path} is a setting of private domain names only")
        changed: Mapping[str, Any] = {name: patch.value}
        return replace(domain, **changed)

    return apply


def _access_mode(domain: DomainName, patch: Patch) -> DomainName:
    return replace(domain, access_mode=one_of(patch, ("BASIC", "STRICT")))


def _routing_mode(domain: DomainName, patch: Patch) -> DomainName:
    return replace(domain, routing_mode=V1_MODES[one_of(patch, tuple(V1_MODES))])


def _ip_address_type(domain: DomainName, patch: Patch) -> DomainName:
    return replace(domain, ip_address_type=one_of(patch, ("ipv4", "dualstack")))


_ALL: Final = "add replace remove"
# The rule for `types/*` is not on AWS's page: it is what Terraform sends (`/endpointConfiguration/types/0`).
_RULES: Final[tuple[tuple[str, str, Any], ...]] = (
    ("/certificateArn", _ALL, _certificate("EDGE", "certificate_arn")),
    ("/certificateName", _ALL, _certificate("EDGE", "certificate_name")),
    ("/endpointAccessMode", "replace", _access_mode),
    ("/endpointConfiguration/ipAddressType", "replace", _ip_address_type),
    ("/endpointConfiguration/types", "add remove", _types),
    ("/endpointConfiguration/types/*", "replace", _migrate),
    ("/managementPolicy", "replace", _of_private("management_policy")),
    ("/mutualTlsAuthentication/truststoreUri", _ALL, _text("trust_store_uri")),
    ("/mutualTlsAuthentication/truststoreVersion", _ALL, _text("trust_store_version")),
    ("/ownershipVerificationCertificateArn", _ALL, _text("ownership_arn")),
    ("/policy", "replace", _of_private("policy")),
    ("/regionalCertificateArn", _ALL, _certificate("REGIONAL", "certificate_arn")),
    ("/regionalCertificateName", _ALL, _certificate("REGIONAL", "certificate_name")),
    ("/routingMode", "replace", _routing_mode),
    ("/securityPolicy", "replace", _text("security_policy")),
)
DOMAIN_PATCHES: Final[PatchTable[DomainName]] = PatchTable(tuple(rule(*each) for each in _RULES))
