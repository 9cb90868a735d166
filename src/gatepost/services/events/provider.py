"""The operations of EventBridge: buses, rules by schedule and by pattern, and the events that clients put.

Names and words of errors by
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html, API_PutTargets.html, API_PutEvents.html.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.clock import Clock, iso_8601
from gatepost.kernel.errors import StoreUnavailable, VersionConflict
from gatepost.kernel.ids import request_id as random_uuid
from gatepost.kernel.operations import Access, Call, RecordKey, operation, pass_role, tag_context
from gatepost.services.events import publishing
from gatepost.services.events.absent import AbsentOperations
from gatepost.services.events.archive_operations import ArchiveOperations
from gatepost.services.events.archives import Archives
from gatepost.services.events.buses import Buses, bus_name, policy_of
from gatepost.services.events.buses import shown as shown_bus
from gatepost.services.events.model import (
    DEFAULT_BUS,
    RULE,
    Bus,
    ConcurrentModificationException,
    EventsValidationException,
    LimitExceededException,
    ResourceNotFoundException,
    Rule,
)
from gatepost.services.events.paging import page
from gatepost.services.events.scheduler import Scheduler
from gatepost.services.events.schedules import BadSchedule, parse_schedule
from gatepost.services.events.targets import SERVICE, Reach, Targets, Way
from gatepost.storage.base import Records, Write

Params = Mapping[str, Any]
Answer = dict[str, Any]

log = logging.getLogger(__name__)

RULES_MAX: Final = 300  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
TARGETS_MAX: Final = 5
TAGS_MAX: Final = 50
_UNBOUND: Final = frozenset(
    {
        "ListRules",
        "ListRuleNamesByTarget",
        "ListEventBuses",
        "ListArchives",
        "ListReplays",
        "ListConnections",
        "ListApiDestinations",
        "ListEndpoints",
        "ListEventSources",
        "TestEventPattern",
    }
)
_OF_BUSES: Final = frozenset(
    {"CreateEventBus", "UpdateEventBus", "DeleteEventBus", "DescribeEventBus", "PutPermission", "RemovePermission"}
)


class EventsProvider(AbsentOperations, ArchiveOperations):
    """EventBridge on records. Call `start` once the store is open, `close` before it is closed."""

    service = "events"

    def __init__(self, records: Records, reach: Reach, clock: Clock, new_id: Callable[[], str] = random_uuid) -> None:
        self._records = records
        self._clock = clock
        self._new_id = new_id
        self._rules: dict[str, tuple[Rule, int]] = {}  # by ARN, with the record's version
        self._buses = Buses(records, clock)
        self._matcher = publishing.Matcher()
        self._targets = Targets(reach, clock, new_id)
        self._targets.publish = self._dispatch
        self.archives = Archives(records, clock, self._matcher, self._replayed)
        self.scheduler = Scheduler(self._targets, clock, new_id)

    async def start(self) -> None:
        """Read the buses and rules, and fire from now on."""
        await self._buses.load()
        for record in await self._records.scan(RULE):
            rule = Rule.from_json(record.value)
            self._rules[rule.arn] = (rule, record.version)
            self.scheduler.changed(rule.arn, rule)
        await self.archives.start()
        self.scheduler.start()

    async def close(self) -> None:
        """Stop firing."""
        await self.scheduler.close()
        await self.archives.close()
        await self._targets.close()

    def access(self, call: Call, params: Params) -> Sequence[Access]:
        """Say what a call touches: rules or buses, by their ARNs; and the roles that are passed on."""
        action = f"events:{call.operation}"
        if call.operation in _UNBOUND:
            return (Access(action),)
        if call.operation == "PutEvents":
            return tuple(self._entry_access(call, entry) for entry in params["Entries"])
        arn = params.get("ResourceARN")
        if call.operation in _OF_BUSES:
            arn = call.arn(f"event-bus/{bus_name(params.get('Name') or params.get('EventBusName'))}")
        elif "ReplayName" in params or "ArchiveName" in params:
            kind = "replay" if "ReplayName" in params else "archive"
            arn = call.arn(f"{kind}/{params.get('ReplayName') or params.get('ArchiveName')}")
        elif arn is None:
            arn = _rule_arn(call, params.get("Name") or params.get("Rule") or "", params)
        tags = ((tag["Key"], tag["Value"]) for tag in params.get("Tags") or ())
        found = [Access(action, str(arn), self._held_tags(str(arn)) | tag_context(tags, params.get("TagKeys") or ()))]
        roles = [params.get("RoleArn"), *(target.get("RoleArn") for target in params.get("Targets") or ())]
        return (*found, *(pass_role(role, SERVICE) for role in dict.fromkeys(roles) if role))

    def _held_tags(self, arn: str) -> dict[str, str | tuple[str, ...]]:
        held: Rule | Bus | None = self._find(arn) or self._buses.find(arn)
        return {f"aws:resourcetag/{key.lower()}": value for key, value in held.tags.items()} if held else {}

    def _entry_access(self, call: Call, entry: Params) -> Access:
        arn = publishing.bus_arn(call, entry)
        bus = self._buses.find(arn)
        context: dict[str, str | tuple[str, ...]] = {}
        if entry.get("Source"):
            context["events:source"] = entry["Source"]
        if entry.get("DetailType"):
            context["events:detail-type"] = entry["DetailType"]
        return Access("events:PutEvents", arn, context, policy_of(bus) if bus else None)

    # --- events ------------------------------------------------------------------------------------------------

    @operation("PutEvents")
    async def put_events(self, call: Call, params: Params) -> Answer:
        """Take events: each that is taken has gone to its rules' targets when this answers.

        A bus that does not exist takes events and forgets them, as on AWS. Raises: ValidationException.
        """
        if params.get("EndpointId"):
            raise EventsValidationException("EndpointId is not supported by Gatepost: there are no global endpoints")
        publishing.check_size(params)
        results: list[Answer] = []
        for entry in params["Entries"]:
            event_id = self._new_id()
            try:
                event = publishing.event_of(call, entry, event_id, self._clock)
            except publishing.BadEntry as error:
                results.append({"ErrorCode": error.code, "ErrorMessage": str(error)})
                continue
            await self._dispatch(publishing.bus_arn(call, entry), event, Way())
            results.append({"EventId": event_id})
        return {"FailedEntryCount": sum("ErrorCode" in one for one in results), "Entries": results}

    async def announce(
        self,
        account_id: str,
        region: str,
        *,
        source: str,
        detail_type: str,
        resources: Sequence[str],
        detail: Mapping[str, Any],
    ) -> None:
        """Take an event of another service. See `kernel.ports.EventSink`."""
        event = {
            "version": "0",
            "id": self._new_id(),
            "detail-type": detail_type,
            "source": source,
            "account": account_id,
            "time": f"{iso_8601(self._clock.now_ms())[:19]}Z",
            "region": region,
            "resources": list(resources),
            "detail": dict(detail),
        }
        bus = f"arn:aws:events:{region}:{account_id}:event-bus/{DEFAULT_BUS}"
        try:
            await self.archives.take(bus, event)
        except StoreUnavailable as error:  # whoever announces has done what it tells of
            log.warning("an announced event was not archived", extra={"source": source, "error": str(error)})
        await self._match(bus, event, Way(), frozenset())

    async def _dispatch(self, arn: str, event: Mapping[str, Any], way: Way) -> None:
        """Archive an event and give it to the rules of its bus."""
        await self.archives.take(arn, event)
        await self._match(arn, event, way, frozenset())

    async def _replayed(self, arn: str, event: Mapping[str, Any], rules: frozenset[str]) -> None:
        await self._match(arn, event, Way(), rules)

    async def _match(self, arn: str, event: Mapping[str, Any], way: Way, rules: frozenset[str]) -> None:
        """Deliver an event to the targets of the rules that match; where `rules` are named, of those only."""
        bus = self._buses.find(arn)
        if bus is None:
            return
        for rule, _ in list(self._rules.values()):
            if not rule.pattern or not rule.is_enabled or rule.bus != bus.name or (rules and rule.arn not in rules):
                continue
            if (rule.account_id, rule.region) == (bus.account_id, bus.region) and self._matcher.matches(
                rule.pattern, event
            ):
                await self._targets.deliver(rule, event, way=way)

    @operation("TestEventPattern")
    def test_event_pattern(self, call: Call, params: Params) -> Answer:
        """Say whether an event matches a pattern. Raises: InvalidEventPatternException, ValidationException."""
        del call
        return publishing.test_pattern(params)

    # --- buses -------------------------------------------------------------------------------------------------

    @operation("CreateEventBus")
    async def create_event_bus(self, call: Call, params: Params) -> Answer:
        """Make a bus. Raises: ResourceAlreadyExistsException, ValidationException, LimitExceededException."""
        return await self._buses.create(call, params, _tags(params))

    @operation("UpdateEventBus")
    async def update_event_bus(self, call: Call, params: Params) -> Answer:
        """Change a bus. Raises: ResourceNotFoundException."""
        return await self._buses.update(call, params)

    @operation("DescribeEventBus")
    def describe_event_bus(self, call: Call, params: Params) -> Answer:
        """Describe a bus, the default one without a name. Raises: ResourceNotFoundException."""
        return shown_bus(self._buses.named(call, params.get("Name")))

    @operation("ListEventBuses")
    def list_event_buses(self, call: Call, params: Params) -> Answer:
        """Give the buses by name, all or those whose names begin with a prefix."""
        prefix = params.get("NamePrefix") or ""
        found = {bus.name: bus for bus in self._buses.of_region(call) if bus.name.startswith(prefix)}
        chosen, token = page(list(found), params)
        return {"EventBuses": [shown_bus(found[name]) for name in chosen], **token}

    @operation("DeleteEventBus")
    async def delete_event_bus(self, call: Call, params: Params) -> Answer:
        """Delete a bus without rules. Raises: ValidationException."""
        has_rules = bool(self._of_bus(call, bus_name(params["Name"])))
        return await self._buses.delete(call, params, has_rules=has_rules)

    @operation("PutPermission")
    async def put_permission(self, call: Call, params: Params) -> Answer:
        """Let others put events to a bus. Raises: ResourceNotFoundException, ValidationException."""
        return await self._buses.put_permission(call, params)

    @operation("RemovePermission")
    async def remove_permission(self, call: Call, params: Params) -> Answer:
        """Take such a permission away. Raises: ResourceNotFoundException."""
        return await self._buses.remove_permission(call, params)

    # --- rules -------------------------------------------------------------------------------------------------

    @operation("PutRule")
    async def put_rule(self, call: Call, params: Params) -> Answer:
        """Make a rule, or replace one: by schedule, by pattern, or by both.

        Raises: ValidationException, InvalidEventPatternException, ResourceNotFoundException, LimitExceededException.
        """
        bus = self._buses.named(call, params.get("EventBusName"))
        pattern, schedule = params.get("EventPattern") or "", params.get("ScheduleExpression") or ""
        if not pattern and not schedule:
            raise EventsValidationException("Parameter(s) EventPattern or ScheduleExpression must be specified.")
        if schedule:
            _check_schedule(schedule, bus.name)
        if pattern:
            publishing.compiled(pattern)
        state = params.get("State", "ENABLED")
        if state not in ("ENABLED", "DISABLED"):
            raise EventsValidationException(f"State {state} is not supported by Gatepost: use ENABLED or DISABLED")
        arn = _rule_arn(call, params["Name"], params)
        old = self._find(arn)
        if old is None and len(self._of_bus(call, bus.name)) >= RULES_MAX:
            raise LimitExceededException("The requested resource exceeds the maximum number allowed.")
        blank = Rule(arn, params["Name"], "", 0, tags=_tags(params) if old is None else {}, bus=bus.name)
        rule = replace(
            old or blank,
            schedule=schedule,
            pattern=pattern,
            role_arn=params.get("RoleArn") or "",
            anchored_at_ms=self._clock.now_ms(),
            is_enabled=state == "ENABLED",
            description=params.get("Description", ""),
        )
        await self._keep(old, rule)
        return {"RuleArn": arn}

    @operation("DescribeRule")
    def describe_rule(self, call: Call, params: Params) -> Answer:
        """Describe a rule. Raises: ResourceNotFoundException."""
        rule = self._named(call, params["Name"], params)
        return {**_to_aws(rule), "CreatedBy": rule.account_id}

    @operation("DeleteRule")
    async def delete_rule(self, call: Call, params: Params) -> Answer:
        """Delete a rule without targets; one that is not there is gone. Raises: ValidationException."""
        self._buses.named(call, params.get("EventBusName"))
        rule = self._find(_rule_arn(call, params["Name"], params))
        if rule is None:
            return {}
        if rule.targets:
            raise EventsValidationException("Rule can't be deleted since it has targets.")
        await self._keep(rule, None)
        return {}

    @operation("EnableRule")
    async def enable_rule(self, call: Call, params: Params) -> Answer:
        """Have a rule fire again; a rate counts from now. Raises: ResourceNotFoundException."""
        return await self._switch(call, params, is_enabled=True)

    @operation("DisableRule")
    async def disable_rule(self, call: Call, params: Params) -> Answer:
        """Have a rule fire no more. Raises: ResourceNotFoundException."""
        return await self._switch(call, params, is_enabled=False)

    async def _switch(self, call: Call, params: Params, *, is_enabled: bool) -> Answer:
        rule = self._named(call, params["Name"], params)
        if rule.is_enabled != is_enabled:
            await self._keep(rule, replace(rule, is_enabled=is_enabled, anchored_at_ms=self._clock.now_ms()))
        return {}

    @operation("ListRules")
    def list_rules(self, call: Call, params: Params) -> Answer:
        """Give the rules by name, all or those whose names begin with a prefix."""
        bus = self._buses.named(call, params.get("EventBusName"))
        prefix = params.get("NamePrefix") or ""
        found = [rule for rule in self._of_bus(call, bus.name) if rule.name.startswith(prefix)]
        chosen, token = page([rule.name for rule in found], params)
        by_name = {rule.name: rule for rule in found}
        return {"Rules": [_to_aws(by_name[name]) for name in chosen], **token}

    # --- targets -----------------------------------------------------------------------------------------------

    @operation("PutTargets")
    async def put_targets(self, call: Call, params: Params) -> Answer:
        """Add targets to a rule, or change those with the same ids.

        Raises: ResourceNotFoundException, ValidationException, LimitExceededException.
        """
        rule = self._named(call, params["Rule"], params)
        targets = {target["Id"]: target for target in rule.targets}
        for target in params["Targets"]:
            targets[target["Id"]] = self._targets.checked(target, account_id=call.account_id, region=call.region)
        if len(targets) > TARGETS_MAX:
            raise LimitExceededException("The requested resource exceeds the maximum number allowed.")
        await self._keep(rule, replace(rule, targets=tuple(targets.values())))
        return {"FailedEntryCount": 0, "FailedEntries": []}

    @operation("RemoveTargets")
    async def remove_targets(self, call: Call, params: Params) -> Answer:
        """Take targets away. Raises: ResourceNotFoundException."""
        rule = self._named(call, params["Rule"], params)
        known = {target["Id"] for target in rule.targets}
        left = tuple(target for target in rule.targets if target["Id"] not in params["Ids"])
        await self._keep(rule, replace(rule, targets=left))
        failed = [
            {
                "TargetId": name,
                "ErrorCode": "ResourceNotFoundException",
                "ErrorMessage": f"Rule {rule.name} does not have a target with the Id {name}.",
            }
            for name in params["Ids"]
            if name not in known
        ]
        return {"FailedEntryCount": len(failed), "FailedEntries": failed}

    @operation("ListTargetsByRule")
    def list_targets_by_rule(self, call: Call, params: Params) -> Answer:
        """Give a rule's targets. Raises: ResourceNotFoundException."""
        rule = self._named(call, params["Rule"], params)
        targets = {target["Id"]: target for target in rule.targets}
        chosen, token = page(sorted(targets), params)
        return {"Targets": [dict(targets[name]) for name in chosen], **token}

    @operation("ListRuleNamesByTarget")
    def list_rule_names_by_target(self, call: Call, params: Params) -> Answer:
        """Give the names of the rules that have a target."""
        bus = self._buses.named(call, params.get("EventBusName"))
        arn = params["TargetArn"]
        names = [rule.name for rule in self._of_bus(call, bus.name) if any(one["Arn"] == arn for one in rule.targets)]
        chosen, token = page(names, params)
        return {"RuleNames": chosen, **token}

    # --- tags --------------------------------------------------------------------------------------------------

    @operation("TagResource")
    async def tag_resource(self, call: Call, params: Params) -> Answer:
        """Add tags to a rule or a bus. Raises: ResourceNotFoundException, LimitExceededException."""
        del call
        held = self._tagged(params["ResourceARN"])
        await self._keep_tags(held, {**held.tags, **_tags(params, held=held.tags)})
        return {}

    @operation("UntagResource")
    async def untag_resource(self, call: Call, params: Params) -> Answer:
        """Take tags away. Raises: ResourceNotFoundException."""
        del call
        held = self._tagged(params["ResourceARN"])
        await self._keep_tags(held, {key: value for key, value in held.tags.items() if key not in params["TagKeys"]})
        return {}

    @operation("ListTagsForResource")
    def list_tags_for_resource(self, call: Call, params: Params) -> Answer:
        """Give a rule's or a bus's tags. Raises: ResourceNotFoundException."""
        del call
        held = self._tagged(params["ResourceARN"])
        return {"Tags": [{"Key": key, "Value": value} for key, value in held.tags.items()]}

    def _tagged(self, arn: str) -> Rule | Bus:
        held: Rule | Bus | None = self._find(arn) or self._buses.find(arn)
        if held is not None:
            return held
        if ":event-bus/" in arn:
            raise ResourceNotFoundException(f"Event bus {bus_name(arn)} does not exist.")
        bus, _, name = arn.rpartition(":rule/")[2].rpartition("/")
        raise ResourceNotFoundException(f"Rule {name} does not exist on EventBus {bus or DEFAULT_BUS}.")

    async def _keep_tags(self, held: Rule | Bus, tags: Mapping[str, str]) -> None:
        if isinstance(held, Bus):
            await self._buses.keep(held, replace(held, tags=tags))
        else:
            await self._keep(held, replace(held, tags=tags))

    # --- keeping -----------------------------------------------------------------------------------------------

    def _find(self, arn: str) -> Rule | None:
        found = self._rules.get(arn)
        return found[0] if found else None

    def _named(self, call: Call, name: str, params: Params) -> Rule:
        bus = self._buses.named(call, params.get("EventBusName"))
        rule = self._find(_rule_arn(call, name, params))
        if rule is None:
            raise ResourceNotFoundException(f"Rule {name} does not exist on EventBus {bus.name}.")
        return rule

    def _of_bus(self, call: Call, bus: str) -> list[Rule]:
        prefix = call.arn("rule/")
        found = (rule for rule, _ in self._rules.values() if rule.bus == bus and rule.arn.startswith(prefix))
        return sorted(found, key=lambda rule: rule.name)

    async def _keep(self, old: Rule | None, new: Rule | None) -> None:
        """Store a change, then fire by it. Raises: ConcurrentModificationException, StoreUnavailable."""
        rule = new or old
        assert rule is not None
        held = self._rules.get(rule.arn)
        if (held[0] if held else None) is not old:
            raise ConcurrentModificationException(f"Rule {rule.name} was changed by another call.")
        key = RecordKey(RULE, rule.account_id, rule.region, rule.record_id)
        write = Write(key, new.to_json() if new else None, held[1] if held else 0)
        try:
            (record,) = await self._records.commit([write])
        except VersionConflict as conflict:
            raise ConcurrentModificationException(
                f"Rule {rule.name} was changed by another call: try again."
            ) from conflict
        if new is None or record is None:
            self._rules.pop(rule.arn, None)
        else:
            self._rules[rule.arn] = (new, record.version)
        self.scheduler.changed(rule.arn, new)


