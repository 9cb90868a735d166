"""A pool's groups in the store, and what a user's groups mean for roles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gatepost.kernel.operations import RecordKey
from gatepost.services.cognito_idp.pool import GROUP, SEPARATOR, UserPool
from gatepost.storage.base import Record, Records


@dataclass(frozen=True, slots=True)
class Group:
    """A group of a pool. A lower precedence wins; None loses against any number."""

    pool_id: str
    name: str
    created_at_ms: int
    changed_at_ms: int
    description: str = ""
    role_arn: str = ""
    precedence: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Give JSON values for the store."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Group:
        """Read what `to_json` gave."""
        return cls(**value)

    def to_aws(self) -> dict[str, Any]:
        """Give AWS's GroupType."""
        return {
            "GroupName": self.name,
            "UserPoolId": self.pool_id,
            "Description": self.description or None,
            "RoleArn": self.role_arn or None,
            "Precedence": self.precedence,
            "LastModifiedDate": self.changed_at_ms,
            "CreationDate": self.created_at_ms,
        }


class GroupStore:
    """Reads and writes groups."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def key(self, pool: UserPool, name: str) -> RecordKey:
        """Give the key of a group's record."""
        return RecordKey(GROUP, pool.account_id, pool.region, f"{pool.id}{SEPARATOR}{name}")

    async def find(self, pool: UserPool, name: str) -> Record | None:
        """Give a group's record, or None."""
        return await self._records.get(self.key(pool, name))

    async def of(self, pool: UserPool, names: Iterable[str]) -> list[Group]:
        """Give groups by their names, the one that wins first."""
        found = [await self.find(pool, name) for name in names]
        groups = [Group.from_json(record.value) for record in found if record is not None]
        return sorted(groups, key=lambda group: (group.precedence is None, group.precedence or 0, group.name))

    async def page(self, pool: UserPool, *, after: str, count_max: int) -> list[Group]:
        """Give a pool's groups by name."""
        prefix = f"{pool.id}{SEPARATOR}"
        start = f"{prefix}{after}" if after else ""
        records = await self._records.page(
            GROUP, pool.account_id, pool.region, prefix=prefix, after=start, count_max=count_max
        )
        return [Group.from_json(record.value) for record in records]


def preferred_role(groups: Sequence[Group]) -> str:
    """Give the role of the group that wins; none when two that are equal have different roles.

    Source: https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-user-groups.html
    ("Assigning precedence values to groups").
    """
    ranked = [group for group in groups if group.precedence is not None]
    if not ranked:
        return ""
    best = [group for group in ranked if group.precedence == ranked[0].precedence]
    roles = {group.role_arn for group in best}
    return roles.pop() if len(roles) == 1 else ""


def roles_of(groups: Sequence[Group]) -> list[str]:
    """Give the groups' roles, each once, the winner's first."""
    return list(dict.fromkeys(group.role_arn for group in groups if group.role_arn))
