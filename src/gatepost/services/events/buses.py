"""Event buses: the default one of every account and region, and those that were made; with policies and tags.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-bus.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from gatepost.kernel.clock import Clock
from gatepost.kernel.errors import VersionConflict
from gatepost.kernel.operations import Call, RecordKey
from gatepost.services.events.model import (
    BUS,
    DEFAULT_BUS,
    Bus,
    ConcurrentModificationException,
    EventsValidationException,
    LimitExceededException,
    PolicyLengthExceededException,
    ResourceAlreadyExistsException,
    ResourceNotFoundException,
)
from gatepost.storage.base import Records, Write

BUSES_MAX: Final = 100  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
POLICY_BYTES_MAX: Final = 10_240
_ACCOUNT: Final = re.compile(r"\d{12}")
_REFUSED: Final[Mapping[str, str]] = {
    "EventSourceName": "there are no partner event sources",
    "KmsKeyIdentifier": "events are not encrypted with a key of yours",
    "DeadLetterConfig": "events are delivered or given up",
    "LogConfig": "buses do not write logs",
}

Params = Mapping[str, Any]
Answer = dict[str, Any]


def bus_name(text: str | None) -> str:
    """Give the name of a bus that is given by name or ARN, the default one without."""
    if not text:
        return DEFAULT_BUS
    return text.split(":event-bus/", 1)[1] if text.startswith("arn:") and ":event-bus/" in text else text


class Buses:
    """The buses on records."""

    def __init__(self, records: Records, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._held: dict[str, tuple[Bus, int]] = {}  # by ARN, with the record's version

    async def load(self) -> None:
        """Read the buses."""
        for record in await self._records.scan(BUS):
            bus = Bus.from_json(record.value)
            self._held[bus.arn] = (bus, record.version)

    def find(self, arn: str) -> Bus | None:
        """Give a bus by its ARN."""
        held = self._held.get(arn)
        if held is not None:
            return held[0]
        return Bus(arn, 0, 0) if arn.endswith(f":event-bus/{DEFAULT_BUS}") else None

    def named(self, call: Call, text: str | None) -> Bus:
        """Give a bus by name or ARN. Raises: ResourceNotFoundException."""
        name = bus_name(text)
        bus = self.find(text if text and text.startswith("arn:") else call.arn(f"event-bus/{name}"))
        if bus is None or (bus.account_id, bus.region) != (call.account_id, call.region):
            raise ResourceNotFoundException(f"Event bus {name} does not exist.")
        return bus

    def of_region(self, call: Call) -> list[Bus]:
        """Give the account's buses by name."""
        prefix = call.arn("event-bus/")
        found = {arn: bus for arn, (bus, _) in self._held.items() if arn.startswith(prefix)}
        default = call.arn(f"event-bus/{DEFAULT_BUS}")
        found.setdefault(default, Bus(default, 0, 0))
        return sorted(found.values(), key=lambda bus: bus.name)

    async def create(self, call: Call, params: Params, tags: Mapping[str, str]) -> Answer:
        """Make a bus. Raises: ResourceAlreadyExistsException, ValidationException, LimitExceededException."""
        _refuse(params)
        name = params["Name"]
        if "/" in name:
            raise EventsValidationException("Event bus name must not contain '/'.")
        arn = call.arn(f"event-bus/{name}")
        if self.find(arn) is not None:
            raise ResourceAlreadyExistsException(f"Event bus {name} already exists.")
        if len(self.of_region(call)) >= BUSES_MAX:
            raise LimitExceededException("The requested resource exceeds the maximum number allowed.")
        now_ms = self._clock.now_ms()
        await self.keep(None, Bus(arn, now_ms, now_ms, params.get("Description", ""), tags=tags))
        answer: Answer = {"EventBusArn": arn}
        if params.get("Description"):
            answer["Description"] = params["Description"]
        return answer

    async def update(self, call: Call, params: Params) -> Answer:
        """Change a bus's description. Raises: ResourceNotFoundException."""
        _refuse(params)
        bus = self.named(call, params.get("Name"))
        description = params.get("Description", bus.description)
        await self.keep(bus, replace(bus, description=description, modified_at_ms=self._clock.now_ms()))
        answer: Answer = {"Arn": bus.arn, "Name": bus.name}
        return {**answer, "Description": description} if description else answer

    async def delete(self, call: Call, params: Params, *, has_rules: bool) -> Answer:
        """Delete a bus; one that is not there is gone. Raises: ValidationException."""
        name = bus_name(params["Name"])
        if name == DEFAULT_BUS:
            raise EventsValidationException("Cannot delete event bus default.")
        bus = self.find(call.arn(f"event-bus/{name}"))
        if bus is not None:
            if has_rules:
                raise EventsValidationException("Event bus can't be deleted since it has rules.")
            await self.keep(bus, None)
        return {}

    async def put_permission(self, call: Call, params: Params) -> Answer:
        """Let others put events: by a statement, or by a whole policy.

        Raises: ResourceNotFoundException, ValidationException, PolicyLengthExceededException.
        """
        bus = self.named(call, params.get("EventBusName"))
        if params.get("Policy"):
            if any(params.get(name) for name in ("Action", "Principal", "StatementId", "Condition")):
                raise EventsValidationException("Policy cannot be used with other parameters of a statement.")
            statements = _statements(params["Policy"])
        else:
            given = _statement(bus, params)
            statements = [one for one in bus.statements if one.get("Sid") != given["Sid"]] + [given]
        if len(json.dumps(statements)) > POLICY_BYTES_MAX:
            raise PolicyLengthExceededException(f"The policy has more than {POLICY_BYTES_MAX} bytes.")
        await self._keep_statements(bus, statements)
        return {}

    async def remove_permission(self, call: Call, params: Params) -> Answer:
        """Take a statement away, or all. Raises: ResourceNotFoundException."""
        bus = self.named(call, params.get("EventBusName"))
        if params.get("RemoveAllPermissions"):
            await self._keep_statements(bus, [])
            return {}
        if not params.get("StatementId"):
            raise EventsValidationException("Parameter StatementId must be specified.")
        if not bus.statements:
            raise ResourceNotFoundException("EventBus does not have a policy.")
        left = [one for one in bus.statements if one.get("Sid") != params["StatementId"]]
        if len(left) == len(bus.statements):
            raise ResourceNotFoundException("Statement with the provided id does not exist.")
        await self._keep_statements(bus, left)
        return {}

    async def _keep_statements(self, bus: Bus, statements: Sequence[Mapping[str, Any]]) -> None:
        await self.keep(bus, replace(bus, statements=tuple(statements), modified_at_ms=self._clock.now_ms()))

    async def keep(self, old: Bus | None, new: Bus | None) -> None:
        """Store a change. Raises: ConcurrentModificationException, StoreUnavailable."""
        bus = new or old
        assert bus is not None
        held = self._held.get(bus.arn)
        write = Write(
            RecordKey(BUS, bus.account_id, bus.region, bus.name),
            new.to_json() if new else None,
            held[1] if held else 0,
        )
        try:
            (record,) = await self._records.commit([write])
        except VersionConflict as conflict:
            raise ConcurrentModificationException(f"Event bus {bus.name} was changed by another call.") from conflict
        if new is None or record is None:
            self._held.pop(bus.arn, None)
        else:
            self._held[bus.arn] = (new, record.version)


