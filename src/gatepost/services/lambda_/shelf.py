"""Records of one kind, in memory and in the store: read for every call, written seldom.

The services process is the only writer, so what is in memory is what is in the store. A change is stored first and
published then. Several changes that belong together are one commit (`commit`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.operations import Change, RecordKey
from gatepost.kernel.ports import Publisher
from gatepost.services.lambda_.model import ResourceConflictException
from gatepost.storage.base import Record, Records, Write


class Kept(Protocol):
    """What lies on a shelf."""

    @property
    def arn(self) -> str:
        """Its name in the world: `arn:aws:lambda:REGION:ACCOUNT:KIND:ID`."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Give JSON values for the store and for the gateway."""
        ...


T = TypeVar("T", bound=Kept)


class Shelf(Generic[T]):
    """Everything of one kind by ARN. Published under `topic`, unless that is empty."""

    def __init__(self, kind: str, read: Callable[[Mapping[str, Any]], T], *, topic: str = "") -> None:
        self.kind = kind
        self._topic = topic
        self._read = read
        self._held: dict[str, tuple[T, int]] = {}

    async def load(self, records: Records) -> None:
        """Read everything from the store."""
        for record in await records.scan(self.kind):
            item = self._read(record.value)
            self._held[item.arn] = (item, record.version)

    def find(self, arn: str) -> T | None:
        """Give one by its ARN, or None."""
        found = self._held.get(arn)
        return found[0] if found else None

    def all(self) -> list[T]:
        """Give everything, of every account and region."""
        return [item for item, _ in self._held.values()]

    def of_function(self, arn: str) -> list[T]:
        """Give what belongs to the function with this unqualified ARN: its ARNs begin with it."""
        return [item for key, (item, _) in self._held.items() if key == arn or key.startswith(arn + ":")]

    def published(self) -> list[Change]:
        """Give everything that the gateway should hold."""
        return (
            [Change(self._topic, arn, item.to_json()) for arn, (item, _) in self._held.items()] if self._topic else []
        )

    def adding(self, item: T) -> Step:
        """Give the step that keeps a new item."""
        return Step(self, item.arn, None, item)

    def replacing(self, old: T, new: T) -> Step:
        """Give the step that keeps a changed item."""
        return Step(self, old.arn, old, new)

    def deleting(self, old: T) -> Step:
        """Give the step that forgets an item."""
        return Step(self, old.arn, old, None)

    def write(self, step: Step) -> Write:
        """Give a step's write. Raises: VersionConflict when another change came first."""
        held = self._held.get(step.arn)
        if (held[0] if held else None) is not step.old:
            raise VersionConflict(f"{step.arn} was changed meanwhile")
        parts = step.arn.split(":")
        key = RecordKey(self.kind, parts[4], parts[3], ":".join(parts[6:]))
        return Write(key, None if step.new is None else step.new.to_json(), held[1] if held else 0)

    def settle(self, step: Step, record: Record | None) -> Change | None:
        """Hold what was stored, and give what is to be published of it."""
        if step.new is None or record is None:
            self._held.pop(step.arn, None)
        else:
            self._held[step.arn] = (step.new, record.version)
        value = None if step.new is None else step.new.to_json()
        return Change(self._topic, step.arn, value) if self._topic else None


@dataclass(frozen=True, slots=True)
class Step:
    """One change of a commit. `old` None: nothing may be there; `new` None: it goes."""

    shelf: Shelf[Any]
    arn: str
    old: Any
    new: Any


async def commit(records: Records, publisher: Publisher, steps: Sequence[Step]) -> None:
    """Do all of `steps` or none, then publish them.

    Raises: ResourceConflictException when another change came first, StoreUnavailable.
    """
    try:
        written = await records.commit([step.shelf.write(step) for step in steps])
    except VersionConflict as conflict:
        raise ResourceConflictException(
            "The operation cannot be performed at this time. An update is in progress for resource: " + steps[0].arn,
            members={"Type": "User"},
        ) from conflict
    changes = [step.shelf.settle(step, record) for step, record in zip(steps, written, strict=True)]
    await publisher.publish(*[change for change in changes if change is not None])
