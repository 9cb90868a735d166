"""One operation on one stack, carried out: resources in order, events, outputs, cleanup, and the way back.

The invariants. A resource's record says what is about to be done before an operation is called, and what was
done after it: whatever moment a process dies at, the records tell what exists. `current` is what stands, `previous`
the last good state while an update is under way. Nothing that the last good state needs is deleted before
the update has succeeded: what was replaced or removed is deleted in the cleanup. So the way back is the same as the
way forward, towards the previous states, with a cleanup of what the failed update made.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.errors import ServiceError
from gatepost.services.cloudformation.model import Incarnation, StackResource
from gatepost.templates.compile import Compiled
from gatepost.templates.document import ActiveResource
from gatepost.templates.doomed import Doomed
from gatepost.templates.graph import reversed_needs, run_in_order
from gatepost.templates.intrinsics import EvaluationFault, Evaluator
from gatepost.templates.plan import differences, evaluated_properties
from gatepost.templates.progress import Progress
from gatepost.templates.resources.base import Outcome, ResourceFailure, ResourceHandler
from gatepost.templates.workshop import Workshop

log = logging.getLogger(__name__)

REASON_CHARACTERS_MAX: Final = 1024


class Failed(Exception):
    """Some resources could not be brought to their state. The text goes to the stack's status reason."""


class Live:
    """The resources' values as they stand, for functions."""

    def __init__(self, resources: Mapping[str, StackResource], declared: Mapping[str, ActiveResource]) -> None:
        self._resources = resources
        self._declared = declared

    def ref(self, logical_id: str) -> Any:
        """Give what Ref gives, or None."""
        incarnation = self._incarnation(logical_id)
        return (incarnation.ref or incarnation.physical_id) if incarnation else None

    def attribute(self, logical_id: str, name: str) -> Any:
        """Give an attribute. Raises: LookupError when the resource did not report it."""
        incarnation = self._incarnation(logical_id)
        if incarnation is None:
            return None
        resource = self._declared[logical_id]
        if name not in incarnation.attributes and (resource.is_accepted or resource.is_forwarded):
            # Nothing stands behind an accepted gap: what is asked of it is well-formed, no more.
            return incarnation.attributes["Arn"] if name.endswith("Arn") else incarnation.physical_id
        if name not in incarnation.attributes:
            known = ", ".join(sorted(incarnation.attributes)) or "none"
            raise LookupError(f"the resource has no attribute {name}; it has {known}")
        return incarnation.attributes[name]

    def _incarnation(self, logical_id: str) -> Incarnation | None:
        if logical_id not in self._declared or logical_id not in self._resources:
            return None
        return self._resources[logical_id].now()


