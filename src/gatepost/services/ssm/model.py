"""A parameter's record with its history. Values of type SecureString are sealed.

Names: https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from gatepost.kernel.operations import RecordKey
from gatepost.services.ssm.policies import EXPIRATION, ParameterPolicy

PARAMETER: Final = "ssm-parameter"
SECURE: Final = "SecureString"
TYPES: Final = ("String", "StringList", SECURE)
TEXT: Final = "text"
IMAGE: Final = "aws:ec2:image"
STANDARD: Final = "Standard"
ADVANCED: Final = "Advanced"
INTELLIGENT: Final = "Intelligent-Tiering"


@dataclass(frozen=True, slots=True)
class ParameterVersion:
    """One version. `value` of a SecureString is base64 of what is sealed."""

    number: int
    value: str = field(repr=False)
    changed_at_ms: int
    changed_by: str  # an ARN
    description: str = ""
    allowed_pattern: str = ""
    key_id: str = ""
    tier: str = STANDARD
    labels: tuple[str, ...] = ()
    data_type: str = TEXT
    policies: tuple[ParameterPolicy, ...] = ()

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ParameterVersion:
        """Read what `Parameter.to_json` gave of a version."""
        policies = tuple(ParameterPolicy(**one) for one in value.get("policies", ()))
        return cls(**{**value, "labels": tuple(value["labels"]), "policies": policies})


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: its versions, oldest first, the last of which is the current one."""

    name: str
    type: str
    account_id: str
    region: str
    versions: tuple[ParameterVersion, ...]
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        """Its ARN: one slash after `parameter`, whether the name begins with one or not."""
        return arn_of(self.account_id, self.region, self.name)

    @property
    def current(self) -> ParameterVersion:
        """The newest version."""
        return self.versions[-1]

    def has_expired(self, now_ms: int) -> bool:
        """Say whether a policy has it gone by now."""
        return any(one.type == EXPIRATION and one.due_at_ms <= now_ms for one in self.current.policies)

    @property
    def key(self) -> RecordKey:
        """Where the record lies."""
        return RecordKey(PARAMETER, self.account_id, self.region, self.name)

    def find(self, selector: str) -> ParameterVersion | None:
        """Find a version by its number or by a label; "" is the current one."""
        if not selector:
            return self.current
        for version in self.versions:
            if selector in version.labels or (selector.isdigit() and int(selector) == version.number):
                return version
        return None

    def to_json(self) -> dict[str, Any]:
        """Give JSON values for the store."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Parameter:
        """Read what `to_json` gave."""
        versions = tuple(map(ParameterVersion.from_json, value["versions"]))
        return cls(**{**value, "versions": versions})


def arn_of(account_id: str, region: str, name: str) -> str:
    """Give the ARN of a parameter by its name."""
    return f"arn:aws:ssm:{region}:{account_id}:parameter/{name.removeprefix('/')}"
