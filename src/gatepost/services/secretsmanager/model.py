"""A secret's record: everything but its values, which are records of their own, sealed.

A version is known by the ClientRequestToken that made it. Stages (staging labels) are each on one version at most.
AWSCURRENT moves to a new value by itself, and AWSPREVIOUS then to the version that had it.
https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from gatepost.kernel.operations import RecordKey

SECRET: Final = "secret"  # kinds of records  # noqa: S105
VALUE: Final = "secret-value"
SEPARATOR: Final = "\x1f"
CURRENT: Final = "AWSCURRENT"
PREVIOUS: Final = "AWSPREVIOUS"
PENDING: Final = "AWSPENDING"
DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Version:
    """One version. `has_value` is False while a rotation has announced it and not yet made its value."""

    created_at_ms: int
    stages: tuple[str, ...] = ()
    has_value: bool = True
    accessed_at_ms: int = 0  # midnight of the day


@dataclass(frozen=True, slots=True)
class Rotation:
    """How a secret is rotated. One of `after_days` and `schedule` is set; `duration` is AWS's text, `3h`."""

    lambda_arn: str = ""
    after_days: int = 0
    schedule: str = ""
    duration: str = ""
    is_enabled: bool = False
    anchored_at_ms: int = 0  # from when the schedule counts
    rotated_at_ms: int = 0
    next_at_ms: int = 0


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret. `deleted_at_ms` is when it was marked, `gone_at_ms` when it ends."""

    arn: str
    name: str
    account_id: str
    region: str
    created_at_ms: int
    changed_at_ms: int
    accessed_at_ms: int = 0
    description: str = ""
    kms_key_id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, Version] = field(default_factory=dict)
    policy: str = ""
    rotation: Rotation = field(default_factory=Rotation)
    deleted_at_ms: int = 0
    gone_at_ms: int = 0

    @property
    def key(self) -> RecordKey:
        """Where the record lies."""
        return RecordKey(SECRET, self.account_id, self.region, self.name)

    def value_key(self, version_id: str) -> RecordKey:
        """Where a version's value lies. By ARN: a secret that is made again has other values."""
        return RecordKey(VALUE, self.account_id, self.region, f"{self.arn}{SEPARATOR}{version_id}")

    def holder_of(self, stage: str) -> str | None:
        """Give the version that has `stage`."""
        return next((name for name, version in self.versions.items() if stage in version.stages), None)

    def stages(self) -> dict[str, list[str]]:
        """Give the stages of each version that has one."""
        return {name: list(version.stages) for name, version in self.versions.items() if version.stages}

    def with_stage(self, stage: str, version_id: str | None) -> Secret:
        """Move a stage to a version, or take it away (None); AWSPREVIOUS follows AWSCURRENT."""
        before = self.holder_of(stage)
        versions = dict(self.versions)
        if before is not None:
            versions[before] = _without(versions[before], stage)
        if version_id is not None:
            versions[version_id] = _with(versions[version_id], stage)
        moved = replace(self, versions=versions)
        if stage == CURRENT and before is not None and version_id is not None and before != version_id:
            return moved.with_stage(PREVIOUS, before)
        return moved

    def to_json(self) -> dict[str, Any]:
        """Give JSON values for the store."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Secret:
        """Read what `to_json` gave."""
        versions = {
            name: Version(**{**version, "stages": tuple(version["stages"])})
            for name, version in value["versions"].items()
        }
        return cls(**{**value, "versions": versions, "rotation": Rotation(**value["rotation"])})


def _without(version: Version, stage: str) -> Version:
    return replace(version, stages=tuple(one for one in version.stages if one != stage))


def _with(version: Version, stage: str) -> Version:
    return replace(version, stages=(*_without(version, stage).stages, stage))


@dataclass(frozen=True, slots=True)
class Value:
    """A secret value: text or bytes."""

    text: str | None = field(default=None, repr=False)
    binary: bytes | None = field(default=None, repr=False)

    def packed(self) -> bytes:
        """Give the bytes that are sealed."""
        if self.text is not None:
            return b"s" + self.text.encode()
        return b"b" + base64.b64encode(self.binary or b"")

    @classmethod
    def unpacked(cls, packed: bytes) -> Value:
        """Read what `packed` gave."""
        if packed[:1] == b"s":
            return cls(text=packed[1:].decode())
        return cls(binary=base64.b64decode(packed[1:]))

    def to_aws(self) -> dict[str, object]:
        """Give SecretString or SecretBinary."""
        return {"SecretString": self.text} if self.text is not None else {"SecretBinary": self.binary}
