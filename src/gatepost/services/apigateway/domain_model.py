"""What is kept of custom domain names: one record each, with its base path mappings and routing rules.

`routing_mode` is by API Gateway V2's names; V1 calls the same modes BASE_PATH_MAPPING_….
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from gatepost.kernel.operations import Change
from gatepost.services.apigateway.domain_publication import (
    CUSTOM_DOMAIN,
    MAPPINGS_ONLY,
    PublishedDomain,
    PublishedMapping,
    PublishedRule,
)

DOMAIN_NAME: Final = "apigateway.domain_name"
NO_BASE_PATH: Final = "(none)"
V1_MODES: Final = {
    "BASE_PATH_MAPPING_ONLY": "API_MAPPING_ONLY",
    "ROUTING_RULE_ONLY": "ROUTING_RULE_ONLY",
    "ROUTING_RULE_THEN_BASE_PATH_MAPPING": "ROUTING_RULE_THEN_API_MAPPING",
}
V2_MODES: Final = {v2: v1 for v1, v2 in V1_MODES.items()}
# https://docs.aws.amazon.com/general/latest/gr/apigateway.html
HOSTED_ZONES: Final = {
    "us-east-1": "Z1UJRXOUMOOFQ8",
    "us-east-2": "ZOJJZC49E0EPZ",
    "us-west-1": "Z2MUQ32089INYE",
    "us-west-2": "Z2OJLYMUO9EFXC",
    "eu-central-1": "Z1U9ULNL0V5AJ3",
    "eu-west-1": "ZLY8HYME6SFDD",
    "ap-northeast-1": "Z1YSHQZHG15GKL",
    "ap-southeast-1": "ZL327KTPIQFUL",
    "ap-southeast-2": "Z2RPCDW04V8134",
}
CLOUDFRONT_ZONE: Final = "Z2FDTNDATAQYW2"


def reference_of(name: str, domain_id: str) -> str:
    """Give what tells one domain name from all others: its name, and the id that private ones have.

    A plus within a name, which no name has, leads to none: whoever may touch a name may not touch it by another's ARN.
    """
    known = name.lower().replace("+", "%2B")
    return f"{known}+{domain_id}" if domain_id else known


@dataclass(frozen=True, slots=True)
class BasePathMapping:
    """Which stage answers below a base path. `stage_name` "": the path's next segment names it."""

    id: str
    base_path: str  # "" for all; several levels by V2 only
    api_id: str
    stage_name: str = ""

    def to_aws(self) -> dict[str, Any]:
        """Give the shape BasePathMapping."""
        shape = {"basePath": self.base_path or NO_BASE_PATH, "restApiId": self.api_id}
        return {**shape, "stage": self.stage_name} if self.stage_name else shape

    def to_v2(self) -> dict[str, Any]:
        """Give V2's shape ApiMapping."""
        return {
            "ApiMappingId": self.id,
            "ApiMappingKey": self.base_path,
            "ApiId": self.api_id,
            "Stage": self.stage_name,
        }


@dataclass(frozen=True, slots=True)
class RoutingRule:
    """A routing rule, its conditions and action as V2's shapes."""

    id: str
    priority: int
    conditions: tuple[Mapping[str, Any], ...]
    api_id: str
    stage_name: str
    strips_base_path: bool = False

    def to_published(self) -> PublishedRule:
        """Give it as the gateway gets it."""
        paths: list[str] = []
        headers = []
        for condition in self.conditions:
            paths.extend(condition.get("MatchBasePaths", {}).get("AnyOf", ()))
            if "MatchHeaders" in condition:
                any_of = condition["MatchHeaders"]["AnyOf"]
                headers.append(tuple((each["Header"].lower(), each["ValueGlob"]) for each in any_of))
        return PublishedRule(
            self.id,
            self.priority,
            tuple(path.strip("/") for path in paths),
            tuple(headers),
            self.api_id,
            self.stage_name,
            self.strips_base_path,
        )

    def to_v2(self, domain_arn: str) -> dict[str, Any]:
        """Give V2's shape RoutingRule."""
        action = {"ApiId": self.api_id, "Stage": self.stage_name, "StripBasePath": self.strips_base_path}
        return {
            "RoutingRuleId": self.id,
            "RoutingRuleArn": f"{domain_arn}/routingrules/{self.id}",
            "Priority": self.priority,
            "Conditions": [dict(each) for each in self.conditions],
            "Actions": [{"InvokeApi": action}],
        }


