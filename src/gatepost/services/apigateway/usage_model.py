"""What is kept of API keys, usage plans and usage, and what of it crosses to the gateway.

A key's value is sealed in its record. What crosses, and what a value is found by, is a keyed digest of it: who reads
a gateway's memory or its saved snapshot cannot try values without the platform's sealing key. Keys cross in pages,
one for each beginning of a digest, so that a million of them are a few thousand texts and not a million objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

API_KEY: Final = "apigateway.api_key"
API_KEY_DIGEST: Final = "apigateway.api_key_digest"  # by digest: which key, and its line in a page
API_KEY_PLACE: Final = "apigateway.api_key_place"  # one record in each account and region that has or had keys
USAGE_PLAN: Final = "apigateway.usage_plan"
USAGE_PLAN_KEY: Final = "apigateway.usage_plan_key"  # by {plan}/{key}
USAGE: Final = "apigateway.usage"  # by {plan}/{key}: requests per day; written when gateways report
USAGE_EXTENSION: Final = "apigateway.usage_extension"  # by {plan}/{key}: what UpdateUsage granted, per period

API_KEY_PAGE: Final = "api-key-page"
"""Topic: `{account}/{region}/{first characters of digests}` -> {"lines": text}, a line for each key."""
PUBLISHED_PLAN: Final = "usage-plan"
"""Topic: `{account}/{region}/{plan}` -> `UsagePlan.to_json()` without what the gateway does not need."""
PUBLISHED_EXTENSION: Final = "usage-extension"
"""Topic: `{account}/{region}/{plan}/{key}` -> {first day of a period: its quota}."""

DIGEST_PURPOSE: Final = "api-key"
PAGE_CHARACTERS: Final = 3
DAY_COUNT_PREFIX: Final = "key:"  # of usage counters that are a key's: key:{account}/{region}/{plan}/{key}/{day}

# AWS's `type: double` and `type: integer`; the bounds are what its signed 32 bits hold.
COUNT_MAX: Final = 2**31 - 1
RATE_MAX: Final = 1e9


@dataclass(frozen=True, slots=True)
class Throttle:
    """A token bucket's settings."""

    rate_per_second: float  # AWS: rateLimit
    burst: int  # AWS: burstLimit

    def to_aws(self) -> dict[str, Any]:
        """Give the shape ThrottleSettings."""
        return {"rateLimit": self.rate_per_second, "burstLimit": self.burst}


@dataclass(frozen=True, slots=True)
class Quota:
    """How many requests a key may make in each period. `since_ms`: when the quota was set, for `offset`."""

    limit: int
    period: str  # DAY, WEEK, MONTH
    offset: int = 0  # taken off the limit of the first period
    since_ms: int = 0

    def to_aws(self) -> dict[str, Any]:
        """Give the shape QuotaSettings."""
        return {"limit": self.limit, "offset": self.offset, "period": self.period}


@dataclass(frozen=True, slots=True)
class ApiStage:
    """A stage that a plan covers, with throttles by `/{path}/{METHOD}`."""

    api_id: str
    stage: str
    throttle: Mapping[str, Throttle] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Give AWS's name for it: `{api}:{stage}`."""
        return f"{self.api_id}:{self.stage}"

    def to_aws(self) -> dict[str, Any]:
        """Give the shape ApiStage."""
        shape: dict[str, Any] = {"apiId": self.api_id, "stage": self.stage}
        if self.throttle:
            shape["throttle"] = {path: each.to_aws() for path, each in self.throttle.items()}
        return shape


@dataclass(frozen=True, slots=True)
class UsagePlan:
    """Which stages its keys may call, how fast and how often."""

    id: str
    name: str
    description: str = ""
    stages: tuple[ApiStage, ...] = ()
    throttle: Throttle | None = None
    quota: Quota | None = None
    product_code: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    def to_aws(self) -> dict[str, Any]:
        """Give the shape UsagePlan."""
        shape: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "apiStages": [each.to_aws() for each in self.stages],
        }
        optional = (("description", self.description), ("productCode", self.product_code), ("tags", dict(self.tags)))
        shape.update((name, value) for name, value in optional if value)
        if self.throttle is not None:
            shape["throttle"] = self.throttle.to_aws()
        if self.quota is not None:
            shape["quota"] = self.quota.to_aws()
        return shape

    def to_json(self) -> dict[str, Any]:
        """Give the record's value."""
        value = self.to_aws()
        if self.quota is not None:
            value["quotaSinceMs"] = self.quota.since_ms
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> UsagePlan:
        """Read what `to_json` wrote."""
        quota = value.get("quota")
        return cls(
            id=value["id"],
            name=value["name"],
            description=value.get("description", ""),
            stages=tuple(
                ApiStage(
                    each["apiId"],
                    each["stage"],
                    {path: _throttle(settings) for path, settings in each.get("throttle", {}).items()},
                )
                for each in value["apiStages"]
            ),
            throttle=_throttle(value["throttle"]) if "throttle" in value else None,
            quota=Quota(quota["limit"], quota["period"], quota["offset"], value.get("quotaSinceMs", 0))
            if quota
            else None,
            product_code=value.get("productCode", ""),
            tags=value.get("tags", {}),
        )


def _throttle(settings: Mapping[str, Any]) -> Throttle:
    return Throttle(settings["rateLimit"], settings["burstLimit"])


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A client's key. `sealed_value` is base64 of what the platform's seal made of the value."""

    id: str
    digest: str
    sealed_value: str = field(repr=False)
    name: str
    created_at_ms: int
    updated_at_ms: int
    description: str = ""
    customer_id: str = ""
    is_enabled: bool = False
    stage_keys: tuple[str, ...] = ()  # {api}/{stage}: stages that take it without a plan
    plan_ids: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    def to_aws(self, value: str | None = None) -> dict[str, Any]:
        """Give the shape ApiKey, with the key's value when it is handed in."""
        shape: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "enabled": self.is_enabled,
            "createdDate": self.created_at_ms,
            "lastUpdatedDate": self.updated_at_ms,
            "stageKeys": list(self.stage_keys),
        }
        optional = (
            ("value", value),
            ("description", self.description),
            ("customerId", self.customer_id),
            ("tags", dict(self.tags)),
        )
        shape.update((name, each) for name, each in optional if each)
        return shape

    def to_json(self) -> dict[str, Any]:
        """Give the record's value."""
        return {
            "id": self.id,
            "digest": self.digest,
            "sealed_value": self.sealed_value,
            "name": self.name,
            "created_at_ms": self.created_at_ms,
            "updated_at_ms": self.updated_at_ms,
            "description": self.description,
            "customer_id": self.customer_id,
            "is_enabled": self.is_enabled,
            "stage_keys": list(self.stage_keys),
            "plan_ids": list(self.plan_ids),
            "tags": dict(self.tags),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ApiKey:
        """Read what `to_json` wrote."""
        return cls(**{**value, "stage_keys": tuple(value["stage_keys"]), "plan_ids": tuple(value["plan_ids"])})

    @property
    def line(self) -> str:
        """Give the key's line in its page: digest, id, plans, stages. Empty when it lets nobody in anywhere."""
        if not self.is_enabled or not (self.plan_ids or self.stage_keys):
            return ""
        return f"{self.digest} {self.id} {','.join(self.plan_ids)} {','.join(self.stage_keys)}"