class Execution:
    """Brings a stack's resources to a compiled template, back, or to nothing."""

    def __init__(self, workshop: Workshop, progress: Progress) -> None:
        self._workshop = workshop
        self._progress = progress

    # Forward.

    async def apply(self, compiled: Compiled, stack_tags: Mapping[str, str]) -> None:
        """Make and change every resource of the template. Raises: Failed."""
        for name, resource in list(self._progress.resources.items()):
            if resource.is_removed and resource.now() is not None:
                await self._refuse_by_policy("Update:Delete", name, resource.type)
        evaluator = Evaluator(compiled.scope, Live(self._progress.resources, compiled.resources))

        async def one(name: str) -> None:
            await self._apply_one(compiled.resources[name], evaluator, stack_tags)

        failures = await run_in_order(compiled.needs(), one, is_stopped=lambda: bool(self._progress.stop_reason))
        for name, fault in failures.items():
            await self._note_bug(name, compiled.resources[name].declaration.type, fault)
        if failures:
            created = [name for name in failures if self._progress.resources[name].status == "CREATE_FAILED"]
            updated = [name for name in failures if name not in created]
            parts = [
                f"The following resource(s) failed to {verb}: [{', '.join(sorted(names))}]. "
                for verb, names in (("create", created), ("update", updated))
                if names
            ]
            raise Failed("".join(parts).strip())
        if self._progress.stop_reason:
            raise Failed(self._progress.stop_reason)

    async def _note_bug(self, name: str, type_name: str, fault: BaseException) -> None:
        """Write a failure that nobody foresaw, so that no resource stays in progress for ever."""
        if isinstance(fault, ServiceError | ResourceFailure | EvaluationFault):
            return
        log.error("resource broke", extra={"logical_id": name, "type": type_name}, exc_info=fault)
        await self._progress.resource_failed(name, type_name, "", failure_reason(fault))

    async def _apply_one(self, resource: ActiveResource, evaluator: Evaluator, stack_tags: Mapping[str, str]) -> None:
        name = resource.declaration.logical_id
        standing = self._progress.resources.get(name)
        now = standing.now() if standing else None
        handler = self._workshop.handler(resource)
        try:
            properties = evaluated_properties(resource, evaluator, self._workshop.specification, stack_tags)
        except EvaluationFault as fault:
            status = "CREATE_FAILED" if now is None else "UPDATE_FAILED"
            await self._progress.resource_failed(name, resource.declaration.type, status, fault.message)
            raise
        if standing is None or now is None:
            await self._create(resource, handler, properties, generation=standing.generation_next if standing else 0)
            return
        causes = differences(resource, now, properties, handler=handler, specification=self._workshop.specification)
        if not causes:
            await self._progress.keep(name, replace(now, depends_on=sorted(resource.needs)))
        elif any(cause.recreation != "Never" for cause in causes):
            await self._refuse_by_policy("Update:Replace", name, resource.declaration.type)
            await self._refuse_custom_name(name, handler, now, properties)
            await self._create(resource, handler, properties, generation=now.generation + 1, superseded=now)
        elif any(cause.path.startswith("Properties") for cause in causes):
            await self._refuse_by_policy("Update:Modify", name, resource.declaration.type)
            await self._update(resource, handler, now, properties)
        else:
            fresh = self._incarnation(resource, now.physical_id, now.generation, dict(now.properties))
            await self._progress.keep(name, replace(fresh, attributes=now.attributes, ref=now.ref))

    async def _refuse_by_policy(self, action: str, name: str, type_name: str) -> None:
        """Refuse what the stack's policy does not allow. Raises: ResourceFailure; Failed for a deletion."""
        objection = self._workshop.objection(action, name, type_name)
        if not objection:
            return
        if action == "Update:Delete":
            raise Failed(objection)
        await self._progress.resource_failed(name, type_name, "UPDATE_FAILED", objection)
        raise ResourceFailure(objection)

    async def _refuse_custom_name(
        self, name: str, handler: ResourceHandler, now: Incarnation, properties: Mapping[str, Any]
    ) -> None:
        key = handler.name_property
        if not key or key not in properties or properties[key] != now.properties.get(key):
            return
        fault = ResourceFailure(
            "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
            f"Rename {properties[key]} and update the stack again."
        )
        await self._progress.resource_failed(name, now.type, "UPDATE_FAILED", str(fault))
        raise fault

    def _incarnation(
        self, resource: ActiveResource, physical_id: str, generation: int, properties: dict[str, Any]
    ) -> Incarnation:
        return Incarnation(
            physical_id=physical_id,
            generation=generation,
            properties=properties,
            depends_on=sorted(resource.needs),
            deletion_policy=resource.deletion_policy,
            update_replace_policy=resource.update_replace_policy,
            type=resource.declaration.type,
            metadata=dict(resource.metadata),
        )

    async def _create(
        self,
        resource: ActiveResource,
        handler: ResourceHandler,
        properties: dict[str, Any],
        *,
        generation: int,
        superseded: Incarnation | None = None,
    ) -> None:
        name = resource.declaration.logical_id
        intended = self._incarnation(resource, "", generation, properties)
        await self._progress.begin_create(name, resource.declaration.type, intended, superseded)
        work = self._workshop.work(
            logical_id=name,
            type_name=resource.declaration.type,
            properties=properties,
            generation=generation,
            initiated=lambda physical_id: self._progress.initiated(name, physical_id, is_made=False),
            made=lambda physical_id: self._progress.initiated(name, physical_id, is_made=True),
        )
        outcome = await self._attempt(name, resource.declaration.type, handler.create(work))
        await self._progress.done(name, self._settled(intended, outcome), note=outcome.note)

    async def _update(
        self, resource: ActiveResource, handler: ResourceHandler, now: Incarnation, properties: dict[str, Any]
    ) -> None:
        name = resource.declaration.logical_id
        await self._progress.begin_update(name)
        work = self._workshop.work(
            logical_id=name,
            type_name=resource.declaration.type,
            properties=properties,
            before=now.properties,
            generation=now.generation,
        )
        # What an update that fails half-way has changed is not known: the way back undoes all of it.
        intended = self._incarnation(resource, now.physical_id, now.generation, properties)
        await self._progress.intend(name, replace(intended, attributes=now.attributes, ref=now.ref))
        outcome = await self._attempt(name, resource.declaration.type, handler.update(work, now.physical_id))
        superseded = now if outcome.physical_id != now.physical_id else None
        await self._progress.done(name, self._settled(intended, outcome), superseded, note=outcome.note)

    def _settled(self, intended: Incarnation, outcome: Outcome) -> Incarnation:
        return replace(intended, physical_id=outcome.physical_id, attributes=dict(outcome.attributes), ref=outcome.ref)

    async def _attempt(self, name: str, type_name: str, turn: Any) -> Outcome:
        try:
            outcome: Outcome = await turn
        except (ServiceError, ResourceFailure) as fault:
            reason = self._workshop.references.masked(failure_reason(fault))
            await self._progress.resource_failed(name, type_name, "", reason)
            raise
        return outcome

    # The way back, and the end.

    async def restore(self) -> None:
        """Bring every touched resource back to its previous state; what the update made is left to the cleanup.

        Raises: Failed.
        """
        touched = {
            name: resource
            for name, resource in self._progress.resources.items()
            if resource.previous is not None and resource.current != resource.previous
        }
        needs = {name: set((resource.previous or {}).get("depends_on", [])) for name, resource in touched.items()}

        async def one(name: str) -> None:
            await self._restore_one(name)

        failures = await run_in_order(needs, one, goes_on_after_failure=True)
        for name, fault in failures.items():
            await self._note_bug(name, touched[name].type, fault)
        if failures:
            raise Failed(f"The following resource(s) failed to update: [{', '.join(sorted(failures))}]. ")
        await self._progress.condemn_new()

    async def _restore_one(self, name: str) -> None:
        resource = self._progress.resources[name]
        now, before = resource.now(), resource.before()
        if before is None:
            return
        if now is None or now.physical_id != before.physical_id:
            made = now if now is not None and self._may_delete(resource, now) else None
            await self._progress.bring_back(name, made=made)
            return
        if now.properties == before.properties:
            await self._progress.bring_back(name, made=None)
            return
        handler = self._workshop.handler_of_type(resource.type, before)
        await self._progress.begin_update(name)
        work = self._workshop.work(
            logical_id=name,
            type_name=resource.type,
            properties=before.properties,
            before=now.properties,
            generation=before.generation,
        )
        outcome = await self._attempt(name, resource.type, handler.update(work, now.physical_id))
        await self._progress.done(name, self._settled(before, outcome))

    def _may_delete(self, resource: StackResource, now: Incarnation) -> bool:
        """Say whether a physical resource is surely this stack's: an interrupted creation of a given name is not."""
        if not now.physical_id:
            return False
        if resource.is_made:
            return True
        return resource.status.endswith("_IN_PROGRESS") and self._workshop.is_ours(resource.type, now)

    async def clean_up(self, *, is_rollback: bool = False) -> list[str]:
        """Delete what was superseded, removed or condemned; give the logical ids that could not be deleted."""
        await self._progress.release_retained(is_rollback=is_rollback)
        for name, resource in list(self._progress.resources.items()):
            now = resource.now()
            if resource.is_removed and (now is None or not self._may_delete(resource, now)):
                await self._progress.gone(name)
        failed = await self._delete_all(self._progress.doomed())
        await self._progress.drop_superseded()
        return failed

    async def delete_everything(self, retain: frozenset[str], *, keeping: tuple[str, ...]) -> list[str]:
        """Delete all resources in reverse order; give the logical ids that could not be deleted.

        Those in `retain`, and those whose DeletionPolicy is one of `keeping`, are left alone.
        """
        doomed: dict[str, Doomed] = {}
        for name, resource in list(self._progress.resources.items()):
            now = resource.now()
            for index, old in enumerate(resource.superseded):
                doomed[f"{name}#{index}"] = Doomed(name, resource.type, Incarnation(**old))
            if now is None or not now.physical_id or (resource.status == "CREATE_FAILED" and not resource.is_made):
                if not resource.superseded:
                    await self._progress.gone(name)
            elif name in retain or now.deletion_policy in keeping:
                await self._progress.skip(name)
            elif not self._may_delete(resource, now):
                await self._progress.skip(name, "It is not known whether this stack made it")
            else:
                doomed[name] = Doomed(name, resource.type, now)
        return await self._delete_all(doomed)

    async def _delete_all(self, doomed: Mapping[str, Doomed]) -> list[str]:
        by_name: dict[str, set[str]] = {}
        for key, one in doomed.items():
            by_name.setdefault(one.logical_id, set()).add(key)
        needs = {
            key: {other for needed in one.incarnation.depends_on for other in by_name.get(needed, ())}
            for key, one in doomed.items()
        }

        async def delete(key: str) -> None:
            await self._delete_one(key, doomed[key])

        failures = await run_in_order(reversed_needs(needs), delete, goes_on_after_failure=True)
        for key, fault in failures.items():
            if not isinstance(fault, ServiceError | ResourceFailure):
                log.error("deletion broke", extra={"logical_id": doomed[key].logical_id}, exc_info=fault)
                reason = failure_reason(fault)
                await self._progress.delete_failed(doomed[key].logical_id, doomed[key].incarnation, reason)
        return sorted({doomed[key].logical_id for key in failures})

    async def _delete_one(self, key: str, doomed: Doomed) -> None:
        incarnation = doomed.incarnation
        handler = self._workshop.handler_of_type(doomed.type, incarnation)
        await self._progress.begin_delete(doomed.logical_id, incarnation)
        work = self._workshop.work(
            logical_id=doomed.logical_id,
            type_name=doomed.type,
            properties=incarnation.properties,
            before=incarnation.properties,
            generation=incarnation.generation,
        )
        try:
            await handler.delete(work, incarnation.physical_id)
        except (ServiceError, ResourceFailure) as fault:
            await self._progress.delete_failed(doomed.logical_id, incarnation, failure_reason(fault))
            raise
        await self._progress.deleted(doomed.logical_id, incarnation, is_current="#" not in key)


def failure_reason(fault: BaseException) -> str:
    """Give the sentence for a resource's event, in CloudFormation's form."""
    if isinstance(fault, ServiceError):
        message = fault.message or fault.code
        return f'Resource handler returned message: "{message}" (HandlerErrorCode: {fault.code})'[
            :REASON_CHARACTERS_MAX
        ]
    if isinstance(fault, ResourceFailure | EvaluationFault | Failed):
        return str(fault)[:REASON_CHARACTERS_MAX]
    return "Internal Failure"