def policy_of(bus: Bus) -> str | None:
    """Give a bus's policy as AWS shows it."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(bus.statements)}) if bus.statements else None


def shown(bus: Bus) -> Answer:
    """Give a bus as AWS shows it."""
    answer: Answer = {"Name": bus.name, "Arn": bus.arn}
    optional = {
        "Description": bus.description,
        "Policy": policy_of(bus),
        "CreationTime": bus.created_at_ms,
        "LastModifiedTime": bus.modified_at_ms,
    }
    return {**answer, **{name: value for name, value in optional.items() if value}}


def _refuse(params: Params) -> None:
    for name, why in _REFUSED.items():
        if params.get(name):
            raise EventsValidationException(f"{name} is not supported by Gatepost: {why}; leave it out")


def _statements(text: str) -> list[Mapping[str, Any]]:
    try:
        document = json.loads(text)
        statements = document["Statement"]
        listed = statements if isinstance(statements, list) else [statements]
        if not all(
            isinstance(one, dict) and {"Effect", "Principal", "Action", "Resource"} <= set(one) for one in listed
        ):
            raise ValueError("a statement needs Effect, Principal, Action and Resource")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise EventsValidationException(f"Provided value in parameter 'policy' is not valid: {error}") from error
    return listed


def _statement(bus: Bus, params: Params) -> dict[str, Any]:
    for name in ("Action", "Principal", "StatementId"):
        if not params.get(name):
            raise EventsValidationException(f"Parameter {name} must be specified.")
    if params["Action"] != "events:PutEvents":
        raise EventsValidationException("Provided value in parameter 'action' is not supported.")
    principal = params["Principal"]
    if principal != "*" and not _ACCOUNT.fullmatch(principal):
        raise EventsValidationException("Provided value in parameter 'principal' is not valid.")
    statement: dict[str, Any] = {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {"AWS": f"arn:aws:iam::{principal}:root"},
        "Action": params["Action"],
        "Resource": bus.arn,
    }
    condition = params.get("Condition")
    if condition:
        if principal != "*":
            raise EventsValidationException("Condition can only be used with principal *.")
        statement["Condition"] = {condition["Type"]: {condition["Key"]: condition["Value"]}}
    return statement
