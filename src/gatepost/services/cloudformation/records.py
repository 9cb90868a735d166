"""Stacks in the store: live ones by name, deleted ones beside them, with resources, events and exports."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from gatepost.kernel.ids import stable_id
from gatepost.kernel.operations import RecordKey
from gatepost.services.cloudformation.model import (
    CHANGE_SET,
    EVENT,
    EXPORT,
    RESOURCE,
    STACK,
    ChangeSet,
    Stack,
    StackResource,
)
from gatepost.storage.base import Record, Records, Write

HEX: Final = "0123456789abcdef"
PAGE: Final = 1000
EVENTS_MAX: Final = 2_000  # of one stack; the oldest go first
DELETED_MAX: Final = 100  # deleted stacks kept per name


class StackRecords:
    """Everything of stacks in one account and region."""

    def __init__(self, records: Records, account_id: str, region: str) -> None:
        self._records = records
        self.account_id = account_id
        self.region = region

    def _key(self, kind: str, record_id: str) -> RecordKey:
        return RecordKey(kind, self.account_id, self.region, record_id)

    async def _all(self, kind: str, prefix: str = "") -> list[Record]:
        found: list[Record] = []
        after = ""
        while True:
            page = await self._records.page(
                kind, self.account_id, self.region, prefix=prefix, after=after, count_max=PAGE
            )
            found.extend(page)
            if len(page) < PAGE:
                return found
            after = page[-1].key.id

    # Stacks.

    async def find(self, name_or_id: str) -> Stack | None:
        """Give a stack by name (live ones only) or by id (deleted ones too)."""
        if not name_or_id.startswith("arn:"):
            record = await self._records.get(self._key(STACK, name_or_id))
            return Stack.from_json(record.value) if record else None
        parts = name_or_id.split("/")
        if len(parts) != 3:
            return None
        for record_id in (parts[1], f"{parts[1]}/{parts[2]}"):
            record = await self._records.get(self._key(STACK, record_id))
            if record and record.value["id"] == name_or_id:
                return Stack.from_json(record.value)
        return None

    async def stacks(self) -> list[Stack]:
        """Give all stacks, deleted ones too, newest first."""
        found = [Stack.from_json(record.value) for record in await self._all(STACK)]
        return sorted(found, key=lambda stack: stack.created_at_ms, reverse=True)

    async def new_id(self, name: str) -> str:
        """Give the ARN for the next stack called `name`: the same on every machine with the same history."""
        deleted = await self._all(STACK, f"{name}/")
        text = stable_id("stack", self.account_id, self.region, name, str(len(deleted)), length=32, alphabet=HEX)
        uuid = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
        return f"arn:aws:cloudformation:{self.region}:{self.account_id}:stack/{name}/{uuid}"

    async def save(self, stack: Stack) -> None:
        """Write a stack as it stands."""
        await self._records.put(self._key(STACK, stack.name), stack.to_json(), expected_version=None)

    async def create(self, stack: Stack) -> None:
        """Write a new stack. Raises: VersionConflict when the name is taken."""
        await self._records.put(self._key(STACK, stack.name), stack.to_json(), expected_version=0)

    async def bury(self, stack: Stack, sequence: int, event: dict[str, Any]) -> None:
        """Move a deleted stack out of the way of its name, with its last event; its change sets go."""
        writes = [
            Write(self._key(EVENT, f"{stack.uuid}/{sequence:012d}"), event),
            Write(self._key(STACK, stack.name), None),
            Write(self._key(STACK, f"{stack.name}/{stack.uuid}"), stack.to_json()),
        ]
        writes.extend(Write(record.key, None) for record in await self._all(CHANGE_SET, f"{stack.uuid}/"))
        await self._records.commit(writes)
        buried = [Stack.from_json(record.value) for record in await self._all(STACK, f"{stack.name}/")]
        for old in sorted(buried, key=lambda gone: gone.deleted_at_ms)[:-DELETED_MAX]:
            await self._forget(old)

    async def forget(self, stack: Stack) -> None:
        """Remove a stack that never became one (a change set's, deleted under review)."""
        await self._records.delete(self._key(STACK, stack.name))
        await self._forget(stack)

    async def _forget(self, stack: Stack) -> None:
        # The stack's own record stays: `new_id` counts it, so that no id comes back.
        writes = [
            Write(record.key, None) for kind in (EVENT, RESOURCE) for record in await self._all(kind, f"{stack.uuid}/")
        ]
        await self._records.commit(writes)

    # Resources.

    async def resources(self, stack: Stack) -> dict[str, StackResource]:
        """Give a stack's resources by logical id."""
        found = [StackResource.from_json(record.value) for record in await self._all(RESOURCE, f"{stack.uuid}/")]
        return {resource.logical_id: resource for resource in found}

    async def save_resource(self, stack: Stack, resource: StackResource) -> None:
        """Write a resource as it stands."""
        key = self._key(RESOURCE, f"{stack.uuid}/{resource.logical_id}")
        await self._records.put(key, resource.to_json(), expected_version=None)

    async def save_resources(self, stack: Stack, resources: Sequence[StackResource]) -> None:
        """Write several resources at once."""
        if resources:
            await self._records.commit(
                [
                    Write(self._key(RESOURCE, f"{stack.uuid}/{resource.logical_id}"), resource.to_json())
                    for resource in resources
                ]
            )

    async def drop_resource(self, stack: Stack, logical_id: str) -> None:
        """Remove a resource that an update has taken away."""
        await self._records.delete(self._key(RESOURCE, f"{stack.uuid}/{logical_id}"))

    # Events.

    async def events(self, stack: Stack) -> list[dict[str, Any]]:
        """Give a stack's events, newest first."""
        return [record.value for record in reversed(await self._all(EVENT, f"{stack.uuid}/"))]

    async def advance(
        self, stack: Stack, sequence: int, event: dict[str, Any], *, resource: StackResource | None = None
    ) -> None:
        """Write an event together with what it tells of: a resource, or without one the stack itself.

        `sequence` orders the events of one stack; the oldest beyond EVENTS_MAX goes.
        """
        writes = [Write(self._key(EVENT, f"{stack.uuid}/{sequence:012d}"), event)]
        if sequence >= EVENTS_MAX:
            writes.append(Write(self._key(EVENT, f"{stack.uuid}/{sequence - EVENTS_MAX:012d}"), None))
        if resource is None:
            writes.append(Write(self._key(STACK, stack.name), stack.to_json()))
        else:
            writes.append(Write(self._key(RESOURCE, f"{stack.uuid}/{resource.logical_id}"), resource.to_json()))
        await self._records.commit(writes)

    async def next_sequence(self, stack: Stack) -> int:
        """Give the number after the last event's."""
        found = await self._all(EVENT, f"{stack.uuid}/")
        return int(found[-1].key.id.rsplit("/", 1)[1]) + 1 if found else 0

    # Change sets.

    async def change_sets(self, stack: Stack) -> list[ChangeSet]:
        """Give a stack's change sets."""
        return [ChangeSet.from_json(record.value) for record in await self._all(CHANGE_SET, f"{stack.uuid}/")]

    async def save_change_set(self, stack: Stack, change_set: ChangeSet) -> None:
        """Write a change set."""
        key = self._key(CHANGE_SET, f"{stack.uuid}/{change_set.name}")
        await self._records.put(key, change_set.to_json(), expected_version=None)

    async def drop_change_set(self, stack: Stack, change_set: ChangeSet) -> None:
        """Remove a change set."""
        await self._records.delete(self._key(CHANGE_SET, f"{stack.uuid}/{change_set.name}"))

    # Exports.

    async def exports(self) -> dict[str, tuple[str, str]]:
        """Give all exports by name: (the exporting stack's id, value)."""
        return {record.key.id: (record.value["stack_id"], record.value["value"]) for record in await self._all(EXPORT)}

    async def set_exports(self, stack: Stack, exports: dict[str, str]) -> None:
        """Make `exports` the ones of this stack."""
        standing = await self.exports()
        writes = [
            Write(self._key(EXPORT, name), None)
            for name, (stack_id, _) in standing.items()
            if stack_id == stack.id and name not in exports
        ]
        writes.extend(
            Write(self._key(EXPORT, name), {"stack_id": stack.id, "value": value}) for name, value in exports.items()
        )
        if writes:
            await self._records.commit(writes)

    async def importers(self, export_name: str) -> list[str]:
        """Give the names of the stacks that import an export."""
        return [stack.name for stack in await self.stacks() if not stack.is_deleted and export_name in stack.imports]
