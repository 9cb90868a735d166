"""The operations of EventBridge that there are: rules by schedule on the default bus, with functions as targets.

Patterns, other buses and other targets are refused. Names and words of errors by
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html and API_PutTargets.html.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.arn import parse_arn
from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.ids import request_id as random_uuid
from gatepost.kernel.operations import Access, Call, RecordKey, operation, tag_context
from gatepost.kernel.ports import FunctionTriggers
from gatepost.services.events.model import (
    RULE,
    EventsValidationException,
    LimitExceededException,
    ResourceNotFoundException,
    Rule,
)
from gatepost.services.events.scheduler import Scheduler
from gatepost.services.events.schedules import BadSchedule, parse_schedule
from gatepost.storage.base import Records, Write

Params = Mapping[str, Any]
Answer = dict[str, Any]

RULES_MAX: Final = 300  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
TARGETS_MAX: Final = 5
TAGS_MAX: Final = 50
PAGE_MAX: Final = 100
INPUT_BYTES_MAX: Final = 8192
_UNBOUND: Final = frozenset({"ListRules", "ListRuleNamesByTarget"})


class EventsProvider:
    """EventBridge on records. Call `start` once the store is open, `close` before it is closed."""

    service = "events"

    def __init__(
        self, records: Records, triggers: FunctionTriggers, clock: Clock, new_id: Callable[[], str] = random_uuid
    ) -> None:
        self._records = records
        self._clock = clock
        self._rules: dict[str, tuple[Rule, int]] = {}  # by ARN, with the record's version
        self.scheduler = Scheduler(triggers, clock, new_id)

    async def start(self) -> None:
        """Read the rules and fire them from now on."""
        for record in await self._records.scan(RULE):
            rule = Rule.from_json(record.value)
            self._rules[rule.arn] = (rule, record.version)
            self.scheduler.changed(rule.arn, rule)
        self.scheduler.start()

    async def close(self) -> None:
        """Stop firing."""
        await self.scheduler.close()

    def access(self, call: Call, params: Params) -> Sequence[Access]:
        """Say what a call touches: a rule, by its ARN."""
        action = f"events:{call.operation}"
        if call.operation in _UNBOUND:
            return (Access(action),)
        arn = params.get("ResourceARN") or call.arn(f"rule/{params.get('Name') or params.get('Rule')}")
        rule = self._rules.get(str(arn))
        held = {f"aws:resourcetag/{key.lower()}": value for key, value in rule[0].tags.items()} if rule else {}
        tags = ((tag["Key"], tag["Value"]) for tag in params.get("Tags", ()))
        return (Access(action, str(arn), held | tag_context(tags, params.get("TagKeys", ()))),)

    # --- rules -------------------------------------------------------------------------------------------------

    @operation("PutRule")
    async def put_rule(self, call: Call, params: Params) -> Answer:
        """Make or change a rule by schedule. Raises: ValidationException, LimitExceededException."""
        _check_bus(params)
        if params.get("EventPattern"):
            raise EventsValidationException(
                "EventPattern is not supported by Gatepost: no events are published here; use ScheduleExpression"
            )
        if params.get("RoleArn"):
            raise EventsValidationException(
                "RoleArn is not supported by Gatepost: functions say in their own policy who may invoke them"
            )
        expression = params.get("ScheduleExpression", "")
        if not expression:
            raise EventsValidationException("Parameter(s) EventPattern or ScheduleExpression must be specified.")
        try:
            parse_schedule(expression)
        except BadSchedule as error:
            words = f"Parameter ScheduleExpression is not valid. ({expression}: {error})"
            raise EventsValidationException(words) from error
        state = params.get("State", "ENABLED")
        if state not in ("ENABLED", "DISABLED"):
            raise EventsValidationException(f"State {state} is not supported by Gatepost: use ENABLED or DISABLED")
        arn = call.arn(f"rule/{params['Name']}")
        old = self._find(arn)
        if old is None and sum(one.arn.startswith(call.arn("rule/")) for one, _ in self._rules.values()) >= RULES_MAX:
            raise LimitExceededException("The requested resource exceeds the maximum number allowed.")
        blank = Rule(arn, params["Name"], "", 0, tags=_tags(params) if old is None else {})
        rule = replace(
            old or blank,
            schedule=expression,
            anchored_at_ms=self._clock.now_ms(),
            is_enabled=state == "ENABLED",
            description=params.get("Description", ""),
        )
        await self._keep(old, rule)
        return {"RuleArn": arn}

    @operation("DescribeRule")
    def describe_rule(self, call: Call, params: Params) -> Answer:
        """Describe a rule. Raises: ResourceNotFoundException."""
        _check_bus(params)
        rule = self._named(call, params["Name"])
        return {**_to_aws(rule), "CreatedBy": rule.account_id}

    @operation("DeleteRule")
    async def delete_rule(self, call: Call, params: Params) -> Answer:
        """Delete a rule without targets; one that is not there is gone. Raises: ValidationException."""
        _check_bus(params)
        rule = self._find(call.arn(f"rule/{params['Name']}"))
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
        _check_bus(params)
        rule = self._named(call, params["Name"])
        if rule.is_enabled != is_enabled:
            await self._keep(rule, replace(rule, is_enabled=is_enabled, anchored_at_ms=self._clock.now_ms()))
        return {}

    @operation("ListRules")
    def list_rules(self, call: Call, params: Params) -> Answer:
        """Give the rules by name, all or those whose names begin with a prefix."""
        _check_bus(params)
        prefix = params.get("NamePrefix", "")
        found = [rule for rule in self._of_region(call) if rule.name.startswith(prefix)]
        chosen, token = _page([rule.name for rule in found], params)
        by_name = {rule.name: rule for rule in found}
        return {"Rules": [_to_aws(by_name[name]) for name in chosen], **token}

    # --- targets -----------------------------------------------------------------------------------------------

    @operation("PutTargets")
    async def put_targets(self, call: Call, params: Params) -> Answer:
        """Add targets to a rule, or change those with the same ids.

        Raises: ResourceNotFoundException, ValidationException, LimitExceededException.
        """
        _check_bus(params)
        rule = self._named(call, params["Rule"])
        targets = {target["Id"]: target for target in rule.targets}
        for target in params["Targets"]:
            targets[target["Id"]] = _checked_target(target)
        if len(targets) > TARGETS_MAX:
            raise LimitExceededException(f"A rule has at most {TARGETS_MAX} targets, not {len(targets)}.")
        await self._keep(rule, replace(rule, targets=tuple(targets.values())))
        return {"FailedEntryCount": 0, "FailedEntries": []}

    @operation("RemoveTargets")
    async def remove_targets(self, call: Call, params: Params) -> Answer:
        """Take targets away. Raises: ResourceNotFoundException."""
        _check_bus(params)
        rule = self._named(call, params["Rule"])
        known = {target["Id"] for target in rule.targets}
        left = tuple(target for target in rule.targets if target["Id"] not in params["Ids"])
        await self._keep(rule, replace(rule, targets=left))
        failed = [
            {"TargetId": name, "ErrorCode": "ResourceNotFoundException", "ErrorMessage": "There is no such target."}
            for name in params["Ids"]
            if name not in known
        ]
        return {"FailedEntryCount": len(failed), "FailedEntries": failed}

    @operation("ListTargetsByRule")
    def list_targets_by_rule(self, call: Call, params: Params) -> Answer:
        """Give a rule's targets. Raises: ResourceNotFoundException."""
        _check_bus(params)
        return {"Targets": [dict(target) for target in self._named(call, params["Rule"]).targets]}

    @operation("ListRuleNamesByTarget")
    def list_rule_names_by_target(self, call: Call, params: Params) -> Answer:
        """Give the names of the rules that have a target."""
        _check_bus(params)
        arn = params["TargetArn"]
        names = [rule.name for rule in self._of_region(call) if any(one["Arn"] == arn for one in rule.targets)]
        chosen, token = _page(names, params)
        return {"RuleNames": chosen, **token}

    # --- tags --------------------------------------------------------------------------------------------------

    @operation("TagResource")
    async def tag_resource(self, call: Call, params: Params) -> Answer:
        """Add tags to a rule. Raises: ResourceNotFoundException, LimitExceededException."""
        del call
        rule = self._existing(params["ResourceARN"])
        await self._keep(rule, replace(rule, tags={**rule.tags, **_tags(params, held=rule.tags)}))
        return {}

    @operation("UntagResource")
    async def untag_resource(self, call: Call, params: Params) -> Answer:
        """Take tags away. Raises: ResourceNotFoundException."""
        del call
        rule = self._existing(params["ResourceARN"])
        tags = {key: value for key, value in rule.tags.items() if key not in params["TagKeys"]}
        await self._keep(rule, replace(rule, tags=tags))
        return {}

    @operation("ListTagsForResource")
    def list_tags_for_resource(self, call: Call, params: Params) -> Answer:
        """Give a rule's tags. Raises: ResourceNotFoundException."""
        del call
        rule = self._existing(params["ResourceARN"])
        return {"Tags": [{"Key": key, "Value": value} for key, value in rule.tags.items()]}

    # --- keeping -----------------------------------------------------------------------------------------------

    def _find(self, arn: str) -> Rule | None:
        found = self._rules.get(arn)
        return found[0] if found else None

    def _existing(self, arn: str) -> Rule:
        rule = self._find(arn)
        if rule is None:
            name = arn.rpartition("/")[2]
            raise ResourceNotFoundException(f"Rule {name} does not exist on EventBus default.")
        return rule

    def _named(self, call: Call, name: str) -> Rule:
        return self._existing(call.arn(f"rule/{name}"))

    def _of_region(self, call: Call) -> list[Rule]:
        prefix = call.arn("rule/")
        return sorted((rule for rule, _ in self._rules.values() if rule.arn.startswith(prefix)), key=lambda r: r.name)

    async def _keep(self, old: Rule | None, new: Rule | None) -> None:
        """Store a change, then fire by it. Raises: ValidationException when another came first, StoreUnavailable."""
        rule = new or old
        assert rule is not None
        held = self._rules.get(rule.arn)
        if (held[0] if held else None) is not old:
            raise EventsValidationException(f"Rule {rule.name} was changed by another call: try again.")
        key = RecordKey(RULE, rule.account_id, rule.region, rule.name)
        write = Write(key, new.to_json() if new else None, held[1] if held else 0)
        try:
            (record,) = await self._records.commit([write])
        except VersionConflict as conflict:
            raise EventsValidationException(f"Rule {rule.name} was changed by another call: try again.") from conflict
        if new is None or record is None:
            self._rules.pop(rule.arn, None)
        else:
            self._rules[rule.arn] = (new, record.version)
        self.scheduler.changed(rule.arn, new)


