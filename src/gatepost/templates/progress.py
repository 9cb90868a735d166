"""What an operation has reached on one stack: the records of its resources, the stack's status, and the events."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any, Final

from gatepost.kernel.clock import Clock, iso_8601
from gatepost.services.cloudformation.model import Incarnation, Stack, StackResource
from gatepost.services.cloudformation.records import StackRecords
from gatepost.templates.doomed import Doomed
from gatepost.templates.parameters import MASK

INITIATED: Final = "Resource creation Initiated"
REPLACING: Final = "Requested update requires the creation of a new physical resource; hence creating one."
PROPERTIES_CHARACTERS_MAX: Final = 20_000  # of an event
KEPT: Final = ("Retain", "RetainExceptOnCreate")


class Progress:
    """Writes every step of one stack, each together with its event."""

    def __init__(
        self, records: StackRecords, stack: Stack, resources: dict[str, StackResource], clock: Clock, *, sequence: int
    ) -> None:
        self._records = records
        self._clock = clock
        self._sequence = sequence
        self.stack = stack
        self.resources = resources
        self.stop_reason = ""  # why nothing new may begin: the operation was cancelled or took too long
        self.secrets: tuple[str, ...] = ()  # values of NoEcho parameters: never in an event

    # The stack.

    async def stack_status(self, status: str, reason: str = "", **changes: Any) -> None:
        """Write the stack's status with further changes of its record, and its event."""
        now_ms = self._clock.now_ms()
        self.stack = replace(self.stack, status=status, status_reason=reason, **changes)
        event = self._event(self.stack.name, self.stack.id, "AWS::CloudFormation::Stack", status, reason, now_ms)
        await self._records.advance(self.stack, self._take(), event)

    async def bury(self) -> None:
        """Write that the stack is gone, and free its name in the same commit."""
        now_ms = self._clock.now_ms()
        self.stack = replace(
            self.stack, status="DELETE_COMPLETE", status_reason="", running=None, deleted_at_ms=now_ms, imports=[]
        )
        name, stack_id = self.stack.name, self.stack.id
        event = self._event(name, stack_id, "AWS::CloudFormation::Stack", "DELETE_COMPLETE", "", now_ms)
        await self._records.bury(self.stack, self._take(), event)

    def _take(self) -> int:
        self._sequence += 1
        return self._sequence - 1

    def _event(
        self, logical_id: str, physical_id: str, type_name: str, status: str, reason: str, now_ms: int
    ) -> dict[str, Any]:
        token = str(((self.stack.running or {}).get("request") or {}).get("token", ""))
        event = {
            "StackId": self.stack.id,
            "StackName": self.stack.name,
            "EventId": f"{logical_id}-{status}-{iso_8601(now_ms)}-{self._sequence}",
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": physical_id,
            "ResourceType": type_name,
            "Timestamp": now_ms,
            "ResourceStatus": status,
        }
        if reason:
            event["ResourceStatusReason"] = reason
        if token:
            event["ClientRequestToken"] = token
        return event

    # Resources.

    async def _advance(self, resource: StackResource, *, physical_id: str = "", with_properties: bool = False) -> None:
        self.resources[resource.logical_id] = resource
        shown = physical_id or resource.physical_id
        event = self._event(
            resource.logical_id,
            shown,
            resource.type,
            resource.status,
            resource.status_reason,
            resource.updated_at_ms,
        )
        if with_properties and resource.current:
            text = json.dumps(resource.current["properties"], separators=(",", ":"), default=str)
            for secret in self.secrets:
                text = text.replace(json.dumps(secret)[1:-1], MASK)
            event["ResourceProperties"] = text[:PROPERTIES_CHARACTERS_MAX]
        await self._records.advance(self.stack, self._take(), event, resource=resource)

    async def _save(self, resource: StackResource) -> None:
        self.resources[resource.logical_id] = resource
        await self._records.save_resource(self.stack, resource)

    async def begin_update_of_all(self, active: frozenset[str]) -> None:
        """Remember every resource's state as the last good one, and mark those that the template lost."""
        changed = []
        for name, resource in self.resources.items():
            if resource.current is None:
                continue
            previous = resource.previous or resource.current
            changed.append(replace(resource, previous=previous, is_removed=name not in active))
        self.resources.update({resource.logical_id: resource for resource in changed})
        await self._records.save_resources(self.stack, changed)

    async def end_update_of_all(self) -> None:
        """Forget the previous states: what stands is good."""
        changed = [
            replace(resource, previous=None) for resource in self.resources.values() if resource.previous is not None
        ]
        self.resources.update({resource.logical_id: resource for resource in changed})
        await self._records.save_resources(self.stack, changed)

    async def begin_create(
        self, name: str, type_name: str, intended: Incarnation, superseded: Incarnation | None
    ) -> None:
        """Write that a physical resource is about to be made; `superseded` is deleted in the cleanup."""
        standing = self.resources.get(name)
        gone = list(standing.superseded) if standing else []
        if superseded is not None:
            gone.append(asdict(superseded))
        resource = StackResource(
            logical_id=name,
            type=type_name,
            status="UPDATE_IN_PROGRESS" if superseded else "CREATE_IN_PROGRESS",
            status_reason=REPLACING if superseded else "",
            updated_at_ms=self._clock.now_ms(),
            current=asdict(intended),
            previous=standing.previous if standing else None,
            superseded=gone,
        )
        await self._advance(resource, physical_id=superseded.physical_id if superseded else "", with_properties=True)

    async def initiated(self, name: str, physical_id: str, *, is_made: bool) -> None:
        """Write the physical id as soon as it is known, and whether the resource surely exists."""
        resource = self.resources[name]
        is_new = resource.physical_id != physical_id
        current = {**(resource.current or {}), "physical_id": physical_id}
        resource = replace(resource, current=current, is_made=resource.is_made or is_made)
        if is_new:
            await self._advance(resource.with_status(resource.status, self._clock.now_ms(), INITIATED))
        else:
            await self._save(resource)

    async def begin_update(self, name: str) -> None:
        """Write that a resource is about to be changed in place."""
        await self._advance(self.resources[name].with_status("UPDATE_IN_PROGRESS", self._clock.now_ms()))

    async def intend(self, name: str, incarnation: Incarnation) -> None:
        """Write what a resource is being changed to."""
        await self._save(replace(self.resources[name], current=asdict(incarnation)))

    async def done(
        self, name: str, incarnation: Incarnation, superseded: Incarnation | None = None, *, note: str = ""
    ) -> None:
        """Write what stands now, with what an operator should know of it."""
        resource = self.resources[name]
        gone = [*resource.superseded, asdict(superseded)] if superseded else resource.superseded
        status = resource.status.replace("_IN_PROGRESS", "_COMPLETE")
        settled = replace(resource, current=asdict(incarnation), is_made=True, superseded=gone)
        await self._advance(settled.with_status(status, self._clock.now_ms(), note))

    async def keep(self, name: str, incarnation: Incarnation) -> None:
        """Write what changed of a resource without any operation: policies, metadata, dependencies."""
        resource = self.resources[name]
        if resource.current != asdict(incarnation):
            await self._save(replace(resource, current=asdict(incarnation)))

    async def resource_failed(self, name: str, type_name: str, status: str, reason: str) -> None:
        """Write that a resource could not be made or changed."""
        resource = self.resources.get(name) or StackResource(name, type_name, "CREATE_IN_PROGRESS", 0)
        failed = status or resource.status.replace("_IN_PROGRESS", "_FAILED")
        await self._advance(resource.with_status(failed, self._clock.now_ms(), reason))

    async def bring_back(self, name: str, made: Incarnation | None) -> None:
        """Make the previous state the standing one; what was made in its place is deleted in the cleanup."""
        resource = self.resources[name]
        before = resource.previous or {}
        gone = [old for old in resource.superseded if old["physical_id"] != before.get("physical_id")]
        if made is not None:
            gone.append(asdict(made))
        restored = replace(resource, current=before, is_made=True, superseded=gone, is_removed=False)
        await self._advance(restored.with_status("UPDATE_COMPLETE", self._clock.now_ms()))

    async def condemn_new(self) -> None:
        """Mark what the failed update has added: it is deleted in the cleanup."""
        changed = []
        for resource in self.resources.values():
            if resource.previous is None and resource.current is not None:
                changed.append(replace(resource, is_removed=True))
            elif resource.is_removed:
                changed.append(replace(resource, is_removed=False))
        self.resources.update({resource.logical_id: resource for resource in changed})
        await self._records.save_resources(self.stack, changed)

    async def release_retained(self, *, is_rollback: bool = False) -> None:
        """Let go of what a policy retains, so that the cleanup leaves it alone."""
        keeping = ("Retain",) if is_rollback else KEPT
        for name, resource in list(self.resources.items()):
            kept = [old for old in resource.superseded if old["update_replace_policy"] == "Retain"]
            if kept and not is_rollback:
                remaining = [old for old in resource.superseded if old not in kept]
                await self._save(replace(resource, superseded=remaining))
                for old in kept:
                    skipped = self.resources[name].with_status("DELETE_SKIPPED", self._clock.now_ms())
                    await self._event_only(skipped, old["physical_id"])
            now = resource.now()
            if resource.is_removed and now is not None and now.physical_id and now.deletion_policy in keeping:
                await self.skip(name)

    async def _event_only(self, shown: StackResource, physical_id: str) -> None:
        """Write an event of another physical resource than the one that stands."""
        event = self._event(
            shown.logical_id, physical_id, shown.type, shown.status, shown.status_reason, shown.updated_at_ms
        )
        await self._records.advance(self.stack, self._take(), event, resource=self.resources[shown.logical_id])

    def doomed(self) -> dict[str, Doomed]:
        """Give what the cleanup deletes, by a key of its own."""
        found: dict[str, Doomed] = {}
        for name, resource in self.resources.items():
            for index, old in enumerate(resource.superseded):
                found[f"{name}#{index}"] = Doomed(name, resource.type, Incarnation(**old))
            now = resource.now()
            if resource.is_removed and now is not None:
                found[name] = Doomed(name, resource.type, now)
        return found

    async def gone(self, name: str) -> None:
        """Remove the record of what was never made."""
        self.resources.pop(name, None)
        await self._records.drop_resource(self.stack, name)

    async def skip(self, name: str, reason: str = "") -> None:
        """Write that a resource is left alone; its logical id is free, its name is not."""
        resource = self.resources[name]
        now = resource.now()
        skipped = replace(
            resource,
            current=None,
            previous=None,
            is_removed=False,
            is_made=False,
            generation_next=(now.generation if now else 0) + 1,
        )
        shown = skipped.with_status("DELETE_SKIPPED", self._clock.now_ms(), reason)
        await self._advance(shown, physical_id=now.physical_id if now else "")

    async def begin_delete(self, name: str, incarnation: Incarnation) -> None:
        """Write that a physical resource is about to be deleted."""
        resource = self.resources[name]
        shown = resource.with_status("DELETE_IN_PROGRESS", self._clock.now_ms())
        if resource.physical_id == incarnation.physical_id:
            await self._advance(shown)
        else:
            await self._event_only(shown, incarnation.physical_id)

    async def delete_failed(self, name: str, incarnation: Incarnation, reason: str) -> None:
        """Write that a physical resource could not be deleted."""
        shown = self.resources[name].with_status("DELETE_FAILED", self._clock.now_ms(), reason)
        if self.resources[name].physical_id == incarnation.physical_id:
            await self._advance(shown)
        else:
            await self._event_only(shown, incarnation.physical_id)

    async def deleted(self, name: str, incarnation: Incarnation, *, is_current: bool) -> None:
        """Write that a physical resource is gone."""
        resource = self.resources[name]
        shown = resource.with_status("DELETE_COMPLETE", self._clock.now_ms())
        if is_current:
            await self._advance(replace(shown, current=None, previous=None, superseded=resource.superseded))
            if not resource.superseded:
                await self.gone(name)
            return
        remaining = [old for old in resource.superseded if old["physical_id"] != incarnation.physical_id]
        await self._save(replace(resource, superseded=remaining))
        await self._event_only(shown, incarnation.physical_id)

    async def drop_superseded(self) -> None:
        """Forget what the cleanup could not delete: CloudFormation leaves it behind too."""
        for name, resource in list(self.resources.items()):
            if resource.is_removed:
                await self.gone(name)
            elif resource.superseded:
                await self._save(replace(resource, superseded=[]))
