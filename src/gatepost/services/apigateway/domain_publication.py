"""What the gateway gets of a custom domain name: whose certificate, on what terms, and where its paths lead.

Published under topic `CUSTOM_DOMAIN`, key: the domain's record id. Certificates and keys go on their own way (ACM
publishes them), so that a certificate that is imported again needs no word from its domain names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

CUSTOM_DOMAIN: Final = "custom_domain"
MAPPINGS_ONLY: Final = "API_MAPPING_ONLY"
RULES_ONLY: Final = "ROUTING_RULE_ONLY"


@dataclass(frozen=True, slots=True)
class PublishedMapping:
    """Below `base_path` ("" for all; `orders/v1` for several levels) answers a stage; "" takes it from the path."""

    base_path: str
    api_id: str
    stage_name: str


@dataclass(frozen=True, slots=True)
class PublishedRule:
    """A routing rule: any of the base paths, and one of the headers of each condition (name, value glob)."""

    id: str
    priority: int
    base_paths: tuple[str, ...]
    headers: tuple[tuple[tuple[str, str], ...], ...]
    api_id: str
    stage_name: str
    strips_base_path: bool


@dataclass(frozen=True, slots=True)
class PublishedDomain:
    """A custom domain name as the gateway serves it. `trust_store` is PEM; "" asks no client for a certificate.

    A private one has the VPC endpoints that are associated with it, and a policy that says who may invoke it.
    """

    name: str
    certificate_arn: str
    security_policy: str
    trust_store: str = ""
    is_strict: bool = False
    routing_mode: str = MAPPINGS_ONLY
    mappings: tuple[PublishedMapping, ...] = ()
    rules: tuple[PublishedRule, ...] = ()
    vpc_endpoint_ids: tuple[str, ...] | None = None  # None: a public one
    policy: str = ""  # the four are of private ones
    account_id: str = ""
    region: str = ""
    domain_id: str = ""

    @property
    def invocation_arn(self) -> str:
        """What the policies of a private domain name, and those of VPC endpoints, call it."""
        return f"arn:aws:execute-api:{self.region}:{self.account_id}:/domainnames/{self.name}+{self.domain_id}"

    def to_json(self) -> dict[str, Any]:
        """Give JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> PublishedDomain:
        """Read what `to_json` wrote."""
        known = {name: value[name] for name in cls.__dataclass_fields__ if name in value}
        known["mappings"] = tuple(PublishedMapping(**each) for each in value.get("mappings", ()))
        known["rules"] = tuple(_rule(each) for each in value.get("rules", ()))
        if value.get("vpc_endpoint_ids") is not None:
            known["vpc_endpoint_ids"] = tuple(value["vpc_endpoint_ids"])
        return cls(**known)


def _rule(value: Mapping[str, Any]) -> PublishedRule:
    headers = tuple(tuple((str(name), str(glob)) for name, glob in condition) for condition in value["headers"])
    return PublishedRule(**{**value, "base_paths": tuple(value["base_paths"]), "headers": headers})