def _rule_arn(call: Call, name: str, params: Params) -> str:
    bus = bus_name(params.get("EventBusName"))
    return call.arn(f"rule/{name}" if bus == DEFAULT_BUS else f"rule/{bus}/{name}")


def _check_schedule(expression: str, bus: str) -> None:
    if bus != DEFAULT_BUS:
        raise EventsValidationException("ScheduleExpression is supported only on the default event bus.")
    try:
        parse_schedule(expression)
    except BadSchedule as error:
        raise EventsValidationException("Parameter ScheduleExpression is not valid.") from error


def _tags(params: Params, *, held: Mapping[str, str] | None = None) -> dict[str, str]:
    tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags") or ()}
    if len({**(held or {}), **tags}) > TAGS_MAX:
        raise LimitExceededException(f"A rule has at most {TAGS_MAX} tags.")
    return tags


def _to_aws(rule: Rule) -> Answer:
    answer: Answer = {
        "Name": rule.name,
        "Arn": rule.arn,
        "State": "ENABLED" if rule.is_enabled else "DISABLED",
        "EventBusName": rule.bus,
    }
    optional = {
        "ScheduleExpression": rule.schedule,
        "EventPattern": rule.pattern,
        "Description": rule.description,
        "RoleArn": rule.role_arn,
    }
    return {**answer, **{name: value for name, value in optional.items() if value}}