def _check_bus(params: Params) -> None:
    bus = params.get("EventBusName", "default")
    if bus != "default" and not bus.endswith(":event-bus/default"):
        raise ResourceNotFoundException(f"Event bus {bus} does not exist: there is only the default one here.")


def _checked_target(target: Mapping[str, Any]) -> dict[str, Any]:
    arn = parse_arn(target["Arn"])
    if arn is None or arn.service != "lambda" or not arn.resource.startswith("function:"):
        raise EventsValidationException(
            f"Target {target['Arn']} is not supported by Gatepost: targets are Lambda functions"
        )
    for name, value in target.items():
        if name not in ("Id", "Arn", "Input") and value:
            raise EventsValidationException(f"{name} of targets is not supported by Gatepost: leave it out")
    given = target.get("Input")
    if given:
        if len(given.encode()) > INPUT_BYTES_MAX:
            raise EventsValidationException(f"Input has more than {INPUT_BYTES_MAX} bytes")
        try:
            json.loads(given)
        except ValueError as error:
            words = f"JSON syntax error in input for target {target['Id']} : {error}"
            raise EventsValidationException(words) from error
    return {name: value for name, value in target.items() if value}


def _tags(params: Params, *, held: Mapping[str, str] | None = None) -> dict[str, str]:
    tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags") or ()}
    if len({**(held or {}), **tags}) > TAGS_MAX:
        raise LimitExceededException(f"A rule has at most {TAGS_MAX} tags.")
    return tags


def _page(names: list[str], params: Params) -> tuple[list[str], dict[str, str]]:
    after = params.get("NextToken") or ""
    count = min(params.get("Limit") or PAGE_MAX, PAGE_MAX)
    rest = [name for name in names if name > after]
    return rest[:count], {"NextToken": rest[count - 1]} if len(rest) > count else {}


def _to_aws(rule: Rule) -> Answer:
    answer: Answer = {
        "Name": rule.name,
        "Arn": rule.arn,
        "ScheduleExpression": rule.schedule,
        "State": "ENABLED" if rule.is_enabled else "DISABLED",
        "EventBusName": "default",
    }
    if rule.description:
        answer["Description"] = rule.description
    return answer