@dataclass(frozen=True, slots=True)
class DomainEndpoint:
    """The second endpoint type of a domain name that migrates between EDGE and REGIONAL."""

    type: str
    local_name: str
    certificate_arn: str = ""
    certificate_name: str = ""


@dataclass(frozen=True, slots=True)
class AccessAssociation:
    """A VPC endpoint whose callers reach a private domain name."""

    vpc_endpoint_id: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DomainName:
    """A custom domain name. The listeners show the certificate of its first endpoint type."""

    name: str
    account_id: str
    region: str
    local_name: str  # the regional or distribution domain name's own part
    certificate_arn: str
    created_at_ms: int
    certificate_at_ms: int
    endpoint_type: str = "REGIONAL"  # or EDGE
    ip_address_type: str = "ipv4"
    certificate_name: str = ""
    security_policy: str = "TLS_1_2"
    access_mode: str = ""
    routing_mode: str = MAPPINGS_ONLY
    trust_store_uri: str = ""
    trust_store_version: str = ""
    trust_store: str = ""  # PEM
    trust_store_warnings: tuple[str, ...] = ()
    ownership_arn: str = ""
    policy: str = ""  # of private domain names: who may invoke
    management_policy: str = ""  # of private domain names: who may associate a VPC endpoint
    tags: Mapping[str, str] = field(default_factory=dict)
    mappings: tuple[BasePathMapping, ...] = ()
    rules: tuple[RoutingRule, ...] = ()
    second: DomainEndpoint | None = None
    domain_id: str = ""  # AWS: domainNameId, of private domain names
    associations: tuple[AccessAssociation, ...] = ()

    @property
    def is_private(self) -> bool:
        """Whether only VPC endpoints reach it."""
        return self.endpoint_type == "PRIVATE"

    @property
    def record_id(self) -> str:
        """The name, with the id of a private one: several of those may have one name."""
        return reference_of(self.name, self.domain_id)

    @property
    def first(self) -> DomainEndpoint:
        """The endpoint that is there always."""
        return DomainEndpoint(self.endpoint_type, self.local_name, self.certificate_arn, self.certificate_name)

    @property
    def endpoints(self) -> tuple[DomainEndpoint, ...]:
        """One endpoint, or two while it migrates."""
        return (self.first,) if self.second is None else (self.first, self.second)

    @property
    def arn(self) -> str:
        """The ARN. API Gateway's have no account, but for private domain names'."""
        account_id = self.account_id if self.is_private else ""
        return f"arn:aws:apigateway:{self.region}:{account_id}:/domainnames/{self.record_id}"

    def association_to_aws(self, association: AccessAssociation) -> dict[str, Any]:
        """Give the shape DomainNameAccessAssociation."""
        shape: dict[str, Any] = {
            "domainNameAccessAssociationArn": self.association_arn(association.vpc_endpoint_id),
            "domainNameArn": self.arn,
            "accessAssociationSourceType": "VPCE",
            "accessAssociationSource": association.vpc_endpoint_id,
        }
        return {**shape, "tags": dict(association.tags)} if association.tags else shape

    def association_arn(self, vpc_endpoint_id: str) -> str:
        """Give the ARN of an access association."""
        place = f"domainnameaccessassociations/domainname/{self.record_id}/vpcesource/{vpc_endpoint_id}"
        return f"arn:aws:apigateway:{self.region}:{self.account_id}:/{place}"

    def to_json(self) -> dict[str, Any]:
        """Give the record's value."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> DomainName:
        """Read what `to_json` wrote."""
        known = {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        known["trust_store_warnings"] = tuple(value.get("trust_store_warnings", ()))
        known["mappings"] = tuple(BasePathMapping(**each) for each in value.get("mappings", ()))
        known["rules"] = tuple(
            RoutingRule(**{**each, "conditions": tuple(each["conditions"])}) for each in value.get("rules", ())
        )
        known["associations"] = tuple(AccessAssociation(**each) for each in value.get("associations", ()))
        if (second := value.get("second")) is not None:
            known["second"] = DomainEndpoint(**second)
        return cls(**known)

    def to_aws(self) -> dict[str, Any]:
        """Give the shape DomainName."""
        shape: dict[str, Any] = {
            "domainName": self.name,
            "domainNameArn": self.arn,
            "certificateUploadDate": self.certificate_at_ms,
            "endpointConfiguration": {
                "types": [each.type for each in self.endpoints],
                "ipAddressType": self.ip_address_type,
            },
            "domainNameStatus": "AVAILABLE",
            "securityPolicy": self.security_policy,
            "routingMode": V2_MODES[self.routing_mode],
            "tags": dict(self.tags),
        }
        for each in self.endpoints:
            shape |= self._endpoint_to_aws(each)
        if self.access_mode:
            shape["endpointAccessMode"] = self.access_mode
        if self.ownership_arn:
            shape["ownershipVerificationCertificateArn"] = self.ownership_arn
        if self.trust_store_uri:
            shape["mutualTlsAuthentication"] = self.mutual_tls()
        return shape

    def _endpoint_to_aws(self, endpoint: DomainEndpoint) -> dict[str, Any]:
        if endpoint.type == "PRIVATE":
            private = {"domainNameId": self.domain_id, "certificateArn": endpoint.certificate_arn}
            return private | {
                name: text
                for name, text in (("certificateName", endpoint.certificate_name), ("policy", self.policy))
                if text
            }
        if endpoint.type == "EDGE":
            shape = {
                "certificateArn": endpoint.certificate_arn,
                "distributionDomainName": self._target(endpoint),
                "distributionHostedZoneId": CLOUDFRONT_ZONE,
            }
            return {**shape, "certificateName": endpoint.certificate_name} if endpoint.certificate_name else shape
        shape = {
            "regionalCertificateArn": endpoint.certificate_arn,
            "regionalDomainName": self._target(endpoint),
            "regionalHostedZoneId": HOSTED_ZONES.get(self.region, HOSTED_ZONES["us-east-1"]),
        }
        return {**shape, "regionalCertificateName": endpoint.certificate_name} if endpoint.certificate_name else shape

    def _target(self, endpoint: DomainEndpoint) -> str:
        if endpoint.type == "EDGE":
            return f"{endpoint.local_name}.cloudfront.net"
        return f"{endpoint.local_name}.execute-api.{self.region}.amazonaws.com"

    @property
    def target(self) -> str:
        """What a DNS record of the domain name points to on AWS."""
        return self._target(self.first)

    def mutual_tls(self) -> dict[str, Any]:
        """Give the shape MutualTlsAuthentication."""
        shape: dict[str, Any] = {"truststoreUri": self.trust_store_uri}
        if self.trust_store_version:
            shape["truststoreVersion"] = self.trust_store_version
        if self.trust_store_warnings:
            shape["truststoreWarnings"] = list(self.trust_store_warnings)
        return shape

    @property
    def key(self) -> str:
        """Under which it is published."""
        return f"{self.account_id}/{self.region}/{self.record_id}"

    def published(self) -> Change:
        """Give what the gateway should hold."""
        domain = PublishedDomain(
            name=self.name,
            certificate_arn=self.certificate_arn,
            security_policy=self.security_policy,
            trust_store=self.trust_store,
            is_strict=self.access_mode == "STRICT",
            routing_mode=self.routing_mode,
            mappings=tuple(PublishedMapping(each.base_path, each.api_id, each.stage_name) for each in self.mappings),
            rules=tuple(each.to_published() for each in self.rules),
            vpc_endpoint_ids=tuple(each.vpc_endpoint_id for each in self.associations) if self.is_private else None,
            policy=self.policy,
            account_id=self.account_id,
            region=self.region,
            domain_id=self.domain_id,
        )
        return Change(CUSTOM_DOMAIN, self.key, domain.to_json())

    def withdrawn(self) -> Change:
        """Give the change that takes it from the gateway."""
        return Change(CUSTOM_DOMAIN, self.key, None)
